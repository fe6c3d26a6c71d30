"""Links to GeneNetwork's pages that people paste: what they lead to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from bot.live.lookups import (
    DatasetLookup,
    DatasetsLookup,
    ExplainLookup,
    GeneLookup,
    Lookup,
    SearchLookup,
    TraitLookup,
    TraitName,
)

# Chats wrap links in angle brackets, and sentences go on behind them.
LINK = re.compile(r"<?(https?://[^\s<>|]+)(?:\|[^<>]*)?>?", re.IGNORECASE)
SITE = "genenetwork.org"
MAX_URL = 1000


def find_link(text: str, hosts: Collection[str]) -> tuple[str, str] | None:
    """Return the one link of a text to GeneNetwork, and the text without it; None for no or several links.

    Args:
        text: As typed.
        hosts: Hosts that count as GeneNetwork's besides genenetwork.org, as `host:port` where there is a port.
    """
    links = list(LINK.finditer(text))
    if len(links) != 1:
        return None
    url = links[0].group(1).rstrip(".,;:!?)\"'")
    try:
        host = urlsplit(url).netloc.lower()
    except ValueError:
        return None
    if len(url) > MAX_URL or not (host == SITE or host.endswith(f".{SITE}") or host in hosts):
        return None
    rest = text[: links[0].start()] + " " + links[0].group(1)[len(url) :] + text[links[0].end() :]
    return url, " ".join(rest.split())


def linked(url: str) -> Lookup | None:
    """Return what a link to GeneNetwork leads to, or None for a page that is no dataset, trait, gene or search."""
    try:
        parts = urlsplit(url)
        query = {name.lower(): values[0].strip() for name, values in parse_qs(parts.query).items()}
        steps = [unquote(step).strip() for step in parts.path.split("/") if step]
    except ValueError:
        return None
    if not steps:
        return None
    by_query = _BY_QUERY.get(steps[-1].lower())
    if by_query is not None:
        return by_query(query)
    page, names = steps[0].lower(), steps[1:]
    by_path = _BY_PATH.get(page)
    return by_path(names) if by_path is not None and names and all(names) else None


def _trait(query: Mapping[str, str]) -> Lookup | None:
    dataset, trait = query.get("dataset", ""), query.get("trait_id", "")
    return TraitLookup(TraitName(dataset, trait)) if dataset and trait else None


def _search(query: Mapping[str, str]) -> Lookup | None:
    terms = query.get("terms", "")
    if not terms:
        return None
    return SearchLookup("phenotype" if query.get("type") == "phenotype" else "gene", terms)


def _search_within(query: Mapping[str, str]) -> Lookup | None:
    """Return a search within a dataset: its terms are `search_terms_or` and `search_terms_and`."""
    dataset = query.get("dataset", "")
    terms = " ".join(filter(None, (query.get("search_terms_or", ""), query.get("search_terms_and", ""))))
    if not dataset:
        return None
    if not terms:
        return DatasetLookup(dataset)
    return SearchLookup("phenotype" if dataset.endswith("Publish") else "gene", f"{terms} dataset:{dataset}")


def _info(query: Mapping[str, str]) -> Lookup | None:
    if (group := query.get("inbredsetname", "")) and "gn_accesionid" not in query:
        return DatasetsLookup(group)
    number = query.get("gn_accesionid", "")
    return DatasetLookup(f"GN{number}") if number.isascii() and number.isdigit() else None


def _phenotype(names: list[str]) -> Lookup | None:
    if len(names) == 1:
        return ExplainLookup(names[0])
    return TraitLookup(TraitName(f"{names[0]}Publish", names[1]))


def _probeset(names: list[str]) -> Lookup | None:
    return TraitLookup(TraitName(names[0], names[1])) if len(names) > 1 else ExplainLookup(names[0])


_BY_QUERY: Mapping[str, Callable[[Mapping[str, str]], Lookup | None]] = {
    "show_trait": _trait,
    "gsearch": _search,
    "search": _search_within,
    "source.php": _info,
}
_BY_PATH: Mapping[str, Callable[[list[str]], Lookup | None]] = {
    "datasets": lambda names: DatasetLookup(names[0]),
    "phenotypes": _phenotype,
    "probesets": _probeset,
    "genotypes": lambda names: ExplainLookup(names[0]),
    "genewiki": lambda names: GeneLookup(names[0]),
}
