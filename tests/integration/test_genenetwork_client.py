"""Every call of GeneNetwork's client, against the local GeneNetwork with its quirks."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from knowledge.genenetwork.client import GeneNetwork
from tests.genenetwork import Clocks, client_of
from tests.gn_server import Fault, GeneNetworkServer, World


@pytest.fixture(scope="module")
def world() -> World:
    """One world for all tests that do not change it."""
    return World()


@pytest.fixture
async def server(world: World) -> AsyncIterator[GeneNetworkServer]:
    """The local GeneNetwork."""
    async with GeneNetworkServer(world) as running:
        yield running


@pytest.fixture
async def client(server: GeneNetworkServer) -> AsyncIterator[GeneNetwork]:
    """A client of it."""
    async with client_of(server) as opened:
        yield opened.client


async def test_species_come_with_the_request_the_page_and_the_time(
    client: GeneNetwork, server: GeneNetworkServer
) -> None:
    """Each result says where it came from."""
    found = await client.species()

    assert ["mouse", "rat", "human"] == [one.name for one in found.value]
    assert "1" == found.value[0].id
    assert f"{server.gn2_url}/species" == found.url
    assert f"{server.url}/" == found.page
    assert datetime.fromtimestamp(1_000_000, UTC) == found.fetched_at


async def test_groups_of_a_species(client: GeneNetwork) -> None:
    """Groups are those of the species only; "None" is no genetic type."""
    assert ["BXD", "BXD-Longevity"] == [one.name for one in (await client.groups("mouse")).value]
    assert [""] == [one.genetic_type for one in (await client.groups("human")).value]


async def test_an_unknown_species_is_not_found(client: GeneNetwork) -> None:
    """GN2 says so in a body of HTTP 200."""
    with pytest.raises(NotFoundError, match="no groups of the species 'moose'"):
        await client.groups("moose")


async def test_datasets_of_a_group_are_the_public_ones_latest_first(client: GeneNetwork) -> None:
    """Numbers order them, not the curators' dates; phenotypes and genotypes stand behind; restricted ones are gone."""
    found = (await client.datasets("bxd")).value

    assert [
        "UTHSC_BXD_Hip_PostD7EtohBS_1121",
        "JAX_BXD_Hip_Proteome_0219",
        "DBA2J-ONH-1212",
        "HC_M2_0606_P",
        "IBR_M_0204_M",
        "BXDGeno",
        "BXDPublish",
    ] == [one.name for one in found.entries]
    assert 7 == found.total
    assert ["mrna", "protein", "mrna", "mrna", "mrna", "genotype", "phenotype"] == [one.kind for one in found.entries]
    assert "2001-09-22" == found.entries[2].dated
    assert "Hippocampus mRNA" == found.entries[3].type_name


async def test_datasets_can_be_chosen_and_limited(client: GeneNetwork) -> None:
    """The total counts what matches, the entries are as many as asked for."""
    found = (await client.datasets("BXD", matching=lambda one: "Hippocampus" in one.type_name, limit=2)).value

    assert (3, 2) == (found.total, len(found.entries))


async def test_a_group_without_molecular_data_has_its_phenotypes(client: GeneNetwork) -> None:
    """The list of molecular data says "not found"; an unknown group is another matter."""
    with pytest.raises(NotFoundError, match="no public datasets of the group HLC"):
        await client.datasets("HLC")
    with pytest.raises(NotFoundError, match="has no group 'XYZ'"):
        await client.datasets("XYZ")


@pytest.mark.parametrize("name", ["HC_M2_0606_P", "hc_m2_0606_p", "GN112", "gn112", "112"])
async def test_a_dataset_is_found_by_name_accession_and_number(client: GeneNetwork, name: str) -> None:
    """All of them lead to the same card."""
    fetched = await client.dataset(name)
    card = fetched.value

    assert ("mouse", "BXD", "HC_M2_0606_P", "GN112") == (card.species, card.group, card.name, card.accession)
    assert ("Hippocampus mRNA", "mrna", "PDNN", "log2") == (card.tissue, card.kind, card.normalization, card.scale)
    assert ("Affy Mouse Genome 430 2.0 (GPL1261)", "2006-06-23", 71) == (card.platform, card.dated, card.samples)
    assert (
        "The Hippocampus Consortium measured gene expression in the hippocampus of adult mice. It is a reference data "
        "set." == card.summary
    )
    assert fetched.page.endswith("/datasets/HC_M2_0606_P")


