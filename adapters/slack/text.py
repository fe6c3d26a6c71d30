"""Untrusted text made harmless for Slack: it cannot mention, link, show a picture or emoji, or become markup.

The same text serves both of Slack's markups, mrkdwn and standard Markdown. Neither depends on escapes that one of them
lacks: letters that could become markup are replaced by others that look like them, and what could become a mention or a
line of another kind is interrupted by an invisible word joiner, which can come from here only. How Slack translates
mentions in its Markdown is not documented, so nothing rests on entities alone.
"""

from __future__ import annotations

import re

from bot.addresses import broken_addresses
from bot.plain_text import clean, one_line

JOINER = "\N{WORD JOINER}"  # takes no room, and no line is broken at it

_LOOK_ALIKES = str.maketrans(
    {
        "*": "\N{ASTERISK OPERATOR}",
        "~": "\N{TILDE OPERATOR}",
        "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
    }
)
_LOW_LINE = "\N{MODIFIER LETTER LOW MACRON}"
_LOW_LINES = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # those between two letters, as in HC_M2_0606_P, are no markup

_ANGLE = re.compile(r"<(?=[^\s\d=.-]|\Z)")  # "< 5", "<5", "<=" and "<-" compare and point
_ENTITY = re.compile(r"&(?=#?\w{1,32};|\Z)")
_AT = re.compile(r"([@＠﹫])(?=\S|\Z)")
_EMOJI = re.compile(r":(?=[a-z0-9_+'-]{1,100}:)(?!\d+:)")
_BRACKET = re.compile(r"\](?=[(\[:]|\Z)")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~]|\n|\Z)")
_LINE = re.compile(r"^[ ]*(?=[-+#=|:>]|\d{1,9}[.)](?:\s|$)|\[[ xX]?\])", re.MULTILINE)
_BLANKS = re.compile(r"[^\S\n]+")

_CODE_ANGLE = re.compile(r"<(?=[!@#])")
_CODE_AT = re.compile(r"[@＠﹫](?=(?:channel|here|everyone|group))", re.IGNORECASE)
_CODE_MAIL = re.compile(r"(?<=[\w.+-])@(?=[\w-]+\.\w)")
_CODE_TICKS = re.compile(r"`{3,}")


def harmless(text: str) -> str:
    """Return cleaned text that is neither markup nor address nor mention, still to be escaped by `escape`.

    An address stays readable: "https[:]//genenetwork[.]org/tools".
    """
    text = broken_addresses(text)
    text = _ANGLE.sub("<" + JOINER, text)
    text = _ENTITY.sub("&" + JOINER, text)
    text = _AT.sub(r"\1" + JOINER, text)
    text = _EMOJI.sub(":" + JOINER, text)
    text = _BRACKET.sub("]" + JOINER, text)
    text = _BACKSLASH.sub(lambda match: "\\" + JOINER, text)
    return _LOW_LINES.sub(_LOW_LINE, text).translate(_LOOK_ALIKES)


def guarded_lines(text: str) -> str:
    """Return harmless text whose lines cannot begin a list, heading, quotation, table or rule; begun with no blanks."""
    return _LINE.sub(JOINER, text)


def escape(text: str) -> str:
    """Return text with the three characters escaped that Slack has escaped, and no others."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def sentence(text: str) -> str:
    """Return untrusted text for any of Slack's fields of mrkdwn or Markdown; its lines stay."""
    lines = (_BLANKS.sub(" ", line).strip() for line in clean(text).split("\n"))
    return escape(guarded_lines(harmless("\n".join(lines))))


def harmless_code(text: str) -> str:
    """Return cleaned text to stand between marks of code, not escaped; what is no address or mention stays as it is."""
    text = broken_addresses(text, in_code=True)
    text = _ENTITY.sub("&" + JOINER, _CODE_ANGLE.sub("<" + JOINER, text))
    return _CODE_AT.sub("@" + JOINER, _CODE_MAIL.sub("[@]", text))


def inline_code(text: str) -> str:
    """Return untrusted text to stand between two backticks, not escaped; "" where nothing is left."""
    return harmless_code(one_line(text)).translate({ord("`"): "\N{MODIFIER LETTER GRAVE ACCENT}"})


def fenced_code(text: str) -> str:
    """Return cleaned text to stand in a fence of three backticks, not escaped."""
    return _CODE_TICKS.sub(lambda match: "\N{MODIFIER LETTER GRAVE ACCENT}" * len(match.group()), harmless_code(text))
