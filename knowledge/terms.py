"""Reading text as a geneticist does: words, and the identifiers that must match exactly.

Every text, question or passage, becomes two lists of terms:

* exact terms: words and identifiers folded in case, accents, dashes and underscores, never stemmed. `HC_M2_0606_P`,
  `hc-m2-0606-p` and `Hc_m2_0606_p` are one term, `Shh` and `SHH` are one, `BXD1` and `BXD10` are two;
* stems: the English stems (Porter2) of ordinary words, so that "permuted" finds "permutations".

An identifier also yields its parts (`hc`, `m2`, `0606`, `p`), which match weaker than the whole.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import Stemmer

TERMS_VERSION = 1

# A run of letters and digits, with single joining marks inside it: C57BL/6J, BXD_10001, D2Mit5, Rnor_6.0, chr4:100.5
_TOKEN = re.compile(r"[^\W_]+(?:[-‐‑−_/.:@'’]+[^\W_]+)*", re.UNICODE)
_PART = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?", re.UNICODE)
_JOINERS = re.compile(r"[-‐‑−_/:@'’]+")
_STRAIN = re.compile(
    r"^(bxd|axb|bxa|cxb|lxs|hxb|bxh|akxd|akxl|cc|do|nxsm|swxj|swxl|lgxsm|gn|m|u)[-_ ]?0*(\d+)([a-z]{0,2})$"
)
_SPACED_STRAIN = re.compile(r"\b(BXD|AXB|BXA|CXB|LXS|HXB|BXH|AKXD)[ -](\d{1,3}[a-z]?)\b", re.IGNORECASE)
_POSITION = re.compile(
    r"\bchr(?:omosome)?\.?\s*(\d{1,2}|X|Y|M|MT)\b(?:\s*[:@,]?\s*(?:at\s+)?(\d+(?:\.\d+)?)(?:\s*[-–to]+\s*(\d+(?:\.\d+)?))?"
    r"\s*(Mb|Mbp|megabases)?)?",
    re.IGNORECASE,
)
_CONTRACTION = re.compile(r"^(.+?)(?:['’](?:s|d|m|t|re|ve|ll))+$", re.IGNORECASE)
_PLURAL_S = re.compile(r"^[A-Z][A-Za-z0-9]*[A-Z0-9]s$")  # QTLs, BXDs, SNPs

STOP_WORDS = frozenset(
    """a about after all also am an and any are aren as at be because been before being both but by can cannot could
    did didn do does doesn doing don done during each for from further get gets getting go got had has hasn have haven
    having he her here hers him his how i if in into is isn it its itself just let like ll look made make many may me
    might more most much must my need needs no nor not now of off on once one only or other our ours out over own
    please quick really s same shall she should show so some such t tell than thank thanks that the their theirs them
    then there these they this those through to too u under until up us use used uses using ve very want was wasn way
    we were weren what whats when where wheres which while who whom whos whose why will with won would y you your yours
    earth exactly actually quite roughly hi hello ok okay yes""".split()
)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one text, in order, repeats kept."""

    exact: tuple[str, ...]
    stems: tuple[str, ...]


_local = threading.local()


def _stemmer() -> Stemmer.Stemmer:
    # PyStemmer objects are not thread-safe.
    stemmer: Stemmer.Stemmer | None = getattr(_local, "stemmer", None)
    if stemmer is None:
        stemmer = Stemmer.Stemmer("english", 0)
        _local.stemmer = stemmer
    return stemmer


