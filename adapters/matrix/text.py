"""Untrusted text made harmless for Matrix: it names nobody, no room and no address, and is no command of another bot.

Clients make links of what looks like an address, a user or a room, in `body` and in the text of `formatted_body`, and
homeservers fetch what is linked to show a preview. So every address but those of the answer's own sources is broken
("evil[.]com"), and a word joiner, which is invisible and can come from here only, stands behind what begins a user id,
the alias or id of a room, or "@room".

What content cannot prevent: a person's own keywords ring wherever they stand, clients from before `m.mentions` may
also ring for a name in a message without it (ours always have it), and people can copy what is broken and mend it.
"""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import urlsplit

from bot.addresses import broken_addresses

JOINER: Final = "\N{WORD JOINER}"  # takes no room, and no line is broken at it

_AT = re.compile(r"([@＠﹫])(?=\S|\Z)")
_SIGIL = re.compile(r"([#!])(?=[^\s:#!]{1,255}:\S|[^\s:#!]{0,255}\Z)")
_CODE_SIGIL = re.compile(
    r"([@＠﹫](?=(?:room|channel|here|everyone)|[^\s:@]{1,255}:[\w\[])|[#!](?=[\w.=/+-]{1,255}:[\w\[]))",
    re.IGNORECASE,
)  # the rooms of other chats too: a bridge may carry what is said there
_ENTITY = re.compile(r"&(?=#?\w{1,32};|\Z)")  # undone by bridges, and by clients that take a body for HTML
_COMMAND = re.compile(r"\A(?=[!/.>])")
_CODE_MAIL = re.compile(r"(?<=[\w.+-])@(?=[\w-]+\.\w)")
_CODE_PERMALINK = re.compile(r"matrix\.(?=to)", re.IGNORECASE)

# Addresses that clients show as a mention of a user or a room, wherever they stand. Source: matrix.org's specification,
# "matrix.to navigation", and the permalinks that Element Web recognises beside its own (ELEMENT_URL_PATTERN).
_PERMALINKS: Final = (
    *("matrix.to", "app.element.io", "beta.element.io", "develop.element.io", "staging.element.io"),
    *("riot.im", "vector.im"),
)


def harmless(text: str) -> str:
    """Return cleaned text that is neither address nor mention, not escaped; nothing is lost but what these do."""
    text = _ENTITY.sub("&" + JOINER, broken_addresses(text))
    return _SIGIL.sub(r"\1" + JOINER, _AT.sub(r"\1" + JOINER, text))


def harmless_code(text: str) -> str:
    """Return the same for program text, in which fewer names are taken for addresses, and decorators stay."""
    broken = _CODE_PERMALINK.sub(lambda match: f"{match.group()[:-1]}[.]", broken_addresses(text, in_code=True))
    broken = _ENTITY.sub("&" + JOINER, _CODE_MAIL.sub("[@]", broken))
    return _CODE_SIGIL.sub(r"\1" + JOINER, broken)


def not_a_command(body: str) -> str:
    """Return a whole body that no bot takes for its command and no client for a quotation of another message."""
    return _COMMAND.sub(JOINER, body)


def escape(text: str) -> str:
    """Return text for HTML, between tags and between quotation marks."""
    return html.escape(text, quote=True)


def is_link(url: str) -> bool:
    """True for an address from `safe_url` that may stand in a link: encrypted, and not one that becomes a mention."""
    return url.startswith("https://") and not is_permalink(url)


def is_permalink(url: str) -> bool:
    """True for the addresses that clients show as a mention."""
    host = urlsplit(url).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in _PERMALINKS)
