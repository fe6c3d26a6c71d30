"""`locus scope` as a process of its own, beside a real Redis server."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.messages import Audience, Place
from bot.store.client import Store
from bot.store.places import Places
from tests.e2e.test_command_line import locus
from tests.redis_servers import RedisServer

PRIVATE = Place("slack", "T1", "C1", audience=Audience.PRIVATE)
PUBLIC = Place("slack", "T1", "C1", audience=Audience.PUBLIC)


class Lab:
    """A store as a running Locus leaves it, and the command on it."""

    def __init__(self, store: Store, server: RedisServer, folder: Path) -> None:
        self.places = Places(store)
        self._environment = {"LOCUS_REDIS_URL": server.url, "LOCUS_REDIS_PREFIX": store.prefix}
        self._folder = folder

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, output and errors of `locus scope`."""
        done = locus("scope", *arguments, "--data-dir", "data", cwd=self._folder, **self._environment)
        return done.returncode, done.stdout, done.stderr

    async def is_open(self) -> bool:
        """True when the channel's own documents may be seen in it."""
        known = await self.places.find(PUBLIC.channel_id)
        return known is not None and known.open


@pytest.fixture
async def lab(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Lab]:
    """A lab without channels."""
    store = Store(redis_server.url, prefix=f"t{secrets.token_hex(4)}")
    yield Lab(store, redis_server, tmp_path)
    await store.close()


async def test_a_channel_that_became_public_is_confirmed_and_revoked(lab: Lab) -> None:
    """An administrator sees which channels wait, and says so for one of them."""
    await lab.places.see(PRIVATE)
    await lab.places.see(PUBLIC)
    listed = lab.run("list", "--json")
    unsure = lab.run("confirm", PUBLIC.channel_id)
    before = await lab.is_open()
    confirmed = lab.run("confirm", PUBLIC.channel_id, "--yes")
    after = await lab.is_open()
    revoked = lab.run("revoke", PUBLIC.channel_id)

    assert [("C1", "public", "private", False)] == [
        (one["channel"], one["audience"], one["confirmed"], one["own_documents"])
        for one in json.loads(listed[1])["channels"]
    ]
    assert (2, True) == (unsure[0], "--yes" in unsure[2])
    assert (0, 0) == (confirmed[0], revoked[0])
    assert "everybody of the organisation" in confirmed[1]
    assert [False, True, False] == [before, after, await lab.is_open()]


async def test_channels_are_listed_for_reading(lab: Lab) -> None:
    """Handles can be copied, and what a chat calls a channel controls no terminal."""
    empty = lab.run("list")
    hostile = Place("slack", "T1", "C1\x1b[31m", audience=Audience.PRIVATE)
    await lab.places.see(hostile)
    listed = lab.run("list")
    unknown = lab.run("confirm", "0000000000000", "--yes")

    assert "No channel was seen yet." in empty[1]
    assert hostile.channel_id in listed[1]
    assert "\x1b" not in listed[1]
    assert (4, True) == (unknown[0], "locus scope list" in unknown[2])
