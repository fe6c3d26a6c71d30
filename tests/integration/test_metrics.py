"""The metrics: what happens is counted, without a text, a name or an id, and read by Prometheus' own parser."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import BusyError, UnavailableError
from bot.evidence import Answer
from bot.generation import Finished, GenerationRequest, Restarted, Text, Usage
from bot.health import Health, State
from bot.log import JsonLines
from bot.measured_model import MeasuredModel
from bot.messages import IncomingMessage
from bot.metrics import UNMEASURED, Metrics, Standing
from bot.metrics_page import MetricsPage
from bot.pipeline import kind_of
from bot.prometheus_metrics import PrometheusMetrics
from bot.service import ALL_ROLES, Role, Service
from bot.serving import open_service
from bot.settings import Settings
from bot.store.client import Store, number
from bot.store.inbox import Inbox
from bot.web.health_pages import HealthPages
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message
from tests.port_models import PortModel
from tests.redis_servers import free_port
from tests.slack_server import APP_TOKEN, BOT_TOKEN, LocalSlack
from tests.web import serve_pages

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
DEADLINE_S = 20.0
ROLES = frozenset({Role.ADAPTER, Role.WORKER})


def samples(page: bytes) -> dict[str, float]:
    """Every sample by its name and labels, as `name{label=value}`."""
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        for one in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
            found[f"{one.name}{{{labels}}}" if labels else one.name] = one.value
    return found


class Running:
    """A service that counts, and its health page."""

    def __init__(self, store: Store, **settings: object) -> None:
        self.store, self.chat, self.answerer = store, MemoryChat(), HeldAnswerer()
        self.answerer.release.set()
        self.metrics = PrometheusMetrics()
        given = {"lease_s": 1.0, "rate_person": 0, "rate_channel": 0, "answer_cache_h": 1, **settings}
        self.service = Service(
            Settings.model_validate(given),
            held_application(self.answerer),
            store,
            [self.chat],
            ROLES,
            metrics=self.metrics,
        )

    async def ask(self, *questions: IncomingMessage) -> None:
        """Deliver messages and wait until all are done."""
        for question in questions:
            await self.service.reception.message(question)
        async with asyncio.timeout(DEADLINE_S):
            while number(await self.store.call("XLEN", self.service.inbox.keys.inbox)):  # noqa: ASYNC110 - a deadline
                await asyncio.sleep(0.005)

    def page(self) -> MetricsPage:
        """What /metrics asks."""
        return MetricsPage(self.metrics, self.service.health, self.service.inbox, held_application(self.answerer))

    async def read(self) -> dict[str, float]:
        """All samples."""
        page = await self.page()()
        assert page is not None
        return samples(page)


@asynccontextmanager
async def running(store: Store, **settings: object) -> AsyncIterator[Running]:
    """A service that runs for the time of a test."""
    one, stop = Running(store, **settings), asyncio.Event()
    task = asyncio.create_task(one.service.run(stop))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await one.service.started.wait()
        yield one
    finally:
        stop.set()
        await task


async def test_questions_answers_and_the_cache_are_counted(store: Store) -> None:
    """Each by how it ended, with the time it took and that of each stage."""
    async with running(store) as one:
        await one.ask(message("What is a QTL?", number=1))
        await one.ask(message("What is a QTL?", number=2), message("help", number=3))
        found = await one.read()

    assert 2 == found["locus_requests_total{chat=memory,outcome=answered}"]
    assert 1 == found["locus_requests_total{chat=memory,outcome=help}"]
    assert 1 == found["locus_answers_total{mode=quotes,result=answered}"]
    assert (1, 1) == tuple(found[f"locus_answer_cache_total{{result={name}}}"] for name in ("hit", "miss"))
    assert (3, 1) == (
        found["locus_request_seconds_count{chat=memory}"],
        found["locus_stage_seconds_count{stage=total}"],
    )
    assert 1 == found["locus_part_up{part=redis}"]
    assert (0, 0) == (found["locus_queue_length"], found["locus_queue_oldest_seconds"])
    assert 1 == found["locus_index_revision"]


async def test_failures_are_counted_by_kind(store: Store) -> None:
    """Those that are tried again, and those of what made the answer."""
    async with running(store) as one:
        one.chat.failures.append(UnavailableError("The chat is away.", retry_after_s=0.01))
        await one.ask(message("What is a QTL?", number=1))
        found = await one.read()

    assert 1 == found["locus_errors_total{kind=UnavailableError,part=request}"]


async def test_opinions_are_counted(store: Store) -> None:
    """By vote; one that is about nothing is none."""
    asked = message("What is a QTL?", number=1)
    async with running(store) as one:
        await one.ask(asked)
        (post,) = one.chat.of(asked)
        await one.service.reception.vote(asked.place, asked.sender, post.now.handle, "down")
        await one.service.reception.vote(asked.place, asked.sender, "unknown", "up")
        found = await one.read()

    assert 1 == found["locus_feedback_total{vote=down}"]
    assert "locus_feedback_total{vote=up}" not in found


async def test_the_queue_is_measured_while_somebody_waits(store: Store) -> None:
    """Its length and the age of who waits longest."""
    inbox = Inbox(store)
    await inbox.prepare()
    await inbox.accept([message("What is a QTL?", number=1), message("What is a LOD?", number=2)])
    metrics = PrometheusMetrics()
    (first, *_) = await inbox.all_open()
    page = MetricsPage(metrics, Health(), inbox, None, clock=lambda: first.accepted_at + 30)
    found = samples(await page() or b"")

    assert (2, 30) == (found["locus_queue_length"], round(found["locus_queue_oldest_seconds"]))


async def test_what_cannot_be_told_is_not_a_number(store: Store) -> None:
    """Without Redis the queue is unknown, not empty; the rest is told all the same."""
    health = Health()
    health.report("redis", State.DOWN, "It is away.")
    away = Store("redis://127.0.0.1:1/0")
    page = await MetricsPage(PrometheusMetrics(), health, Inbox(away), None)()
    await away.close()
    found = samples(page or b"")

    assert "nan nan" == f"{found['locus_queue_length']} {found['locus_index_age_seconds']}"
    assert 0 == found["locus_part_up{part=redis}"]


async def test_no_text_name_or_id_is_in_the_metrics(store: Store) -> None:
    """Whatever people ask, do and are called."""
    asked = message("What is the secret of Shh?", number=4711)
    async with running(store, rate_person=1, rate_window_s=60) as one:
        await one.ask(asked, message("Another secret?", number=4712))
        page = (await one.page()() or b"").decode()

    hidden = (asked.request_id, asked.sender.user, asked.sender.name, asked.place.channel, "secret", "4711")
    assert [] == [word for word in hidden if word and re.search(rf"[=\"]{re.escape(word)}", page)]
    assert "secret" not in page
    assert 'outcome="refused"' in page


async def test_the_health_page_shows_them(store: Store) -> None:
    """In Prometheus' format, of this page's names only, and not at all where nothing is counted."""
    health, inbox = Health(), Inbox(store)
    numbers = MetricsPage(PrometheusMetrics(), health, inbox, None)
    none = MetricsPage(UNMEASURED, health, inbox, None)
    async with (
        serve_pages(lambda _: [HealthPages(health, numbers)]) as counted,
        serve_pages(lambda _: [HealthPages(health, none)]) as uncounted,
        httpx.AsyncClient() as client,
    ):
        shown = await client.get(f"{counted.origin}/metrics")
        elsewhere = await client.get(f"{counted.origin}/metrics", headers={"Host": "evil.example"})
        nothing = await client.get(f"{uncounted.origin}/metrics")

    assert (200, 421, 404) == (shown.status_code, elsewhere.status_code, nothing.status_code)
    assert shown.headers["content-type"].startswith("text/plain; version=")
    assert "locus_info{}" not in samples(shown.content)
    assert 1 == sum(value for name, value in samples(shown.content).items() if name.startswith("locus_info"))


async def test_the_log_names_the_request_and_not_what_was_asked(store: Store) -> None:
    """Every line that is written for a question has its reference, down to the level debug."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines(details=True))
    logger, asked = logging.getLogger("bot"), message("What is xyzzy?", number=7)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with running(store) as one:
            one.chat.failures.append(UnavailableError("The chat is away.", retry_after_s=0.01))
            await one.ask(asked)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]

    assert {"tried again later: The chat is away.", "answered", "handled"} <= {
        line["message"] for line in lines if line.get("request") == asked.request_id
    }
    assert [] == [word for word in ("xyzzy", "u1", "memory/") if word in written.getvalue()]


