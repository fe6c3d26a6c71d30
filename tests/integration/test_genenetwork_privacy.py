"""No row that is not public leaves the client, whatever GeneNetwork shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import NotFoundError, UnavailableError
from knowledge.genenetwork.opening import OpenGeneNetwork
from knowledge.genenetwork.privacy import is_open
from knowledge.genenetwork.records import DatasetSummary
from tests.genenetwork import client_of
from tests.gn_server import DatasetRow, GeneNetworkServer, TraitRow

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["molecular", "molecular", "molecular", "phenotype"]),
        st.sampled_from([-1, 0, 1, 2]),
        st.sampled_from([0, 0, 1, 2]),
        st.sampled_from(["public", "public", "private", "Private", "restricted", "embargoed"]),
    ),
    max_size=4,
)


class Bench:
    """A server whose datasets are replaced, and two clients of it: rights by GN3, and by SPARQL."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.server = GeneNetworkServer()
        self.clients: list[OpenGeneNetwork] = []

    async def run(self, stop: asyncio.Event, ready: asyncio.Event) -> None:
        """Keep everything open until `stop`."""
        async with (
            self.server,
            client_of(self.server, fresh_s=0.0) as first,
            client_of(self.server, fresh_s=0.0, sparql=True) as second,
        ):
            self.clients = [first, second]
            ready.set()
            await stop.wait()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One for all snapshots."""
    made = Bench()

    async def begin() -> tuple[asyncio.Task[None], asyncio.Event]:
        stop, ready = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(made.run(stop, ready))
        await ready.wait()
        return task, stop

    async def end(task: asyncio.Task[None], stop: asyncio.Event) -> None:
        stop.set()
        await task

    with made.runner as runner:
        task, stop = runner.run(begin())
        yield made
        runner.run(end(task, stop))


def snapshot(rows: list[tuple[str, int, int, str]]) -> list[DatasetRow]:
    """Return datasets of a group; what is restricted has an accession, for only such ones have rights."""
    values: dict[str, tuple[float, float | None, int | None]] = {"BXD1": (1.0, None, None)}
    made: list[DatasetRow] = []
    for place, (kind, public, confidentiality, rights) in enumerate(rows):
        if kind == "phenotype" and any(one.kind == "phenotype" for one in made):
            continue
        name = "BXDPublish" if kind == "phenotype" else f"Made_{place}"
        row = DatasetRow(
            "BXD", kind, 500 + place, name, f"Title of {name}", "Liver mRNA", public=public,  # type: ignore[arg-type]
            confidentiality=confidentiality, rights=rights, accession=f"GN{500 + place}",
        )  # fmt: skip
        trait = TraitRow(1, "10001" if kind == "phenotype" else "probe", f"about {name}", values, "Shh")
        row.traits.append(trait)
        made.append(row)
    return made


async def shown(opened: OpenGeneNetwork, names: list[str]) -> set[str]:
    """Return the names of all datasets that any call shows."""
    client, found = opened.client, set[str]()
    with contextlib.suppress(NotFoundError, UnavailableError):  # an empty menu is no list
        found |= {one.name for one in (await client.datasets("BXD")).value.entries}
    for kind in ("gene", "phenotype"):
        found |= {hit.dataset for hit in (await client.search(kind, "about")).value}
    for name in names:
        for call in (client.dataset(name), client.sample_data(name, "10001" if name == "BXDPublish" else "probe")):
            with contextlib.suppress(NotFoundError):
                await call
                found.add(name)
    try:
        listing = await opened.catalogue.listed()
    except UnavailableError:
        return found
    for listed in listing.groups.get(("mouse", "BXD"), ()):
        if await opened.catalogue.details(listed) is not None:
            found.add(listed.name)
    return found


@pytest.mark.parametrize("which", [0, 1], ids=["rights by GN3", "rights by SPARQL"])
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(rows=ROWS)
def test_no_row_that_is_not_public_is_shown_in_a_thousand_snapshots(
    bench: Bench, which: int, rows: list[tuple[str, int, int, str]]
) -> None:
    """By any of the calls that show datasets; all that are public are shown."""
    bench.server.world.datasets = snapshot(rows)
    public = {one.name for one in bench.server.world.datasets if one.is_public}

    assert public == bench.runner.run(shown(bench.clients[which], [one.name for one in bench.server.world.datasets]))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"public": 1, "confidentiality": 0}, True),
        ({"public": "2", "confidentiality": "0"}, True),
        ({"public": 0, "confidentiality": 0}, False),
        ({"public": 1, "confidentiality": 1}, False),
        ({"public": 1}, False),
        ({"confidentiality": 0}, False),
        ({"public": None, "confidentiality": None}, False),
        ({"public": True, "confidentiality": 0}, False),
        ({"public": 1, "confidentiality": -1}, False),
    ],
)
def test_a_row_is_open_only_by_both_flags(fields: dict[str, object], expected: bool) -> None:
    """What is missing or odd hides it."""
    row = DatasetSummary.model_validate({"Id": 1, "Short_Abbreviation": "A", **fields})

    assert expected is is_open(row)
