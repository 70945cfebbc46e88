# SPDX-License-Identifier: MIT
"""Telemetry of the process itself: what a collector gets, and that one which is away costs nothing."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import nats as client
import pytest

from tests.support.collector import COLLECTORS, attributes, by_name
from tests.support.ports import free_port
from tests.system.processes import process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUBJECT = "lfx.auth-service.username_to_sub"
UPDATE = "lfx.auth-service.user_metadata.update"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
EVERYTHING = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRIC_EXPORT_INTERVAL": "60000",
}


def ask(url: str, subject: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    async def asking() -> bytes:
        async with await client.connect(url) as connection:
            return (await connection.request(subject, body, timeout=10, headers=headers)).data

    return asyncio.run(asking())


@pytest.mark.parametrize("protocol", COLLECTORS)
def test_spans_metrics_and_log_records_reach_the_collector(protocol, nats, tmp_path: Path):
    with COLLECTORS[protocol]() as collector:
        variables = EVERYTHING | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http" if protocol == "http/protobuf" else protocol,
            "OTEL_SERVICE_NAME": "auth",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        }
        with process(nats.url, tmp_path, **variables) as service:
            service.until_ready()
            assert ask(nats.url, SUBJECT, b"ada", {"Traceparent": TRACEPARENT}) == b"auth0|ada"
            assert ask(nats.url, SUBJECT, b" ", {"TRACEPARENT": TRACEPARENT}).startswith(b'{"success":false')
            assert service.end() == 0
            records = service.records()
    succeeded, refused = collector.spans
    assert {(span.name, span.kind, span.trace_id.hex(), span.parent_span_id.hex()) for span in collector.spans} == {
        (SUBJECT, 2, TRACE, CALLER)
    }
    assert succeeded.span_id != refused.span_id
    assert [attributes(span) for span in collector.spans] == [
        {},
        {"auth_service.outcome": "caller_error", "error.type": "username is required"},
    ]
    said = {"service.name": "auth", "deployment.environment": "test", "service.version": "1.0.0"}
    assert all(said.items() <= resource.items() for resource in collector.resources)
    counts = {
        attributes(point)["outcome"]: point.as_double
        for point in collector.metrics["auth_service_requests"].sum.data_points
        if attributes(point)["subject"] == "username_to_sub" and point.as_double
    }
    assert counts == {"success": 1, "caller_error": 1}
    (written,) = [record for record in records if record["message"] == "request refused"]
    assert (written["trace_id"], written["span_id"]) == (TRACE, refused.span_id.hex())
    (sent,) = [record for record in collector.records if record.body.string_value == "request refused"]
    assert (sent.trace_id.hex(), sent.span_id) == (TRACE, refused.span_id)


def test_no_cookie_of_the_collector_comes_back(nats, tmp_path: Path):
    with COLLECTORS["http/protobuf"]() as collector:
        variables = EVERYTHING | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
        }
        with process(nats.url, tmp_path, **variables) as service:
            service.until_ready()

            def all_came_twice() -> bool:
                ask(nats.url, SUBJECT, b" ")
                kinds = Counter(type(request) for request in list(collector.requests))
                return sorted(kinds.values())[:1] >= [2] and len(kinds) == 3

            service.until(all_came_twice)
            assert service.end() == 0
    assert collector.cookies == []


def _asked_once(url: str, directory: Path, variables: dict[str, str]) -> None:
    """Run a service with these variables for one look-up, and end it: by then it has sent what it exports."""
    with process(url, directory, **variables) as service:
        service.until_ready()
        ask(url, SUBJECT, b"ada")
        assert service.end() == 0


def test_an_endpoint_without_a_scheme_is_one_over_http(nats, tmp_path: Path):
    with COLLECTORS["http/protobuf"]() as collector:
        variables = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint.removeprefix("http://"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
            "OTEL_SERVICE_NAME": "",
        }
        _asked_once(nats.url, tmp_path, variables)
    assert [span.name for span in collector.spans] == [SUBJECT]
    assert {resource["service.name"] for resource in collector.resources} == {"lfx-v2-auth-service"}


def test_no_file_of_the_home_directory_replaces_configured_headers(nats, tmp_path: Path):
    (tmp_path / "netrc").write_text("default login me password pw\n")
    with COLLECTORS["http/protobuf"]() as collector:
        variables = {
            "NETRC": str(tmp_path / "netrc"),
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20configured",
        }
        _asked_once(nats.url, tmp_path, variables)
    assert set(collector.authorizations) == {"Bearer configured"}


async def _event_of(url: str, headers: dict[str, str]) -> dict[str, str]:
    """Change a profile in a trace; return the headers of the event."""
    async with await client.connect(url) as connection:
        events = await connection.subscribe("lfx.user_profile.updated")
        body = b'{"token":"ada-token","user_metadata":{"city":"Oslo"}}'
        await connection.request(UPDATE, body, timeout=30, headers={"traceparent": TRACEPARENT, **headers})
        return dict((await events.next_msg(timeout=60)).headers)


def test_no_baggage_keeps_the_event_back(nats, tmp_path: Path):
    odd = {
        "baggage": "user%20id=1,app%2Ftenant=7,a%0d%0ab=1,%ED%A0%80=1,%C3%A9=%C3%A9,good=1",
        "uberctx-other": "é",
    }
    with process(nats.url, tmp_path, OTEL_PROPAGATORS="tracecontext,baggage,jaeger") as service:
        service.until_ready()
        headers = asyncio.run(_event_of(nats.url, odd))
        assert service.end() == 0
    assert headers["traceparent"] == TRACEPARENT
    assert headers["uberctx-good"] == "1"


def test_the_event_carries_the_trace_on(nats, tmp_path: Path):
    with COLLECTORS["http/protobuf"]() as collector:
        variables = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with process(nats.url, tmp_path, **variables, OTEL_EXPORTER_OTLP_PROTOCOL="http") as service:
            service.until_ready()
            headers = asyncio.run(_event_of(nats.url, {"baggage": "team=blue"}))
            assert service.end() == 0
    span = by_name(collector.spans)[UPDATE]
    assert headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert headers["baggage"] == "team=blue"


@contextmanager
def refusing() -> Iterator[int]:
    """Nobody listens."""
    yield free_port()


@contextmanager
def silent() -> Iterator[int]:
    """Somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("protocol", COLLECTORS)
