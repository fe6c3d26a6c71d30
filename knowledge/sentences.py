"""Cutting prose into sentences, aware of the abbreviations and numbers of genetics papers."""

from __future__ import annotations

import re

# A full stop after one of these does not end a sentence.
_ABBREVIATIONS = frozenset(
    """dr drs prof mr mrs ms st jr sr vs cf ca approx fig figs tab eq eqs ref refs vol no nos pp p al e.g i.e etc
    chr dept univ inc ltd co corp int ed eds resp incl excl avg min max std sd se temp conc wk wks yr yrs mo hr hrs sec
    i.p i.v s.c i.m p.o a.m p.m u.s u.s.a ph.d m.d d.v.m sp spp subsp var nat genet res proc acad sci biol jan feb mar
    apr jun jul aug sep sept oct nov dec""".split()
)
# Tried once for a row of signs, not once for each of them.
_BOUNDARY = re.compile(r"""(?<![.!?])([.!?]+)(["'”’)\]]*)\s+(?=["'“‘(\[]?[A-Z0-9\[(“"'])""")
_LAST_WORD = re.compile(r"([\w.]+)$")
_INITIAL = re.compile(r"^[A-Z]$")
_LOOKED_AT = 64  # characters on either side of a full stop; longer than any abbreviation


def split_sentences(text: str) -> list[str]:
    """Return the sentences of one paragraph, in order; joined by spaces they give the paragraph back."""
    sentences: list[str] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match.group(1) == "." and not _ends_sentence(
            text[max(start, match.start() - _LOOKED_AT) : match.start()], text[match.end() : match.end() + _LOOKED_AT]
        ):
            continue
        sentences.append(text[start : match.end(2)].strip())
        start = match.end()
    rest = text[start:].strip()
    if rest:
        sentences.append(rest)
    return sentences


def _ends_sentence(before: str, after: str) -> bool:
    found = _LAST_WORD.search(before)
    if found is None:
        return True
    word = found.group(1)
    if word.lower() in _ABBREVIATIONS:
        # "... et al. The next sentence", "... etc. We": a capitalised common word after these starts a sentence.
        return word.lower() in {"al", "etc", "p.m", "a.m", "u.s"} and bool(re.match(r"[A-Z][a-z]+\s", after))
    if _INITIAL.match(word) and re.match(r"[A-Z][a-z]+", after):
        # "R. W. Williams" is a name; "vitamin C. The" and "1 to 5 M. These" are rare and end in a known word.
        return bool(re.match(r"(The|This|These|In|We|It|For|All|A)\b", after))
    return not re.fullmatch(r"\d+", word) or not re.match(r"\d", after)
