"""Untrusted text made harmless for Slack: it cannot mention, link, show a picture or emoji, or become markup.

The same text serves both of Slack's markups, mrkdwn and standard Markdown. Neither depends on escapes that one of them
lacks: letters that could become markup are replaced by others that look like them, and what could become a mention or a
line of another kind is interrupted by an invisible word joiner, which can come from here only. How Slack translates
mentions in its Markdown is not documented, so nothing rests on entities alone.
"""

from __future__ import annotations

import re
import unicodedata

from adapters.slack.text_domains import COMMON_DOMAINS, TOP_LEVEL_DOMAINS
from bot.plain_text import without_controls

JOINER = "\N{WORD JOINER}"  # takes no room, and no line is broken at it

# What `without_controls` leaves, and people cannot see: soft hyphens, fillers, separators of lines, tags, half marks.
_INVISIBLE = re.compile(
    "[\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028\u2029\u206a-\u206f\u3164\ufe00-\ufe0e\uffa0\ufff0-\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LOOK_ALIKES = str.maketrans(
    {
        "*": "\N{ASTERISK OPERATOR}",
        "~": "\N{TILDE OPERATOR}",
        "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
    }
)
_LOW_LINE = "\N{MODIFIER LETTER LOW MACRON}"
_LOW_LINES = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # those between two letters, as in HC_M2_0606_P, are no markup

_SCHEME = re.compile(r":(?=//)")
_OTHER_SCHEME = re.compile(
    r"(mailto|xmpp|\b(?:tel|sms|skype|slack|javascript|vbscript|data|blob|magnet|file|facetime|matrix)):(?=\S)",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?<![\w-])[\w-]+(?:[.\N{IDEOGRAPHIC FULL STOP}．｡][\w-]+)+")
_DOTS = re.compile(r"[.\N{IDEOGRAPHIC FULL STOP}．｡]")
_MISSING_BLANK = re.compile(r"\.(?=[A-Z][a-z]+(?:\.|\Z))")  # "of mice.In rats": the beginning of a sentence
_NUMERIC_HOST = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?=[/:])")
_WEB = re.compile(r"(?:\A|[-_])www\Z", re.IGNORECASE)
_LABEL = re.compile(r"[^\W_]+")

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


def clean(text: str) -> str:
    """Return `text` without control, direction, zero-width and other invisible characters and lone surrogates."""
    text = _INVISIBLE.sub(" ", text.replace("\r\n", "\n").replace("\t", "    ").replace("\u00ad", ""))
    return without_controls(text)


def harmless(text: str) -> str:
    """Return cleaned text that is neither markup nor address nor mention, still to be escaped by `escape`.

    An address stays readable: "https[:]//genenetwork[.]org/tools".
    """
    text = _break_hosts(_OTHER_SCHEME.sub(r"\1[:]", _SCHEME.sub("[:]", text)), in_code=False)
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


def one_line(text: str) -> str:
    """Return cleaned text as one line without double blanks."""
    return " ".join(clean(text).split())


def shortened(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, with an ellipsis at a word's end where it goes on."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 2]
    words = kept.rsplit(None, 1)[0]
    return f"{words if len(words) > limit // 2 else kept} …"


def sentence(text: str) -> str:
    """Return untrusted text for any of Slack's fields of mrkdwn or Markdown; its lines stay."""
    lines = (_BLANKS.sub(" ", line).strip() for line in clean(text).split("\n"))
    return escape(guarded_lines(harmless("\n".join(lines))))


def harmless_code(text: str) -> str:
    """Return cleaned text to stand between marks of code, not escaped; what is no address or mention stays as it is."""
    text = _break_hosts(_OTHER_SCHEME.sub(r"\1[:]", _SCHEME.sub("[:]", text)), in_code=True)
    text = _ENTITY.sub("&" + JOINER, _CODE_ANGLE.sub("<" + JOINER, text))
    return _CODE_AT.sub("@" + JOINER, _CODE_MAIL.sub("[@]", text))


def inline_code(text: str) -> str:
    """Return untrusted text to stand between two backticks, not escaped; "" where nothing is left."""
    return harmless_code(one_line(text)).translate({ord("`"): "\N{MODIFIER LETTER GRAVE ACCENT}"})


def fenced_code(text: str) -> str:
    """Return cleaned text to stand in a fence of three backticks, not escaped."""
    return _CODE_TICKS.sub(lambda match: "\N{MODIFIER LETTER GRAVE ACCENT}" * len(match.group()), harmless_code(text))


def _break_hosts(text: str, *, in_code: bool) -> str:
    domains = COMMON_DOMAINS if in_code else TOP_LEVEL_DOMAINS

    def broken(match: re.Match[str]) -> str:
        name = match.group()
        if _is_host(name, domains, in_code=in_code):
            return _DOTS.sub("[.]", name if in_code else _MISSING_BLANK.sub(". ", name)).replace("[.] ", ". ")
        return name

    return _NUMERIC_HOST.sub(lambda match: match.group().replace(".", "[.]"), _HOST.sub(broken, text))


def _is_host(name: str, domains: frozenset[str], *, in_code: bool) -> bool:
    first, *labels = _DOTS.split(name)
    if any(_WEB.search(label) for label in (first, *labels[:-1])):
        return True
    # Chinese sentences follow each other without a blank, and are no hosts.
    other_scripts = not in_code and "\N{IDEOGRAPHIC FULL STOP}" not in name
    return any(_is_domain(label, domains, other_scripts=other_scripts) for label in labels)


def _is_domain(label: str, domains: frozenset[str], *, other_scripts: bool) -> bool:
    if label.lower().startswith("xn--"):
        return True
    found = _LABEL.match(unicodedata.normalize("NFKC", label))
    if found is None:
        return False
    word = found.group().lower()
    if not word.isascii():
        return other_scripts and 2 <= len(word) <= 12 and word.isalpha()
    return word in domains
