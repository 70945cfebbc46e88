# SPDX-License-Identifier: MIT
"""`auth-service check` on Authelia: a row for everything that is needed, and nothing is changed."""

from __future__ import annotations

import asyncio
import copy
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.stand_ins.authelia import _kubeconfig
from tests.stand_ins.certificates import write_certificates
from tests.stand_ins.kubernetes import CONFIGMAP, DAEMONSET, SECRET, Kubernetes
from tests.stand_ins.smtp import MailServer
from tests.stand_ins.userinfo import Userinfo
from tests.support.accounts import accounts
from tests.support.buckets import held
from tests.support.command import run
from tests.support.ports import nats_server
from tests.support.raw_client import connect

BUCKETS = ["authelia-users", "authelia-email-otp", "authelia-otp-ledger", "authelia-claims", "authelia-signing-key"]
RIGHTS = [(verb, path) for path in (CONFIGMAP, SECRET, DAEMONSET) for verb in ("get", "update", "patch")]


@dataclass
class StandIns:
    """The stand-ins for all that the service needs, and the variables that lead to it."""

    kubernetes: Kubernetes
    userinfo: Userinfo
    mail: MailServer
    variables: dict[str, str] = field(default_factory=dict)

    async def check(self, **more):
        """Exit status, state and reason by row, and everything that was printed."""
        variables = {**self.variables, **more}
        done = await asyncio.to_thread(run, "check", USER_REPOSITORY_TYPE="authelia", **variables)
        text = done.stdout.decode()
        rows = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in text.splitlines()]
        return done.returncode, {what: (state, why) for what, state, why in rows}, text + done.stderr.decode()


@asynccontextmanager
async def _stand_ins(folder, url, **mail):
    async with (
        Kubernetes().serving() as kubernetes,
        Userinfo().serving() as userinfo,
        MailServer(**mail).serving() as server,
    ):
        config = folder / "kubeconfig"
        config.write_text(_kubeconfig(kubernetes.url))
        variables = {
            "NATS_URL": url,
            "KUBECONFIG": str(config),
            "AUTHELIA_OIDC_USERINFO_URL": userinfo.url,
            "EMAIL_SMTP_HOST": "127.0.0.1",
            "EMAIL_SMTP_PORT": str(server.port),
        }
        yield StandIns(kubernetes, userinfo, server, variables)


@pytest_asyncio.fixture(name="stand_ins")
async def _default(tmp_path):
    # A server of its own: what stands in buckets is looked at.
    with nats_server() as own:
        async with _stand_ins(tmp_path, own.url) as stand_ins:
            yield stand_ins


async def _streams(url):
    async with await connect(url) as client:
        return sorted(stream.config.name for stream in await client.jetstream().streams_info())


async def test_everything_has_its_row_and_nothing_is_changed(stand_ins):
    before = await _streams(stand_ins.variables["NATS_URL"])
    objects = copy.deepcopy(stand_ins.kubernetes.objects)
    status, rows, text = await stand_ins.check()
    kubernetes = [f"Kubernetes {verb} {path}" for verb, path in RIGHTS]
    buckets = [f"NATS KV {name}" for name in BUCKETS]
    assert list(rows) == [
        "configuration", "NATS", *buckets, *kubernetes, "userinfo", "SMTP",
    ]  # fmt: skip
    assert (status, {state for state, _ in rows.values()}) == (0, {"ok"}), text
    assert await _streams(stand_ins.variables["NATS_URL"]) == before
    assert stand_ins.kubernetes.objects == objects
    assert {verb for verb, _ in stand_ins.kubernetes.calls} == {"get"}
    assert stand_ins.mail.mails == []


async def test_buckets_that_are_there_are_told_from_those_that_are_not(stand_ins):
    async with await connect(stand_ins.variables["NATS_URL"]) as client:
        jetstream = client.jetstream()
        bucket = await jetstream.create_key_value(bucket="authelia-email-otp")
        await bucket.put("somebody", b"123456")
        _, rows, _ = await stand_ins.check()
        assert rows["NATS KV authelia-email-otp"] == ("ok", "1 messages, 0.1 KiB, replicas: 1")
        assert (await bucket.status()).values == 1
        assert list(await held(jetstream, "authelia-email-otp")) == ["somebody"]
        await jetstream.delete_key_value("authelia-email-otp")
    assert rows["NATS KV authelia-users"] == ("ok", "not there yet: the service makes it at its start")


async def test_a_bucket_that_is_full_fails(stand_ins):
    async with await connect(stand_ins.variables["NATS_URL"]) as client:
        jetstream = client.jetstream()
        bucket = await jetstream.create_key_value(bucket="authelia-otp-ledger", max_bytes=4096)
        await bucket.put("somebody", b"x" * 3_900)
        status, rows, _ = await stand_ins.check()
        await jetstream.delete_key_value("authelia-otp-ledger")
    assert (status, rows["NATS KV authelia-otp-ledger"][0]) == (1, "FAILED")
    assert rows["NATS KV authelia-otp-ledger"][1].startswith("full: 1 messages, ")


@pytest.mark.parametrize("reviews", [True, 403, 404], ids=["reviews", "none granted", "none there"])
@pytest.mark.parametrize("first", [0, 1, 2])
async def test_each_right_on_each_object_is_told_by_itself(stand_ins, first, reviews):
    denied = [RIGHTS[first], RIGHTS[3 + (first + 1) % 3], RIGHTS[6 + (first + 2) % 3]]
    stand_ins.kubernetes.reviews = reviews
    stand_ins.kubernetes.denied = set(denied)
    objects = copy.deepcopy(stand_ins.kubernetes.objects)
    status, rows, _ = await stand_ins.check()
    assert status == 1
    failed = [what for what, (state, _) in rows.items() if state != "ok"]
    assert failed == [f"Kubernetes {verb} {path}" for verb, path in denied]
    assert {rows[what][1].partition(":")[0] for what in failed} == {"not granted"}
    assert stand_ins.kubernetes.objects == objects