def fold(text: str) -> str:
    """Return `text` in lower case without accents, dashes of all kinds as "-"."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(
            "-" if unicodedata.category(char) == "Pd" or char == "\u2212" else char
            for char in decomposed
            if not unicodedata.combining(char)
        )
    return text.lower()


@lru_cache(maxsize=262144)
def _token_terms(token: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Exact terms and stems of one raw token."""
    if _PLURAL_S.match(token):
        token = token[:-1]
    contraction = _CONTRACTION.match(token)
    if contraction:
        token = contraction.group(1)
    folded = fold(token)
    whole = _JOINERS.sub("", folded)
    strain = _STRAIN.match(folded)
    if strain:
        whole = "".join(strain.groups())
    if not whole:
        return (), ()
    exact = [whole]
    has_digit = any(char.isdigit() for char in whole)
    parts = [part for part in re.split(r"[-‐‑−_/:@'’.]+", folded) if part]
    if len(parts) > 1:
        exact.extend(part for part in parts if part != whole)
    if has_digit:
        if strain:
            exact.append(strain.group(1))
        elif not whole.isdigit():
            pieces = _PART.findall(folded)
            exact.extend(piece for piece in pieces if len(piece) > 1 and piece not in exact)
    words = [part for part in ([whole] if not has_digit and len(parts) == 1 else parts) if part.isalpha()]
    return tuple(dict.fromkeys(exact)), tuple(_stemmer().stemWord(word) for word in words)


def extract_terms(text: str) -> Terms:
    """Return all terms of a passage or question; stop words are kept out of both lists."""
    exact: list[str] = []
    stems: list[str] = []
    for match in _TOKEN.finditer(text):
        token_exact, token_stems = _token_terms(match.group())
        exact.extend(term for term in token_exact if term not in STOP_WORDS)
        stems.extend(stem for stem in token_stems if stem not in STOP_WORDS)
    for match in _SPACED_STRAIN.finditer(text):
        exact.append(fold(match.group(1) + match.group(2)))
    for position in _POSITION.finditer(text):
        exact.extend(position_terms(position))
    return Terms(tuple(exact), tuple(stems))


class TermMatcher:
    """Finds which of a question's terms a text holds, as a bit mask; far cheaper than listing the text's terms."""

    def __init__(self, exact: Iterable[str], stems: Iterable[str]) -> None:
        """Number the terms: bit 0 is the first exact term, the stems follow the exact terms."""
        self.exact = {term: bit for bit, term in enumerate(exact)}
        self.stems = {stem: bit for bit, stem in enumerate(stems, start=len(self.exact))}
        self._memo: dict[str, int] = {}
        # Forms that span white space are looked for only when the question has such a term.
        self._spaced = any(_STRAIN.match(term) for term in self.exact)
        self._positions = any(term.startswith("chr") for term in self.exact)

    def match(self, text: str) -> int:
        """Return the bits of the terms found in `text`."""
        memo = self._memo
        found = 0
        for token in set(_TOKEN.findall(text)):
            bits = memo.get(token)
            if bits is None:
                bits = memo[token] = self._bits(*_token_terms(token))
            found |= bits
        if self._spaced:
            for match in _SPACED_STRAIN.finditer(text):
                found |= self._bits((fold(match.group(1) + match.group(2)),), ())
        if self._positions:
            for position in _POSITION.finditer(text):
                found |= self._bits(position_terms(position), ())
        return found

    def _bits(self, exact: Iterable[str], stems: Iterable[str]) -> int:
        found = 0
        for term in exact:
            if term in self.exact:
                found |= 1 << self.exact[term]
        for stem in stems:
            if stem in self.stems:
                found |= 1 << self.stems[stem]
        return found


def position_terms(match: re.Match[str]) -> Iterable[str]:
    """Terms of a chromosome position: the chromosome, and the whole megabases from start to end (at most 20)."""
    chromosome, start, end, unit = match.groups()
    yield f"chr{chromosome.lower()}"
    if start is None or (unit is None and "." not in start and ":" not in match.group()):
        return
    first = int(float(start))
    last = min(int(float(end)), first + 20) if end else first
    for megabase in range(first, last + 1):
        yield f"chr{chromosome.lower()}:{megabase}mb"


def is_identifier(term: str) -> bool:
    """True for terms that name one thing (strains, accessions, markers, trait ids): letters with digits."""
    return any(char.isdigit() for char in term) and any(char.isalpha() for char in term)
