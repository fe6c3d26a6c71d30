"""Sending to Slack: each answer as one visible message, whatever is lost on the way.

The adapter posts a message once, shows drafts in it, and shows the final text; a final text of several messages has its
further ones behind the first in the thread. Everything may be called again after a failure, in another process too:
what was done is found and not done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from adapters.slack.errors import ContentError, OutcomeUnknownError, StreamOpenError
from adapters.slack.looks import Looks
from adapters.slack.rendering import Look
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_delivery import Delivery
from adapters.slack.sending_finding import Finder
from adapters.slack.sending_messages import Message, Messages, Part
from adapters.slack.sending_status import WORKING, Statuses
from adapters.slack.sending_values import File, Payload, Recipient, Shown, Spot, digest, ways
from adapters.slack.streams import Escape, Streams, stop
from bot.errors import NotFoundError

logger = logging.getLogger(__name__)


class Sender:
    """Sends to one workspace. Its methods raise as `SlackClient.call` unless they say otherwise.

    Args:
        calls: Made with the token of that workspace.
        escape: Makes what turns the text of a draft into safe pieces, for each stream anew.
    """

    def __init__(self, calls: Calls, escape: Callable[[], Escape]) -> None:
        self._calls = calls
        self._streams = Streams(calls, escape)
        self._finder = Finder(calls)
        self._looks = Looks(lambda: calls.limits.now())
        self._delivery = Delivery(calls, self._finder, self._looks)
        self._messages = Messages()
        self._statuses = Statuses(calls)

    def look(self, chosen: Look) -> Look:
        """Return how messages are to look, since the workspace may have refused how the lab wants them to."""
        return self._looks.now(chosen)

    async def post(
        self,
        spot: Spot,
        payload: Payload,
        *,
        key: str,
        answers: str,
        stream: bool = False,
        recipient: Recipient | None = None,
    ) -> str:
        """Show a new message and return its time stamp.

        Args:
            spot: Where.
            payload: What; not shown where the message is streamed, since a stream cannot take anything back: there
                `status` says what the bot is doing.
            key: The same for each attempt to post this.
            answers: Time stamp of the message it answers.
            stream: True where an answer is going to be written at once, so that it may be streamed.
            recipient: Who asked; in channels only an answer to somebody can be streamed.

        Raises:
            OutcomeUnknownError: If it may have been posted or not, and could not be found just now.
        """
        if stream:
            try:
                begun = await self._streams.begin(spot, key, recipient)
            except OutcomeUnknownError:
                known = self._streams.running
                lost = await self._finder.by_key(spot, key, since=answers) or await self._finder.unmarked(
                    spot, since=answers, known=known
                )
                if lost is None:
                    raise
                begun = self._streams.adopt(spot, lost, key)
            if begun is not None:
                self._messages.add(Message(spot, begun.ts, parts={}, stream=begun))
                return begun.ts
        ts, found = await self._delivery.post(spot, payload, key, since=answers)
        self._messages.add(Message(spot, ts, digest="" if found else digest(payload), parts=None if found else {}))
        return ts

    async def draft(self, spot: Spot, ts: str, payload: Payload, text: str, *, waiting: str = "") -> Shown:
        """Show an unfinished text in a message, if it is its turn; the next draft is expected to hold all of it.

        Args:
            spot: Where the message stands.
            ts: Its time stamp.
            payload: The text as it is shown by an edit.
            text: The text itself as it is streamed: all of it so far, as written, or "" for none yet.
            waiting: What is said meanwhile; below the thread where the message is streamed, since a stream cannot take
                it back.
        """
        message = self._messages.get(spot, ts)
        async with message.lock:
            if message.stopped:
                return Shown.STOPPED
            if text:
                await self._stop_waiting(message)
            if message.stream is not None:
                if waiting and not text and await self._wait(message, waiting):
                    return Shown.SHOWN
                shown = await self._append(message, text)
                if shown is not None:
                    return shown
            return await self._draft(message, payload)

    async def show(self, spot: Spot, ts: str, payloads: Sequence[Payload]) -> None:
        """Show a final text in a message and, where it is long, in further ones; what is shown already stays.

        Args:
            spot: Where the message stands.
            ts: Its time stamp.
            payloads: What: the first in the message itself, the others behind it in the thread, which it begins where
                it stands in none.

        Raises:
            NotFoundError: If the message is gone.
        """
        message = self._messages.get(spot, ts)
        async with message.lock:
            self._calls.limits.over(ts)
            await self._end_stream(message)
            now = digest(payloads[0])
            if message.digest != now:
                message.digest = ""
                await self._delivery.edit(message.spot, ts, payloads[0])
                message.digest = now
            await self._stop_waiting(message)
            await self._show_parts(message, payloads[1:])

    async def remove(self, spot: Spot, ts: str) -> None:
        """Delete a message and the further ones of its answer; those that are gone are no error."""
        message = self._messages.get(spot, ts)
        async with message.lock:
            self._calls.limits.over(ts)
            await self._end_stream(message)
            parts = await self._known_parts(message)
            for part in (*parts.values(), Part(ts)):
                await self._delivery.delete(spot, part.ts)
            self._messages.drop(message)

    async def find(self, spot: Spot, key: str, *, answers: str) -> str | None:
        """Return the time stamp of the message posted with this key after the message `answers`, or None."""
        return await self._finder.by_key(spot, key, since=answers)

    async def whisper(self, spot: Spot, user: str, payload: Payload) -> None:
        """Show a message to one person only; Slack keeps none of these, so it may be lost or come twice.

        Raises:
            RefusedError: If the person is not in the channel.
        """
        await self._delivery.in_some_way("chat.postEphemeral", payload, **spot.arguments, user=user)

    async def upload(self, spot: Spot, file: File, *, since: str) -> None:
        """Show a file; one of the same name and size that the bot has shown there since then is not shown again.

        Args:
            spot: Where.
            file: What.
            since: Time stamp of the message that it belongs to.
        """
        if await self._finder.has_file(spot, file, since=since):
            return
        place = await self._calls.make(
            "files.getUploadURLExternal", filename=file.name, length=len(file.data), alt_txt=file.alt or None
        )
        await self._calls.client.upload(place.text("upload_url"), file.data)
        await self._calls.make(
            "files.completeUploadExternal",
            files=[{"id": place.text("file_id"), "title": file.title or file.name}],
            channel_id=spot.channel,
            thread_ts=spot.thread_ts or None,
            initial_comment=file.comment or None,
        )

    async def status(self, spot: Spot, sentence: str, loading: Sequence[str] = ()) -> bool:
        """Say below a thread what the bot is doing, see `Statuses.show`."""
        return await self._statuses.show(spot, sentence, loading)

    async def _wait(self, message: Message, sentence: str) -> bool:
        """Say below a thread why nothing is streamed yet; where Slack shows no status, the stream becomes an edit."""
        message.waiting |= await self._statuses.show(message.below, WORKING, (sentence,))
        if self._statuses.available(message.below):
            return True
        if self._calls.limits.wait_s("chat.stopStream") <= 0:
            await self._end_stream(message)
        return False

    async def _stop_waiting(self, message: Message) -> None:
        """Take the status away: Slack does so when something is posted, not when it is edited."""
        if message.waiting:
            message.waiting = False
            await self._statuses.show(message.below, "")

    async def _append(self, message: Message, text: str) -> Shown | None:
        """Stream a draft; None where an edit has to show it."""
        stream = message.stream
        if stream is None:
            return None
        if stream.continues(text):
            shown = await stream.append(text)
            if shown is Shown.STOPPED:
                message.stopped, message.stream = True, None
            if shown is not None:
                return shown
        if stream.open and self._calls.limits.wait_s("chat.stopStream") > 0:
            return Shown.LEFT_OUT
        await self._end_stream(message)
        return None

    async def _end_stream(self, message: Message) -> None:
        if message.stream is not None:
            await message.stream.end()
            message.stream = None

    async def _draft(self, message: Message, payload: Payload) -> Shown:
        now = digest(payload)
        if message.digest == now:
            return Shown.SHOWN
        arguments = list(ways(payload))[-1 if message.simple else 0]
        known, message.digest = message.digest, ""
        try:
            reply = await self._calls.draft(
                "chat.update", message=message.ts, channel=message.spot.channel, ts=message.ts, **arguments
            )
        except ContentError:
            self._looks.refused(arguments)
            message.simple = True
            message.digest = known
            return Shown.LEFT_OUT
        except StreamOpenError:
            # Begun by a process that is gone.
            if self._calls.limits.wait_s("chat.stopStream") <= 0:
                await stop(self._calls, message.spot, message.ts)
            return Shown.LEFT_OUT
        if reply is None:
            message.digest = known
            return Shown.LEFT_OUT
        message.digest = now
        return Shown.SHOWN

    async def _show_parts(self, message: Message, payloads: Sequence[Payload]) -> None:
        """Bring the further messages of an answer to what they should show, in their order."""
        parts = await self._known_parts(message)
        message.parts = None  # until all of it is done
        wanted: dict[str, Part] = {}
        for number, payload in enumerate(payloads, 2):
            key = f"{message.ts}/{number}"
            wanted[key] = await self._show_part(message, key, payload, parts.get(key))
        for key, part in parts.items():
            if key not in wanted:
                await self._delivery.delete(message.spot, part.ts)
        message.parts = wanted

    async def _show_part(self, message: Message, key: str, payload: Payload, part: Part | None) -> Part:
        now = digest(payload)
        if part is not None:
            if part.digest == now:
                return part
            try:
                await self._delivery.edit(message.spot, part.ts, payload)
            except NotFoundError:
                logger.info("a part of an answer was deleted and is posted again")
            else:
                return Part(part.ts, now)
        ts, found = await self._delivery.post(message.below, payload, key, since=message.ts, part_of=message.ts)
        if found:
            await self._delivery.edit(message.spot, ts, payload)
        return Part(ts, now)

    async def _known_parts(self, message: Message) -> dict[str, Part]:
        if message.parts is None:
            found = await self._finder.parts_of(message.below, message.ts)
            message.parts = {key: Part(ts) for key, ts in found.items()}
        return message.parts
