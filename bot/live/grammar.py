"""The words in which something is looked up in GeneNetwork; docs/genenetwork.md names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.live.identifiers import is_dataset, is_group, is_symbol, is_trait_key, kind_of, phenotype
from bot.live.lookups import (
    CompareLookup,
    CorrelationLookup,
    DatasetLookup,
    DatasetsLookup,
    ExplainLookup,
    FactsLookup,
    GeneLookup,
    GroupsLookup,
    Lookup,
    MappingLookup,
    SearchLookup,
    SpeciesLookup,
    TraitLookup,
    TraitName,
    ValuesLookup,
)
from bot.live.values import Fact, MappingMethod

MAX_TOP = 50
MAX_FAMILY = 120  # characters
METHOD = re.compile(r"\s+(?:with|by|using|in)\s+(gemma|r/?qtl)(?:\s+(?:and|with)\s+loco)?$", re.IGNORECASE)
# What GeneNetwork's API does not do, and the answer says so: "with 1000 permutations".
_PERMUTATIONS = re.compile(
    r"[,;]?\s+(?:(?:with|and|using)\s+)?(?:\d[\d,.]{0,8}\s+)?permutations?(?:\s+and\s+thresholds?)?$", re.IGNORECASE
)
_TOP = re.compile(r"[,;]?\s+top[ :]?(\d{1,3})$", re.IGNORECASE)
_FILTER = re.compile(r"\b(tissue|type|text):(?:\"([^\"]*)\"|(\S+))", re.IGNORECASE)


def mapped(lookup: Lookup, method: re.Match[str] | None) -> Lookup:
    """Return a genome scan with the method that `METHOD` found; every other lookup as it is."""
    if not isinstance(lookup, MappingLookup) or method is None:
        return lookup
    name: MappingMethod = "gemma" if method.group(1).lower() == "gemma" else "rqtl"
    return replace(lookup, method=name)


def typed(text: str) -> Lookup | None:
    """Return what a text without polite words looks up, or None."""
    words = text.casefold()
    if words in {"species", "list species", "all species", "list of species"}:
        return SpeciesLookup()
    if words in {"groups", "list groups", "all groups"}:
        return GroupsLookup()
    for pattern, make in _GRAMMAR:
        match = pattern.fullmatch(text)
        if match is not None and (lookup := make(match)) is not None:
            return lookup
    return None


def trait_name(text: str) -> TraitName | None:
    """Return the trait a text names: BXD_10001, 10001 in BXDPublish, HC_M2_0606_P/1436869_at; else None."""
    text = re.sub(r"^(?:the )?(?:trait|phenotype|probe ?set|transcript)\s+", "", text.strip(), flags=re.IGNORECASE)
    text = text.strip("`'\"")
    found = phenotype(text)
    if found is not None:
        return found
    match = re.fullmatch(r"(\S+)\s+(?:in|of|from)\s+(\S+)", text) or re.fullmatch(
        r"(?P<d>[^\s/]+)[ /:](?P<t>\S+)", text
    )
    if match is None:
        return None
    parts = match.groupdict() or {"d": match.group(2), "t": match.group(1)}
    dataset, key = parts["d"], parts["t"]
    number = key.isascii() and key.isdigit() and 5 <= len(key) <= 6
    if is_dataset(dataset) and is_trait_key(key):
        return TraitName(dataset, key)
    if number and is_group(dataset):
        return TraitName(dataset if len(dataset) == 3 else f"{dataset}Publish", key)
    return None


def _on_trait(make: Callable[[TraitName], Lookup], wish: str) -> Callable[[re.Match[str]], Lookup | None]:
    def found(match: re.Match[str]) -> Lookup | None:
        trait = trait_name(match.group("trait"))
        return make(trait) if trait is not None else _without_dataset(match.group("trait"), wish)

    return found


def _without_dataset(text: str, wish: str) -> Lookup | None:
    """Return where a probe set is found, for somebody who wants something of it and does not say in which dataset."""
    token = text.strip().strip("`'\"")
    return ExplainLookup(token, wish) if kind_of(token) == "probeset" else None


def _map(match: re.Match[str]) -> Lookup | None:
    text = without_permutations(match.group("trait"))
    method = METHOD.search(text)
    name = text[: method.start()] if method else text
    trait = trait_name(name)
    return mapped(MappingLookup(trait), method) if trait is not None else _without_dataset(name, "map")


def without_permutations(text: str) -> str:
    """Return the words of a genome scan without those that ask for permutations."""
    return _PERMUTATIONS.sub("", text, count=1)


def _compare(match: re.Match[str]) -> Lookup | None:
    first, second = trait_name(match.group("trait")), trait_name(match.group("other"))
    return CompareLookup(first, second) if first is not None and second is not None else None


def _correlate(match: re.Match[str]) -> Lookup | None:
    other, top = match.group("other"), 10
    limited = _TOP.search(other)
    if limited is not None:
        other, top = other[: limited.start()], min(MAX_TOP, max(1, int(limited.group(1))))
    trait = trait_name(match.group("trait"))
    if trait is None:
        return _without_dataset(match.group("trait"), "correlations of")
    second = trait_name(other)
    if second is not None:
        return CompareLookup(trait, second)
    target = re.sub(r"^(?:the )?dataset ", "", other.strip(), flags=re.IGNORECASE)
    return CorrelationLookup(trait, target, top) if is_dataset(target) else None


def _datasets(match: re.Match[str]) -> Lookup | None:
    text = match.group("group")
    filters = {name.lower(): quoted or plain for name, quoted, plain in _FILTER.findall(text)}
    group = " ".join(_FILTER.sub(" ", text).split())
    # Filters are no words of a question: a group may be written in any case beside them.
    if not (is_group(group) or (filters and is_group(group.upper()))) or is_dataset(group):
        return None
    return DatasetsLookup(group, filters.get("tissue", ""), filters.get("type", ""), filters.get("text", ""))


def _dataset(match: re.Match[str]) -> Lookup | None:
    return DatasetLookup(match.group("name")) if is_dataset(match.group("name")) else None


def _gene(match: re.Match[str]) -> Lookup | None:
    return GeneLookup(match.group("symbol")) if is_symbol(match.group("symbol")) else None


def _search(match: re.Match[str]) -> Lookup | None:
    return SearchLookup("gene" if match.group("kind").lower().startswith("gene") else "phenotype", match.group("query"))


def _groups(match: re.Match[str]) -> Lookup | None:
    species = match.group("species")
    return GroupsLookup(species.lower()) if species.lower() not in {"genes", "traits", "strains", "mice"} else None


def _facts(match: re.Match[str]) -> Lookup | None:
    names: Mapping[str, Fact] = {
        "tissues": "tissues",
        "populations": "populations",
        "publications": "publications",
        "papers": "publications",
        "metadata": "metadata",
    }
    fact, about = names[match.group("fact").lower()], match.group("about")
    fits = {
        "tissues": is_group(about),
        "populations": about.isalpha(),
        "publications": trait_name(about) is not None,
        "metadata": is_dataset(about),
    }
    return FactsLookup(fact, about) if fits[fact] else None


def _sets(match: re.Match[str]) -> Lookup | None:
    family = match.group("family").strip(" \"'`")
    return FactsLookup("sets", family) if 0 < len(family) <= MAX_FAMILY else None


def _explain(match: re.Match[str]) -> Lookup | None:
    token = match.group("name").strip("`'\"")
    trait = trait_name(token)
    if trait is not None:
        return TraitLookup(trait)
    kind = kind_of(token)
    if kind in {"dataset", "accession"}:
        return DatasetLookup(token)
    return ExplainLookup(token) if kind is not None else None


def _on_card(match: re.Match[str]) -> Lookup | None:
    """Return what a trait is for a question about one of its figures: the card has them all."""
    trait = trait_name(match.group("trait"))
    return TraitLookup(trait) if trait is not None else _without_dataset(match.group("trait"), "")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_TRAIT = "(?P<trait>.+)"
_FIGURES = (
    "mean(?: value)?",
    "average",
    "range",
    "(?:standard error|se)",
    "units?",
    "(?:highest |best |peak )?(?:lrs|lod)(?: score)?",
    "(?:qtl )?peaks?",
    "(?:additive )?effect",
    "positions?",
    "location",
    "description",
    "publication",
    "paper",
)
_GRAMMAR: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Lookup | None]], ...] = (
    (
        _pattern(
            r"(?:(?:run|do|compute) (?:a |the )?)?(?:map|qtl map(?:ping)?(?: of| for)?|mapping (?:of|for)"
            rf"|(?:genome|qtl) scan(?: of| for)?) {_TRAIT}"
        ),
        _map,
    ),
    (
        _pattern(
            r"(?:scatter ?plot|scatter|compare|plot)(?: of)? (?P<trait>.+?) "
            r"(?:against|vs\.?|versus|with|and) (?P<other>.+)"
        ),
        _compare,
    ),
    (
        _pattern(
            r"(?:correlate|correlations? (?:of|for|between)|what correlates with) (?P<trait>.+?) "
            r"(?:with|in|to|and|against) (?P<other>.+)"
        ),
        _correlate,
    ),
    (_pattern(rf"(?:strain )?values? (?:of|for) {_TRAIT}"), _on_trait(ValuesLookup, "values of")),
    (_pattern(rf"(?:bar ?(?:plot|chart) (?:of|for)|plot|draw) {_TRAIT}"), _on_trait(ValuesLookup, "plot")),
    (
        _pattern(rf"(?:histogram|distribution)(?: of| for)? {_TRAIT}"),
        _on_trait(lambda trait: ValuesLookup(trait, "histogram"), "histogram of"),
    ),
    (_pattern(r"(?P<fact>publications|papers) (?:of|for|on) (?:trait )?(?P<about>\S+)"), _facts),
    (_pattern(r"(?P<fact>tissues|populations) (?:of|for|in) (?P<about>\S+)"), _facts),
    (_pattern(r"(?P<fact>metadata) (?:of|for|on) (?:the )?(?:dataset )?(?P<about>\S+)"), _facts),
    (
        _pattern(rf"(?:what(?:['’]s| is| are) )?(?:the )?(?:{'|'.join(_FIGURES)}) (?:of|for) {_TRAIT}"),
        _on_card,
    ),
    (_pattern(rf"what (?:does|do) {_TRAIT} (?:measure|mean|stand for)"), _on_card),
    (_pattern(r"where (?:does|is|are) (?P<trait>.+?)(?: map(?: to)?| peak| located)?"), _on_card),
    (_pattern(r"(?:sets|groups|populations) (?:of|in) (?:the )?family (?P<family>.+)"), _sets),
    (_pattern(r"(?:list )?(?:of )?(?:all )?datasets?(?: of| for| in)? (?P<group>.+)"), _datasets),
    (_pattern(r"dataset (?P<name>\S+)"), _dataset),
    (_pattern(r"(?:list )?groups (?:of|for|in) (?P<species>[A-Za-z]+)"), _groups),
    (_pattern(r"gene (?P<symbol>\S+)"), _gene),
    (_pattern(r"search (?:for )?(?P<kind>genes?|phenotypes?|traits?)(?: for|:)? (?P<query>.+)"), _search),
    (
        _pattern(
            r"(?:what(?:['’]s| is| are)|explain|describe|look ?up|link (?:to|of|for)?|about"
            r"|(?:the )?(?:trait|phenotype|marker|probe ?set|snp)) ?(?:the )?"
            r"(?:trait |dataset |marker |probe ?set |snp |phenotype )?(?P<name>\S+(?: (?:in|of|from) \S+)?)"
        ),
        _explain,
    ),
    (_pattern(r"(?P<name>\S+)"), _explain),
)
