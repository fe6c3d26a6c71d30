"""Malformed answers, as such services were seen to send them: each gives one clear sentence, or is survived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from bot.errors import BotError, InvalidRequestError, NotFoundError, UnavailableError
from knowledge.genenetwork.client import GeneNetwork
from knowledge.genenetwork.errors import ServiceDownError, ServiceFailedError
from tests.genenetwork import client_of
from tests.gn_server import Fault, GeneNetworkServer, World
from tests.gn_server.faults import ERROR_PAGE

GN2, GN3 = "/api/v_pre1", "/api3"
Call = Callable[[GeneNetwork], Awaitable[object]]

CALLS: dict[str, tuple[str, Call]] = {
    "species": (f"{GN2}/species", lambda client: client.species()),
    "groups": (f"{GN2}/groups/mouse", lambda client: client.groups("mouse")),
    "dataset": (f"{GN2}/dataset/HC_M2_0606_P", lambda client: client.dataset("HC_M2_0606_P")),
    "trait": (f"{GN2}/trait/HC_M2_0606_P/1436869_at", lambda client: client.trait("HC_M2_0606_P", "1436869_at")),
    "samples": (f"{GN2}/sample_data/BXDPublish/10001", lambda client: client.sample_data("BXD", "10001")),
    "mapping": (f"{GN2}/mapping", lambda client: client.map_trait("BXD", "10001")),
    "correlation": (f"{GN2}/correlation", lambda client: client.correlate("BXD", "10001", "BXD")),
    "search": (f"{GN3}/search/", lambda client: client.search("gene", "shh")),
    "menu": (f"{GN3}/menu/generate/json", lambda client: client.dataset("HC_M2_0606_P")),
    "publication": (f"{GN3}/metadata/publications/1", lambda client: client.publication("1")),
}


def gn2_error(status: int, title: str) -> Fault:
    """An error in a body of HTTP 200."""
    pointer = {"pointer": "/api/v_pre1/x/<path:name>"}
    return Fault.json({"errors": [{"status": status, "source": pointer, "title": title, "detail": ""}]})


TRACE = "Traceback (most recent call last): /home/gn3/api.py"
EVERYWHERE: dict[str, tuple[Fault, type[BotError]]] = {
    "a page with HTTP 200": (Fault(body=ERROR_PAGE.encode(), content_type="text/html"), ServiceFailedError),
    "a page with HTTP 500": (Fault.page(500), ServiceFailedError),
    "half of a JSON": (Fault(body=b'[{"Id": 1, "Na'), ServiceFailedError),
    "an empty body": (Fault(body=b""), ServiceFailedError),
}
CASES: dict[str, tuple[str, Fault, type[BotError]]] = {
    f"{call}: {name}": (call, fault, kind) for call in CALLS for name, (fault, kind) in EVERYWHERE.items()
} | {
    "plain text": ("species", Fault(body=b"OK", content_type="text/plain"), ServiceFailedError),
    "a page that says JSON": ("species", Fault(body=ERROR_PAGE.encode()), ServiceFailedError),
    "no content type": ("species", Fault(body=b"[]", content_type=""), ServiceFailedError),
    "Latin-1": ("groups", Fault(body='[{"Name":"Zürich"}]'.encode("latin-1")), ServiceFailedError),
    "null": ("species", Fault(body=b"null"), ServiceFailedError),
    "a number": ("groups", Fault(body=b"17"), ServiceFailedError),
    "a text": ("species", Fault(body=b'"1.0"'), ServiceFailedError),
    "an object instead of a list": ("species", Fault.json({"Name": "mouse"}), ServiceFailedError),
    "a list instead of an object": ("dataset", Fault.json([1, 2]), ServiceFailedError),
    "nothing but wrong rows": ("groups", Fault.json([1, None, {"Id": 3}]), ServiceFailedError),
    "a dataset without a name": (
        "dataset",
        Fault.json({"id": 112, "public": 2, "confidential": 0}),
        ServiceFailedError,
    ),
    "nesting without end": ("species", Fault(body=b"[" * 100_000), ServiceFailedError),
    "an error of status 204": ("trait", gn2_error(204, "No Results"), NotFoundError),
    "an error of status 204 as text": (
        "dataset",
        Fault.json({"errors": [{"status": "204", "title": "No Results"}]}),
        NotFoundError,
    ),
    "an error of status 400": ("samples", gn2_error(400, "Invalid Output Format"), InvalidRequestError),
    "an error of status 415": ("mapping", gn2_error(415, "Unsupported Format"), InvalidRequestError),
    "an error of status 500": ("correlation", gn2_error(500, "Some error occurred"), ServiceFailedError),
    "errors without an entry": ("trait", Fault.json({"errors": []}), ServiceFailedError),
    "errors as an object": ("trait", Fault.json({"errors": {"status": 204}}), NotFoundError),
    "errors as text": ("samples", Fault.json({"errors": "no"}), ServiceFailedError),
    "an empty trait": ("trait", Fault.json({}), NotFoundError),
    "a trait that is null": ("trait", Fault.json(None), NotFoundError),
    "no values": ("samples", Fault.json([]), NotFoundError),
    "values that are none": ("samples", Fault.json([{"sample_name": "BXD1", "value": "x"}]), ServiceFailedError),
    "a scan of empty objects": ("mapping", Fault.json([{}, "BXD_GWA_X"]), NotFoundError),
    "a scan without LODs": ("mapping", Fault.json([[{"name": "rs1", "chr": 1}], "x"]), ServiceFailedError),
    "a scan that is a name": ("mapping", Fault.json("BXD_GWA_X"), ServiceFailedError),
    "correlations as an object": ("correlation", Fault.json({"a": 1}), ServiceFailedError),
    "GN3's error with a trace": (
        "publication",
        Fault.json({"error": "KeyError", "error_description": "x", "trace": TRACE}, 500),
        ServiceFailedError,
    ),
    "GN3's error in HTTP 200": ("publication", Fault.json({"error": "KeyError", "trace": TRACE}), ServiceFailedError),
    "GN3's not found": ("publication", Fault.json({"error": "Not Found", "error-trace": TRACE}, 404), NotFoundError),
    "an empty JSON-LD": ("publication", Fault.json({}), NotFoundError),
    "only a context": ("publication", Fault.json({"@context": {"a": "b"}}), NotFoundError),
    "an empty graph": ("publication", Fault.json({"data": []}), NotFoundError),
    "a publication without a title": ("publication", Fault.json({"year": "2001"}), ServiceFailedError),
    "a list for one thing": ("publication", Fault.json([1]), ServiceFailedError),
    "a bad search": (
        "search",
        Fault.json({"error_type": "QueryParserError", "error": "<b>Syntax</b>"}, 400),
        InvalidRequestError,
    ),
    "an address that is too long": ("search", Fault.json({"error": "URI too long"}, 414), InvalidRequestError),
    "a search down": ("search", Fault.page(504), ServiceDownError),
    "hits of another form": ("search", Fault.json([{"a": 1}]), ServiceFailedError),
    "an empty menu": ("menu", Fault.json({"species": [], "groups": {}, "datasets": {}}), ServiceFailedError),
    "a menu of another form": ("menu", Fault.json({"datasets": {"mouse": [1, 2]}}), ServiceFailedError),
    "a forbidden call": ("trait", Fault.page(403), NotFoundError),
    "a call that is gone": ("dataset", Fault.page(410), NotFoundError),
    "a teapot": ("species", Fault.page(418), ServiceFailedError),
    "no content": ("species", Fault(status=204, body=b""), ServiceFailedError),
}


@pytest.fixture(scope="module")
def world() -> World:
    """One world for all cases."""
    return World()


def test_there_are_enough_cases() -> None:
    """Sixty at least."""
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
async def test_a_malformed_answer_gives_one_clear_sentence(world: World, name: str) -> None:
    """It says what happened and what to do, and shows nothing of what was sent."""
    call, fault, kind = CASES[name]
    path, ask = CALLS[call]
    async with GeneNetworkServer(world) as server, client_of(server) as opened:
        server.fail(path, fault)
        with pytest.raises(kind) as caught:
            await ask(opened.client)

    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert 20 <= len(sentence) <= 200
    assert not any(part in sentence for part in ("<", "Traceback", "/home", "KeyError", "{", "api/v_pre1"))
    assert ": " in sentence or "computed no" in sentence or "GeneNetwork has no" in sentence


@pytest.mark.parametrize(
    ("call", "body", "expected"),
    [
        ("species", [{"Id": "1", "Name": "mouse", "Extra": {"a": 1}}, {"Name": "rat"}, 7], "mouse"),
        ("species", [{"Id": None, "Name": "mouse", "TaxonomyId": "None"}], "taxonomy_id=''"),
        ("groups", [{"Name": "BXD", "SpeciesId": "1", "public": "2", "MappingMethodId": 1}], "species_id='1'"),
        ("trait", {"name": 1436869, "lrs": "12.5", "mean": None, "mb": "x", "se": ""}, "lrs=12.5"),
        ("trait", {"name": "1436869_at", "lrs": -1, "chr": 5, "mb": 3}, "chr='5'"),
        ("samples", [{"sample_name": "BXD1", "value": "5.5", "se": "x", "n_cases": "7"}, {"value": 1}], "cases=7"),
        ("mapping", [[{"name": "rs1", "chr": 1, "Mb": "3.0", "lod_score": "2.5"}, {"name": "rs2"}]], "lod=2.5"),
        ("mapping", [{"name": "rs1", "chr": "X", "cM": 3, "lod_score": 2, "p_value": None}], "chr='X'"),
        ("correlation", [{"trait": 10002, "sample_r": 0.5, "#_strains": "12"}], "trait='10002'"),
        ("correlation", [], "rows=()"),
        ("search", {}, "value=()"),
        ("publication", {"title": {"@value": "On mice"}, "creator": "One A", "extra": [[]]}, "authors=('One A',)"),
        ("publication", {"data": [{"title": ["On", "mice"], "creator": [{"label": "B"}]}]}, "title='On; mice'"),
        ("menu", {"datasets": {"mouse": {"BXD": {"x mRNA": [["1", "HC_M2_0606_P"], [1], "y"]}}}}, "type_name='x mRNA'"),
    ],
)
async def test_missing_extra_and_mistyped_fields_are_survived(
    world: World, call: str, body: object, expected: str
) -> None:
    """Ids may be numbers or text, numbers text, and rows that are none are left out."""
    path, ask = CALLS[call]
    async with GeneNetworkServer(world) as server, client_of(server) as opened:
        server.fail(path, Fault.json(body))

        assert expected in repr(await ask(opened.client))


async def test_numbers_that_are_none_become_nothing(world: World) -> None:
    """Python's servers write NaN and Infinity into JSON."""
    async with GeneNetworkServer(world) as server, client_of(server) as opened:
        server.fail(CALLS["trait"][0], Fault(body=b'{"name": "a", "lrs": NaN, "mean": Infinity, "mb": 1e999}'))
        trait = (await opened.client.trait("HC_M2_0606_P", "1436869_at")).value

    assert (None, None, None) == (trait.lrs, trait.mean, trait.mb)


async def test_texts_come_without_controls_and_half_characters(world: World) -> None:
    """Lone surrogates, escape sequences and direction marks are taken out; length is bounded."""
    body = {"name": "a", "symbol": "S\ud800h\x1b[31mh\u202e", "description": "x" * 50_000}
    async with GeneNetworkServer(world) as server, client_of(server) as opened:
        server.fail(CALLS["trait"][0], Fault.json(body))
        trait = (await opened.client.trait("HC_M2_0606_P", "1436869_at")).value

    assert "S h h" == trait.symbol
    assert 20_000 == len(trait.description)


async def test_a_menu_that_fails_hides_no_trait(world: World) -> None:
    """Traits need no menu."""
    async with GeneNetworkServer(world) as server, client_of(server) as opened:
        server.fail(CALLS["menu"][0], Fault.page(500))
        assert "Shh" == (await opened.client.trait("HC_M2_0606_P", "1436869_at")).value.symbol
        with pytest.raises(UnavailableError):
            await opened.client.dataset("HC_M2_0606_P")
