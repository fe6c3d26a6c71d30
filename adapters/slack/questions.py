"""Questions that are asked without writing a message: shown for the person who asks, then accepted like any other."""

from __future__ import annotations

import time
from typing import Final

from adapters.slack import interactions_texts as texts
from adapters.slack.interactions_payloads import Where
from adapters.slack.interactions_telling import person_of
from adapters.slack.options import Options
from adapters.slack.parts import Parts
from adapters.slack.rendering import render_sentence
from adapters.slack.sending_values import Recipient, Spot
from bot.errors import BotError, RefusedError
from bot.messages import IncomingMessage, digest

_CLOCKS_S: Final = 300.0  # by which Slack's clock and ours may differ


def check_channel(options: Options, channel: str) -> None:
    """Check that questions are answered in a channel.

    Raises:
        RefusedError: If they are not; the sentence is for the person.
    """
    if options.channels and channel not in options.channels and not channel.startswith("D"):
        raise RefusedError(texts.NOT_HERE)


async def ask(parts: Parts, where: Where, question: str, *, shown: str) -> None:
    """Show a question where everybody there sees it, and have it answered in its thread.

    Args:
        parts: Of the adapter.
        where: Channel, and the thread or "" to begin one.
        question: What is asked.
        shown: What is shown of it.

    Raises:
        RefusedError: If the bot may not post or answer there.
        BotError: If a part is away; then nothing stays visible that would not be answered.
    """
    check_channel(parts.options, where.channel)
    by = await person_of(parts, where)
    spot = Spot(where.channel, where.thread_ts)
    since = f"{time.time() - _CLOCKS_S:.6f}"
    key = digest("asked", where.user, where.trigger_id)
    ts = await parts.sender.post(spot, render_sentence(shown, parts.look), key=key, answers=since)
    try:
        place = await parts.places.place(where.channel, where.thread_ts or ts)
        parts.askers.note(where.channel, ts, Recipient(by.workspace, by.user))
        await parts.reception.message(IncomingMessage(place, by, ts, question, float(ts)))
    except BotError:
        await parts.sender.remove(spot, ts)
        raise
    await parts.threads.join(place)
