"""The digest as a part of the service: what is scheduled, what people type, what is looked after."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from bot.chat import ChatAdapter
from bot.commands.command import CommandName, Handler
from bot.digest.administrators import Administrators
from bot.digest.announcing import Announcer
from bot.digest.commands import DigestCommand
from bot.digest.floods import held_back
from bot.digest.looking import Looker
from bot.digest.names import LOOK, RUN
from bot.digest.parts import DigestParts
from bot.digest.roster import Roster
from bot.digest.subscriptions import JOB, Subscription
from bot.errors import BotError
from bot.health import Health, State
from bot.messages import Sender
from bot.permissions import Permissions
from bot.scheduling.jobs import Occasion
from bot.scheduling.scheduler import Scheduler
from bot.store.client import Store
from bot.store.conversations import Conversations
from bot.store.digest_known import KnownDatasets
from bot.store.digest_notices import DigestNotices
from bot.store.digest_subscriptions import Subscriptions
from bot.store.leader import LostLeadershipError
from bot.store.schedules import Schedule, Schedules
from bot.store.threads import JoinedThreads

logger = logging.getLogger(__name__)

LOOK_TIMEOUT_S = 3600.0  # a polite look at what is new takes a second for each dataset
HEALTH = "digests"
HOUR_S = 3600
_EPOCH = 1.0  # so that a first look is due at once, and the others at the same times in every process


def leave_digests(scheduler: Scheduler) -> None:
    """Let what is stored of digests rest in a process that does without GeneNetwork."""
    for kind in (JOB, LOOK, RUN):
        scheduler.leave(kind)


class Digests:
    """The digests of all channels.

    Args:
        parts: What it is made of.
        store: The shared state.
        chat: Returns the adapter of a chat, here or in another process.
        conversations: Where a digest is remembered for the questions in its thread.
        threads: In which the bot takes part.
        administrators: Told of what only they can mend.
        permissions: Tells who may subscribe; None for everybody.
        health: Told of channels that do not take their digest, and of datasets that are held.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        parts: DigestParts,
        store: Store,
        chat: Callable[[str], ChatAdapter],
        conversations: Conversations,
        threads: JoinedThreads,
        *,
        administrators: Sequence[Sender] = (),
        permissions: Permissions | None = None,
        health: Health | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._parts = parts
        self._health = health
        self.known = KnownDatasets(store)
        self.subscriptions = Subscriptions(store, self.known.counter_key)
        self.roster = Roster(self.subscriptions, Schedules(store, clock=clock), clock=clock)
        self.administrators = Administrators(administrators, DigestNotices(store), chat, clock=clock)
        self.looker = Looker(parts.catalogue, self.known, parts.folders, alarm=self.administrators.noting, clock=clock)
        self.announcer = Announcer(
            self.looker,
            self.subscriptions,
            chat,
            conversations,
            threads,
            parts.describer,
            parts.charting,
            self.administrators,
            refused=self._refused,
            clock=clock,
        )
        self._command = DigestCommand(
            self.roster, self.looker, self.announcer, permissions, zone=parts.zone, clock=clock
        )

    @property
    def handlers(self) -> Mapping[CommandName, Handler]:
        """What people may type."""
        return {"digest": self._command.run}

    def register(self, scheduler: Scheduler) -> None:
        """Say what is done at which schedules; before the scheduler starts."""
        scheduler.register(JOB, self._announce, timeout_s=LOOK_TIMEOUT_S)
        scheduler.register(LOOK, self._look, timeout_s=LOOK_TIMEOUT_S)
        scheduler.register(RUN, self._run, timeout_s=LOOK_TIMEOUT_S)

    async def prepare(self, schedules: Schedules) -> None:
        """Add what is always scheduled and what the operator declares.

        Raises:
            UnavailableError: If Redis is away; to be called again.
        """
        if self._parts.declared is not None:
            try:
                done = await self.roster.declare(self._parts.declared)
            except BotError as error:
                if error.retryable:
                    raise
                logger.error("the digests of LOCUS_DIGEST_FILE cannot be taken over: %s", error)
            else:
                if done.changed or done.ended:
                    logger.info(
                        "declared digests were taken over", extra={"changed": done.changed, "ended": done.ended}
                    )
        await schedules.add(Schedule(LOOK, LOOK, every_s=self._parts.look_h * HOUR_S, since=_EPOCH))
        await self.roster.mend()

    async def _announce(self, occasion: Occasion) -> None:
        handle = occasion.schedule.parameters.get("subscription", "")
        await self.announcer.announce(handle, occasion.due, occasion)

    async def _look(self, occasion: Occasion) -> None:
        await self.roster.mend()
        fresh_s = self._parts.look_h * HOUR_S / 2
        if not await self.subscriptions.list():
            await self.looker.rest(occasion.attempt, fresh_s=fresh_s)
            return
        report = await self.looker.look(occasion.attempt, fresh_s=fresh_s)
        if report is not None:
            logger.info(
                "looked at GeneNetwork's datasets",
                extra={"groups": report.groups, "unknown": report.unknown, "new": len(report.new)},
            )
        await self._look_after(occasion)

    async def _run(self, occasion: Occasion) -> None:
        """Look and post now; a channel that fails is no other's concern."""
        await self.looker.look(occasion.attempt)
        await self._look_after(occasion)
        wanted = occasion.schedule.parameters.get("subscription", "")
        failed: BotError | None = None
        for one in await self.subscriptions.list():
            handle = one.subscription.subscription_id
            if wanted not in ("", handle):
                continue
            try:
                await self.announcer.announce(handle, occasion.due, occasion)
            except LostLeadershipError:
                raise
            except BotError as error:
                failed = error
        if failed is not None:
            raise failed

    async def _look_after(self, occasion: Occasion) -> None:
        """Tell administrators and the health page what only they can mend."""
        await self._report()
        await self.administrators.tell(occasion)

    def _refused(self, _: Subscription) -> None:
        if self._health is not None:
            self._health.report(HEALTH, State.DEGRADED, _paused(1))

    async def _report(self) -> None:
        """Tell the health page of channels that do not take their digest and of what is held, and when all is well."""
        if self._health is None:
            return
        refused, looks = len(await self.roster.refused()), await self.known.looks()
        sentences = [_paused(refused)] if refused else []
        if looks is not None and looks.held:
            sentences.append(held_back(looks.held))
        self._health.report(HEALTH, State.DEGRADED if sentences else State.OK, " ".join(sentences))


def _paused(count: int) -> str:
    """Return that channels do not take their digest, without naming them."""
    channels = "a channel" if count == 1 else f"{count} channels"
    return f"The bot may not post in {channels} with a digest, which is paused: `locus digest list` shows which."
