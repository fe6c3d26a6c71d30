"""Whom a message is for, as far as its text tells."""

from __future__ import annotations

import re
from enum import StrEnum

from adapters.slack.text_incoming import mentions

_CALL = re.compile(r"<(@[^|<>\n]+|!(?:here|channel|everyone)|!subteam\^[^|<>\n]+)(?:\|[^<>\n]*)?>")


class Addressee(StrEnum):
    """For whom a message is."""

    BOT = "bot"
    OTHERS = "others"
    NOBODY = "nobody"  # nobody is named


def addressee(text: str, bot_user: str) -> Addressee:
    """Return for whom a text is: for the one it calls first. Whoever is named later is only talked about.

    The word "locus" calls nobody: geneticists use it all day.

    Args:
        text: In Slack's markup.
        bot_user: The bot's user id.
    """
    first = _CALL.search(text)
    if first is None:
        return Addressee.NOBODY
    return Addressee.BOT if first.group(1) == f"@{bot_user}" and mentions(text, bot_user) else Addressee.OTHERS


def mentioned(text: str) -> frozenset[str]:
    """Return the ids of the people a text names."""
    return frozenset(match.group(1)[1:] for match in _CALL.finditer(text) if match.group(1).startswith("@"))
