"""How settings become a client, and the local GeneNetwork as a program of its own."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Literal

import pytest

from bot.bootstrap import open_genenetwork
from bot.errors import SettingsError
from bot.settings import load_settings
from tests.gn_server import GeneNetworkServer

ROOT = Path(__file__).parents[2]


async def probed() -> None:
    """Wait for the look in the background."""
    await asyncio.wait({task for task in asyncio.all_tasks() if task.get_name().startswith("GeneNetwork: where")})


async def test_settings_become_a_client() -> None:
    """Addresses may end in a slash; the contact of downloads is told where there is no other."""
    async with GeneNetworkServer() as server:
        settings = load_settings(
            genenetwork_url=server.url + "/",
            genenetwork_gn3_url=server.gn3_url + "/",
            genenetwork_sparql_url=server.sparql_url,
            genenetwork_pause_s=0,
            contact="steward@example.org",
        )
        async with open_genenetwork(settings) as opened:
            assert opened is not None
            assert opened.client.questions is not None
            card = (await opened.client.dataset("HC_M2_0606_P")).value

    assert "GN112" == card.accession
    assert {"Locus (steward@example.org)"} == {seen.headers["User-Agent"] for seen in server.requests}


@pytest.mark.parametrize(
    ("place", "line"), [("plain", "GN3 answers at"), ("api", "/api3/api"), ("none", "GN3 does not answer at")]
)
async def test_where_gn3_stands_is_looked_up_at_the_start(
    place: Literal["plain", "api", "none"], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Under either prefix, before anybody asks, with one line of the log; what comes of it stops nothing."""
    caplog.set_level(logging.INFO, "knowledge.genenetwork.opening")
    async with GeneNetworkServer(gn3=place) as server:
        settings = load_settings(
            genenetwork_url=server.url, genenetwork_gn3_url=f"{server.url}/api3", genenetwork_pause_s=0
        )
        async with open_genenetwork(settings, probe=True):
            await probed()

    assert 1 == len(caplog.messages)
    assert line in caplog.messages[0]


async def test_a_start_waits_for_no_genenetwork(caplog: pytest.LogCaptureFixture) -> None:
    """Where it is away one line says so; a process that ends meanwhile ends the look."""
    caplog.set_level(logging.INFO, "knowledge.genenetwork.opening")
    settings = load_settings(genenetwork_url="http://127.0.0.1:9", genenetwork_pause_s=0)
    async with open_genenetwork(settings, probe=True) as opened:
        assert opened is not None
    async with open_genenetwork(settings, probe=True):
        await probed()

    assert ["where GN3 stands is looked up again with the first question"] == [
        message.partition(":")[0] for message in caplog.messages
    ]


async def test_off_means_that_nothing_is_asked() -> None:
    """There is no client then."""
    async with open_genenetwork(load_settings(genenetwork="off")) as opened:
        assert opened is None


async def test_the_parts_that_may_be_missing() -> None:
    """`none` does without GN3 and SPARQL."""
    settings = load_settings(genenetwork_gn3_url="none", genenetwork_sparql_url="none")
    async with open_genenetwork(settings) as opened:
        assert opened is not None
        assert opened.client.questions is None


@pytest.mark.parametrize("address", ["genenetwork.org", "ftp://genenetwork.org", "https://a b", "https://a/?x=1"])
def test_an_address_that_is_none_stops_the_start(address: str) -> None:
    """The sentence names the setting."""
    with pytest.raises(SettingsError, match="LOCUS_GENENETWORK_URL"):
        load_settings(genenetwork_url=address)


async def test_the_local_genenetwork_runs_as_a_program() -> None:
    """It prints its address, answers, and ends with its standard input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gn_server", "--step-mb", "30", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    settings = load_settings(genenetwork_url=url, genenetwork_gn3_url=f"{url}/api3", genenetwork_pause_s=0)
    async with open_genenetwork(settings) as opened:
        assert opened is not None
        assert 3 == len((await opened.client.species()).value)
    process.stdin.close()

    assert 0 == await process.wait()