async def test_locus_run_counts_where_there_is_a_health_page(tmp_path: Path) -> None:
    """As `locus run` puts it together, with the index and the parts there are."""
    port = free_port()
    async with LocalSlack() as slack:
        settings = Settings.model_validate(
            {
                "data_dir": tmp_path / "data",
                "slack_bot_token": BOT_TOKEN,
                "slack_app_token": APP_TOKEN,
                "slack_api_url": f"{slack.base_url}/api/",
                "health_port": port,
                "genenetwork": "off",
            }
        )
        stop = asyncio.Event()
        async with open_service(settings, ALL_ROLES, lambda _: None) as service, httpx.AsyncClient() as client:
            task = asyncio.create_task(service.run(stop))
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await service.started.wait()
                    await slack.connected(2)
                shown = await client.get(f"http://127.0.0.1:{port}/metrics")
            finally:
                stop.set()
                await task
    found = samples(shown.content)

    assert (0, 0) == (found["locus_index_documents"], found["locus_queue_length"])
    assert (1, 1) == (found["locus_part_up{part=redis}"], found["locus_part_up{part=slack}"])
    assert found["process_resident_memory_bytes"] > 0


async def test_what_the_model_writes_is_measured() -> None:
    """Tokens by kind, the speed from the first token to the last, and a restart begins anew."""
    now = iter((10.0, 20.0, 22.0))
    events = (Text("a"), Restarted(), Text("b"), Finished("stop", usage=Usage(100, 60, 21)))
    metrics = PrometheusMetrics()
    measured = MeasuredModel(PortModel(lambda _: events), metrics, clock=lambda: next(now))
    async with aclosing(measured.generate(GenerationRequest(()))) as written:
        seen = [event async for event in written]
    found = samples(metrics.render(Standing()) or b"")

    assert list(events) == seen
    assert [100, 60, 21] == [found[f"locus_model_tokens_total{{kind={one}}}"] for one in ("read", "cached", "written")]
    assert (1, 10) == (found["locus_model_tokens_per_second_count"], found["locus_model_tokens_per_second_sum"])


