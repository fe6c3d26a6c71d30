"""GeneNetwork as Locus sees it: typed, public only, every value with where it came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from knowledge.genenetwork import cards
from knowledge.genenetwork.aliases import Aliases
from knowledge.genenetwork.gate import Gate, OpenDataset, checked_name, no_trait, trait_name
from knowledge.genenetwork.gn2 import Gn2
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.links import Links
from knowledge.genenetwork.menu import Menu
from knowledge.genenetwork.privacy import Rights, has_public_rights, only_open
from knowledge.genenetwork.questions import Questions
from knowledge.genenetwork.records import (
    Group,
    MarkerRow,
    PhenotypeMetadata,
    Publication,
    Sample,
    SearchHit,
    Species,
)
from knowledge.genenetwork.service import fetched
from knowledge.genenetwork.sparql import Sparql
from knowledge.genenetwork.values import (
    CorrelationKind,
    Correlations,
    DatasetCard,
    DatasetEntry,
    DatasetList,
    Fetched,
    GeneCard,
    MappingMethod,
    MappingResult,
    SearchKind,
    Trait,
)

MOST_HITS = 100
MOST_CORRELATIONS = 500
MOST_QUERY = 500
_SYMBOL = re.compile(r"[A-Za-z0-9][\w.@-]{0,49}")


class GeneNetwork:
    """All calls; made by `opening.open_genenetwork`. Errors are those of bot/errors.py, one sentence each.

    Every call may raise `UnavailableError` (down, failed, too slow), `BusyError` (another call takes too long) and
    `NotFoundError` (not there, or not public: that is the same). A call that is cancelled hangs up.

    Args:
        gn2: GN2's API.
        gn3: GN3's API, or None: search, metadata and genes are missing then.
        sparql: The SPARQL endpoint, or None.
        aliases: The service of gene names.
        links: Pages for people.

    Attributes:
        questions: What only SPARQL can say, or None where no endpoint is set.
    """

    def __init__(self, gn2: Gn2, gn3: Gn3 | None, sparql: Sparql | None, aliases: Aliases, links: Links) -> None:
        self._gn2 = gn2
        self._gn3 = gn3
        self._aliases = aliases
        self.links = links
        self.gate = Gate(gn2, gn3, Rights(gn3, sparql))
        self.questions = Questions(sparql, self.gate, links) if sparql is not None else None

    async def species(self) -> Fetched[tuple[Species, ...]]:
        """Return all species."""
        rows, data = await self._gn2.species()
        return fetched(rows, data, self.links.home())

    async def groups(self, species: str | None = None) -> Fetched[tuple[Group, ...]]:
        """Return the public groups of a species, or of all."""
        asked = None if species is None else checked_name(species)
        try:
            rows, data = await self._gn2.groups(asked)
        except NotFoundError as error:
            raise NotFoundError(
                f"GeneNetwork has no groups of the species {asked!r}: use its short name, such as mouse."
            ) from error
        # Groups have the flag, but not in every release.
        shown = tuple(row for row in rows if row.public is None or row.public > 0)
        return fetched(shown, data, self.links.home())

    async def datasets(
        self, group: str, *, matching: Callable[[DatasetEntry], bool] | None = None, limit: int = 25
    ) -> Fetched[DatasetList]:
        """Return datasets of a group, the last entered first, phenotypes and genotypes behind them.

        Args:
            group: Its name, in any case.
            matching: Which are wanted; None is all.
            limit: Most entries; their access rights are looked up one by one where there is no SPARQL.

        Raises:
            NotFoundError: There is no such group, or it has no public dataset.
        """
        asked = checked_name(group)
        known, groups_data = await self._gn2.groups()
        found = next((one for one in known if one.name.casefold() == asked.casefold()), None)
        if found is None:
            raise NotFoundError(f"GeneNetwork has no group {asked[:80]!r}: ask for the groups of a species.")
        data = groups_data
        try:
            rows, data = await self._gn2.datasets(found.name)
        except NotFoundError:
            rows = ()
        menu = await self._menu()
        entries = cards.entries(found.name, only_open(rows), menu)
        wanted = [one for one in entries if matching is None or matching(one)]
        shown, hidden = await self.gate.first_open(wanted, limit)
        if not entries:
            raise NotFoundError(f"GeneNetwork has no public datasets of the group {found.name}.")
        return fetched(DatasetList(shown, len(wanted) - hidden), data, self.links.home())

    async def dataset(self, name: str) -> Fetched[DatasetCard]:
        """Return a dataset by name, accession or, for phenotypes, group."""
        return await self.card(await self.gate.open(name))

    async def card(self, found: OpenDataset, *, fresh_s: float | None = None) -> Fetched[DatasetCard]:
        """Return the card of a dataset that has passed the gate."""
        menu = await self._menu()
        entry = menu.find(found.name) if menu else None
        metadata, data = None, None
        if self._gn3 is not None and await self._gn3.is_there():
            with suppress(NotFoundError):
                metadata, data = await self._gn3.dataset(found.name, fresh_s=fresh_s)
        if metadata is not None and not has_public_rights(metadata.access_rights):
            raise NotFoundError(f"GeneNetwork has no public dataset {found.name}: list those of its group.")
        if data is None:
            if found.kind == "molecular":
                _, data = await self._gn2.dataset(found.name)
            else:
                _, data = await self._gn2.groups()
        return fetched(cards.dataset_card(found, entry, metadata), data, self.links.dataset(found.name))

    async def trait(self, dataset: str, name: str) -> Fetched[Trait]:
        """Return a trait; "BXD_10001" and "10001" name the same phenotype.

        Raises:
            InvalidRequestError: The name cannot be one.
        """
        found = await self.gate.open(dataset)
        key = trait_name(found, name)
        if found.kind == "genotype":
            marker, data = await self._need_gn3().marker(key)
            return fetched(cards.marker_trait(found.name, marker), data, self.links.trait(found.name, key))
        try:
            peak, data = await self._gn2.trait(found.name, key)
            if found.kind == "molecular":
                where = await self._marker(peak.locus)
                value = cards.molecular_trait(found, key, peak, where)
            else:
                facts, _ = await self._gn2.phenotype(found.group, key)
                value = cards.phenotype_trait(found, key, peak, facts, await self._metadata(found.group, key))
        except NotFoundError as error:
            raise no_trait(key, found.name) from error
        return fetched(value, data, self.links.trait(found.name, key))

    async def sample_data(self, dataset: str, name: str) -> Fetched[tuple[Sample, ...]]:
        """Return the values of a trait by strain or individual, in GeneNetwork's order."""
        found = await self.gate.open(dataset)
        key = trait_name(found, name)
        try:
            rows, data = await self._gn2.samples(found.name, key)
        except NotFoundError as error:
            raise no_trait(key, found.name) from error
        return fetched(rows, data, self.links.trait(found.name, key))

    async def search(self, kind: SearchKind, query: str, *, limit: int = 20) -> Fetched[tuple[SearchHit, ...]]:
        """Search genes (transcripts and proteins) or phenotypes, in GeneNetwork's query language.

        Hits in datasets that not everybody may see are left out, so there may be fewer than `limit`.

        Raises:
            InvalidRequestError: The query is empty, too long or cannot be read.
        """
        asked = " ".join(query.split())
        if not asked or len(asked) > MOST_QUERY:
            raise InvalidRequestError("Say what to search for, in at most 500 characters.")
        hits, data = await self._need_gn3().search(kind, asked, limit=min(max(limit, 1), MOST_HITS))
        may_show = await self.gate.open_ones({hit.dataset: hit.group for hit in hits})
        shown = tuple(hit for hit in hits if hit.dataset in may_show)
        return fetched(shown, data, self.links.search(kind, asked))

    async def map_trait(
        self, dataset: str, name: str, *, method: MappingMethod = "gemma", loco: bool = True
    ) -> Fetched[MappingResult]:
        """Compute a genome scan; it may take minutes and can be cancelled.

        Raises:
            NotFoundError: There is no such trait, or the computation gave nothing.
        """
        if method not in {"gemma", "rqtl"}:
            raise InvalidRequestError("GeneNetwork maps with gemma or rqtl: choose one of them.")
        found, key = await self._existing(dataset, name)
        rows, data = await self._gn2.mapping(found.name, key, method, loco=loco)
        result = MappingResult(found.name, key, method, loco and method == "gemma", rows)
        return fetched(result, data, self.links.trait(found.name, key))

    async def correlate(
        self, dataset: str, name: str, target: str, *, kind: CorrelationKind = "sample", limit: int = 20
    ) -> Fetched[Correlations]:
        """Compute the traits of a dataset that correlate best with a trait; it may take minutes.

        Sample correlations are Spearman's: GeneNetwork computes those whatever method is asked for.
        """
        found, key = await self._existing(dataset, name)
        goal = await self.gate.open(target)
        most = min(max(limit, 1), MOST_CORRELATIONS)
        rows, data = await self._gn2.correlation(found.name, key, goal.name, kind=kind, limit=most)
        method = "spearman" if kind == "sample" else ""
        result = Correlations(found.name, key, goal.name, kind, method, rows)
        return fetched(result, data, self.links.trait(found.name, key))

    async def gene(self, symbol: str, *, species: str | None = None) -> Fetched[GeneCard]:
        """Return what is known about a gene: other names, place, GeneRIF.

        Raises:
            NotFoundError: Nothing is.
        """
        asked = symbol.strip()
        if not _SYMBOL.fullmatch(asked):
            raise InvalidRequestError("This is no gene symbol: write it as in Shh or BRCA2.")
        rifs, data = await self._need_gn3().rifs(asked)
        names = await self._aliases.of(asked)
        query = f"symbol:{asked}" + (f" species:{checked_name(species)}" if species else "")
        hits = await self.search("gene", query, limit=5)
        if not names and not hits.value and not rifs:
            raise NotFoundError(f"GeneNetwork knows no gene {asked!r}: check the symbol.")
        card = cards.gene_card(asked, names, hits.value, rifs)
        if rifs:
            return fetched(card, data, self.links.gene(asked))
        return Fetched(card, hits.url, self.links.gene(asked), hits.fetched_at)

    async def publication(self, pubmed_id: str) -> Fetched[Publication]:
        """Return a publication by its PubMed number."""
        if not (pubmed_id.isascii() and pubmed_id.isdigit()):
            raise InvalidRequestError("A PubMed number has figures only, such as 11438585.")
        value, data = await self._need_gn3().publication(pubmed_id)
        return fetched(value, data, self.links.publication(pubmed_id))

    async def marker(self, name: str) -> Fetched[MarkerRow]:
        """Return a marker's place."""
        asked = checked_name(name)
        value, data = await self._need_gn3().marker(asked)
        return fetched(value, data, self.links.marker(asked))

    async def _existing(self, dataset: str, name: str) -> tuple[OpenDataset, str]:
        """Return dataset and key of a trait that is there: what computes answers an unknown one with a stack trace."""
        found = await self.gate.open(dataset)
        key = trait_name(found, name)
        try:
            await self._gn2.trait(found.name, key)
        except NotFoundError as error:
            raise no_trait(key, found.name) from error
        return found, key

    async def _menu(self) -> Menu | None:
        """Return the menu, None where there is no GN3; its names must not be shown without the gate."""
        if self._gn3 is None or not await self._gn3.is_there():
            return None
        menu, _ = await self._gn3.menu()
        return menu

    async def _marker(self, name: str) -> MarkerRow | None:
        """Return a marker's place, which completes other answers and may be missing."""
        if not name or self._gn3 is None:
            return None
        with suppress(BotError):
            marker, _ = await self._gn3.marker(name)
            return marker
        return None

    async def _metadata(self, group: str, number: str) -> PhenotypeMetadata | None:
        """Return what GN3 adds to a phenotype, which may be missing."""
        if self._gn3 is None:
            return None
        with suppress(BotError):
            metadata, _ = await self._gn3.phenotype(group, number)
            return metadata
        return None

    def _need_gn3(self) -> Gn3:
        if self._gn3 is None:
            raise UnavailableError(
                "This needs GeneNetwork's newer interface: set LOCUS_GENENETWORK_GN3_URL to its address."
            )
        return self._gn3
