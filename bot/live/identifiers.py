"""Names that GeneNetwork gives to things, told by their looks: phenotypes, probe sets, markers, datasets."""

from __future__ import annotations

import re
from typing import Literal

from bot.live.lookups import TraitName

Kind = Literal["phenotype", "probeset", "marker", "accession", "dataset"]

MAX_CHARS = 100
_PHENOTYPE = re.compile(r"([A-Za-z]{3})_(\d{5,6})")
# Affymetrix's names (1436869_at, 1416967_a_at); of other platforms only what stands beside a dataset is taken.
_PROBESET = re.compile(r"\d{4,9}(?:_[a-z]{1,2})?_at", re.IGNORECASE)
_MARKER = re.compile(
    r"rs\d{3,12}|rsm\d{8,14}|D(?:\d{1,2}|X)(?:Mit|Ucla|Nds|Ncvs)\d{1,4}|gnf\d{2}\.\d{3}\.\d{3}", re.IGNORECASE
)
_ACCESSION = re.compile(r"GN\d{1,5}")
_GROUP_DATASET = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:Publish|Geno)")
# HC_M2_0606_P, UTHSC_BXD_Hip_PostD7EtohBS_1121, HSNIH-Rat-Acbc-RSeq-0818: parts, a capital, and a date in digits.
_DATASET = re.compile(r"(?=.*[A-Z])(?=.*\d{4}|.*_\d)[A-Za-z][A-Za-z0-9.]*(?:[_-][A-Za-z0-9.+]+){2,}")
_FREE_TRAIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:+-]*")
_GROUP = re.compile(r"[A-Z][A-Za-z0-9]*(?:[-/][A-Za-z0-9]+)*")
_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-.][A-Za-z0-9]+)*")
# "gene expression" is a question to the documents, "gene shh" is about a gene.
_BEHIND_GENE = frozenset(
    """alias aliases annotation annotations browser card cards catalog conversion correlation correlations data
    database description descriptions disease drift editing enrichment environment expression families family
    finder flow frequency function functions id identifier identifiers ids info information interaction
    interactions knockout length level levels list lists location locations lookup map mapping maps model models
    name names network networks nomenclature ontology page pages panel pathway pathways pool position positions
    product products query regulation search searches sequence sequences set sets silencing structure symbol
    symbols table term terms therapy transcript transcripts transfer variant variants wiki wikis""".split()
)
# Of GeneNetwork's groups those that people write in small letters (gn-docs: "bxd" and "BXD").
KNOWN_GROUPS = frozenset(
    {"bxd", "hxbbxh", "hxb/bxh", "hxb-bxh", "lxs", "axbxa", "axb/bxa", "akxd", "cxb", "bxh", "hsnih-palmer"}
)


def kind_of(token: str) -> Kind | None:
    """Return what kind of thing a word names, or None for a word of another kind."""
    if not 2 < len(token) <= MAX_CHARS:
        return None
    kinds: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("phenotype", _PHENOTYPE),
        ("probeset", _PROBESET),
        ("marker", _MARKER),
        ("accession", _ACCESSION),
        ("dataset", _GROUP_DATASET),
        ("dataset", _DATASET),
    )
    return next((kind for kind, pattern in kinds if pattern.fullmatch(token)), None)


def phenotype(token: str) -> TraitName | None:
    """Return the trait that BXD_10001 names, or None; the group's code is written in capitals."""
    match = _PHENOTYPE.fullmatch(token)
    return TraitName(match.group(1).upper(), match.group(2)) if match else None


def is_dataset(token: str) -> bool:
    """True for what names a dataset, an accession included."""
    return kind_of(token) in {"dataset", "accession"}


def is_trait_key(token: str) -> bool:
    """True for what can be a trait's key beside the name of its dataset."""
    return len(token) <= MAX_CHARS and _FREE_TRAIT.fullmatch(token) is not None


def is_group(token: str) -> bool:
    """True for what can be a group's name: it begins with a capital, or is well known."""
    if token.casefold() in KNOWN_GROUPS:
        return True
    return token.casefold() != "genenetwork" and len(token) <= MAX_CHARS and _GROUP.fullmatch(token) is not None


def is_symbol(token: str) -> bool:
    """True for what can be a gene's symbol behind the word "gene": in small letters, no word that stands there too."""
    return 1 < len(token) <= 30 and _SYMBOL.fullmatch(token) is not None and token not in _BEHIND_GENE