@pytest.mark.parametrize("away", [refusing, silent])
def test_a_collector_that_is_away_costs_no_request_and_no_time_at_the_end(away, protocol, nats, tmp_path: Path):
    with away() as port:
        variables = EVERYTHING | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with process(nats.url, tmp_path, **variables) as service:
            service.until_ready()
            for _ in range(20):
                assert ask(nats.url, SUBJECT, b"ada") == b"auth0|ada"
            time.sleep(0.2)
            began = time.monotonic()
            assert service.end() == 0
            assert time.monotonic() - began < 5


@contextmanager
def endless(piece: bytes, pause: float) -> Iterator[tuple[int, list[bytes]]]:
    """A collector whose answers never end; with what was asked so far."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "1000000000000")
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(piece)
                    time.sleep(pause)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("piece", "pause"), [(b"x", 0.2), (b"x" * 65_536, 0.001)], ids=["drip", "flood"])
def test_an_answer_of_the_collector_that_does_not_end_is_given_up(piece, pause, nats, tmp_path: Path):
    with endless(piece, pause) as (port, asked):
        variables = {
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        }
        with process(nats.url, tmp_path, **variables) as service:
            service.until_ready()
            service.until(lambda: len(asked) >= 3)
            assert service.end() == 0


SDK_IS_LOADED = "any(name.startswith('opentelemetry.sdk') or name == 'grpc' for name in sys.modules)"


def test_without_an_exporter_the_sdk_is_not_loaded():
    code = (
        "import asyncio, sys\n"
        "from app.main import running\n"
        "from app.settings import Settings\n"
        "async def main():\n"
        "    async with running(Settings()):\n"
        f"        print({SDK_IS_LOADED})\n"
        "asyncio.run(main())\n"
    )
    variables = {"PORT": "0", "BIND": "127.0.0.1", "PATH": ""}
    found = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False"