@pytest.mark.parametrize("name", ["BXD", "bxd", "BXDPublish", "bxdpublish", "GN602"])
async def test_a_groups_name_means_its_phenotypes(client: GeneNetwork, name: str) -> None:
    """The menu and the metadata make their card."""
    card = (await client.dataset(name)).value

    assert ("BXDPublish", "phenotype", "BXD Published Phenotypes") == (card.name, card.kind, card.full_name)


@pytest.mark.parametrize(
    "name",
    ["HC_M2_0606_M", "SECRET_BXD_Ret_0819", "PRIVATE_BXD_Liv_0919", "GN903", "BXD-LongevityPublish", "NoSuch", "GN1"],
)
async def test_what_is_not_public_is_not_found(client: GeneNetwork, name: str) -> None:
    """Flags, confidentiality and access rights hide a dataset and all its traits, as if it were not there."""
    for call in (
        client.dataset(name),
        client.trait(name, "1436869_at"),
        client.sample_data(name, "1436869_at"),
        client.map_trait(name, "1436869_at"),
        client.correlate("BXD", "10001", name),
        client.correlate(name, "1436869_at", "BXD"),
    ):
        with pytest.raises(NotFoundError, match="no public dataset"):
            await call


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\x00b", "..", "."])
async def test_what_cannot_be_a_name_is_never_asked_for(
    client: GeneNetwork, server: GeneNetworkServer, name: str
) -> None:
    """Control characters, dots alone and endless texts are refused here."""
    with pytest.raises(InvalidRequestError, match="no name in GeneNetwork"):
        await client.dataset(name)
    assert [] == server.paths


async def test_a_transcript_has_position_mean_and_peak(client: GeneNetwork) -> None:
    """LOD is LRS divided by 2 ln 10; the peak's place is its marker's."""
    fetched = await client.trait("HC_M2_0606_P", "1436869_at")
    trait = fetched.value

    assert ("Shh", "5", 28.457155, "5") == (trait.symbol, trait.chr, trait.mb, trait.peak_chr)
    assert trait.lrs is not None
    assert trait.lod == pytest.approx(trait.lrs / (2 * math.log(10)))
    assert "trait_id=1436869_at&dataset=HC_M2_0606_P" == urlsplit(fetched.page).query
    assert fetched.url.endswith("/trait/HC_M2_0606_P/1436869_at")


async def test_a_name_with_slash_and_blank_survives_addresses(client: GeneNetwork) -> None:
    """It is encoded in requests and in links."""
    fetched = await client.trait("HC_M2_0606_P", "1416967_a/b at")

    assert "Sox2" == fetched.value.symbol
    assert {"trait_id": ["1416967_a/b at"], "dataset": ["HC_M2_0606_P"]} == parse_qs(urlsplit(fetched.page).query)


@pytest.mark.parametrize(("dataset", "name"), [("BXD", "10001"), ("BXDPublish", "BXD_10001"), ("GN602", "bxd_10001")])
async def test_a_phenotype_has_description_publication_and_peak(client: GeneNetwork, dataset: str, name: str) -> None:
    """The code before the number is taken off; GN3 adds mean and place."""
    trait = (await client.trait(dataset, name)).value

    assert ("BXDPublish", "10001", "BXD_10001") == (trait.dataset, trait.name, trait.display_name)
    assert trait.description.startswith("Central nervous system, morphology: Cerebellum weight")
    assert ("11438585", "2001", "8", 47.0) == (trait.pubmed_id, trait.year, trait.peak_chr, trait.peak_mb)
    assert trait.mean == pytest.approx(61, abs=1)
    assert ("Airey DC", "Lu L", "Williams RW") == trait.authors


async def test_a_phenotype_without_gn3_lacks_mean_and_place(server: GeneNetworkServer) -> None:
    """The rest stays."""
    async with client_of(server, gn3=False) as opened:
        trait = (await opened.client.trait("BXD", "10001")).value

    assert (None, "", "10001") == (trait.mean, trait.peak_chr, trait.display_name)
    assert trait.lod == pytest.approx(8.2, abs=0.1)


async def test_a_number_that_is_a_datasets_too_gives_the_phenotype(server: GeneNetworkServer) -> None:
    """GN2 answers with two objects then."""
    async with client_of(server) as opened:
        server.fail(
            "/api/v_pre1/dataset/BXD/10001",
            Fault.json([{"Id": 10001}, {"dataset_type": "phenotype", "id": "10001", "description": "weight"}]),
        )
        assert "weight" == (await opened.client.trait("BXD", "10001")).value.description


