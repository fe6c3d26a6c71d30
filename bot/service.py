"""Adapters, workers and the scheduler, in one process or several, from the first event to the last answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, tzinfo
from enum import StrEnum

from bot.access import Access
from bot.answer_writer import AnswerWriter, Memory
from bot.application import Application
from bot.chat import ChatAdapter
from bot.chats import Chats
from bot.commands import CommandName, Commands, Handler
from bot.commands.classroom import Classroom
from bot.commands.teaching import teaching_commands
from bot.digest.digests import Digests
from bot.digest.parts import DigestParts
from bot.errors import UnavailableError
from bot.health import Health, State
from bot.mending.looking_again import LookingAgain
from bot.mending.mending import Mending, MendingParts
from bot.metrics import UNMEASURED, Metrics
from bot.permissions import Permissions
from bot.pipeline import Pipeline
from bot.queue_notices import QueueNotices
from bot.reception import InboxReception
from bot.scheduling.scheduler import Scheduler
from bot.service_pages import answer_page, open_pages
from bot.service_schedules import run_schedules
from bot.service_state import open_state
from bot.settings import Settings
from bot.side_by_side import end_all, start_watched
from bot.store.claims import Claims
from bot.store.client import Store
from bot.store.drafts import Drafts
from bot.store.leader import Leader
from bot.store.people import People
from bot.store.relay import RelayServer
from bot.store.sent_files import SentFiles
from bot.tracing import UNTRACED, Traces
from bot.worker import Worker

logger = logging.getLogger(__name__)

PAUSE_S = 0.5  # while Redis is away
LEADER_LEASE_S = 6.0
REPAIR = "repair"  # puts back requests whose place in a lane was lost, by hand or by a damaged server
REPAIR_EVERY_S = 60
HARD_FACTOR = 10  # open requests, refusals included, per open question that is allowed


class Role(StrEnum):
    """What a process does."""

    ADAPTER = "adapter"
    WORKER = "worker"
    SCHEDULER = "scheduler"


ALL_ROLES = frozenset(Role)


class Service:
    """Everything between the chats and the application; run by `run`.

    Args:
        settings: All settings.
        application: Answers; None in a process that is no worker.
        store: The shared state.
        adapters: The chats this process connects to; none in a process that is no adapter.
        roles: What this process does.
        alone: True when no other process can share the state (a private Redis): what an earlier process owned is taken
            over at once instead of after its lease.
        more: Commands of parts that are not assembled here, by name.
        digest: What digests are made of; None where there are none.
        metrics: Counts what happens; /metrics of the health page shows it.
        traces: Take the stages of requests.
        zone: The lab's time zone, for counts by day and dates on pages.

    Attributes:
        state: What is kept in Redis.
    """

    def __init__(
        self,
        settings: Settings,
        application: Application | None,
        store: Store,
        adapters: Sequence[ChatAdapter],
        roles: frozenset[Role] = ALL_ROLES,
        *,
        alone: bool = False,
        more: Mapping[CommandName, Handler] | None = None,
        digest: DigestParts | None = None,
        metrics: Metrics = UNMEASURED,
        traces: Traces = UNTRACED,
        zone: tzinfo = UTC,
    ) -> None:
        self._zone = zone
        self._metrics = metrics
        self._traces = traces
        if Role.WORKER in roles and application is None:
            raise ValueError("a worker needs an application")
        self.health = Health(("redis", *(adapter.name for adapter in adapters)))
        self.started = asyncio.Event()  # set as soon as events can be accepted
        self.process_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._settings = settings
        self._application = application
        self._store = store
        self.chats = Chats(adapters, store, self.health)
        self._roles = roles
        self._alone = alone
        self._more = dict(more or {})
        self.state = state = open_state(store, settings, zone)
        self.inbox, self.given, self.feedback, self.cache = state.inbox, state.given, state.feedback, state.cache
        self.access = Access(store, administrators=settings.administrators, answer_external=settings.answer_external)
        self.permissions = Permissions(
            self.access,
            self.chats.named,
            {
                "teach": settings.teachers,
                "subscribe": settings.digest_subscribers,
                "status": settings.status_readers,
            },
        )
        self.mending = self._make_mending()
        self.digests = self._make_digests(digest) if digest is not None else None
        self.commands = self._make_commands()
        self.reception = InboxReception(
            self.inbox, self.access, self.given, self.feedback, self.commands, metrics=metrics, traces=traces
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or the last adapter has ended; then finish or hand back what runs.

        Raises:
            SettingsError: If a part cannot be assembled.
        """
        worker = self._make_worker() if Role.WORKER in self._roles else None
        async with AsyncExitStack() as stack:
            if self._settings.health_port:
                pages = open_pages(
                    self._settings,
                    self.state,
                    self.access,
                    self.health,
                    self._metrics,
                    self._application,
                    self.digests,
                    self._zone,
                )
                await stack.enter_async_context(pages)
            await self._prepare(worker, stop)
            running = [start_watched(name, part, stop) for name, part in self._parts(worker, stop)]
            stack.push_async_callback(end_all, running)
            self.started.set()
            await stop.wait()
            # From here on chats are told that nothing was received, while answers that run still reach them.
            self.reception.close()
            if worker is not None:
                await worker.stop(self._settings.shutdown_grace_s)
            failures = [task.exception() for task in running if task.done() and not task.cancelled()]
        for failure in failures:
            if failure is not None:
                raise failure

    async def _prepare(self, worker: Worker | None, stop: asyncio.Event) -> None:
        """Make the stream; waits while Redis is away, as it may start after Locus."""
        while not stop.is_set():
            try:
                await self.inbox.prepare()
                if worker is not None and self._alone:
                    await worker.inherit()
            except UnavailableError as error:
                self.health.report("redis", State.DOWN, str(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE_S):
                        await stop.wait()
            else:
                self.health.report("redis", State.OK)
                return

    def _parts(self, worker: Worker | None, stop: asyncio.Event) -> Iterator[tuple[str, Coroutine[None, None, None]]]:
        """Yield what runs side by side in this process."""
        if worker is not None:
            leader = Leader(self._store, "queue-notices", self.process_id, lease_s=LEADER_LEASE_S)
            yield "worker", worker.run()
            yield "queue notices", QueueNotices(self.inbox, self.chats.named, leader).run()
            looking = self._looking_again()
            if looking is not None:
                yield "looking again", looking.run()
        if Role.SCHEDULER in self._roles:
            scheduler = Scheduler(self._store, self.process_id, lease_s=self._settings.lease_s)
            grace_s = self._settings.shutdown_grace_s
            yield "scheduler", run_schedules(scheduler, self.inbox, self.digests, self.health, grace_s=grace_s)
        if Role.ADAPTER in self._roles:
            yield "chats", self.chats.serve(self.reception, stop)
            if not self._alone:
                for adapter in self.chats.connected:
                    relay = RelayServer(self._store, adapter, self.process_id, lease_s=self._settings.lease_s)
                    yield f"relay of {adapter.name}", relay.run()

    def _make_digests(self, parts: DigestParts) -> Digests:
        return Digests(
            parts,
            self._store,
            self.chats.named,
            self.state.conversations,
            self.state.threads,
            administrators=self.access.administrators,
            permissions=self.permissions,
            health=self.health,
        )

    def _looking_again(self) -> LookingAgain | None:
        if self._application is None:
            return None
        return self.mending.looking_again(self._application, self.process_id, lease_s=self._settings.lease_s)

    def _make_mending(self) -> Mending:
        state = self.state
        return Mending(
            MendingParts(
                self._store,
                state.inbox,
                self.access,
                state.conversations,
                state.given,
                state.feedback,
                state.unanswered,
                self.chats.named,
                state.threads,
                self._page,
                self._settings.retention_days,
            )
        )

    def _page(self, handle: str) -> str:
        return answer_page(self._settings, handle, alone=self._alone)

    def _make_commands(self) -> Commands | None:
        """Return what people may type; None in a process without an application."""
        if self._application is None:
            return None
        application, state = self._application, self.state
        more = {**(self.digests.handlers if self.digests is not None else {}), **self._more}
        if application.teacher is not None:
            room = Classroom(
                application.teacher, Drafts(self._store), SentFiles(self._store), self.access, self.permissions
            )
            more = {**teaching_commands(room), **more}
        more = {**self.mending.handlers(application), **more}
        people = People(
            self.inbox,
            state.conversations,
            self.cache,
            self.given,
            application.cards,
            taught=application.teacher,
        )
        return Commands(
            application,
            self.inbox,
            state.conversations,
            people,
            access=self.access,
            permissions=self.permissions,
            more=more,
        )

    def _make_worker(self) -> Worker:
        assert self._application is not None and self.commands is not None  # noqa: S101, PT018 - a worker has both
        settings, state = self._settings, self.state
        claims = Claims(self.inbox, self.process_id, lease_s=settings.lease_s, retention_days=settings.retention_days)
        memory = Memory(state.conversations, state.cache, state.given, state.unanswered, state.tally)
        writer = AnswerWriter(self._application, self.access, memory, metrics=self._metrics)
        pipeline = Pipeline(
            claims, self.chats.named, writer, self.commands, self.access, metrics=self._metrics, page=self._page
        )
        return Worker(
            claims,
            pipeline,
            self.health,
            answers_at_once=settings.answers_at_once,
            lease_s=settings.lease_s,
            max_failures=settings.max_failures,
            max_deaths=settings.max_deaths,
            metrics=self._metrics,
            traces=self._traces,
        )
