"""GeneNetwork as Locus sees it: typed, public only, every value with where it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress

from bot.errors import InvalidRequestError, NotFoundError, UnavailableError
from bot.live.values import Fetched, MappingMethod, SearchKind
from knowledge.genenetwork import cards
from knowledge.genenetwork.aliases import Aliases
from knowledge.genenetwork.gate import Gate, OpenDataset, checked_name, no_trait, plain_name, trait_name
from knowledge.genenetwork.gn2 import Gn2
from knowledge.genenetwork.gn3 import Gn3
from knowledge.genenetwork.links import Links
from knowledge.genenetwork.privacy import Rights, has_public_rights, only_open
from knowledge.genenetwork.questions import Questions
from knowledge.genenetwork.records import (
    Group,
    MarkerRow,
    Publication,
    Sample,
    SearchHit,
    Species,
)
from knowledge.genenetwork.service import fetched
from knowledge.genenetwork.sparql import Sparql
from knowledge.genenetwork.supplements import Supplements
from knowledge.genenetwork.values import (
    CorrelationKind,
    Correlations,
    DatasetCard,
    DatasetEntry,
    DatasetList,
    GeneCard,
    MappingResult,
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
        self._more = Supplements(gn3)
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
        # People write HXB/BXH for HXBBXH.
        found = next((one for one in known if plain_name(one.name) == plain_name(asked)), None)
        if found is None:
            raise NotFoundError(
                f"GeneNetwork has no group {asked[:80]!r}: those of a species are listed by its name, as in `groups of "
                "mouse`."
            )
        data = groups_data
        try:
            rows, data = await self._gn2.datasets(found.name)
        except NotFoundError:
            rows = ()
        menu = await self._more.menu()
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
        menu = await self._more.menu()
        entry = menu.find(found.name) if menu else None
        described = None
        with suppress(NotFoundError):
            described = await self._more.dataset(found.name, fresh_s=fresh_s)
        metadata = described[0] if described else None
        if metadata is not None and not has_public_rights(metadata.access_rights):
            raise NotFoundError(f"GeneNetwork has no public dataset {found.name}: list those of its group.")
        card, page = cards.dataset_card(found, entry, metadata), self.links.dataset(found.name)
        if described is not None:
            return Fetched(card, described[1].url, page, described[1].fetched_at, (found.url,) if found.url else ())
        _, data = await (self._gn2.dataset(found.name) if found.kind == "molecular" else self._gn2.groups())
        return fetched(card, data, page)

    async def trait(self, dataset: str, name: str) -> Fetched[Trait]:
        """Return a trait; "BXD_10001" and "10001" name the same phenotype.

        Raises:
            InvalidRequestError: The name cannot be one.
        """
        found = await self.gate.open(dataset)
        key = trait_name(found, name)
        page = self.links.trait(found.name, key)
        try:
            if found.kind == "genotype":
                marker, data = await self._need_gn3().marker(key)
                return fetched(cards.marker_trait(found.name, marker), data, page)
            peak, data = await self._gn2.trait(found.name, key)
            if found.kind == "molecular":
                where = await self._more.marker(peak.locus)
                molecular = cards.molecular_trait(found, key, peak, where[0] if where else None)
                return fetched(molecular, data, page, *(where[1:] if where else ()))
            facts, described = await self._gn2.phenotype(found.group, key)
        except NotFoundError as error:
            raise no_trait(key, found.name) from error
        more = await self._more.phenotype(found.group, key)
        phenotype = cards.phenotype_trait(found, key, peak, facts, more[0] if more else None)
        return fetched(phenotype, data, page, described, *(more[1:] if more else ()))

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
        page, also = self.links.gene(card.symbol), (hits.url, self._aliases.url(asked))
        if rifs:
            return Fetched(card, data.url, page, min(data.fetched_at, hits.fetched_at), also)
        return Fetched(card, hits.url, page, hits.fetched_at, also[1:])

    async def publication(self, pubmed_id: str) -> Fetched[Publication]:
        """Return a publication by its PubMed number."""
        if not (pubmed_id.isascii() and pubmed_id.isdigit()):
            raise InvalidRequestError("A PubMed number has figures only, such as 11438585.")
        value, data = await self._need_gn3().publication(pubmed_id)
        return fetched(value, data, self.links.publication(pubmed_id))

    async def marker(self, name: str) -> Fetched[MarkerRow]:
        """Return a marker's place."""
        asked = checked_name(name)
        try:
            value, data = await self._need_gn3().marker(asked)
        except NotFoundError as error:
            raise NotFoundError(f"GeneNetwork has no marker {asked[:80]!r}: check its name.") from error
        return fetched(value, data, self.links.marker(asked))

    async def assemblies(self) -> Mapping[str, str]:
        """Return the assembly of each species' positions, by the species' name; empty where nothing says so."""
        return await self._more.assemblies()

    async def _existing(self, dataset: str, name: str) -> tuple[OpenDataset, str]:
        """Return dataset and key of a trait that is there: what computes answers an unknown one with a stack trace."""
        found = await self.gate.open(dataset)
        key = trait_name(found, name)
        try:
            await self._gn2.trait(found.name, key)
        except NotFoundError as error:
            raise no_trait(key, found.name) from error
        return found, key

    def _need_gn3(self) -> Gn3:
        if self._gn3 is None:
            raise UnavailableError(
                "This needs GeneNetwork's newer interface: set LOCUS_GENENETWORK_GN3_URL to its address."
            )
        return self._gn3