async def test_a_marker_has_its_place(client: GeneNetwork) -> None:
    """As a trait of the genotypes and by itself."""
    assert ("1", 3.010274) == ((trait := (await client.trait("BXDGeno", "rs31443144")).value).chr, trait.mb)
    assert ("1", 3.010274) == ((marker := (await client.marker("rs31443144")).value).chr, marker.mb)
    with pytest.raises(NotFoundError):
        await client.marker("rs0")


@pytest.mark.parametrize(
    ("dataset", "name", "kind"),
    [("BXD", "99999", NotFoundError), ("HC_M2_0606_P", "nosuch", NotFoundError), ("BXD", "Shh", InvalidRequestError)],
)
async def test_an_unknown_trait(client: GeneNetwork, dataset: str, name: str, kind: type[BotError]) -> None:
    """What cannot be a phenotype's number is told apart from one that is not there."""
    for call in (client.trait(dataset, name), client.sample_data(dataset, name), client.map_trait(dataset, name)):
        with pytest.raises(kind, match=r"no trait|Phenotypes have numbers"):
            await call


async def test_values_by_strain(client: GeneNetwork, world: World) -> None:
    """SE and number of cases come where they are known."""
    rows = (await client.sample_data("BXD", "BXD_10001")).value
    row = world.find_dataset("BXDPublish")
    assert row is not None
    trait = world.find_trait(row, "10001")
    assert trait is not None

    assert [(name, *values) for name, values in trait.values.items()] == [
        (one.name, one.value, one.se, one.cases) for one in rows
    ]
    assert (await client.sample_data("HC_M2_0606_P", "1436869_at")).value[0].cases is None


async def test_search_finds_genes_in_public_datasets_only(client: GeneNetwork) -> None:
    """The server leaves out confidential data, the client those with other access rights."""
    hits = (await client.search("gene", "symbol:shh")).value

    assert ["HC_M2_0606_P", "HXB_Adrenal_1208"] == [hit.dataset for hit in hits]


async def test_search_finds_phenotypes_in_public_datasets_only(client: GeneNetwork) -> None:
    """The server does not filter those; the client does."""
    fetched = await client.search("phenotype", "cerebellum weight", limit=50)

    assert {"BXDPublish", "HXBBXHPublish"} == {hit.dataset for hit in fetched.value}
    assert "BXD_10001" == fetched.value[0].display_name
    assert {"type": ["phenotype"], "terms": ["cerebellum weight"]} == parse_qs(urlsplit(fetched.page).query)


@pytest.mark.parametrize("query", ["NOT shh", '"shh'])
async def test_a_search_that_cannot_be_read(client: GeneNetwork, query: str) -> None:
    """The sentence says how searches are written."""
    with pytest.raises(InvalidRequestError, match="cannot read this search"):
        await client.search("gene", query)


async def test_an_empty_search_is_never_sent(client: GeneNetwork, server: GeneNetworkServer) -> None:
    """Nor one that is too long."""
    for query in ("", "  ", "x" * 501):
        with pytest.raises(InvalidRequestError, match="what to search for"):
            await client.search("gene", query)
    assert [] == server.paths


@pytest.mark.parametrize(("method", "loco"), [("gemma", True), ("gemma", False), ("rqtl", True)])
async def test_mapping_finds_the_locus_that_is_there(
    client: GeneNetwork, server: GeneNetworkServer, method: str, loco: bool
) -> None:
    """GEMMA's nested answer and R/qtl's flat one give the same kind of markers, X included."""
    found = (await client.map_trait("BXD", "10001", method=method, loco=loco)).value  # type: ignore[arg-type]
    best = max(found.markers, key=lambda one: one.lod)

    assert "8" == best.chr
    assert best.mb == pytest.approx(49, abs=5)
    assert "X" == found.markers[-1].chr
    assert (best.p_value is None) is (method == "rqtl")
    assert loco is (server.requests[-1].query.get("use_loco", "true") == "true")
    assert (method == "gemma" and loco) is found.loco


async def test_mapping_without_a_result(server: GeneNetworkServer) -> None:
    """GEMMA that wrote nothing answers with an empty object and a name."""
    async with client_of(server) as opened:
        for body in ([{}, "BXD_GWA_NOTHING"], [[], "x"], []):
            server.fail("/api/v_pre1/mapping", Fault.json(body))
            with pytest.raises(NotFoundError, match="computed no genome scan"):
                await opened.client.map_trait("BXD", "10001")


