"""What people write in Matrix, as plain text for the core: without the call of the bot and what is quoted above it."""

from __future__ import annotations

import re
from typing import Final

from adapters.matrix.addressing import command_of, name_at_start, pills, said
from adapters.matrix.events_values import Bot, Written
from bot.plain_text import without_controls

_BLANKS: Final = re.compile(r"[^\S\n]{2,}")
_BEFORE_SIGN: Final = re.compile(r",?[^\S\n]+(?=[,.;:!?](?:\s|\Z))")  # what is left of "a LOD, @locus?"


def read_text(written: Written, bot: Bot) -> str:
    """Return the text of a message as a person would read it, without the mention of the bot."""
    text = said(written)
    if command_of(text, bot.prefix):
        text = text.lstrip()[len(bot.prefix.strip()) :]
    elif at_start := name_at_start(text, bot):
        text = text[at_start:]
    elif bot.user_id in written.mentions.users:
        text = _without_mention(text, written, bot)
    lines = (_BEFORE_SIGN.sub("", _BLANKS.sub(" ", line)).strip(" ") for line in without_controls(text).split("\n"))
    return "\n".join(lines).strip().removeprefix(",").removeprefix(":").strip()


def _without_mention(text: str, written: Written, bot: Bot) -> str:
    """Return a text without the first mention of the bot in it."""
    own = next((pill for pill in pills(written) if pill.user == bot.user_id and pill.label.strip()), None)
    if own is not None:
        label = own.label.strip()
        place = -1
        for _ in range(own.before.count(label) + 1):  # the same word may stand before it and mean something else
            place = text.find(label, place + 1)
            if place < 0:
                break
        if place >= 0:
            return _cut_out(text, place, len(label))
    for form in (bot.user_id, *(f"@{name}" for name in bot.names), bot.user_id.partition(":")[0]):
        place = text.lower().find(form.lower())
        if place >= 0:
            return _cut_out(text, place, len(form))
    return text


def _cut_out(text: str, place: int, length: int) -> str:
    before, behind = text[:place].removesuffix("@"), text[place + length :]
    return f"{before} {behind.removeprefix(':') if not before.strip() else behind}"
