"""Events become requests before Slack is told that they were received."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack.addressing import Addressee, addressee, mentioned
from adapters.slack.ascertaining import is_told, learns_from_thread, vouched
from adapters.slack.events import Deleted, Edited, Revoked, Stopped, Written, read_event
from adapters.slack.files import ELSEWHERE, references
from adapters.slack.parts import Parts
from adapters.slack.places import spot
from adapters.slack.sending_values import Recipient
from adapters.slack.text_incoming import read_text
from adapters.slack.thread_files import address
from bot.chat import Accepted
from bot.errors import BotError, BusyError, InvalidRequestError, UnavailableError
from bot.messages import Audience, IncomingMessage, Place
from bot.texts import reading_documents
from bot.threads import LoopGuard

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 2.5  # for what an event needs; Slack waits three seconds for the acknowledgement
AGAIN_S: Final = 0.1

# Of events whose meaning is all in `adapters.slack.events`: they go to no listener.
OWN_EVENTS: Final = frozenset(("message", "app_mention"))
INTERACTIONS: Final = frozenset(
    ("block_actions", "view_submission", "view_closed", "message_action", "shortcut", "block_suggestion")
)

OnAccepted = Callable[[Parts, IncomingMessage], Awaitable[None]]


class Acceptor:
    """Decides for whom events are, and hands those for the bot to the reception.

    Args:
        parts: Of the connected adapter.
        guard: Ends talks of bots.
        revoked: Called when the token may have been revoked.
        accepted: Awaited in the background for each new question.
        documents: See `SlackAdapter`.
    """

    def __init__(
        self,
        parts: Parts,
        guard: LoopGuard,
        revoked: Callable[[], None],
        accepted: Sequence[OnAccepted] = (),
        documents: Callable[[], int] = lambda: 0,
    ) -> None:
        self._parts = parts
        self._guard = guard
        self._accepted = accepted
        self._revoked = revoked
        self._documents = documents
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, body: Mapping[str, object]) -> None:
        """Take an event; when this returns, what has to be done for it is stored.

        Args:
            body: The payload.

        Raises:
            InvalidRequestError: If it is malformed: acknowledge it, it would not get better.
            BusyError: If it cannot be stored now: do not acknowledge it.
            UnavailableError: The same.
        """
        event = read_event(body, self._parts.identity)
        match event:
            case Written():
                await self._accept_message(event)
            case Edited():
                await self._accept_edit(event)
            case Deleted():
                await self._accept_deletion(event.was)
            case Stopped():
                by = self._parts.people.named(event.user)
                await self._parts.reception.stop(self._parts.places.at(event.channel, event.thread), by)
            case Revoked():
                self._revoked()
            case None:
                pass

    async def take(self, written: Written, guard: LoopGuard) -> bool:
        """Accept a message that no event has told of, in its present wording; True where nobody knew it yet.

        Args:
            written: As the history has it.
            guard: Ends talks of bots by the times of their messages, many of which come at once. Raises as `accept`.
        """
        if not await self._meant(written, written.text):
            return False
        accepted = await self._ask(written, guard, late=True)
        if accepted is not None and not accepted.new:
            await self.revise(written)
        return accepted is not None and accepted.new

    async def revise(self, written: Written) -> None:
        """Let the present wording of a known message count if it is not answered yet. Raises as `accept`."""
        if written.version:
            await self._parts.reception.edit(self._message(written))

    async def close(self) -> None:
        """End what is still being shown."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept_message(self, written: Written) -> None:
        if await self._meant(written, written.text):
            await self._ask(written)

    async def _accept_edit(self, edited: Edited) -> None:
        now = edited.now
        before = await self._meant(now, edited.before)
        if not await self._meant(now, now.text):
            if before:  # the mention was taken out: it is for somebody else now
                await self._parts.reception.delete(self._place(now), now.ts)
        elif not before:
            await self._ask(now)
        else:
            await self._parts.reception.edit(self._message(now))

    async def _accept_deletion(self, was: Written) -> None:
        if await self._meant(was, was.text):
            await self._parts.reception.delete(self._place(was), was.ts)

    async def _meant(self, written: Written, text: str) -> bool:
        """Return whether a message with this text is for the bot, as far as is known."""
        channels = self._parts.options.channels
        if not written.direct:
            if channels and written.channel not in channels:
                return False
            whom = addressee(text, self._parts.identity.user_id)
            follow = written.is_reply and self._parts.options.follow_threads
            if whom is Addressee.OTHERS or (whom is Addressee.NOBODY and not follow):
                return False
            if whom is Addressee.NOBODY and not await self._parts.threads.joined(self._place(written)):
                return False
        person = self._parts.people.recent(written.user)
        return person is None or not person.bot

    def _place(self, written: Written) -> Place:
        return self._parts.places.at(written.channel, written.thread)

    async def _ask(self, written: Written, guard: LoopGuard | None = None, *, late: bool = False) -> Accepted | None:
        if written.files and not written.text.strip():
            return None  # a file without a word asks nothing
        message = dataclasses.replace(self._message(written), late=late)
        if not (guard or self._guard).allows(message.place, written.ts):
            logger.warning("a thread has more questions than people ask, so it gets no more answers for a while")
            return None
        accepted = await self._parts.reception.message(message)
        await self._parts.threads.join(message.place)
        if message.certain:
            self._parts.askers.note(written.channel, written.ts, Recipient(message.sender.workspace, written.user))
        if accepted.new:
            self._begin(self._show_accepted(message))
        return accepted

    def _message(self, written: Written) -> IncomingMessage:
        """Return what an event says, and what was said lately; Slack is not asked, as it may be away."""
        parts = self._parts
        people, person = parts.people, parts.people.recent(written.user)
        audience = parts.places.told(written.channel, channel_type=written.channel_type, shared=written.shared)
        names = {user: name for user in mentioned(written.text) if (name := people.name(user))}
        files = references(written.hosted, address(parts.identity, written))
        message = IncomingMessage(
            parts.places.at(written.channel, written.thread, audience or Audience.SHARED),
            people.described(written.user, person, written.team),
            written.ts,
            read_text(written.text, bot_user=parts.identity.user_id, names=names),
            float(written.ts),
            version=written.version,
            # What strangers share is not looked at, whatever they ask.
            files=() if person is not None and person.external else files,
        )
        if written.files and learns_from_thread(message):
            message = dataclasses.replace(message, files=(ELSEWHERE,))
        certain = audience is not None and is_told(message, person)
        return dataclasses.replace(message, certain=certain)

    async def _show_accepted(self, message: IncomingMessage) -> None:
        """Show that a question was accepted, once it is known whose it is."""
        known = await vouched(self._parts, message)
        if known is None:
            return
        await asyncio.gather(
            _finished(self._parts.sender.status(spot(known.place), status_sentence(self._documents()))),
            *(_finished(also(self._parts, known)) for also in self._accepted),
        )

    def _begin(self, work: Awaitable[object]) -> None:
        task = asyncio.create_task(_finished(work), name="slack: after accepting")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def status_sentence(documents: int) -> str:
    """Return what Slack shows behind the bot's name while a question waits."""
    sentence = reading_documents(documents)
    return f"is {sentence[0].lower()}{sentence[1:]}"


