"""The digests of the channels that a person is in, for their Home tab."""

from __future__ import annotations

import logging
from typing import Final

from adapters.slack import interactions_texts as texts
from adapters.slack.blocks import Block, section
from adapters.slack.direct import direct_channel
from adapters.slack.interactions_payloads import Where
from adapters.slack.parts import Parts
from adapters.slack.text import escape, harmless, sentence
from bot.chat import ChannelDigest
from bot.errors import BotError
from bot.messages import Audience
from bot.plain_text import one_line, shortened

logger = logging.getLogger(__name__)

MOST_CHANNELS: Final = 50  # of which Slack is asked who is in them
MOST_SHOWN: Final = 15
MOST_CHARS: Final = 150  # of one digest's words, before they are escaped


async def digests_of(parts: Parts, where: Where) -> list[Block]:
    """Return what is shown of digests: of no channel that the person is not in; nothing where that cannot be told."""
    try:
        digests = [
            one for one in await parts.reception.digests("slack") if one.place.workspace == parts.identity.team_id
        ]
        seen = await _channels_seen(parts, where, digests)
    except BotError as error:
        logger.info("the Home tab is shown without digests: %s", error)
        return []
    lines = [_line(one) for one in digests if one.place.channel in seen]
    if not lines:
        return [section(sentence(texts.HOME_NO_DIGESTS))]
    more = ["…"] if len(lines) > MOST_SHOWN else []
    return [section("\n".join([f"*{texts.HOME_DIGESTS}*", *lines[:MOST_SHOWN], *more]))]


async def _channels_seen(parts: Parts, where: Where, digests: list[ChannelDigest]) -> set[str]:
    """Return those channels of digests that a person is in."""
    channels = {one.place.channel: one.place.audience is Audience.DIRECT for one in digests}
    own = await direct_channel(parts.calls, where.user) if any(channels.values()) else ""
    seen = {channel for channel, direct in channels.items() if direct and channel == own}
    for channel in [channel for channel, direct in channels.items() if not direct][:MOST_CHANNELS]:
        if await parts.members.holds(channel, where.user):
            seen.add(channel)
    return seen


def _line(one: ChannelDigest) -> str:
    place = one.place
    # Slack shows the channel's name for its id, to those who may know it.
    name = texts.HOME_DIRECT if place.audience is Audience.DIRECT else f"<#{escape(place.channel)}>"
    paused = f" ({texts.HOME_PAUSED})" if one.paused else ""
    return f"• {name}: {escape(harmless(shortened(one_line(one.words), MOST_CHARS)))}{paused}"
