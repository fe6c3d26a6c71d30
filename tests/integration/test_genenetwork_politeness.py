"""How GeneNetwork's client behaves on the line: turns, pauses, limits, repeats, and what it does when things break."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bot.errors import BusyError, UnavailableError
from knowledge.genenetwork.errors import ServiceDownError, ServiceFailedError
from tests.genenetwork import Clocks, client_of
from tests.gn_server import Fault, GeneNetworkServer
from tests.gn_server.faults import STACK_TRACE

SPECIES = "/api/v_pre1/species"
GROUPS = "/api/v_pre1/groups"
MAPPING = "/api/v_pre1/mapping"


async def test_requests_are_never_made_at_once() -> None:
    """Many callers share one line, and say who they are."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        client = opened.client
        await asyncio.gather(
            *(client.trait("BXD", str(number)) for number in (10001, 10002, 10007)),
            client.gene("Shh"),
            client.datasets("BXD"),
            client.map_trait("BXD", "10001"),
        )

    assert 1 == server.most_at_once
    assert {"Locus (lab@example.org)"} == {seen.headers["User-Agent"] for seen in server.requests}


async def test_a_pause_is_kept_between_requests() -> None:
    """Counted from the end of one to the beginning of the next; time that passed anyway counts."""
    clocks = Clocks()
    async with GeneNetworkServer() as server, client_of(server, clocks=clocks, pause_s=0.5) as opened:
        await opened.client.species()
        assert [] == clocks.slept
        await opened.client.groups("mouse")
        clocks.advance(0.2)
        await opened.client.groups("rat")
        clocks.advance(7)
        await opened.client.groups("human")

    assert [0.5, pytest.approx(0.3)] == clocks.slept


async def test_a_turn_that_does_not_come_is_given_up() -> None:
    """The person is told that another request is under way."""
    held = asyncio.Event()
    async with GeneNetworkServer() as server, client_of(server, wait_s=0.05) as opened:
        server.fail(SPECIES, Fault.slow(held))
        first = asyncio.create_task(opened.client.species())
        await server.asked(SPECIES)
        with pytest.raises(BusyError, match="one at a time"):
            await opened.client.groups()
        held.set()

        assert 3 == len((await first).value)


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    """Not even to another port of the same one."""
    async with GeneNetworkServer() as other, GeneNetworkServer() as server, client_of(server) as opened:
        for target in (f"{other.url}{SPECIES}", "https://example.org/", "//example.org/x", "http://localhost:1/x"):
            server.fail(SPECIES, Fault.redirect(target))
            with pytest.raises(ServiceFailedError, match="redirects to another host"):
                await opened.client.species()

        assert [] == other.requests


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    """But not in a circle."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(GROUPS, Fault.redirect(SPECIES, 301))
        server.fail(SPECIES, Fault(body=b"[]"))
        assert () == (await opened.client.groups()).value
        server.fail(SPECIES, Fault.redirect(SPECIES))
        with pytest.raises(ServiceFailedError, match="in a circle"):
            await opened.client.species()


async def test_an_oversized_answer_is_cut_while_it_arrives() -> None:
    """The limit is that of the options."""
    async with GeneNetworkServer() as server, client_of(server, max_bytes=100_000) as opened:
        server.fail(SPECIES, Fault.oversized(5_000_000))
        with pytest.raises(ServiceFailedError, match="sent more than"):
            await opened.client.species()


@pytest.mark.parametrize("at", [0, 10])
async def test_an_answer_that_breaks_off_is_asked_for_again(at: int) -> None:
    """Twice, after growing pauses."""
    clocks = Clocks()
    async with GeneNetworkServer() as server, client_of(server, clocks=clocks) as opened:
        server.fail(SPECIES, Fault.cut_off(at, times=2))

        assert 3 == len((await opened.client.species()).value)
        assert 3 == server.paths.count(SPECIES)
        assert 0.25 <= clocks.slept[0] <= 0.5 <= clocks.slept[1] <= 1.0


async def test_an_answer_that_always_breaks_off_is_given_up() -> None:
    """With one sentence."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(SPECIES, Fault.cut_off(3))
        with pytest.raises(ServiceDownError, match="broke off its answer"):
            await opened.client.species()
        assert 3 == server.paths.count(SPECIES)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_service_that_is_down_is_asked_again(status: int) -> None:
    """A proxy's page is never shown."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(SPECIES, Fault.page(status, times=1))
        assert 3 == len((await opened.client.species()).value)
        server.fail(GROUPS, Fault.page(status))
        with pytest.raises(ServiceDownError, match="try again later") as caught:
            await opened.client.groups()
        assert "<" not in str(caught.value)


async def test_retry_after_is_honoured_and_a_long_one_told() -> None:
    """Up to 20 s are waited for."""
    clocks = Clocks()
    async with GeneNetworkServer() as server, client_of(server, clocks=clocks) as opened:
        server.fail(SPECIES, Fault.page(503, times=1, Retry_After="7"))
        await opened.client.species()
        assert [7.0] == clocks.slept
        server.fail(GROUPS, Fault.page(429, Retry_After="3600"))
        with pytest.raises(UnavailableError) as caught:
            await opened.client.groups()

        assert 3600.0 == caught.value.retry_after_s
        assert 1 == server.paths.count(GROUPS)


async def test_what_computes_is_not_repeated() -> None:
    """A genome scan that failed would cost the service as much again."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(MAPPING, Fault.page(504))
        with pytest.raises(UnavailableError):
            await opened.client.map_trait("BXD", "10001")
        assert 1 == server.paths.count(MAPPING)


