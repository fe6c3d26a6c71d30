"""The server of the web pages and the pages for probes, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

import httpx
import pytest

from bot.errors import SettingsError
from bot.health import Health, State
from bot.web.access import Access
from bot.web.address import Hosts, PublicAddress
from bot.web.files import Files
from bot.web.health_pages import HealthPages
from bot.web.server import WebServer
from bot.web.site import make_site
from bot.web.templating import Templates


async def _no_secret() -> bytes:
    return b""


def pages(health: Health, host: str, port: int, *, names: Sequence[str] = ()) -> WebServer:
    """Return a server of the pages for probes alone, as where no dashboard is configured."""
    address = PublicAddress()
    access = Access(address, _no_secret, {})
    files = Files()
    templates = Templates(address, files=files.versions)
    site = make_site([HealthPages(health), files], access=access, templates=templates, hosts=Hosts(host, names))
    return WebServer(site, host, port)


async def get(page: WebServer, path: str, *, host: str = "", method: str = "GET") -> httpx.Response:
    headers = {"Host": host} if host else {}
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"http://127.0.0.1:{page.port}{path}", headers=headers)


async def test_readyz_tells_how_every_part_is() -> None:
    """503 while one is down, with its reason; healthz stays well."""
    health = Health()
    health.report("redis")
    async with pages(health, "127.0.0.1", 0) as page:
        ready = await get(page, "/readyz")
        health.report("redis", State.DOWN, "Redis does not answer.")
        down = await get(page, "/readyz")
        alive = await get(page, "/healthz")

    assert (200, "ok") == (ready.status_code, ready.json()["parts"]["redis"]["state"])
    assert (503, "Redis does not answer.") == (down.status_code, down.json()["parts"]["redis"]["reason"])
    assert 200 == alive.status_code
    assert "no-store" == alive.headers["cache-control"]
    assert "server" not in alive.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("localhost.", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:80", 200),
        ("locus.lab.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("169.254.169.254", 421),
        ("127.0.0.1.evil.example", 421),
        ("::", 421),
    ],
)
async def test_a_page_is_answered_under_its_own_names_only(host: str, status: int) -> None:
    """A name elsewhere that is made to point here reads nothing."""
    async with pages(Health(), "127.0.0.1", 0, names=["locus.lab.example"]) as page:
        assert status == (await get(page, "/readyz", host=host)).status_code


@pytest.mark.parametrize(("host", "status"), [("10.1.2.3:80", 200), ("[fd00::1]:80", 200), ("evil.example", 421)])
async def test_on_a_wildcard_address_any_address_but_no_other_name_is_answered(host: str, status: int) -> None:
    """A probe asks for the address of the container; an attacker has a name only."""
    async with pages(Health(), "0.0.0.0", 0) as page:  # noqa: S104 - what this test is about
        assert status == (await get(page, "/healthz", host=host)).status_code


async def test_a_request_without_host_or_with_another_path_or_method_is_refused() -> None:
    """By the status that HTTP has for it, and the page lives on."""
    async with pages(Health(), "127.0.0.1", 0) as page:
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
        bare = await reader.readline()
        writer.close()
        await writer.wait_closed()
        statuses = [
            (await get(page, path, method=method)).status_code
            for method, path in (("GET", "/"), ("POST", "/readyz"), ("HEAD", "/readyz"), ("GET", "/readyz/../x"))
        ]

    assert b" 421 " in bare
    assert [404, 405, 200, 404] == statuses


async def test_a_port_that_is_taken_is_a_sentence() -> None:
    """It names the settings."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        page = pages(Health(), "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(SettingsError, match=r"Address already in use.*LOCUS_HEALTH_PORT"):
            await page.__aenter__()


async def test_an_address_of_another_machine_is_a_sentence() -> None:
    """As is a name that nobody knows."""
    for host in ("192.0.2.1", "no such name"):
        with pytest.raises(SettingsError, match="LOCUS_HEALTH_HOST"):
            await pages(Health(), host, 0).__aenter__()


async def test_it_logs_no_requests_and_stops_with_open_connections(caplog: pytest.LogCaptureFixture) -> None:
    """A client that keeps its connection does not keep the service."""
    with caplog.at_level(logging.INFO, "bot"):
        async with httpx.AsyncClient() as client:
            async with pages(Health(), "127.0.0.1", 0) as page:
                for _ in range(3):
                    await client.get(f"http://127.0.0.1:{page.port}/healthz")
                reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
            await reader.read()
            writer.close()
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{page.port}/healthz")

    assert [] == [record for record in caplog.records if record.name != "httpx"]


async def test_it_leaves_signals_to_the_service() -> None:
    """The handlers before and while it listens are the same."""
    before = [signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT)]
    async with pages(Health(), "127.0.0.1", 0) as page:
        await get(page, "/healthz")
        during = [signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT)]

    assert before == during


SERVICE = """
import asyncio, signal
from bot.health import Health
from bot.web.server import WebServer
async def nothing(scope, receive, send):
    pass
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with WebServer(nothing, "127.0.0.1", 0) as server:
        print(server.port, flush=True)
        await stop.wait()
        print("finishing", flush=True)
asyncio.run(main())
"""


def test_sigterm_reaches_the_service_while_the_page_listens() -> None:
    """In a process of its own: it ends in its own way, with 0."""
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, cwd=folder) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        rest = process.stdout.read()

    assert (0, b"finishing\n") == (process.returncode, rest)
