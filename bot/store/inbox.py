"""The inbox: events of chats stored once and durably, before the chat is told that they were received."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from bot.errors import BusyError
from bot.messages import IncomingMessage
from bot.requests import Cancelled, Kind, Request, State
from bot.store.client import Command, Reply, Store, Watch, number, text, texts
from bot.store.keys import GROUP, WAITING, Keys
from bot.store.lanes import REQUESTS, first_of, last_position, leave_line, make_ready, overtake, unready
from bot.store.rates import RateLimits, Rates
from bot.texts import busy_sentence, inbox_full

HOUR_MS = 3_600_000
READ_AT_ONCE = 200
EARLY_MS = 600_000  # how long an edit or deletion waits for a message that arrives after it


@dataclass(frozen=True, slots=True)
class InboxLimits:
    """Bounds of the inbox.

    Attributes:
        queue: Open questions from which on further ones are politely refused.
        hard: Open requests, refusals included, from which on nothing is accepted.
        duplicates_h: Hours for which a message is known after its answer.
        attempts: Failures after which a request is given up.
        deaths: Dead workers after which it is.
        dead: Given-up requests that are kept.
        rates: How often people may ask.
    """

    queue: int = 200
    hard: int = 2000
    duplicates_h: int = 24
    attempts: int = 3
    deaths: int = 10
    dead: int = 1000
    rates: RateLimits = field(default_factory=RateLimits)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message; `new` is False when it had been accepted before."""

    request_id: str
    new: bool


