"""Whom a message is for, as far as it tells."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from adapters.matrix.events_values import Bot, Written
from adapters.matrix.fields import user_id
from adapters.matrix.mentions import MAX_MENTIONS

_PILL: Final = re.compile(r"<a\s([^<>]*)>([^<>]{0,300})</a\s*>", re.IGNORECASE)
_HREF: Final = re.compile(r"href\s*=\s*[\"']https://matrix\.to/#/([^\"'?/]{1,600})", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_QUOTED: Final = re.compile(r"\A> (?:\* )?<@[^>\n]*>[^\n]*(?:\n>[^\n]*)*(?:\n+|\Z)")


class Addressee(StrEnum):
    """For whom a message is."""

    BOT = "bot"
    OTHERS = "others"
    NOBODY = "nobody"  # nobody is named


@dataclass(frozen=True, slots=True)
class Pill:
    """A name in a text that is a link to a user.

    Attributes:
        user: Id.
        label: What stands in the text.
        before: All text before it.
    """

    user: str
    label: str
    before: str


def addressee(written: Written, bot: Bot) -> Addressee:
    """Return for whom a message is: for the one it calls first. Whoever is named later is only talked about.

    The bot is called by `m.mentions`, by a command, or by its name at the very start ("locus: ...", "@locus ..."); the
    word "locus" anywhere else calls nobody: geneticists use it all day. A client counts the author of the message that
    is replied to among the mentioned; who is named in the text goes before.
    """
    text = said(written)
    if command_of(text, bot.prefix) or name_at_start(text, bot):
        return Addressee.BOT
    called = written.mentions.users
    if not called and not written.mentions.everybody:
        return Addressee.NOBODY
    places = _places(written, bot)
    first = min(places, key=lambda user: places[user]) if places else ""
    if bot.user_id in called and first in ("", bot.user_id):
        return Addressee.BOT
    return Addressee.OTHERS


def said(written: Written) -> str:
    """Return a body without the lines of the message it answers, which older clients put above a reply."""
    return _QUOTED.sub("", written.body, count=1) if written.replies_to or written.is_reply else written.body


def command_of(body: str, prefix: str) -> bool:
    """True where a text begins with the prefix of commands as a word."""
    start, word = body.lstrip(), prefix.strip()
    return bool(word) and start.lower().startswith(word.lower()) and not start[len(word) : len(word) + 1].strip()


def name_at_start(body: str, bot: Bot) -> int:
    """Return the characters that a call of the bot takes at the start of a text, sign after it included; 0 for none.

    A name has a colon or comma behind it or an @ before it; a whole user id needs neither.
    """
    start = len(body) - len(body.lstrip())
    text = body[start:].casefold()
    if len(text) != len(body) - start:  # a sign that is longer in small letters: compare without that
        text = body[start:]
    for name in sorted(_names(bot), key=len, reverse=True):
        for sign in ("@", ""):
            shown = sign + name.removeprefix("@") if sign else name
            behind = text[len(shown) :]
            if not text.startswith(shown):
                continue
            if behind[:1] in (":", ",") and not behind[1:2].strip():
                return start + len(shown) + 1
            if shown.startswith("@") and not behind[:1].strip(" \n\t?!.…"):
                return start + len(shown)
    return 0


def pills(written: Written) -> list[Pill]:
    """Return the names in a text that are links to users, in order; none of them counts unless it is mentioned too."""
    found: list[Pill] = []
    for match in _PILL.finditer(written.html):
        href = _HREF.search(match.group(1))
        user = user_id(unquote(html.unescape(href.group(1)))) if href else ""
        if user and len(found) < MAX_MENTIONS:
            before = html.unescape(_TAG.sub("", written.html[: match.start()]))
            found.append(Pill(user, html.unescape(match.group(2)), before))
    return found


def _places(written: Written, bot: Bot) -> dict[str, int]:
    """Return where those who are called are named in the text first; who is not named in it is left out."""
    called = dict.fromkeys(written.mentions.users)
    places: dict[str, int] = {}
    in_text = pills(written)
    if in_text:
        for pill in in_text:
            if pill.user in called:
                places.setdefault(pill.user, len(pill.before))
    else:
        text = said(written).casefold()
        for user in called:
            forms = [user, user.partition(":")[0]]
            forms += [f"@{name}" for name in bot.names] if user == bot.user_id else []
            found = [place for form in forms if (place := text.find(form.casefold())) >= 0]
            if found:
                places[user] = min(found)
    if written.mentions.everybody:
        shown = html.unescape(_TAG.sub("", written.html)) if in_text else said(written)
        places["@room"] = max(0, shown.find("@room"))
    return places


def _names(bot: Bot) -> set[str]:
    """Return what the bot may be called, in small letters."""
    localpart = bot.user_id.partition(":")[0].removeprefix("@")
    return {name.strip().casefold() for name in (bot.user_id, localpart, *bot.names) if name.strip()}
