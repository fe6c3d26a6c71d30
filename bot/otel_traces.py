"""Traces for a collector of OpenTelemetry. The only module that imports opentelemetry (extra `tracing`)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from bot.tracing import WHOLE, Span, trace_id

logger = logging.getLogger(__name__)

PATH = "/v1/traces"  # https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
DELIVERY_S = 5.0  # longest time for one delivery, further attempts included
CLOSING_S = 6.0  # longest time for what is left when Locus stops
EVERY_MS = 2000  # between two deliveries
QUEUE = 4096  # spans; while the collector is away, the oldest go
BATCH = 512
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("locus", version("locus-bot"))


class OtelTraces:
    """Hands spans to a thread that delivers them; implements `bot.tracing.Traces`.

    Args:
        url: The collector, without the path of traces.
        roles: What this process does.
        process: Name of this process, such as a random word.
        every_ms: Milliseconds between two deliveries.
    """

    def __init__(self, url: str, roles: Iterable[str], process: str, *, every_ms: int = EVERY_MS) -> None:
        # OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME of the environment are added by the library.
        self._resource = Resource.create(
            {
                "service.name": "locus",
                "service.version": version("locus-bot"),
                "service.instance.id": process,
                "locus.roles": " ".join(sorted(roles)),
            }
        )
        # The library writes a line for each failure; `_Telling` writes one for all.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter(url.rstrip("/") + PATH, timeout=DELIVERY_S, compression=Compression.Gzip)
        self._exporter = _Telling(exporter, urlsplit(url).netloc)
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=QUEUE,
            schedule_delay_millis=every_ms,
            max_export_batch_size=BATCH,
        )

    def take(self, span: Span) -> None:
        self._processor.on_end(readable(span, self._resource))

    def close(self) -> None:
        """Deliver what is left, within `CLOSING_S`; blocks."""
        # Without its exporter the library gives up what is left at once; by itself it would try for half a minute.
        enough = threading.Timer(CLOSING_S, self._exporter.shutdown)
        enough.start()
        self._processor.shutdown()  # type: ignore[no-untyped-call]
        enough.cancel()


@asynccontextmanager
async def open_traces(url: str, roles: Iterable[str], process: str) -> AsyncIterator[OtelTraces]:
    """Yield what delivers spans to the collector at `url`; what is left at the end is delivered then."""
    traces = await asyncio.to_thread(OtelTraces, url, roles, process)
    try:
        yield traces
    finally:
        await asyncio.to_thread(traces.close)


class _Telling(SpanExporter):
    """Says once when deliveries fail and once when they work again, in place of the library's line for each."""

    def __init__(self, exporter: SpanExporter, where: str) -> None:
        self._exporter = exporter
        self._where = where
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            logger.warning("traces cannot be delivered to %s, and those of this time are lost", self._where)
        elif self._away and not away:
            logger.warning("traces are delivered to %s again", self._where)
        self._away = away
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """Return a span as the library has it; it is made here because its trace is not the library's to choose."""
    trace = trace_id(span.request)
    parent = SpanContext(trace, span.parent_id, is_remote=False, trace_flags=_SAMPLED) if span.parent_id else None
    return ReadableSpan(
        span.name,
        SpanContext(trace, span.span_id, is_remote=False, trace_flags=_SAMPLED),
        parent,
        resource,
        {"locus.request": span.request, **{f"locus.{name}": value for name, value in span.facts.items()}},
        kind=SpanKind.SERVER if span.name == WHOLE else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.UNSET),
        start_time=span.begun_ns,
        end_time=span.ended_ns,
        instrumentation_scope=_SCOPE,
    )