async def test_a_generation_that_fails_is_an_error_of_the_model() -> None:
    """Counted once, and passed on."""
    metrics = PrometheusMetrics()
    measured = MeasuredModel(PortModel(lambda _: (BusyError("Full."),)), metrics)
    with pytest.raises(BusyError):
        async with aclosing(measured.generate(GenerationRequest(()))) as written:
            async for _ in written:
                pass

    assert 1 == samples(metrics.render(Standing()) or b"")["locus_errors_total{kind=BusyError,part=model}"]


def test_registries_are_apart() -> None:
    """Two services of one process, or two tests, do not see each other's numbers."""
    first, second = PrometheusMetrics(), PrometheusMetrics()
    first.voted("up")

    assert "locus_feedback_total{vote=up}" in samples(first.render(Standing()) or b"")
    assert "locus_feedback_total{vote=up}" not in samples(second.render(Standing()) or b"")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        ("answered, but its message was removed", "answered"),
        ("learn: UnreadableError", "learn"),
        ("stopped", "stopped"),
    ],
)
def test_an_outcome_is_counted_without_its_particulars(outcome: str, kind: str) -> None:
    """So that there are few of them."""
    assert kind == kind_of(outcome)


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    """Every name in a query of Grafana's dashboard is one that Locus or the Python client has."""
    metrics: Metrics = PrometheusMetrics()
    metrics.handled("slack", "answered", seconds=1)
    metrics.answered(Answer("", "", "quotes", True, (), 1.0, timings_ms={"total": 1.0}))
    metrics.looked_up(hit=True)
    metrics.generated(Usage(1, 1, 10), writing_s=1)
    metrics.voted("up")
    metrics.failed("request", "BusyError")
    page = metrics.render(Standing(1, 1.0, 1.0, 1, 1, {"redis": True})) or b""
    there = {name.partition("{")[0] for name in samples(page)}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\b(?:locus|process)_\w+", query)}

    assert set() == asked - there
    assert {
        name.removesuffix("_bucket") for name in there if name.startswith("locus_") and name.endswith("_bucket")
    } <= {name.removesuffix("_bucket") for name in asked}
    assert json.loads(DASHBOARD.read_text())["title"] == "Locus"