class Inbox:
    """Accepts, changes and withdraws messages.

    Args:
        store: Where.
        limits: Bounds.
        clock: Seconds since 1970; for rate limits and times of acceptance.
    """

    def __init__(
        self, store: Store, limits: InboxLimits | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.store = store
        self.keys = Keys(store)
        self.limits = limits or InboxLimits()
        self._clock = clock
        self._rates = Rates(self.keys, self.limits.rates)

    async def prepare(self) -> None:
        """Make the stream and its group where they are missing; whatever stands in the stream belongs to the group."""
        await self.store.attempt(self._make_group, self.keys.inbox)

    async def _make_group(self, watch: Watch) -> None:
        (kind,) = await watch.read(("TYPE", self.keys.inbox))
        if kind != "none" and (await watch.read(("XINFO", "GROUPS", self.keys.inbox)))[0]:
            return
        await watch.commit(
            ("XGROUP", "CREATE", self.keys.inbox, GROUP, "0", "MKSTREAM"),
            ("XGROUP", "CREATECONSUMER", self.keys.inbox, GROUP, WAITING),
            ("XREADGROUP", "GROUP", GROUP, WAITING, "COUNT", READ_AT_ONCE, "STREAMS", self.keys.inbox, ">"),
        )

    async def accept(
        self, messages: Sequence[IncomingMessage], stops: Container[str] = ()
    ) -> list[Receipt | BusyError]:
        """Store messages in one atomic step, each once; refused ones too, with the sentence that is to be said.

        Args:
            messages: Any number; more than some dozen make a long transaction.
            stops: Handles of those among them that only stop what was asked before.

        Returns:
            For each message a receipt, or the error to raise for it.

        Raises:
            UnavailableError: If nothing was stored, as far as is known; try again with the same messages.
        """
        first: dict[str, IncomingMessage] = {}
        for message in messages:
            first.setdefault(message.request_id, message)
        keys = self.keys
        watched = [keys.request(request_id) for request_id in first]
        watched += [keys.line(message.place.conversation_id) for message in first.values()]

        async def body(watch: Watch) -> dict[str, Receipt | BusyError]:
            return await self._accept(watch, list(first.values()), stops)

        receipts = await self.store.attempt(body, keys.counter, *dict.fromkeys(watched))
        told: set[str] = set()
        results: list[Receipt | BusyError] = []
        for message in messages:
            receipt = receipts[message.request_id]
            if isinstance(receipt, Receipt) and message.request_id in told:
                receipt = dataclasses.replace(receipt, new=False)
            told.add(message.request_id)
            results.append(receipt)
        return results

    async def _accept(
        self, watch: Watch, messages: list[IncomingMessage], stops: Container[str]
    ) -> dict[str, Receipt | BusyError]:
        keys, now = self.keys, self._clock()
        reads: list[Command] = [("GET", keys.counter), ("GET", keys.round), ("XLEN", keys.inbox)]
        for message in messages:
            reads.append(("GET", keys.request(message.request_id)))
            reads.append(("ZRANGE", keys.line(message.place.conversation_id), 0, 0, "WITHSCORES"))
        windows = self._rates.reads(messages, now)
        replies = await watch.read(*reads, *windows)
        counts = self._rates.counts(replies[len(reads) :], messages)
        seq, turn, open_requests = (number(reply) for reply in replies[:3])
        if replies[0] is None:
            seq = await self._last_position(watch)
        firsts: dict[str, tuple[float, str]] = {}
        questions: dict[str, Request] = {}
        receipts: dict[str, Receipt | BusyError] = {}
        commands: list[Command] = []
        for place, message in enumerate(messages):
            known = REQUESTS.find(text(replies[3 + 2 * place]))
            conversation = message.place.conversation_id
            first = firsts.setdefault(conversation, first_of(replies[4 + 2 * place]))
            receipts[message.request_id] = Receipt(message.request_id, new=known is None or known.state is State.EARLY)
            if known is not None and known.state is not State.EARLY:
                continue
            if open_requests >= self.limits.hard:
                receipts[message.request_id] = BusyError(inbox_full())
                continue
            if known is not None and known.cancelled is Cancelled.DELETED:
                commands.append(self.keep_done(dataclasses.replace(known, state=State.DONE, outcome="deleted")))
                continue
            if known is not None:
                message = dataclasses.replace(message, text=known.message.text, version=known.message.version)
            seq += 1
            kind, notice = Kind.STOP, ""
            if message.request_id not in stops:
                full = open_requests >= self.limits.queue
                refusal = "" if message.late else counts.refusal(message, now)
                notice = busy_sentence(open_requests) if full else refusal
                kind = Kind.NOTICE if notice else Kind.QUESTION
            request = Request(
                message.request_id,
                message,
                kind=kind,
                notice=notice,
                seq=seq,
                accepted_at=now,
            )
            open_requests += 1
            commands.append(("SET", keys.request(request.request_id), REQUESTS.dump(request)))
            commands.append(("XADD", keys.inbox, request.entry, "request", request.request_id))
            if request.quick:
                commands += make_ready(keys, request, turn)  # takes no turn
                continue
            if not message.late:
                commands += counts.writes(message, now)
            commands.append(("ZADD", keys.line(conversation), message.order, request.request_id))
            questions[request.request_id] = request
            if (message.order, request.request_id) < first:
                # The line's first until now waits as well: what was begun stands at minus infinity.
                former = questions.get(first[1]) or await self._found(watch, first[1])
                turn += 1
                commands += overtake(keys, former, request, turn)
                firsts[conversation] = (message.order, request.request_id)
        if commands:
            # All entries enter the group at once, as only those can be counted as a worker's.
            read = ("XREADGROUP", "GROUP", GROUP, WAITING, "COUNT", len(messages), "STREAMS", keys.inbox, ">")
            await watch.commit(*commands, ("SET", keys.counter, seq), read)
        return receipts

    async def _last_position(self, watch: Watch) -> int:
        """Return the position of the last entry that was ever in the stream, for when the counter is missing."""
        (kind,) = await watch.read(("TYPE", self.keys.inbox))
        return 0 if kind == "none" else last_position((await watch.read(("XINFO", "STREAM", self.keys.inbox)))[0])

    async def _found(self, watch: Watch, request_id: str) -> Request | None:
        if not request_id:
            return None
        return REQUESTS.find(text((await watch.read(("GET", self.keys.request(request_id))))[0]))

    async def edit(self, message: IncomingMessage) -> bool:
        """Replace the text of an open request by a newer version; False when it is done.

        An edit that arrives before its message is kept for ten minutes.
        """
        key = self.keys.request(message.request_id)

        async def body(watch: Watch) -> bool:
            known = REQUESTS.find(text((await watch.read(("GET", key)))[0]))
            if known is None:
                early = Request(message.request_id, message, state=State.EARLY)
                await watch.commit(("SET", key, REQUESTS.dump(early), "PX", EARLY_MS))
                return True
            if known.state is State.DONE or known.cancelled is not Cancelled.NO:
                return False
            if newer(message.version, known.message.version):
                changed = dataclasses.replace(
                    known,
                    message=dataclasses.replace(known.message, text=message.text, version=message.version),
                    revision=known.revision + 1,
                    ready="",
                )
                options: Command = ("PX", EARLY_MS) if known.state is State.EARLY else ()
                await watch.commit(
                    ("SET", key, REQUESTS.dump(changed), *options),
                    ("PUBLISH", self.keys.signal, message.request_id),
                )
            return True

        return await self.store.attempt(body, key)

    async def cancel(
        self,
        request_id: str,
        how: Cancelled,
        *,
        early: IncomingMessage | None = None,
        allowed: Callable[[Request], bool] = lambda _: True,
    ) -> bool:
        """Withdraw a request; False when it is done, unknown or not allowed.

        One that waits is tidied up at once; the worker that has it is told.

        Args:
            request_id: Which.
            how: Whether it was stopped or deleted.
            early: The message, for a deletion that may have arrived before it.
            allowed: Asked with the request as it is; it decides who may.
        """
        keys = self.keys
        key = keys.request(request_id)

        async def body(watch: Watch) -> bool:
            known = REQUESTS.find(text((await watch.read(("GET", key)))[0]))
            if known is None or known.state is State.EARLY:
                if early is None:
                    return False
                gone = Request(request_id, early, state=State.EARLY, cancelled=how)
                await watch.commit(("SET", key, REQUESTS.dump(gone), "PX", EARLY_MS))
                return True
            if not allowed(known) or known.state is State.DONE or known.cancelled is not Cancelled.NO:
                return False
            changed = dataclasses.replace(known, cancelled=how, revision=known.revision + 1)
            commands: list[Command] = [
                ("SET", key, REQUESTS.dump(changed)),
                ("PUBLISH", keys.signal, request_id),
            ]
            if known.state is State.WAITING:
                following, turn = await self.following(watch, known)
                commands += unready(keys, known)
                if known.kind is Kind.QUESTION:
                    commands += leave_line(keys, known, following, turn)
                commands += make_ready(keys, changed, turn)
            await watch.commit(*commands)
            return True

        return await self.store.attempt(body, key)

    async def following(self, watch: Watch, request: Request) -> tuple[Request | None, int]:
        """Return the request that is to be made ready when `request` leaves its conversation's line, and the next turn.

        That is the first of the others, unless it was begun already: such a one is ready, delayed or running by itself.
        """
        keys = self.keys
        line = keys.line(request.message.place.conversation_id)
        replies = await watch.read(("ZRANGE", line, 0, 1, "WITHSCORES"), ("GET", keys.round), also=(line,))
        members = texts(replies[0])
        turn = number(replies[1]) + 1
        others = [pair for pair in zip(members[::2], members[1::2], strict=True) if pair[0] != request.request_id]
        if not others or others[0][1] == "-inf":
            return None, turn
        key = keys.request(others[0][0])
        (found,) = await watch.read(("GET", key), also=(key,))
        return REQUESTS.find(text(found)), turn

    def keep_done(self, request: Request) -> Command:
        """Return the command that keeps a finished request, without text and name: other deliveries are known by it."""
        message = request.message
        nameless = dataclasses.replace(message, text="", files=(), sender=dataclasses.replace(message.sender, name=""))
        slim = dataclasses.replace(request, message=nameless, notice="", ready="")
        lifetime = max(1, self.limits.duplicates_h * HOUR_MS)
        return ("SET", self.keys.request(request.request_id), REQUESTS.dump(slim), "PX", lifetime)

    async def find(self, request_id: str) -> Request | None:
        """Return a request, or None."""
        return REQUESTS.find(text(await self.store.call("GET", self.keys.request(request_id))))

    async def open_requests(self, conversation_id: str) -> list[Request]:
        """Return the open questions of a conversation, in order."""
        members = texts(await self.store.call("ZRANGE", self.keys.line(conversation_id), 0, -1))
        if not members:
            return []
        replies: list[Reply] = await self.store.batch(*(("GET", self.keys.request(member)) for member in members))
        found = (REQUESTS.find(text(reply)) for reply in replies)
        return [request for request in found if request is not None]

    async def all_open(self) -> list[Request]:
        """Return all open requests in the order they were accepted, read in pieces."""
        requests: list[Request] = []
        begin = "-"
        while True:
            entries = await self.store.call("XRANGE", self.keys.inbox, begin, "+", "COUNT", READ_AT_ONCE)
            rows = [row for row in entries if isinstance(row, list)] if isinstance(entries, list) else []
            if not rows:
                return requests
            names = [texts(row[1])[1] for row in rows if len(texts(row[1])) > 1]
            replies = await self.store.batch(*(("GET", self.keys.request(name)) for name in names))
            found = (REQUESTS.find(text(reply)) for reply in replies)
            requests += [request for request in found if request is not None and request.state is not State.DONE]
            begin = f"({text(rows[-1][0])}"


def newer(version: str, than: str) -> bool:
    """True when an edit's version is later; versions are time stamps or counters, compared as numbers if they are."""
    try:
        return float(version) > float(than or "-inf")
    except ValueError:
        return version > than