async def _finished(work: Awaitable[object]) -> None:
    """Await what no answer depends on."""
    try:
        await work
    except BotError as error:
        logger.info("what belongs to a question was not shown: %s", error)
    except Exception:
        logger.exception("what belongs to a question could not be shown")


class Accepting(AsyncMiddleware):
    """Runs before everything of bolt but the check of the signature, so that what fails here is not acknowledged.

    Args:
        acceptor: Takes events.
    """

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._idle = asyncio.Event()
        self._idle.set()
        self._running = 0
        self._refused = False

    def refused(self) -> bool:
        """Return whether an event was not taken since this was asked last: Slack may have given it up."""
        refused, self._refused = self._refused, False
        return refused

    async def drained(self) -> None:
        """Wait until nothing is being accepted."""
        await self._idle.wait()

    async def _accept(self, body: Mapping[str, object]) -> None:
        """Accept an event, again for as long as Slack waits: a restart of Redis is shorter than that. Raises as it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                await self._acceptor.accept(body)
            except UnavailableError as error:
                # Without a time after which it may work this process is stopping: another may take it at once.
                if error.retry_after_s is None or loop.time() + AGAIN_S > until:
                    raise
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def async_process(
        self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse | None:
        """Store what an event asks for; go on to the listeners with what else it may mean."""
        body: object = req.body
        if not isinstance(body, dict):
            return BoltResponse(status=200, body="")
        kind = body.get("type")
        if kind in ("url_verification", "ssl_check") or "ssl_check" in body:
            return await next()
        if kind != "event_callback":
            known = kind in INTERACTIONS or isinstance(body.get("command"), str)
            return await next() if known else BoltResponse(status=200, body="")
        self._running += 1
        self._idle.clear()
        try:
            await self._accept(body)
        except InvalidRequestError as error:
            logger.warning("an event was not understood: %s", error)
            return BoltResponse(status=200, body="")
        except (UnavailableError, BusyError) as error:
            logger.warning("an event was not taken, Slack delivers it again: %s", error)
            self._refused = True
            return BoltResponse(status=503, body="")
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        event = body.get("event")
        name = event.get("type") if isinstance(event, dict) else None
        if not isinstance(name, str) or name in OWN_EVENTS:
            return BoltResponse(status=200, body="")
        return await next()
