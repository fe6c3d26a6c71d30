"""Metrics for Prometheus. The only module that imports prometheus_client (extra `run`)."""

from __future__ import annotations

import math
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from bot.evidence import Answer
from bot.generation import Usage
from bot.metrics import Standing

# Seconds. A cached answer takes some milliseconds, one written on a CPU a minute, one that waited for its turn more.
WAITS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
STAGES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
SPEEDS = (1, 2, 5, 10, 15, 20, 30, 40, 60, 80, 120, 200, 400)  # tokens per second
SHORTEST = 4  # tokens of a generation whose speed says something
MAX_OUTCOME_CHARS = 60


class PrometheusMetrics:
    """Counts in a registry of its own; implements `bot.metrics.Metrics`."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("locus", "Which Locus this is.", registry=registry).info({"version": version("locus-bot")})
        self._requests = Counter(
            "locus_requests", "Requests that have ended, by chat and how.", ("chat", "outcome"), registry=registry
        )
        self._request_s = Histogram(
            "locus_request_seconds",
            "From when a request was accepted to its visible end.",
            ("chat",),
            buckets=WAITS_S,
            registry=registry,
        )
        self._answers = Counter(
            "locus_answers",
            "Answers that were made, by what made them; refused are those that the documents do not give.",
            ("mode", "result"),
            registry=registry,
        )
        self._stage_s = Histogram(
            "locus_stage_seconds", "Stages of an answer.", ("stage",), buckets=STAGES_S, registry=registry
        )
        self._cache = Counter("locus_answer_cache", "Looks into the cache of answers.", ("result",), registry=registry)
        self._tokens = Counter(
            "locus_model_tokens",
            "Tokens of the model: read, of these known already (cached), and written.",
            ("kind",),
            registry=registry,
        )
        self._speed = Histogram(
            "locus_model_tokens_per_second",
            "Speed of writing of single generations, from the first token to the last.",
            buckets=SPEEDS,
            registry=registry,
        )
        self._feedback = Counter("locus_feedback", "Opinions of people on answers.", ("vote",), registry=registry)
        self._errors = Counter("locus_errors", "Errors, by part and kind.", ("part", "kind"), registry=registry)
        self._queue = Gauge("locus_queue_length", "Requests that are open, of all processes.", registry=registry)
        self._oldest_s = Gauge("locus_queue_oldest_seconds", "Age of the oldest open request.", registry=registry)
        self._index_age_s = Gauge(
            "locus_index_age_seconds", "Since the published revision of the index.", registry=registry
        )
        self._documents = Gauge("locus_index_documents", "Documents in the index.", registry=registry)
        self._revision = Gauge("locus_index_revision", "Number of the published revision.", registry=registry)
        self._parts = Gauge("locus_part_up", "1 where a part of the service is not down.", ("part",), registry=registry)

    def handled(self, chat: str, outcome: str, *, seconds: float) -> None:
        self._requests.labels(chat, outcome[:MAX_OUTCOME_CHARS]).inc()
        self._request_s.labels(chat).observe(max(0.0, seconds))

    def answered(self, answer: Answer) -> None:
        self._answers.labels(answer.mode, "answered" if answer.answered else "refused").inc()
        for stage, duration_ms in answer.timings_ms.items():
            self._stage_s.labels(stage).observe(duration_ms / 1000)

    def looked_up(self, *, hit: bool) -> None:
        self._cache.labels("hit" if hit else "miss").inc()

    def generated(self, usage: Usage, *, writing_s: float) -> None:
        self._tokens.labels("read").inc(usage.prompt_tokens)
        self._tokens.labels("cached").inc(usage.cached_tokens)
        self._tokens.labels("written").inc(usage.new_tokens)
        if usage.new_tokens >= SHORTEST and writing_s > 0:
            self._speed.observe((usage.new_tokens - 1) / writing_s)

    def voted(self, vote: str) -> None:
        self._feedback.labels(vote).inc()

    def failed(self, part: str, kind: str) -> None:
        self._errors.labels(part, kind).inc()

    def render(self, standing: Standing) -> bytes | None:
        for gauge, value in (
            (self._queue, standing.queue_length),
            (self._oldest_s, standing.queue_oldest_s),
            (self._index_age_s, standing.index_age_s),
            (self._documents, standing.index_documents),
            (self._revision, standing.index_revision),
        ):
            gauge.set(math.nan if value is None else value)
        self._parts.clear()
        for part, up in standing.parts.items():
            self._parts.labels(part).set(up)
        return generate_latest(self._registry)
