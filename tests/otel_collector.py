"""A local collector of traces: OTLP over HTTP, as any collector of OpenTelemetry takes it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.servers import LocalServer, Reply, Request


@dataclass(frozen=True, slots=True)
class Received:
    """One span, and the process it came from."""

    name: str
    trace: str
    span: str
    parent: str
    begun_ns: int
    ended_ns: int
    facts: dict[str, object]
    failed: str
    process: str
    roles: str


class Collector:
    """Takes spans at `url`; a context manager.

    Attributes:
        down: While set, it answers 404, after which nobody tries again.
        bodies: What was sent, as it came, uncompressed.
        asked: How often it was asked.
        before: Called before it does anything.
    """

    def __init__(self) -> None:
        self.down = threading.Event()
        self.bodies: list[bytes] = []
        self.asked = 0
        self.before: Callable[[], object] = lambda: None
        self._changed = threading.Condition()
        self._server = LocalServer()
        self._server.route("/v1/traces", self._take)

    @property
    def url(self) -> str:
        """Address for LOCUS_TRACES_URL."""
        return self._server.url("")

    @property
    def spans(self) -> list[Received]:
        """All spans, as they came."""
        return [one for body in self.bodies for one in _read(body)]

    def until(self, names: Sequence[str], *, timeout_s: float = 60.0) -> list[Received]:
        """Wait until there are spans of these names, each as often as it is named; return all spans."""

        def there() -> bool:
            missing = list(names)
            for one in self.spans:
                if one.name in missing:
                    missing.remove(one.name)
            return not missing

        with self._changed:
            if not self._changed.wait_for(there, timeout_s):
                raise TimeoutError(f"{list(names)} are not among {[one.name for one in self.spans]}")
        return self.spans

    def until_asked(self, times: int, *, timeout_s: float = 60.0) -> None:
        """Wait until it was asked so many times."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.asked >= times, timeout_s):
                raise TimeoutError(f"asked {self.asked} times")

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _take(self, request: Request) -> Reply:
        self.before()
        with self._changed:
            self.asked += 1
            if not self.down.is_set():
                packed = request.headers.get("Content-Encoding") == "gzip"
                self.bodies.append(gzip.decompress(request.body) if packed else request.body)
            self._changed.notify_all()
        if self.down.is_set():
            return Reply(status=404)
        body = ExportTraceServiceResponse().SerializeToString()
        return Reply(body, headers={"Content-Type": "application/x-protobuf"})


def _read(body: bytes) -> list[Received]:
    request = ExportTraceServiceRequest.FromString(body)
    found = []
    for part in request.resource_spans:
        of = {one.key: one.value.string_value for one in part.resource.attributes}
        found += [
            Received(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                {
                    one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
                    for one in span.attributes
                },
                span.status.message,
                of.get("service.instance.id", ""),
                of.get("locus.roles", ""),
            )
            for scope in part.scope_spans
            for span in scope.spans
        ]
    return found
