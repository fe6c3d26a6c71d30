"""What a soak runs on: a Redis server, a chat, and the settings of the replicas."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tests.chat_process import PROJECT
from tests.redis_servers import RedisServer
from tests.soak.chat import Chat

# Short leases and pauses keep a soak short; no limit on questions, as a refused one would prove nothing.
SETTINGS = {
    "LOCUS_LEASE_S": "4",
    "LOCUS_RATE_PERSON": "0",
    "LOCUS_RATE_CHANNEL": "0",
    "LOCUS_QUEUE_LIMIT": "1000",
    "LOCUS_TERMINAL": "off",
    "LOCUS_LOG_LEVEL": "debug",
}


C = TypeVar("C", bound=Chat)


@dataclass(frozen=True, slots=True)
class Stage(Generic[C]):
    """The surroundings of a run.

    Attributes:
        redis: The server that replicas share.
        chat: Where people ask.
        environment: For the replicas.
        folder: Holds the logs.
    """

    redis: RedisServer
    chat: C
    environment: Mapping[str, str]
    folder: Path

    def log_lines(self) -> list[str]:
        """Return all lines that the replicas logged."""
        logs = (path.read_text(encoding="utf-8", errors="replace") for path in self.folder.glob("*.log"))
        return [line for log in logs for line in log.splitlines()]


def make_index(data_dir: Path) -> None:
    """Index the starter documents in a data folder."""
    subprocess.run(
        [sys.executable, "-m", "bot", "ingest", "starter", "--data-dir", str(data_dir)],
        cwd=PROJECT,
        env=_environment(),
        check=True,
        capture_output=True,
    )


def _environment() -> dict[str, str]:
    """Return this process' environment without settings of Locus."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}


@asynccontextmanager
async def set_stage(folder: Path, index: Path, chat: C, settings: Mapping[str, str]) -> AsyncIterator[Stage[C]]:
    """Start the servers.

    Args:
        folder: For the logs; made where it is missing.
        index: A data folder with the starter documents, as `make_index` makes it.
        chat: Not started yet.
        settings: Beyond or instead of `SETTINGS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        await stack.enter_async_context(chat)
        own = {**chat.settings, "LOCUS_DATA_DIR": str(index), "LOCUS_REDIS_URL": redis.url}
        yield Stage(redis, chat, {**_environment(), **SETTINGS, **settings, **own}, folder)
