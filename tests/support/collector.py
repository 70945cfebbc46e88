# SPDX-License-Identifier: MIT
"""A collector: takes OTLP over HTTP or gRPC on loopback, and gives what it got as the protocol's own messages."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUESTS = {
    "/v1/traces": traces.ExportTraceServiceRequest,
    "/v1/metrics": metrics.ExportMetricsServiceRequest,
    "/v1/logs": logs.ExportLogsServiceRequest,
}


@dataclass
class Collector:
    """What was received so far."""

    endpoint: str = ""
    requests: list[Any] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    """Those that came back; over HTTP one goes with every reply."""
    authorizations: list[str] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        """Every span."""
        found = [request for request in self.requests if isinstance(request, traces.ExportTraceServiceRequest)]
        scopes = [scope for request in found for part in request.resource_spans for scope in part.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the last export that had any, by name."""
        found = [request for request in self.requests if isinstance(request, metrics.ExportMetricsServiceRequest)]
        scopes = [scope for request in found[-1:] for part in request.resource_metrics for scope in part.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    @property
    def records(self) -> list[Any]:
        """Every log record."""
        found = [request for request in self.requests if isinstance(request, logs.ExportLogsServiceRequest)]
        scopes = [scope for request in found for part in request.resource_logs for scope in part.scope_logs]
        return [record for scope in scopes for record in scope.log_records]

    @property
    def resources(self) -> list[dict[str, str]]:
        """The resource of every request."""
        parts = [
            part
            for request in self.requests
            for name in ("resource_spans", "resource_metrics", "resource_logs")
            for part in getattr(request, name, [])
        ]
        return [attributes(part.resource) for part in parts]


def attributes(holder: Any) -> dict[str, str]:
    """Return the attributes of a span, a resource or a data point."""
    return {attribute.key: attribute.value.string_value for attribute in holder.attributes}


def by_name(spans: list[Any]) -> dict[str, Any]:
    """Return spans by name."""
    return {span.name: span for span in spans}


@contextmanager
def http_collector() -> Iterator[Collector]:
    """Collect over HTTP."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.requests.append(_REQUESTS[self.path].FromString(body))
            collector.cookies += self.headers.get_all("Cookie", [])
            collector.authorizations += self.headers.get_all("Authorization", [])
            self.send_response(200)
            self.send_header("Set-Cookie", "balancer=a; Path=/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def grpc_collector() -> Iterator[Collector]:
    """Collect over gRPC."""
    collector = Collector()

    def taking(base: type, reply: Any) -> Any:
        class Servicer(base):
            def Export(self, request: Any, _: Any) -> Any:  # noqa: N802 - as the protocol calls it
                collector.requests.append(request)
                return reply

        return Servicer()

    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    traces_grpc.add_TraceServiceServicer_to_server(
        taking(traces_grpc.TraceServiceServicer, traces.ExportTraceServiceResponse()), server
    )
    metrics_grpc.add_MetricsServiceServicer_to_server(
        taking(metrics_grpc.MetricsServiceServicer, metrics.ExportMetricsServiceResponse()), server
    )
    logs_grpc.add_LogsServiceServicer_to_server(
        taking(logs_grpc.LogsServiceServicer, logs.ExportLogsServiceResponse()), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    collector.endpoint = f"http://127.0.0.1:{port}"
    try:
        yield collector
    finally:
        server.stop(None).wait()


COLLECTORS = {"grpc": grpc_collector, "http/protobuf": http_collector}
