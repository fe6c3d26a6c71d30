"""What a model wrote, made safe to show: no link, image, mention, markup or control character is left in it.

Links are the renderer's to write, from the citations. All rules work within one word, a bracket of numbers counting as
part of its word, so a text cut into pieces anywhere gives what the whole gives.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Set

from bot.plain_text import without_controls

MAX_NUMBERS = 20  # characters of one bracket of numbers

_WORD = re.compile(rf"(?:\[[\d ,;]{{1,{MAX_NUMBERS}}}\]|\S)+")
_OPEN_NUMBERS = re.compile(rf"\[[\d ,;]{{0,{MAX_NUMBERS}}}\Z")
_NUMBERS = re.compile(rf"\[([\d ,;]{{1,{MAX_NUMBERS}}})\]")
_BLANK = re.compile(r"[^\S\n]")
_OPENING = re.compile(r"<(?![\d=.\-]|$)")  # "<5" and "< " compare; anything else may be a tag
_CLOSING = re.compile(r"(?<!^)>(?![\d=])")
_MARKS = str.maketrans({"@": "", "`": "", "[": "(", "]": ")", "\\": "", "\N{FULLWIDTH COMMERCIAL AT}": ""})
_SCHEME = re.compile(
    r"://|\b(?:https?|ftp|file|data|javascript|vbscript|mailto|tel|sms|matrix|slack|xmpp|magnet|blob|about):",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?:[\w-]+\.)+[a-z]{2,24}[/?#:]|\d{1,3}(?:\.\d{1,3}){3}[/:]|//[\w.-]+\.[a-z]", re.IGNORECASE)
_HOST = re.compile(r"\b(?:[\w-]+\.)+([a-z]{2,24})\b", re.IGNORECASE)
# Top-level domains that chats turn into links; endings of file names that are also countries' domains stay.
_DOMAINS = frozenset(
    """com net org info biz xyz site online top club link live app dev page web example invalid onion zip mov edu
    gov mil int name pro shop store blog cloud tech space fun host press news world email chat""".split()
)
_FILES = frozenset("md py rs sh pl js ts cc ps mk so st gz db hs ml".split())


def clean_model_text(text: str, hosts: Set[str] = frozenset()) -> str:
    """Return model text without control characters, links, images, markup and mentions; the renderer writes links.

    Args:
        text: What the model wrote.
        hosts: Names of hosts, in small letters, that may be named.
    """
    stream = TextStream(hosts=hosts)
    return stream.feed(text) + stream.finish()


class TextStream:
    """Cleans a text that arrives in pieces; what could still become part of a link is held back."""

    def __init__(
        self, number: Callable[[int], int | None] = lambda given: given, *, hosts: Set[str] = frozenset()
    ) -> None:
        """Begin a text.

        Args:
            number: Given a number in square brackets, the number to show, or None to leave it out.
            hosts: Names of hosts, in small letters, that may be named.
        """
        self._number = number
        self._hosts = hosts
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what can be shown after this piece."""
        text = self._held + piece
        words = list(_WORD.finditer(text))
        cut = len(text)
        if words and words[-1].end() == len(text):
            cut = words[-1].start()
        unfinished = _OPEN_NUMBERS.search(text)
        if unfinished:
            cut = next((word.start() for word in words if word.end() > unfinished.start()), cut)
        self._held = text[cut:]
        return self._cleaned(text[:cut])

    def finish(self) -> str:
        """Return the rest."""
        text, self._held = self._held, ""
        return self._cleaned(text)

    def _cleaned(self, text: str) -> str:
        parts: list[str] = []
        end = 0
        for word in _WORD.finditer(text):
            parts += [_BLANK.sub(" ", text[end : word.start()]), self._clean_word(word.group())]
            end = word.end()
        return "".join([*parts, _BLANK.sub(" ", text[end:])])

    def _clean_word(self, word: str) -> str:
        shown: list[str] = []
        end = 0
        word = without_controls(word)
        for bracket in _NUMBERS.finditer(word):
            shown += [_plain(word[end : bracket.start()]), self._bracket(bracket.group(1))]
            end = bracket.end()
        cleaned = "".join([*shown, _plain(word[end:])]).replace("](", "] (")
        return re.sub(r"\S+", lambda match: "" if is_link(match.group(), self._hosts) else match.group(), cleaned)

    def _bracket(self, inside: str) -> str:
        given = [int(digits) for digits in re.findall(r"\d+", inside)]
        numbers = [number for number in map(self._number, given) if number is not None]
        return " ".join(f"[{number}]" for number in dict.fromkeys(numbers))


def _plain(text: str) -> str:
    return _CLOSING.sub("", _OPENING.sub("", text)).translate(_MARKS)


def is_link(word: str, hosts: Set[str] = frozenset()) -> bool:
    """True for a word that a chat or terminal would make a link of, also in wide or other unusual letters."""
    plain = unicodedata.normalize("NFKC", word).replace("\N{IDEOGRAPHIC FULL STOP}", ".")
    if _SCHEME.search(plain) or _PLACE.search(plain) or plain.lower().lstrip("(\"'").startswith("www."):
        return True
    found = _HOST.finditer(plain)
    return any(_is_host(one.group(), one.group(1)) for one in found if one.group().lower() not in hosts)


def _is_host(name: str, last: str) -> bool:
    if last.lower() in _FILES or len(name.split(".")[-2]) == 1:
        return False
    # Two small letters are a country's domain; "mice.In" only lacks a space.
    return last.lower() in _DOMAINS or (len(last) == 2 and last == last.lower())
