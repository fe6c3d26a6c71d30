"""Traces: what happens for a request, over all processes, delivered to a real collector, without what people wrote."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import bot.otel_traces
from bot.errors import SettingsError
from bot.otel_traces import OtelTraces
from bot.service import Role, Service
from bot.settings import Settings, load_settings
from bot.store.client import Store
from bot.tracing import UNTRACED, Span, Traces, since, span, trace_id, traced, whole, whole_id
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message
from tests.otel_collector import Collector, Received

DEADLINE_S = 30.0
CANARY = "canarybird"
STAGES = ["accept", "wait", "attempt", "prepare", "rewrite", "write", "post", "post", "finish", "request"]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything."""
    with Collector() as one:
        yield one


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """The library's logger is as before."""
    library = logging.getLogger("opentelemetry")
    level = library.level
    yield
    library.setLevel(level)


class Kept:
    """Keeps spans; implements `Traces`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def take(self, span: Span) -> None:
        self.spans.append(span)


@asynccontextmanager
async def process(store: Store, url: str, role: Role, chat: MemoryChat | None = None) -> AsyncIterator[Service]:
    """What one process of a lab's Locus runs, with traces of its own."""
    answerer, adapters = HeldAnswerer(), [chat] if chat is not None else []
    settings = Settings.model_validate({"lease_s": 1.0, "rate_person": 0, "rate_channel": 0})
    application = held_application(answerer) if role is Role.WORKER else None
    traces = await asyncio.to_thread(OtelTraces, url, [role.value], f"the {role.value}", every_ms=20)
    service, stop = Service(settings, application, store, adapters, frozenset({role}), traces=traces), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await service.started.wait()
        yield service
    finally:
        stop.set()
        await running
        await asyncio.to_thread(traces.close)


def of(spans: list[Received], name: str) -> Received:
    """The span of a name, of which there is one."""
    (found,) = [one for one in spans if one.name == name]
    return found


async def test_one_trace_goes_through_all_processes(collector: Collector, store: Store) -> None:
    """Accepted in one, answered in another: one trace, whose outermost span lasts from the first to the last."""
    asked, chat = message(f"What is a {CANARY}?", user="U77", channel="C77"), MemoryChat()
    async with (
        process(store, collector.url, Role.ADAPTER, chat) as accepting,
        process(store, collector.url, Role.WORKER),
    ):
        await accepting.reception.message(asked)
        await chat.until(asked, timeout_s=DEADLINE_S)
        spans = await asyncio.to_thread(collector.until, STAGES)
    outermost, attempt = of(spans, "request"), of(spans, "attempt")

    assert {f"{trace_id(asked.request_id):032x}"} == {one.trace for one in spans}
    assert {"the adapter"} == {one.process for one in spans if one.name == "accept"}
    assert {"the worker"} == {one.process for one in spans if one.name != "accept"}
    assert "" == outermost.parent
    assert {outermost.span} == {of(spans, name).parent for name in ("accept", "wait", "attempt")}
    assert {attempt.span} == {one.parent for one in spans if one.name in {"prepare", "rewrite", "write", "finish"}}
    assert outermost.begun_ns <= min(one.begun_ns for one in spans if one.process == "the worker")
    assert {asked.request_id} == {one.facts["locus.request"] for one in spans}
    assert ("memory", "answered", 1) == tuple(
        outermost.facts[f"locus.{one}"] for one in ("chat", "outcome", "attempts")
    )
    assert {"waiting", "final"} <= {one.facts["locus.stage"] for one in spans if one.name == "post"}


async def test_no_text_name_or_id_is_delivered(collector: Collector, store: Store) -> None:
    """Neither the question nor its answer, nor who asked where."""
    asked, chat = message(f"What is a {CANARY}?", user="U77", channel="C77"), MemoryChat()
    async with (
        process(store, collector.url, Role.ADAPTER, chat) as accepting,
        process(store, collector.url, Role.WORKER),
    ):
        await accepting.reception.message(asked)
        await chat.until(asked, timeout_s=DEADLINE_S)
        await asyncio.to_thread(collector.until, STAGES)
    sent = b"".join(collector.bodies)

    assert asked.request_id.encode() in sent
    assert [] == [one for one in (CANARY, "U77", "C77", "About", "A document", "m1") if one.encode() in sent]


async def test_another_delivery_of_a_message_is_seen_in_its_trace(collector: Collector, store: Store) -> None:
    """It is accepted, as what was known already."""
    asked, chat = message("What is a haplotype?"), MemoryChat()
    async with process(store, collector.url, Role.ADAPTER, chat) as accepting:
        await accepting.reception.message(asked)
        await accepting.reception.message(asked)
        spans = await asyncio.to_thread(collector.until, ["accept", "accept"])

    assert [False, True] == sorted(bool(one.facts["locus.new"]) for one in spans)
    assert 1 == len({one.trace for one in spans})


