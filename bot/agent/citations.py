"""The check of what a model wrote: every sentence is compared with the passages it cites.

The comparison is mechanical and needs no model: numbers and names of a sentence must stand in one cited passage, enough
of its other words too, and a sentence that denies must have one that denies behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bot.agent.model_text import clean_model_text
from bot.evidence import Citation, Home, Passage
from bot.generation import Grammar
from bot.texts import not_in_the_sources

Unsupported = Literal["mark", "drop"]

MAX_SENTENCES = 5
SUPPORT = 0.5  # share of a sentence's words that a cited passage must hold
DENIAL_OVERLAP = 0.6  # share of words from which two sentences are about the same, so that "not" in one of them matters
_BEGINNING = 5  # letters by which words are the same: "crossed" and "crossing"

_NUMBER = re.compile(r"\[(\d+)\]")
_MARKS = re.compile(r"(?:\s*\[\d+\])+")
_LATE_MARKS = re.compile(r"([.!?])((?:\s*\[\d+\])+)(?=\s|$)")
_BOUNDARY = re.compile(r"""(?:(?<=[.!?])|(?<=[.!?]["')]))\s+(?=["'(]?[A-Z0-9])|\s*\n+\s*""")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|al|cf|ca|approx|figs?|tabs?|eqs?|refs?|no|vol|dr|prof|mr|ms|st|chr|spp?|subsp|var)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]{3,}")
_DIGITS = re.compile(r"\d+(?:\.\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_NAME = re.compile(r"\b(?=\w*[A-Z])(?=\w*\d)\w+\b|\b[A-Z]{2,}\w*\b")  # BXD, Brca2, C57BL, DBA
_DENIES = re.compile(r"\b(?:not|no|never|none|neither|nor|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_COMMON = frozenset(
    """the and for are was were has have had with from that this these those which who whom whose its their they them
    can may also been being does did done than then there here into onto each all any some such more most between about
    will would should could you your our how what when where why not but both either one two""".split()
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A text after the check.

    Attributes:
        text: What is left of it, citations numbered from 1 in the order they are used.
        citations: What the numbers stand for.
        supported: Sentences with a passage behind them.
        unsupported: Sentences marked or dropped.
    """

    text: str
    citations: tuple[Citation, ...]
    supported: int
    unsupported: int


def citation_grammar(passages: int) -> Grammar:
    """Return a grammar: up to `MAX_SENTENCES` sentences, each ending in numbers from 1 to `passages`."""
    numbers = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    return Grammar(
        "gbnf",
        f'root ::= sentence (" " sentence){{0,{MAX_SENTENCES - 1}}}\n'
        'sentence ::= first rest{8,240} (" [" number "]"){1,3} "."\n'
        "first ::= [A-Z0-9]\n"
        "rest ::= [^\\[\\]<>@`\\n\\r\\\\]\n"
        f"number ::= {numbers}\n",
    )


def named_hosts(passages: Sequence[Passage]) -> frozenset[str]:
    """Return the hosts the passages come from, which an answer may name."""
    urls = [home.url for passage in passages for home in passage.homes if home.url]
    return frozenset(host for url in urls if (host := urlsplit(url).hostname))


class Numbering:
    """Numbers for the passages a text cites, from 1 in the order they are first used."""

    def __init__(self) -> None:
        self.shown: dict[int, int] = {}

    def number(self, given: int) -> int:
        """Return the number shown for passage `given`."""
        return self.shown.setdefault(given, len(self.shown) + 1)


def split_statements(text: str) -> list[str]:
    """Return the sentences of a model's text; the numbers behind a full stop belong to the sentence before it."""
    text = _LATE_MARKS.sub(lambda match: f"{match.group(2)}{match.group(1)}", text.strip())
    sentences: list[str] = []
    joined = ""
    for part in _BOUNDARY.split(text):
        joined = f"{joined} {part}" if joined else part
        if not _ABBREVIATED.search(joined):
            sentences.append(joined)
            joined = ""
    return [sentence.strip() for sentence in (*sentences, joined) if re.search(r"\w", _NUMBER.sub("", sentence))]


def check_statements(written: str, passages: Sequence[Passage], *, unsupported: Unsupported) -> Checked:
    """Keep the sentences their passages support; mark or drop the others.

    A sentence without a number is taken together with the next one that has some, as people write.

    Args:
        written: The model's text, passages numbered as it was given them, from 1.
        passages: The passages it was given.
        unsupported: Whether a sentence without support stays, marked, or goes.
    """
    numbering = Numbering()
    quotes: dict[int, list[str]] = {}
    kept: list[str] = []
    supported_sentences = missing = 0
    hosts = named_hosts(passages)
    statements = split_statements(clean_model_text(written, hosts))
    for position, statement in enumerate(statements):
        own = _cited(statement, len(passages))
        cited = own or next(
            (found for later in statements[position + 1 :] if (found := _cited(later, len(passages)))), []
        )
        bare = _MARKS.sub("", statement).strip()
        supporting = [number for number in cited if supported(bare, passages[number - 1])]
        if not supporting:
            missing += 1
            if unsupported == "mark":
                kept.append(_ending(bare, not_in_the_sources()))
            continue
        supported_sentences += 1
        for number in supporting:
            quotes.setdefault(number, []).append(_nearest(bare, passages[number - 1]))
        shown = {number: numbering.number(number) for number in supporting}
        kept.append(_renumbered(statement, shown) if own else _numbered(bare, shown))
    citations = tuple(
        _citation(shown, passages[number - 1], quotes[number], hosts) for number, shown in numbering.shown.items()
    )
    return Checked(" ".join(kept), citations, supported_sentences, missing)


def supported(statement: str, passage: Passage) -> bool:
    """True when the passage, with its title and heading, says what the statement says, as far as words can tell."""
    text = f"{passage.home.title}\n{passage.heading}\n{passage.text}"
    if not _digits(statement) <= _digits(text):
        return False
    known = text.lower()
    if any(name.lower().rstrip("s") not in known for name in _NAME.findall(statement)):
        return False
    words = _beginnings(statement)
    if not words or len(words & _beginnings(text)) < SUPPORT * len(words):
        return False
    return _agrees(statement, words, passage)


def _agrees(statement: str, words: set[str], passage: Passage) -> bool:
    """False when the sentences that are about the same all deny what the statement says, or the other way round."""
    about = [one for one in _sentences(passage) if len(words & _beginnings(one)) >= DENIAL_OVERLAP * len(words)]
    denies = bool(_DENIES.search(statement))
    return not about or any(bool(_DENIES.search(one)) == denies for one in about)


def _cited(statement: str, passages: int) -> list[int]:
    numbers = [int(number) for number in _NUMBER.findall(statement)]
    return list(dict.fromkeys(number for number in numbers if 1 <= number <= passages))


def _renumbered(statement: str, shown: dict[int, int]) -> str:
    def replace(match: re.Match[str]) -> str:
        numbers = dict.fromkeys(shown[int(number)] for number in _NUMBER.findall(match.group()) if int(number) in shown)
        return "".join(f" [{number}]" for number in numbers)

    return _MARKS.sub(replace, statement)


def _numbered(bare: str, shown: dict[int, int]) -> str:
    return _ending(bare, " ".join(f"[{number}]" for number in shown.values()))


def _ending(bare: str, ending: str) -> str:
    stop = bare[-1] if bare[-1] in ".!?" else "."
    return f"{bare.rstrip('.!?').rstrip()} {ending}{stop}"


def cite(n: int, home: Home, quote: str) -> Citation:
    """Return a citation; of its title only what makes no link, mention or markup is shown."""
    title = " ".join(clean_model_text(home.title).split())
    return Citation(n, title or home.source.rsplit("/", 1)[-1], home.source, home.url, quote)


def _citation(shown: int, passage: Passage, quotes: Sequence[str], hosts: Set[str]) -> Citation:
    return cite(shown, passage.home, clean_model_text(" ".join(dict.fromkeys(quotes)), hosts))


def _digits(text: str) -> set[str]:
    return set(_DIGITS.findall(_THOUSANDS.sub("", text)))


def _beginnings(text: str) -> set[str]:
    return {word[:_BEGINNING] for word in _WORD.findall(text.lower()) if word not in _COMMON}


def _sentences(passage: Passage) -> list[str]:
    return [sentence.text for sentence in passage.sentences] or [passage.text]


def _nearest(statement: str, passage: Passage) -> str:
    words = _beginnings(statement)
    return max(_sentences(passage), key=lambda sentence: len(words & _beginnings(sentence)))
