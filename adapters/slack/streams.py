"""A message that grows before people's eyes: Slack's streams, where the workspace has them.

A stream begins as the visible message itself and ends, at the latest, with the first text that is not a continuation of
what was streamed; from then on the same message is edited. Slack ends a stream about five minutes after its begin
(slackapi/python-slack-sdk#1859) and when nothing is appended for long, so nothing here relies on it: the final text is
always shown by an edit, which replaces whatever was streamed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

from adapters.slack.errors import (
    MissingScopeError,
    NoStreamsError,
    NoStreamsHereError,
    OutcomeUnknownError,
    StreamOverError,
    StreamStoppedError,
)
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import Recipient, Shown, Spot, metadata
from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError

logger = logging.getLogger(__name__)

LONGEST_S: Final = 270.0  # a stream is ended after this, well before Slack does
APPEND_CHARS: Final = 12_000  # Slack's limit for the Markdown of one call
MOST_OPEN: Final = 16  # streams at once: their ends have to fit into one minute of Tier 2
REFUSED_FOR_S: Final = 3600.0  # until it is tried again where Slack has refused


class Escape(Protocol):
    """Makes text safe piece by piece: what it has returned, put together, is safe wherever the pieces were cut."""

    def feed(self, piece: str) -> str:
        """Return what can be shown of the text so far and was not returned before."""
        ...


class Stream:
    """One message that is being streamed.

    Attributes:
        ts: Time stamp of the message.
        stopped: True once a person has pressed Slack's Stop.
    """

    def __init__(self, calls: Calls, spot: Spot, ts: str, key: str, escape: Escape) -> None:
        self.ts = ts
        self.stopped = False
        self._calls = calls
        self._spot = spot
        self._key = key
        self._escape = escape
        self._began = calls.limits.now()
        self._taken = ""
        self._unsent = ""
        self._open = True
        self._sure = True  # what stands there is what was taken, less what is unsent

    @property
    def open(self) -> bool:
        """False once it has ended."""
        return self._open

    def continues(self, text: str) -> bool:
        """True when `text` begins with all that was streamed, and the stream is young enough to go on."""
        young = self._calls.limits.now() < self._began + LONGEST_S
        return self._open and self._sure and young and text.startswith(self._taken)

    async def append(self, text: str) -> Shown | None:
        """Show `text`, which continues what was streamed; None where the stream is over and an edit has to show it.

        What Slack did not take now stays and goes with the next piece.

        Raises:
            UnavailableError: If Slack wants no appends for a while.
            RefusedError: If nothing may be posted here any more.
            NotFoundError: If the message is gone.
        """
        self._unsent += self._escape.feed(text[len(self._taken) :])
        self._taken = text
        if not self._unsent:
            return Shown.SHOWN
        piece, rest = self._unsent[:APPEND_CHARS], self._unsent[APPEND_CHARS:]
        self._sure = False  # also when this is cancelled
        try:
            reply = await self._calls.draft(
                "chat.appendStream",
                message=self.ts,
                channel=self._spot.channel,
                ts=self.ts,
                markdown_text=piece,
            )
        except StreamStoppedError:
            self._open, self.stopped = False, True
            return Shown.STOPPED
        except StreamOverError:
            self._open = False
            return None
        except (OutcomeUnknownError, InvalidRequestError):
            # The piece may stand there or not, or cannot: an edit of the whole text is right either way.
            return None
        self._sure = True
        if reply is None:
            return Shown.LEFT_OUT
        self._unsent = rest
        return Shown.SHOWN

    async def end(self) -> None:
        """End it, so that the message can be edited; a stream that is over already is no error.

        The message gets its metadata with this, which a stream cannot carry before.

        Raises:
            UnavailableError: If Slack is away; call this again.
        """
        if not self._open:
            return
        await stop(self._calls, self._spot, self.ts, key=self._key)
        self._open = False


async def stop(calls: Calls, spot: Spot, ts: str, *, key: str = "") -> None:
    """End the stream of a message, whoever began it; one that is over is no error.

    Raises:
        UnavailableError: If Slack is away.
    """
    mark = metadata(key) if key else None
    try:
        try:
            await calls.make("chat.stopStream", channel=spot.channel, ts=ts, metadata=mark)
        except InvalidRequestError:
            # Slack may not want an empty message; what is written here is replaced by the edit that follows.
            await calls.make("chat.stopStream", channel=spot.channel, ts=ts, metadata=mark, markdown_text="…")
    except StreamOverError:
        return


class Streams:
    """Begins streams, and remembers where there are none.

    Args:
        calls: Made with the token of one workspace.
        escape: Makes an `Escape` for a new message.
    """

    def __init__(self, calls: Calls, escape: Callable[[], Escape]) -> None:
        self._calls = calls
        self._escape = escape
        self._refused: dict[str, float] = {}
        self._running: dict[str, Stream] = {}
        self._beginning = 0

    @property
    def running(self) -> frozenset[str]:
        """Time stamps of the streams that were begun here and are open."""
        self._running = {ts: stream for ts, stream in self._running.items() if stream.open}
        return frozenset(self._running)

    async def begin(self, spot: Spot, key: str, recipient: Recipient | None) -> Stream | None:
        """Begin a stream as a new message; None where an ordinary one has to be posted.

        Args:
            spot: A thread; there are no streams outside of one.
            key: Of the message, for its metadata.
            recipient: For whom; without one only direct conversations have streams.

        Raises:
            OutcomeUnknownError: If a message may have been begun or not.
            RefusedError: If nothing may be posted here.
            SettingsError: If the token is not valid.
        """
        now = self._calls.limits.now()
        if not spot.thread_ts or not (recipient or spot.direct):
            return None
        if len(self.running) + self._beginning >= MOST_OPEN:
            return None
        if any(self._refused.get(place, 0.0) > now for place in ("", spot.channel)):
            return None
        # A stream that could not be ended within a minute would hold up its finished text.
        if self._calls.limits.wait_s("chat.stopStream") > 0:
            return None
        self._beginning += 1
        try:
            reply = await self._calls.draft(
                "chat.startStream",
                channel=spot.channel,
                thread_ts=spot.thread_ts,
                recipient_team_id=recipient.team_id if recipient else None,
                recipient_user_id=recipient.user_id if recipient else None,
                # Not among the documented arguments, yet Slack lists the errors of one: where it is kept, a stream
                # whose begin was not stored is found by its key like any other message.
                metadata=metadata(key),
            )
        except OutcomeUnknownError:
            raise
        except NoStreamsHereError as error:
            self._refuse(spot.channel, error)
            return None
        except (NoStreamsError, MissingScopeError, UnavailableError) as error:
            # Unavailable is what a code becomes that is not known here: a new way to say no.
            self._refuse("", error)
            return None
        except (InvalidRequestError, NotFoundError):
            # Such as a recipient from elsewhere; where it is the thread that is gone, the ordinary post says so.
            return None
        finally:
            self._beginning -= 1
        if reply is None or not reply.text("ts"):
            return None
        return self.adopt(spot, reply.text("ts"), key)

    def adopt(self, spot: Spot, ts: str, key: str) -> Stream:
        """Go on with a stream that was begun, as far as is known."""
        stream = self._running[ts] = Stream(self._calls, spot, ts, key, self._escape())
        return stream

    def _refuse(self, place: str, error: BotError) -> None:
        """Remember that there are no streams: in a channel, or anywhere where `place` is ""."""
        self._refused[place] = self._calls.limits.now() + REFUSED_FOR_S
        logger.info("messages are edited instead of streamed for an hour: %s", error)