async def test_without_a_collector_people_are_answered_and_the_log_has_one_line(
    collector: Collector, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """One when deliveries begin to fail, one when they work again, whatever the library would write."""
    collector.down.set()
    chat = MemoryChat()
    async with process(store, collector.url, Role.ADAPTER, chat) as accepting:
        for number in range(1, 4):
            await accepting.reception.message(message("What is a haplotype?", number=number))
            await asyncio.to_thread(collector.until_asked, number)
        collector.down.clear()
        await accepting.reception.message(message("What is a haplotype?", number=4))
        await asyncio.to_thread(collector.until, ["accept"])
    lines = [one.getMessage() for one in caplog.records if "traces" in one.getMessage() or "otel" in one.name]

    where = collector.url.removeprefix("http://")
    assert [
        f"traces cannot be delivered to {where}, and those of this time are lost",
        f"traces are delivered to {where} again",
    ] == lines


def test_a_collector_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are taken while it does not answer, and closing gives up after its time."""
    hanging = threading.Event()
    monkeypatch.setattr(bot.otel_traces, "CLOSING_S", 0.1)
    monkeypatch.setattr(bot.otel_traces, "DELIVERY_S", 1.0)
    with Collector() as collector:
        collector.before = lambda: hanging.wait(DEADLINE_S)
        traces = OtelTraces(collector.url, ["worker"], "p", every_ms=1)
        with traced(traces, "r1"):
            for _ in range(bot.otel_traces.QUEUE + 100):
                since("wait", 0.0)
        traces.close()

        assert not hanging.is_set()
        assert [] == collector.spans
        hanging.set()


def test_stages_know_what_is_around_them() -> None:
    """Also in threads begun for them; a stage that fails has the kind of its error, and facts noted on the way."""
    kept = Kept()
    with traced(kept, "r1"), contextlib.suppress(ValueError), span("outer") as outer:
        outer.note(turns=2)
        with span("inner"):
            pass
        raise ValueError("What is the secret of Shh?")
    inner, around = kept.spans

    assert (around.span_id, whole_id("r1")) == (inner.parent_id, around.parent_id)
    assert ({"turns": 2}, "ValueError", "") == (around.facts, around.failed, inner.failed)
    assert around.begun_ns <= inner.begun_ns <= inner.ended_ns <= around.ended_ns


async def test_a_stage_in_a_thread_belongs_to_its_request() -> None:
    """Two requests side by side do not mix."""
    kept = Kept()

    def work() -> None:
        with span("embed"):
            pass

    async def ask(request: str) -> None:
        with traced(kept, request), span("retrieve"):
            await asyncio.to_thread(work)

    await asyncio.gather(ask("r1"), ask("r2"))
    names = sorted((one.request, one.name) for one in kept.spans)

    assert [("r1", "embed"), ("r1", "retrieve"), ("r2", "embed"), ("r2", "retrieve")] == names


@pytest.mark.parametrize("traces", [None, UNTRACED])
def test_where_nothing_is_traced_stages_cost_nothing(traces: Traces | None) -> None:
    """Without a request, and with the port that takes nothing."""
    with traced(traces, "r1") if traces is not None else contextlib.nullcontext(), span("outer") as one:
        one.note(turns=2)
        since("wait", 0.0)
        whole(0.0)

    assert {"turns": 2} == one.facts


def test_clocks_that_differ_make_no_span_that_ends_before_it_begins() -> None:
    """A request accepted on a machine whose clock is ahead."""
    kept = Kept()
    with traced(kept, "r1"):
        since("wait", 4e9)

    assert kept.spans[0].begun_ns == kept.spans[0].ended_ns


@pytest.mark.parametrize(
    "url", ["collector.lab:4318", "ftp://collector.lab", "http://", "http://me:secret@collector.lab", "http://a/?b=c"]
)
def test_what_is_no_address_of_a_collector_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to give instead."""
    monkeypatch.setenv("LOCUS_TRACES_URL", url)

    with pytest.raises(SettingsError, match="give the collector's address as http://HOST:PORT"):
        load_settings()


def test_chromas_own_traces_stay_off(collector: Collector, tmp_path: Path) -> None:
    """Whatever its variables in the environment say."""
    program = (
        "from pathlib import Path; import chromadb.telemetry.opentelemetry as chroma;"
        "from knowledge.vectors import VectorStore; store = VectorStore(Path('v'), url=None);"
        "print(chroma.tracer, chroma.granularity.value)"
    )
    environment = {
        "CHROMA_OTEL_COLLECTION_ENDPOINT": collector.url,
        "CHROMA_OTEL_GRANULARITY": "all",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert "None none" == done.stdout.strip()
