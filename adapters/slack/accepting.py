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
from adapters.slack.events import Deleted, Edited, Revoked, Stopped, Written, read_event
from adapters.slack.parts import Parts
from adapters.slack.places import spot
from adapters.slack.sending_values import Recipient
from adapters.slack.text_incoming import read_text
from adapters.slack.thread_files import ThreadFiles, address
from bot.commands import find_command
from bot.errors import BotError, BusyError, InvalidRequestError, UnavailableError
from bot.messages import FileReference, IncomingMessage, Place
from bot.texts import reading_documents
from bot.threads import LoopGuard

logger = logging.getLogger(__name__)

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
        self._thread_files = ThreadFiles(parts.calls, parts.identity, parts.people, parts.files)
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
                place = await self._parts.places.place(event.channel, event.thread, shared=event.shared)
                await self._parts.reception.stop(place, await self._parts.people.sender(event.user))
            case Revoked():
                self._revoked()
            case None:
                pass

    async def close(self) -> None:
        """End what is still being shown."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept_message(self, written: Written) -> None:
        place = await self._meant(written, written.text)
        if place is not None:
            await self._ask(written, place)

    async def _accept_edit(self, edited: Edited) -> None:
        now = edited.now
        before = await self._meant(now, edited.before)
        place = await self._meant(now, now.text)
        if place is None:
            if before is not None:  # the mention was taken out: it is for somebody else now
                await self._parts.reception.delete(before, now.ts)
        elif before is None:
            await self._ask(now, place)
        else:
            await self._parts.reception.edit(await self._message(now, place))

    async def _accept_deletion(self, was: Written) -> None:
        place = await self._meant(was, was.text)
        if place is not None:
            await self._parts.reception.delete(place, was.ts)

    async def _meant(self, written: Written, text: str) -> Place | None:
        """Return where to answer if a message with this text is for the bot, else None."""
        channels = self._parts.options.channels
        if not written.direct:
            if channels and written.channel not in channels:
                return None
            whom = addressee(text, self._parts.identity.user_id)
            follow = written.is_reply and self._parts.options.follow_threads
            if whom is Addressee.OTHERS or (whom is Addressee.NOBODY and not follow):
                return None
            if whom is Addressee.NOBODY and not await self._parts.threads.joined(self._thread(written)):
                return None
        # Of people in other channels nothing is looked up.
        if (await self._parts.people.person(written.user)).bot:
            return None
        return await self._parts.places.place(
            written.channel, written.thread, channel_type=written.channel_type, shared=written.shared
        )

    def _thread(self, written: Written) -> Place:
        return Place("slack", self._parts.identity.team_id, written.channel, written.thread)

    async def _ask(self, written: Written, place: Place) -> None:
        if written.files and not written.text.strip():
            return  # a file without a word asks nothing
        if not self._guard.allows(place, written.ts):
            logger.warning("a thread has more questions than people ask, so it gets no more answers for a while")
            return
        message = await self._message(written, place)
        accepted = await self._parts.reception.message(message)
        await self._parts.threads.join(place)
        self._parts.askers.note(written.channel, written.ts, Recipient(message.sender.workspace, written.user))
        if accepted.new:
            self._begin(self._parts.sender.status(spot(place), status_sentence(self._documents())))
            for also in self._accepted:
                self._begin(also(self._parts, message))

    async def _message(self, written: Written, place: Place) -> IncomingMessage:
        people, bot_user = self._parts.people, self._parts.identity.user_id
        names = {user: name for user in mentioned(written.text) if (name := people.name(user))}
        sender = await people.sender(written.user, written.team)
        text = read_text(written.text, bot_user=bot_user, names=names)
        # What strangers share is not looked at, whatever they ask.
        files = () if sender.external else await self._files(written, text)
        message = IncomingMessage(place, sender, written.ts, text, float(written.ts), files=files)
        return dataclasses.replace(message, version=written.version) if written.version else message

    async def _files(self, written: Written, text: str) -> tuple[FileReference, ...]:
        """Return what came with a message; for "learn this" without a file, what its thread has seen last."""
        if written.files or written.hosted or not written.is_reply:
            return await self._parts.files.references(written.hosted, address(self._parts.identity, written))
        command = find_command(text)
        if command is None or command.name != "learn":
            return ()
        return await self._thread_files.before(written)

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

    async def drained(self) -> None:
        """Wait until nothing is being accepted."""
        await self._idle.wait()

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
            await self._acceptor.accept(body)
        except InvalidRequestError as error:
            logger.warning("an event was not understood: %s", error)
            return BoltResponse(status=200, body="")
        except (UnavailableError, BusyError) as error:
            logger.warning("an event was not taken, Slack delivers it again: %s", error)
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