async def test_mapping_knows_two_methods(client: GeneNetwork) -> None:
    """Reaper is not offered by this interface."""
    with pytest.raises(InvalidRequestError, match="gemma or rqtl"):
        await client.map_trait("BXD", "10001", method="reaper")  # type: ignore[arg-type]


async def test_correlations_are_the_best_and_spearmans(client: GeneNetwork, server: GeneNetworkServer) -> None:
    """The documented parameter `return` would be ignored; trait numbers come as text."""
    found = (await client.correlate("BXD", "10001", "BXD", limit=3)).value

    assert 3 == len(found.rows)
    assert "10001" == found.rows[0].trait
    assert found.rows[0].r == pytest.approx(1)
    assert "spearman" == found.method
    assert ("3", "spearman") == (server.requests[-1].query["return_count"], server.requests[-1].query["method"])


async def test_a_gene_has_names_place_and_findings(client: GeneNetwork) -> None:
    """Three services make its card."""
    card = (await client.gene("shh")).value

    assert ("Shh", "5", 28.457155, "mouse") == (card.symbol, card.chr, card.mb, card.species)
    assert "HHG1" in card.aliases
    assert ["16990432", "19217425"] == [one.pubmed_id for one in card.rifs]
    assert "2006-11-02" == card.rifs[0].dated


async def test_a_gene_with_one_finding_or_none(client: GeneNetwork) -> None:
    """A single entry comes without a list, none as 404."""
    assert 1 == len((await client.gene("BRCA2")).value.rifs)
    assert () == (await client.gene("Sox2")).value.rifs
    with pytest.raises(NotFoundError, match="knows no gene 'Nosuch'"):
        await client.gene("Nosuch")
    with pytest.raises(InvalidRequestError, match="no gene symbol"):
        await client.gene("shh OR 1")


async def test_a_gene_without_the_service_of_names(server: GeneNetworkServer) -> None:
    """Its other names are left out."""
    async with client_of(server) as opened:
        server.fail("/gn3/*", Fault.page(503))
        assert () == (await opened.client.gene("Shh")).value.aliases


async def test_a_publication(client: GeneNetwork) -> None:
    """By its PubMed number."""
    found = (await client.publication("11438585")).value

    assert (("Airey DC", "Lu L", "Williams RW"), "2001") == (found.authors, found.year)
    with pytest.raises(NotFoundError):
        await client.publication("1")
    with pytest.raises(InvalidRequestError):
        await client.publication("1/../2")


@pytest.mark.parametrize("prefix", ["plain", "api"])
async def test_gn3_is_found_behind_either_prefix(world: World, prefix: str) -> None:
    """It is looked for once."""
    async with GeneNetworkServer(world, gn3=prefix) as server, client_of(server) as opened:  # type: ignore[arg-type]
        await opened.client.search("gene", "shh")
        await opened.client.search("gene", "comt")

    base = {"plain": "/api3", "api": "/api3/api"}[prefix]
    assert 1 == server.paths.count(f"{base}/version")
    assert f"{base}/search/" in server.paths


async def test_without_gn3_what_needs_it_says_so_and_the_rest_works(world: World) -> None:
    """It is looked for again after an hour."""
    clocks = Clocks()
    async with GeneNetworkServer(world, gn3="none") as server, client_of(server, clocks=clocks) as opened:
        with pytest.raises(UnavailableError, match="LOCUS_GENENETWORK_GN3_URL"):
            await opened.client.search("gene", "shh")
        assert "Shh" == (await opened.client.trait("HC_M2_0606_P", "1436869_at")).value.symbol
        assert "HC_M2_0606_P" == (await opened.client.dataset("HC_M2_0606_P")).value.name
        assert 1 == server.paths.count("/api3/version")
        clocks.advance(3601)
        with pytest.raises(UnavailableError):
            await opened.client.search("gene", "shh")
        assert 2 == server.paths.count("/api3/version")


async def test_where_rights_cannot_be_told_nothing_is_shown(server: GeneNetworkServer) -> None:
    """A GN3 that is down hides what it would have to vouch for."""
    async with client_of(server) as opened:
        server.fail("/api3/metadata/*", Fault.page(503))
        with pytest.raises(UnavailableError):
            await opened.client.trait("HC_M2_0606_P", "1436869_at")
