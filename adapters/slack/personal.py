"""What a person gets about their own data: always in the direct conversation with the bot, whoever else is around."""

from __future__ import annotations

import time
from typing import Final

from adapters.slack.interactions_payloads import Where
from adapters.slack.interactions_telling import direct_spot, person_of
from adapters.slack.parts import Parts
from adapters.slack.rendering import render
from adapters.slack.sending_values import File
from bot.messages import digest

EXPORT: Final = "export"
FORGET: Final = "forget me now"

_CLOCKS_S: Final = 300.0  # by which Slack's clock and ours may differ


async def run_privately(parts: Parts, where: Where, command: str) -> None:
    """Carry out a command of `bot.commands` in the direct conversation with a person, and show its reply there.

    Raises:
        BotError: If a part is away.
    """
    spot = await direct_spot(parts, where.user)
    by = await person_of(parts, where)
    reply = await parts.reception.command(await parts.places.place(spot.channel, "", channel_type="im"), by, command)
    if reply is None:
        return
    rendered = render(reply, parts.look)
    key = digest("private reply", command, where.user, where.trigger_id)
    since = f"{time.time() - _CLOCKS_S:.6f}"
    ts = await parts.sender.post(spot, rendered.first, key=key, answers=since)
    for file in rendered.files:
        await parts.sender.upload(spot, File(file.name, file.data), since=ts)
