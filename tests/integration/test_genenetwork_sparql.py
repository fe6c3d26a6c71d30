"""What only SPARQL can say, asked of both generations of the graph."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.errors import InvalidRequestError, NotFoundError, UnavailableError
from knowledge.genenetwork.questions import Questions
from knowledge.genenetwork.sparql_queries import NEW, OLD, dataset_metadata, literal, populations
from tests.genenetwork import client_of
from tests.gn_server import Fault, GeneNetworkServer, World


@pytest.fixture(scope="module")
def world() -> World:
    """One world for all tests that do not change it."""
    return World()


@pytest.fixture(params=["old", "new"])
async def server(request: pytest.FixtureRequest, world: World) -> AsyncIterator[GeneNetworkServer]:
    """An endpoint with one generation of the graph."""
    async with GeneNetworkServer(world, graph=request.param) as running:
        yield running


@pytest.fixture
async def questions(server: GeneNetworkServer) -> AsyncIterator[Questions]:
    """The questions to it."""
    async with client_of(server, sparql=True) as opened:
        assert opened.client.questions is not None
        yield opened.client.questions


async def test_populations_of_a_species(questions: Questions, server: GeneNetworkServer) -> None:
    """The answer holds the query as it was sent, and an address that runs it again."""
    found = await questions.populations("Mouse")

    assert ["BXD", "BXD-Longevity"] == [row["name"] for row in found.value.rows]
    assert ("BXD Family", "riset", "mouse") == tuple(found.value.rows[0][name] for name in ("title", "type", "species"))
    assert found.value.query == server.requests[-1].form["query"] == parse_qs(urlsplit(found.url).query)["query"][0]
    assert {"POST"} == {seen.method for seen in server.requests}


async def test_all_populations_the_sets_of_a_family_and_tissues(questions: Questions) -> None:
    """Rows come in order."""
    assert 5 == len((await questions.populations()).value.rows)
    assert ["HSNIH-Palmer"] == [row["name"] for row in (await questions.sets("outbred (individuals)")).value.rows]
    assert ["Brain mRNA", "Hippocampus Proteome", "Hippocampus mRNA", "Optic Nerve Head mRNA"] == [
        row["tissue"] for row in (await questions.tissues("bxd")).value.rows
    ]


async def test_the_papers_of_a_phenotype(questions: Questions) -> None:
    """Of a public group only."""
    found = await questions.publications("BXD", "BXD_10001")

    assert "2001" == found.value.rows[0]["year"]
    assert "show_trait?trait_id=10001&dataset=BXDPublish" in found.page
    assert () == (await questions.publications("BXD", "BXD_24001")).value.rows
    with pytest.raises(NotFoundError):
        await questions.publications("BXD-Longevity", "BDL_10001")


async def test_the_metadata_of_a_dataset(questions: Questions) -> None:
    """One that is restricted is not found."""
    row = (await questions.dataset("HC_M2_0606_P")).value.rows[0]

    assert ("GN112", "2006-06-23", "BXD Family") == (row["accession"], row["created"], row["group"])
    for name in ("PRIVATE_BXD_Liv_0919", "SECRET_BXD_Ret_0819", "nosuch"):
        with pytest.raises(NotFoundError):
            await questions.dataset(name)


@pytest.mark.parametrize(
    "text",
    ['mouse" . } #', "a\\", 'x") || true', "<http://a>", "{", "a\nb", "", "x" * 201, "?x", "a;b|c", "\u202e"],
)
async def test_no_argument_can_change_a_query(questions: Questions, server: GeneNetworkServer, text: str) -> None:
    """What no name in GeneNetwork has is refused before anything is sent."""
    before = len(server.requests)
    with pytest.raises(InvalidRequestError, match="no name in GeneNetwork"):
        await questions.populations(text)
    assert server.paths[before:] in ([], ["/sparql"], ["/sparql", "/sparql"])
    assert all("a dcat:Dataset ; dct:accessRights" in seen.form["query"] for seen in server.requests[before:])


async def test_one_question_tells_all_restricted_datasets(server: GeneNetworkServer) -> None:
    """Then GN3 need not be asked for one after the other; where SPARQL is down, it is."""
    async with client_of(server, sparql=True) as opened:
        await opened.client.search("gene", "symbol:shh")
        assert [] == [path for path in server.paths if "/metadata/" in path]
    server.fail("/sparql", Fault.page(503))
    async with client_of(server, sparql=True) as opened:
        hits = (await opened.client.search("gene", "symbol:shh")).value
        assert "PRIVATE_BXD_Liv_0919" not in {hit.dataset for hit in hits}
        assert [] != [path for path in server.paths if "/metadata/" in path]


async def test_a_graph_without_rights_hides_everything_where_nothing_else_tells() -> None:
    """An endpoint of another generation must not read as "nothing is restricted"."""
    async with GeneNetworkServer(graph="empty") as server, client_of(server, gn3=False, sparql=True) as opened:
        with pytest.raises(UnavailableError, match="holds no graph of GeneNetwork"):
            await opened.client.trait("HC_M2_0606_P", "1436869_at")


@pytest.mark.parametrize(
    "fault",
    [Fault.page(500), Fault(body=b"Virtuoso 37000 Error", content_type="text/plain"), Fault.json({"results": []})],
)
async def test_an_endpoint_that_fails_is_unavailable(server: GeneNetworkServer, fault: Fault) -> None:
    """In one sentence."""
    async with client_of(server, sparql=True) as opened:
        assert opened.client.questions is not None
        server.fail("/sparql", fault)
        with pytest.raises(UnavailableError, match=r"^GeneNetwork's SPARQL service"):
            await opened.client.questions.populations()


@pytest.mark.parametrize("graph", [OLD, NEW])
def test_every_query_reads_only_and_has_a_limit(graph: object) -> None:
    """The new generation is named, the old one is the default."""
    for query in (populations(graph, "mouse"), dataset_metadata(graph, "BXDPublish")):  # type: ignore[arg-type]
        assert "\nLIMIT " in query
        assert ("FROM <http://rdf.genenetwork.org/v1>" in query) is (graph is NEW)
        assert ("gnt:belongs_to" in query, "gnt:belongsTo" in query) == (
            (True, False) if graph is NEW else (False, True)
        )


def test_literals_are_written_small() -> None:
    """They are compared with small letters."""
    assert '"bxd_10001"' == literal(" BXD_10001 ")
