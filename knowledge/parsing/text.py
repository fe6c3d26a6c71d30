"""Cleaning of text: white space, entities and invisible characters."""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata

# Control characters but tab and line ends, soft hyphen, zero-width and direction marks, surrogates, private use.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffc\ud800-\udfff\ue000-\uf8ff]"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_FILE_TITLE = re.compile(
    r"^(?:microsoft |word document|untitled|slide \d|powerpoint|document\d*$|doi:)|\.\w{2,5}$", re.IGNORECASE
)
_LEAD_STOP = re.compile(
    r"\b(?:i|we|you|it|they|is|are|was|were|be|has|have|had|do|does|did|can|will|should|include[sd]?|including|as|so|"
    r"follow|follows|following|these|those|this|that|see|e\.g|i\.e|then|if|please|note|contains?|used|using|run)\b",
    re.IGNORECASE,
)

# Not a capital with a stop: "R. Williams" is a name.
ITEM_MARK = re.compile(r"^\s*(?:[-*+•·–◦▪]|\(?(?:\d{1,3}|[a-zA-Z])\)|\d{1,3}\.|[a-z]\.)\s+(?=\S)")
MAX_HEADING_CHARS = 200


def _printable(text: str) -> str:
    """Return the text without invisible characters, NFC normalised."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


def decode_entities(text: str) -> str:
    """Decode entities that end in a semicolon, also those that were encoded twice (`&amp;nbsp;`)."""
    for _ in range(2):
        if "&" not in text:
            return text
        text = _ENTITY.sub(lambda match: html.unescape(match.group()), text)
    return text


def fold(text: str) -> str:
    """Return the text as one line of plain characters, entities decoded and white space folded."""
    return " ".join(_printable(decode_entities(text)).split())


def code_text(text: str) -> str:
    """Return preformatted text: line breaks and relative indentation kept, empty edges removed."""
    text = _printable(text.replace("\r\n", "\n").replace("\r", "\n")).expandtabs(4)
    return textwrap.dedent("\n".join(line.rstrip() for line in text.split("\n")).strip("\n"))


def starts_item(line: str, previous: str) -> bool:
    """Tell whether a line of wrapped text begins a list entry, and not with a number that fell to its start."""
    if not ITEM_MARK.match(line):
        return False
    previous = previous.strip()
    return (
        not line.lstrip(" (")[0].isalnum() or not previous or previous[-1] in ".:;" or bool(ITEM_MARK.match(previous))
    )


def is_lead(text: str) -> bool:
    """Tell whether a paragraph stands alone as a heading: "About the cases:" and not "We did the following:"."""
    if not text.endswith(":") or len(text) > 60 or not text[0].isupper():
        return False
    return len(text.split()) <= 6 and "," not in text and "://" not in text and not _LEAD_STOP.search(text)


def is_bold_heading(text: str) -> bool:
    """Tell whether a paragraph that is bold from end to end reads as a heading."""
    if len(text) > 120 or len(text.split()) > 15 or text.endswith((".", ",", ";", "!")):
        return False
    return any(character.isalpha() for character in text)


def is_sane_title(text: str) -> bool:
    """Tell whether a document's description names it, and not the program or the file it was made with."""
    return 4 <= len(text) <= MAX_HEADING_CHARS and " " in text and _FILE_TITLE.search(text) is None


def looks_like_list(lines: list[str]) -> bool:
    """Tell whether lines set apart by single breaks are entries of a list and not wrapped prose."""
    if len(lines) < 2 or any(len(line) > 240 for line in lines):
        return False
    if all(ITEM_MARK.match(line) for line in lines):
        return True
    if len(lines) < 3 or any(len(line) > 120 for line in lines):
        return False
    starts = sum(1 for line in lines if line[0].isupper() or line[0].isdigit())
    return starts == len(lines) and not any(line.endswith((",", " and", " of", " the")) for line in lines[:-1])
