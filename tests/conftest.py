"""What all tests share: a clean environment, no network beyond loopback, one embedding model."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.settings import PREFIX
from bot.store.client import Store
from knowledge.embeddings import MiniLmEmbedder
from tests import browser
from tests.fuzzing import load_profile
from tests.matrix_adapter import Stage
from tests.matrix_server.synapse import MISSING, SYNAPSE_PYTHON, Synapse
from tests.redis_servers import RedisServer

NOBODY = "http://127.0.0.1:9"

load_profile()


def pytest_sessionstart() -> None:
    """Where all tests have to run, none of Matrix or of the web pages is left out without a word."""
    if os.environ.get("CI") and not SYNAPSE_PYTHON.exists():
        raise pytest.UsageError(MISSING)
    if os.environ.get("CI") and browser.CHROMIUM is None:
        raise pytest.UsageError(browser.MISSING)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every test starts without LOCUS_ variables and with an empty home and working folder."""
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    # Nobody listens there: what asks GeneNetwork without a server of its own is refused at once, in children too.
    monkeypatch.setenv("LOCUS_GENENETWORK_URL", NOBODY)
    monkeypatch.setenv("LOCUS_GENENETWORK_GN3_URL", f"{NOBODY}/api3")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but this machine fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(("127.", "::1")):
            raise AssertionError(f"a test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the embedding graph is built once for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def embedder(model_folder: Path) -> Iterator[MiniLmEmbedder]:
    """The real default embedding model."""
    loaded = MiniLmEmbedder(model_folder, threads=2)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One real Redis for all tests that do not stop it."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    """An empty store of its own prefix."""
    opened = Store(redis_server.url, prefix=f"t{secrets.token_hex(4)}")
    yield opened
    # Some steps look at all keys of a server: what a hundred tests leave behind would make them slow.
    await opened.call("FLUSHALL")
    await opened.close()


@pytest.fixture(scope="session")
def synapse() -> Iterator[Synapse]:
    """One real Matrix homeserver, without rate limits, for all tests that do not stop it; each makes its own users."""
    if not SYNAPSE_PYTHON.exists():
        pytest.skip(MISSING)
    with Synapse() as server:
        yield server


@pytest.fixture
def stage(synapse: Synapse, store: Store, redis_server: RedisServer, tmp_path: Path) -> Stage:
    """A fresh account of Locus on the homeserver, and an empty store."""
    return Stage(synapse, tmp_path, redis_server.url, store.prefix)


@pytest.fixture
async def chromium() -> AsyncIterator[browser.Chromium]:
    """A real browser without a window."""
    if browser.CHROMIUM is None:
        pytest.skip(browser.MISSING)
    async with browser.open_chromium() as opened:
        yield opened
