"""Tells what people type to look something up in GeneNetwork from questions to the documents.

A question is a lookup only as a whole and only with an identifier, or in the words of docs/genenetwork.md: everything
else goes to the documents, which answer "What is the BXD family?" and "How do I map a trait?".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from bot.live.below_digests import pointed_at
from bot.live.grammar import METHOD, mapped, typed, without_permutations
from bot.live.lookups import (
    CompareLookup,
    CorrelationLookup,
    Lookup,
    MappingLookup,
    TraitLookup,
    TraitName,
    ValuesLookup,
)
from bot.live.pasted import find_link, linked
from bot.messages import Turn
from bot.plain_text import one_line

MAX_CHARS = 500
_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey)\b[,!]? +)?(?:please,? +)?(?:(?:can|could|would) you (?:please )?)?"
    r"(?:(?:show|give|tell)(?: me)? )?(?:(?:a|an|the) )?",
    re.IGNORECASE,
)
_ENDING = re.compile(r"(?:[\s.!?,]|\bplease\b)+$", re.IGNORECASE)
_CSV = re.compile(r"\s*,?\s*\b(?:as|in|with)(?: an?)? csv(?: file)?$", re.IGNORECASE)
_ONLY_CSV = re.compile(
    r"(?:and )?(?:(?:as|in|the|a) )*(?:data |values |numbers |file |it |that |them )*(?:as |in )?(?:a )?csv(?: file)?",
    re.IGNORECASE,
)
_FRIENDLY_LINK_WORDS = 8


def recognise(question: str, history: Sequence[Turn] = (), *, hosts: Collection[str] = ()) -> Lookup | None:
    """Return what a question looks up, or None for a question to the documents.

    Args:
        question: As typed.
        history: Earlier turns, oldest first; "csv" alone asks for the data of the last lookup among them, and "2" for
            the second dataset of the digest.
        hosts: Hosts besides genenetwork.org whose links count as GeneNetwork's.
    """
    if len(question) > MAX_CHARS:
        return None
    text = _ENDING.sub("", one_line(question))
    if _ONLY_CSV.fullmatch(text):
        return _last_with_data(history, hosts)
    found = find_link(text, hosts)
    if found is not None:
        return _about_link(*found)
    text = _POLITE.sub("", text, count=1)
    below = pointed_at(text, history)
    if below is not None:
        return below
    csv = _CSV.search(text)
    lookup = typed(text[: csv.start()] if csv else text)
    if csv is None or lookup is None:
        return lookup
    return _with_csv(lookup)


def _last_with_data(history: Sequence[Turn], hosts: Collection[str]) -> Lookup | None:
    for turn in reversed(history):
        if turn.role == "user" and not _ONLY_CSV.fullmatch(_ENDING.sub("", one_line(turn.content))):
            lookup = recognise(turn.content, hosts=hosts)
            return _with_csv(lookup) if lookup is not None else None
    return None


def _with_csv(lookup: Lookup) -> Lookup | None:
    if isinstance(lookup, TraitLookup):
        return ValuesLookup(lookup.trait, csv=True)
    if isinstance(lookup, ValuesLookup | CompareLookup | CorrelationLookup | MappingLookup):
        return replace(lookup, csv=True)
    return None


def _about_link(url: str, rest: str) -> Lookup | None:
    lookup = linked(url)
    if lookup is None:
        return None
    words = _POLITE.sub("", _ENDING.sub("", rest), count=1)
    if isinstance(lookup, TraitLookup):
        trait = lookup.trait
        verb = words.casefold()
        csv = _CSV.search(verb)
        verb = without_permutations(f" {verb[: csv.start()] if csv else verb}").strip()
        method = METHOD.search(f" {verb}")
        verb = verb[: method.start()].strip() if method and method.start() > 0 else verb
        ordered = _ON_TRAIT.get(verb.strip())
        if ordered is not None:
            lookup = mapped(ordered(trait), method)
            return _with_csv(lookup) if csv else lookup
    asks = rest.casefold().startswith(("how", "why", "who", "when", "where"))
    return None if asks or len(rest.split()) > _FRIENDLY_LINK_WORDS else lookup


_ON_TRAIT: Mapping[str, Callable[[TraitName], Lookup]] = {
    "map": MappingLookup,
    "qtl mapping of": MappingLookup,
    "genome scan of": MappingLookup,
    "values": ValuesLookup,
    "values of": ValuesLookup,
    "plot": ValuesLookup,
    "histogram of": lambda trait: ValuesLookup(trait, "histogram"),
    "distribution of": lambda trait: ValuesLookup(trait, "histogram"),
}
