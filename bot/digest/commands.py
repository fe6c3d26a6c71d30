"""The command `digest`, as people type it in a channel."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence

from bot.commands.command import Command, CommandContext, CommandResult, say
from bot.digest import saying
from bot.digest.announcing import Announcer
from bot.digest.looking import Looker
from bot.digest.roster import Roster
from bot.digest.subscriptions import Subscription, channel_of, subscription_id
from bot.digest.upcoming import find_upcoming
from bot.digest.wishes import read_wish
from bot.digest.writing import nothing_new
from bot.errors import BotError, InvalidRequestError, RefusedError
from bot.permissions import SETTINGS, Permissions
from bot.replies import Reply, Stage
from bot.store.digest_subscriptions import Standing
from bot.texts import not_permitted

logger = logging.getLogger(__name__)

WORDS = ("help", "subscribe", "list", "preview", "pause", "resume", "unsubscribe")
LOOK_S = 20.0  # that whoever subscribes first, or asks for a preview, waits for GeneNetwork
FRESH_S = 300.0  # a look that is not older is good enough for a preview
_NUMBER = re.compile(r"#?(\d{1,3})")


class DigestCommand:
    """Carries out `digest`.

    Args:
        roster: The subscriptions.
        looker: Knows GeneNetwork.
        announcer: Writes what a digest would say.
        permissions: Tells who may change the digests of a channel; None for everybody.
        zone: Time zone of those who name none.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        roster: Roster,
        looker: Looker,
        announcer: Announcer,
        permissions: Permissions | None,
        *,
        zone: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._roster = roster
        self._looker = looker
        self._known = looker.known
        self._announcer = announcer
        self._permissions = permissions
        self._zone = zone
        self._clock = clock

    async def run(self, context: CommandContext, command: Command) -> CommandResult:
        """Do what was typed; twice does no harm.

        Raises:
            InvalidRequestError: If it is not understood.
            RefusedError: If the person may not.
            UnavailableError: If Redis or, for a preview, GeneNetwork is away.
        """
        word, _, rest = command.text.strip().partition(" ")
        rest = rest.strip().rstrip("!")
        match word.lower().rstrip(".!"):
            case "" | "help":
                return CommandResult(say(saying.HELP))
            case "list":
                return CommandResult(say(await self._list(context)))
            case "preview":
                return CommandResult(await self._preview(context, rest))
            case "subscribe":
                return CommandResult(say(await self._subscribe(context, rest)))
            case "pause" | "resume" | "unsubscribe" as what:
                return CommandResult(say(await self._change(context, what, rest)))
            case other:
                raise InvalidRequestError(f"{other[:40]!r} is nothing a digest can do: there are {', '.join(WORDS)}.")

    async def _subscribe(self, context: CommandContext, rest: str) -> str:
        await self._check(context)
        await self._look_first(context)
        names = await self._known.names()
        wish = read_wish(rest, groups=names.groups, species=names.species)
        place, zone = channel_of(context.place), wish.zone or self._zone
        subscription = Subscription(
            subscription_id(place, wish.interest, wish.phrase.cron, zone),
            place,
            wish.interest,
            wish.phrase.words,
            wish.phrase.cron,
            zone,
            wish.quiet,
            self._clock(),
        )
        again = await self._roster.subscriptions.find(subscription.subscription_id) is not None
        await self._roster.begin(subscription)
        said = saying.begun(subscription, await self._roster.next_date(subscription), again=again)
        if await self._known.looks() is None:
            said += f" {saying.not_looked_yet()}"
        return said

    async def _look_first(self, context: CommandContext) -> None:
        """Look at GeneNetwork where nobody has for long, as nobody was subscribed: for its names, and to compare with.

        Where GeneNetwork is slow or away, the scheduler looks as soon as it can.
        """
        looks = await self._known.looks()
        if looks is not None and not looks.idle:
            return
        await context.show("Looking at what GeneNetwork has …")
        await self._look()

    async def _look(self, *, fresh_s: float = 0.0) -> None:
        """Look at GeneNetwork; where it is slow or away, what is known stays as it is."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self._looker.look(self._known.store.attempt, fresh_s=fresh_s)
        except (BotError, TimeoutError) as error:
            logger.info("a look at GeneNetwork was put off: %s", error)

    async def _list(self, context: CommandContext) -> str:
        standings = await self._roster.subscriptions.of_channel(context.place)
        if not standings:
            return saying.none_here()
        lines = []
        for number, one in enumerate(standings, 1):
            try:
                due = await self._roster.next_date(one.subscription)
            except BotError:  # of a record that another version wrote
                due = None
            lines.append(saying.listed_line(number, one, due))
        return "\n".join(lines)

    async def _preview(self, context: CommandContext, rest: str) -> Reply:
        standing = await self._standing(context, rest)
        await context.show("Checking what is new in GeneNetwork …")
        await self._look(fresh_s=FRESH_S)
        looks = await self._known.looks()
        if looks is None:
            return say(saying.not_looked_yet())
        one = standing.subscription
        looked = saying.looked(looks.at, one.zone, stale=self._clock() - looks.at > FRESH_S)
        told = await self._roster.subscriptions.told(one)
        upcoming = await find_upcoming(self._looker, standing, told)
        due = saying.shown_date(await self._roster.next_date(one), one.zone)
        if not upcoming.news:
            silent = " The next digest would be silent." if one.quiet else ""
            return say(
                f"{nothing_new(one.interest)}{silent} It comes {due}, if something is added until then. {looked}"
            )
        written = await self._announcer.write([each.dataset for each in upcoming.news], one)
        first = written.parts[0]
        text = f"Preview of the digest of {due}, if nothing is added until then. {looked}\n\n{first.text}"
        sections = tuple(section for part in written.parts for section in part.sections)
        shown = sections if len(written.parts) <= 2 else first.sections
        return Reply(Stage.FINAL, text, answered=False, sections=shown)

    async def _change(self, context: CommandContext, what: str, rest: str) -> str:
        await self._check(context)
        standing = await self._standing(context, rest)
        one = standing.subscription
        if one.declared and not (what == "resume" and one.refused):
            raise RefusedError(saying.declared_elsewhere(one.name))
        name = f"{one.interest.words}, {one.when}"
        if what == "unsubscribe":
            await self._roster.end(one)
            return f"Ended: {name}."
        if what == "pause":
            await self._roster.pause(one, "by a command in this channel")
            return f"Paused: {name}. `digest resume` goes on, with everything that is new until then."
        await self._roster.resume(one)
        due = saying.shown_date(await self._roster.next_date(one), one.zone)
        return f"Resumed: {name}. Next: {due}, with everything that was new meanwhile."

    async def _standing(self, context: CommandContext, rest: str) -> Standing:
        """Return the subscription that a number names; the only one needs none."""
        standings: Sequence[Standing] = await self._roster.subscriptions.of_channel(context.place)
        if not standings:
            raise InvalidRequestError(saying.none_here())
        match = _NUMBER.fullmatch(rest.strip(" ."))
        if not rest.strip() and len(standings) == 1:
            return standings[0]
        if match is None or not 1 <= int(match[1]) <= len(standings):
            raise InvalidRequestError(saying.which(len(standings)))
        return standings[int(match[1]) - 1]

    async def _check(self, context: CommandContext) -> None:
        if self._permissions is None:
            return
        if not await self._permissions.allows("subscribe", context.place, context.sender):
            raise RefusedError(not_permitted("change the digests of this channel", SETTINGS["subscribe"]))