async def test_a_right_of_which_nothing_can_be_known_is_told_so_and_is_no_success(stand_ins):
    stand_ins.kubernetes.reviews = 500
    stand_ins.kubernetes.faults = {f"patch {DAEMONSET}": 503}
    status, rows, _ = await stand_ins.check()
    assert (status, rows[f"Kubernetes patch {DAEMONSET}"]) == (1, ("cannot tell", "status 503"))


async def test_an_object_that_is_not_there_fails(stand_ins):
    del stand_ins.kubernetes.objects[SECRET]
    status, rows, _ = await stand_ins.check()
    assert (status, rows[f"Kubernetes get {SECRET}"]) == (1, ("FAILED", "there is no such object"))


async def test_a_cluster_out_of_reach_fails_every_right_and_nothing_else(stand_ins, tmp_path):
    status, rows, _ = await stand_ins.check(KUBECONFIG=str(tmp_path / "nothing"))
    assert status == 1
    assert [what for what, (state, _) in rows.items() if state == "FAILED"] == [
        f"Kubernetes {v} {p}" for v, p in RIGHTS
    ]


@pytest.mark.parametrize("fault", [200, 404, 500, "redirect", "garbage"])
async def test_another_answer_than_that_of_userinfo_fails(stand_ins, fault):
    stand_ins.userinfo.fault = fault
    status, rows, _ = await stand_ins.check()
    expected = {"redirect": 302, "garbage": 200}.get(fault, fault)
    assert (status, rows["userinfo"][0]) == (1, "FAILED")
    assert f"status {expected}, not 401" in rows["userinfo"][1]
    assert stand_ins.userinfo.asked == ["authelia_at_check"]


async def test_everything_out_of_reach_is_told_at_once(stand_ins):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
        status, rows, _ = await stand_ins.check(
            NATS_URL=f"nats://bob:s3cret@127.0.0.1:{closed}",
            AUTHELIA_OIDC_USERINFO_URL=f"http://127.0.0.1:{closed}/",
            EMAIL_SMTP_PORT=str(closed),
        )
    failed = {what for what, (state, _) in rows.items() if state == "FAILED"}
    assert status == 1
    assert {"NATS", "userinfo", "SMTP", *(f"NATS KV {name}" for name in BUCKETS)} <= failed
    assert rows["NATS"][1] == f"NATS at nats://127.0.0.1:{closed}: Connection refused"
    assert rows["SMTP"][1] == f"127.0.0.1:{closed}: SMTPConnectError: ConnectionRefusedError"


async def test_what_never_answers_is_not_waited_for(stand_ins):
    stand_ins.userinfo.fault = "hang"
    stand_ins.kubernetes.faults = {CONFIGMAP: "hang"}
    stand_ins.mail.faults = {"sender": "hang"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # Well below what the test's own patience with a command is, and above what the check allows itself.
        status, rows, _ = await stand_ins.check(EMAIL_SMTP_PORT=str(silent.getsockname()[1]))
    assert status == 1
    assert {rows[what][0] for what in ("userinfo", "SMTP", *(f"Kubernetes {v} {p}" for v, p in RIGHTS))} == {"FAILED"}


class TestMail:
    @pytest.mark.parametrize(
        ("password", "state", "why"),
        [
            ("open-sesame", "ok", "EHLO, STARTTLS, AUTH"),
            ("wr0ng-sesame", "FAILED", "SMTPAuthenticationError, code 535"),
        ],
    )
    async def test_it_signs_in_and_sends_nothing(self, tmp_path, nats, password, state, why):
        authority, certificate, key = write_certificates(tmp_path)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        credentials = {"EMAIL_SMTP_USERNAME": "mailer", "EMAIL_SMTP_PASSWORD": password}
        async with _stand_ins(tmp_path, nats.url, tls=tls, credentials=("mailer", "open-sesame")) as stand_ins:
            status, rows, text = await stand_ins.check(SSL_CERT_FILE=str(authority), **credentials)
            assert rows["SMTP"] == (state, f"127.0.0.1:{stand_ins.mail.port}: {why}")
            assert status == (state != "ok")
            assert set(stand_ins.mail.logins) == {("mailer", True)}
            assert stand_ins.mail.mails == []
        assert "sesame" not in text

    async def test_a_password_is_not_sent_without_encryption(self, tmp_path, nats):
        credentials = {"EMAIL_SMTP_USERNAME": "mailer", "EMAIL_SMTP_PASSWORD": "open-sesame"}
        async with _stand_ins(tmp_path, nats.url, credentials=("mailer", "open-sesame")) as stand_ins:
            status, rows, _ = await stand_ins.check(**credentials)
            assert (status, rows["SMTP"][0], stand_ins.mail.logins) == (1, "FAILED", [])
        assert rows["SMTP"][1].endswith("offers no STARTTLS, without which the password is not sent")


@pytest.mark.parametrize(("user", "state"), [("AUTH_SERVICE_AUTHELIA", "ok"), ("AUTH_SERVICE", "FAILED")])
async def test_the_rights_of_the_user_of_nats_are_seen(stand_ins, tmp_path, user, state):
    with accounts(tmp_path) as bus:
        status, rows, _ = await stand_ins.check(NATS_URL=bus.url, NATS_NKEY_SEED=bus.seeds[user])
    assert rows["NATS"][0] == "ok"
    assert {rows[f"NATS KV {name}"][0] for name in BUCKETS} == {state}
    assert status == (state != "ok")
