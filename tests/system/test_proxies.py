# SPDX-License-Identifier: MIT
"""Proxy variables have no effect: whatever the service calls, it calls itself."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from tests.stand_ins.authelia import authelia_process
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.system.processes import process

PREFIX = "lfx.auth-service."


@pytest.fixture
def proxy():
    """A proxy that takes connections and serves nobody; the list of those that it was asked for."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(30)
                    asked.append(connection.recv(200).partition(b"\r\n")[0])

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("spelled", [str.upper, str.lower])
async def test_a_service_on_authelia_asks_no_proxy(spelled, proxy, tmp_path):
    url, asked = proxy
    variables = {spelled(name): url for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")}
    with authelia_process() as stand_ins, nats_server() as bus:
        exporting = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
        service = process(
            bus.url,
            tmp_path,
            USER_REPOSITORY_TYPE="authelia",
            AUTHELIA_OIDC_USERINFO_URL=stand_ins.userinfo,
            EMAIL_SMTP_HOST="127.0.0.1",
            EMAIL_SMTP_PORT=str(stand_ins.mail_port),
            KUBECONFIG=stand_ins.kubeconfig,
            **variables,
            **exporting,
        )
        with service as running:
            running.until_ready()
            running.until(
                lambda: running.get("/readyz?verbose")[1] == "nats: ok\nstorage: ok\nsigning key: ok\nkubernetes: ok"
            )
            client = await connect(bus.url)
            change = {"token": "authelia_at_ada", "user_metadata": {"city": "Oslo"}}
            reply = await client.request(PREFIX + "user_metadata.update", json.dumps(change).encode(), timeout=60)
            await client.close()
            assert json.loads(reply.data)["success"] is True
            assert running.end() == 0
    assert asked == []
