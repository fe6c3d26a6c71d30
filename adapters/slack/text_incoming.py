"""What people write in Slack, as plain text for the core: mentions, channels and links by what people see."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.plain_text import without_controls

_MARKUP = re.compile(r"<([^<>\n]*)>")
_BLANKS = re.compile(r"[^\S\n]{2,}")
_BEFORE_SIGN = re.compile(r",?[^\S\n]+(?=[,.;:!?](?:\s|\Z))")  # what is left of "a LOD, @locus?"


def read_text(text: str, *, bot_user: str, names: Mapping[str, str] | None = None) -> str:
    """Return the text of an event as a person would read it, without the mention of the bot.

    Args:
        text: As Slack delivers it: three characters escaped, everything else that is no text between < and >.
        bot_user: The bot's own user id.
        names: What people are called, by user id, where it is known; a mention often carries no name.
    """
    parts: list[str] = []
    place = 0
    for match in _MARKUP.finditer(text):
        parts += [_unescaped(text[place : match.start()]), _read(match.group(1), bot_user, names or {})]
        place = match.end()
    parts.append(_unescaped(text[place:]))
    joined = without_controls("".join(parts))
    lines = (_BEFORE_SIGN.sub("", _BLANKS.sub(" ", line)).strip(" ") for line in joined.split("\n"))
    return "\n".join(lines).strip().removeprefix(",").removeprefix(":").strip()


def mentions(text: str, user: str) -> bool:
    """True where the text of an event mentions a user."""
    return any(match.group(1).partition("|")[0] == f"@{user}" for match in _MARKUP.finditer(text))


def first_mention(text: str) -> str:
    """Return the id of the user whom a text mentions first, or ""."""
    found = (match.group(1).partition("|")[0] for match in _MARKUP.finditer(text))
    return next((target[1:] for target in found if target.startswith("@")), "")


def _read(inside: str, bot_user: str, names: Mapping[str, str]) -> str:
    target, _, label = inside.partition("|")
    target, label = _unescaped(target), _unescaped(label)
    if target.startswith("@"):
        user = target[1:]
        return " " if user == bot_user else f"@{(names.get(user) or label or 'someone').lstrip('@')}"
    if target.startswith("#"):
        return f"#{label.lstrip('#') or 'a channel'}"
    if target.startswith("!"):
        command = target[1:].partition("^")[0]
        if command == "subteam":
            return f"@{label.lstrip('@') or 'a group'}"
        return label if command == "date" else f"@{command}"
    address = target.removeprefix("mailto:")
    if not label or label in (address, target):
        return address
    return label if address.partition("://")[2].rstrip("/") == label.rstrip("/") else f"{label} ({address})"


def _unescaped(text: str) -> str:
    """Undo Slack's three entities, once and `&amp;` last, so that nothing is undone twice."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
