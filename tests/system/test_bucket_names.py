# SPDX-License-Identifier: MIT
"""The buckets are those that the configuration names, and no others."""

from __future__ import annotations

import json

from tests.stand_ins.authelia import authelia_process
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.waiting import until
from tests.system.processes import process

NAMES = {
    "AUTHELIA_USERS_KV_BUCKET": "people",
    "AUTHELIA_EMAIL_OTP_KV_BUCKET": "codes",
    "AUTHELIA_OTP_LEDGER_KV_BUCKET": "ledger",
    "AUTHELIA_CLAIMS_KV_BUCKET": "claims",
    "AUTHELIA_SIGNING_KEY_KV_BUCKET": "key",
}


async def test_everything_is_kept_in_the_buckets_that_are_named(tmp_path):
    with authelia_process() as stand_ins, nats_server() as bus:
        service = process(
            bus.url,
            tmp_path,
            USER_REPOSITORY_TYPE="authelia",
            AUTHELIA_OIDC_USERINFO_URL=stand_ins.userinfo,
            EMAIL_SMTP_HOST="127.0.0.1",
            EMAIL_SMTP_PORT=str(stand_ins.mail_port),
            KUBECONFIG=stand_ins.kubeconfig,
            **NAMES,
        )
        with service as running:
            running.until_ready()
            running.until(
                lambda: running.get("/readyz?verbose")[1] == "nats: ok\nstorage: ok\nsigning key: ok\nkubernetes: ok"
            )
            client = await connect(bus.url)
            js = client.jetstream()
            people = await js.key_value("people")
            # A user whom somebody else adds is heard of by the watch.
            eve = {"username": "eve", "email": "eve@example.org", "displayname": "Eve"}
            await people.put("eve", json.dumps(eve).encode())
            await until(lambda: "kubernetes: ok" in running.get("/readyz?verbose")[1])
            reply = await client.request("lfx.auth-service.email_linking.send_verification", b"a@b.example", timeout=60)
            assert json.loads(reply.data)["success"] is True
            names = {info.config.name for info in await js.streams_info()}
            await client.close()
            assert running.end() == 0
        assert names == {f"KV_{name}" for name in NAMES.values()}
