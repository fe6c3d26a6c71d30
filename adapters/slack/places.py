"""Where people write: Slack's ids of channels and threads as places."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from adapters.slack.client import Identity
from adapters.slack.errors import NO_CHANNEL
from adapters.slack.lookups import RETRY_S, Lookup
from adapters.slack.sending_calls import Calls
from adapters.slack.sending_values import Spot
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError, UnavailableError
from bot.messages import Audience, Place

LIFETIME_S: Final = 300.0
MOST_CHANNELS: Final = 5000

_BY_TYPE: Final[Mapping[str, Audience]] = {
    "im": Audience.DIRECT,
    "app_home": Audience.DIRECT,
    "mpim": Audience.PRIVATE,
    "group": Audience.PRIVATE,
    "channel": Audience.PUBLIC,
}


class Places:
    """Says who reads a channel: as an event tells it, else as Slack does when it is asked.

    Args:
        calls: Makes the calls.
        identity: Of the bot; its workspace is that of all places, also of channels that are shared with others, so that
            a channel is the same one whoever writes there.
        clock: Seconds that only grow.
    """

    def __init__(self, calls: Calls, identity: Identity, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._identity = identity
        self._audiences = Lookup(self._fetch, lifetime_s=LIFETIME_S, most=MOST_CHANNELS, clock=clock)

    async def place(self, channel: str, thread: str, *, channel_type: str = "", shared: bool | None = None) -> Place:
        """Return a place.

        Args:
            channel: Id of a channel, group or direct conversation.
            thread: Time stamp of the thread's root, which is the message itself where it begins one: a thread is a
                conversation, in direct messages too.
            channel_type: As an event names it, or "".
            shared: Whether an event says that other organisations read the channel; None where it says nothing.

        Raises:
            UnavailableError: If Slack has to be asked and does not answer.
            InvalidRequestError: If the bot cannot see the channel.
        """
        audience = self.told(channel, channel_type=channel_type, shared=shared)
        return self.at(channel, thread, audience if audience is not None else await self.ask(channel))

    def at(self, channel: str, thread: str, audience: Audience = Audience.SHARED) -> Place:
        """Return a place with an audience; as long as nobody has told it, with the one that is shown least."""
        return Place("slack", self._identity.team_id, channel, thread, audience)

    def told(self, channel: str, *, channel_type: str = "", shared: bool | None = None) -> Audience | None:
        """Return who reads a channel as an event says, or as was said lately; None where Slack has to be asked.

        Args:
            channel: As of `place`.
            channel_type: As of `place`.
            shared: As of `place`.
        """
        told = _BY_TYPE.get(channel_type)
        if channel.startswith("D") or told is Audience.DIRECT:
            return Audience.DIRECT
        if shared:
            told = Audience.SHARED
        if told is not None and shared is not None:
            self._audiences.put(channel, told)
            return told
        return self._audiences.fresh(channel)

    async def ask(self, channel: str, *, patient: bool = False) -> Audience:
        """Return who reads a channel, as Slack says. Raises as `place`.

        Args:
            channel: As of `place`.
            patient: As of `Lookup.get`.
        """
        try:
            return await self._audiences.get(channel, patient=patient)
        except (NotFoundError, RefusedError) as error:
            raise InvalidRequestError(NO_CHANNEL) from error
        except SettingsError as error:
            # What was asked there waits until the app has its scope.
            raise UnavailableError(str(error), retry_after_s=RETRY_S) from error

    async def _fetch(self, channel: str) -> Audience:
        reply = await self._calls.make("conversations.info", channel=channel)
        found = reply.fields.get("channel")
        return _read(found if isinstance(found, dict) else {})


def spot(place: Place) -> Spot:
    """Return where the bot writes for a place."""
    return Spot(place.channel, place.thread)


def _read(channel: Mapping[str, JsonValue]) -> Audience:
    if channel.get("is_im") is True:
        return Audience.DIRECT
    if channel.get("is_ext_shared") is True or channel.get("is_pending_ext_shared") is True:
        return Audience.SHARED
    if channel.get("is_mpim") is True or channel.get("is_group") is True or channel.get("is_private") is True:
        return Audience.PRIVATE
    return Audience.PUBLIC