async def test_looking_up_and_computing_have_their_own_time() -> None:
    """What is too slow is hung up on."""
    held = asyncio.Event()
    async with GeneNetworkServer() as server, client_of(server, quick_s=0.5, retries=0) as opened:
        server.fail(SPECIES, Fault.slow(held))
        with pytest.raises(ServiceDownError, match=r"did not answer within 0\.5 s"):
            await opened.client.species()
        await server.left()


async def test_a_computation_may_take_longer_than_a_look_up() -> None:
    """Its limit is another one."""
    held = asyncio.Event()
    async with GeneNetworkServer() as server, client_of(server, compute_s=0.05) as opened:
        server.fail(MAPPING, Fault.slow(held))
        with pytest.raises(ServiceDownError, match=r"within 0\.05 s"):
            await opened.client.map_trait("BXD", "10001")


async def test_a_cancelled_computation_hangs_up_and_frees_the_line() -> None:
    """The server sees it, and the next call goes through."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(MAPPING, Fault.slow(asyncio.Event()))
        mapping = asyncio.create_task(opened.client.map_trait("BXD", "10001"))
        await server.asked(MAPPING)
        mapping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mapping
        await server.left()

        assert 3 == len((await opened.client.species()).value)


async def test_a_page_of_errors_becomes_one_sentence() -> None:
    """No trace and no markup reach anybody, and it is not asked for again."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(SPECIES, Fault.page(500))
        with pytest.raises(ServiceFailedError, match=r"failed on this request \(500\)") as caught:
            await opened.client.species()

        assert 1 == server.paths.count(SPECIES)
        assert not any(part in str(caught.value) for part in (STACK_TRACE[:20], "<", "/home"))


async def test_a_service_that_is_down_is_left_alone_with_one_line_down_and_one_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After five failures it is not asked; one call tries again after the pause."""
    clocks = Clocks()
    with caplog.at_level(logging.WARNING):
        async with GeneNetworkServer() as server, client_of(server, clocks=clocks, retries=0) as opened:
            server.fail(SPECIES, Fault.page(503))
            for _ in range(8):
                with pytest.raises(UnavailableError):
                    await opened.client.species()
            assert 5 == server.paths.count(SPECIES)
            server.heal()
            with pytest.raises(UnavailableError, match="left alone for a while"):
                await opened.client.species()
            clocks.advance(31)
            await opened.client.species()
            await opened.client.groups()

    lines = [record.getMessage() for record in caplog.records if record.name == "bot.circuit"]
    assert ["GeneNetwork failed 5 times in a row and is left alone for 30 s", "GeneNetwork answers again"] == lines


async def test_wrong_names_do_not_open_the_circuit() -> None:
    """An answer that says no, or fails on one request, is an answer."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail(GROUPS + "/xx", Fault.page(500))
        for _ in range(10):
            with pytest.raises(UnavailableError):
                await opened.client.groups("xx")
        assert 3 == len((await opened.client.species()).value)


async def test_nobody_listens() -> None:
    """The sentence names the settings."""
    async with GeneNetworkServer() as server:
        pass
    async with client_of(server) as opened:
        with pytest.raises(ServiceDownError, match="cannot be reached"):
            await opened.client.species()


async def test_the_log_holds_no_names(caplog: pytest.LogCaptureFixture) -> None:
    """What people look for stays out of it at every level; libraries speak up from warnings on (bot/log.py)."""
    with caplog.at_level(logging.DEBUG, "bot"), caplog.at_level(logging.DEBUG, "knowledge"):
        async with GeneNetworkServer() as server, client_of(server, retries=0) as opened:
            await opened.client.gene("Comt")
            server.fail("/api3/metadata/rif/*", Fault.page(503))
            for _ in range(6):
                with pytest.raises(UnavailableError):
                    await opened.client.gene("Brca1")

    shown = [one for one in caplog.records if one.name.startswith(("bot", "knowledge"))]
    assert 1 == len(shown)
    assert not any(word in shown[0].getMessage() for word in ("Comt", "Brca1", "http"))
