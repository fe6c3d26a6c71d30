"""The composition root of `locus run`: settings in, a service out. Needs the extra `run`; answering alone does not."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from rich.console import Console

from adapters.terminal import LineInput, TerminalAdapter
from bot.bootstrap import open_application
from bot.chat import ChatAdapter
from bot.errors import SettingsError
from bot.service import ALL_ROLES, Role, Service
from bot.settings import Settings
from bot.store.opening import open_store
from bot.texts import quoting_only

TERMINAL_FOLDER = "terminal"  # in the data folder
REDIS_PATIENCE_S = 30.0  # a given server may be started a little later than Locus


@asynccontextmanager
async def open_service(
    settings: Settings, roles: frozenset[Role], loading: Callable[[float], None]
) -> AsyncIterator[Service]:
    """Assemble what `locus run` runs: shared state, the chats that are configured, and, for a worker, what answers.

    Raises:
        SettingsError: If no chat is configured, a setting is wrong, or an extra is missing.
        StorageError: If another Locus runs on the same data folder, or the index is damaged.
    """
    alone = settings.redis_url is None
    if alone and roles != ALL_ROLES:
        raise SettingsError(
            "--role splits Locus into several processes, which share a Redis server: set LOCUS_REDIS_URL."
        )
    async with AsyncExitStack() as stack:
        adapters = _make_adapters(settings, stack) if Role.ADAPTER in roles else []
        store = await stack.enter_async_context(open_store(settings, patience_s=REDIS_PATIENCE_S))
        application = None
        if Role.WORKER in roles:
            application = await stack.enter_async_context(open_application(settings, loading))
        yield Service(settings, application, store, adapters, roles, alone=alone)


def _make_adapters(settings: Settings, stack: AsyncExitStack) -> list[ChatAdapter]:
    """Return the chats that are configured; what they need is closed with the stack.

    Raises:
        SettingsError: If there is none.
    """
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if settings.terminal == "on" or (settings.terminal == "auto" and has_terminal):
        notice = None if settings.model or settings.remote_url else quoting_only()
        console = Console(highlight=False)
        read = stack.enter_context(LineInput())
        return [TerminalAdapter(settings.data_dir / TERMINAL_FOLDER, console, read, notice=notice)]
    raise SettingsError(
        "No chat is configured: run `locus run` in a terminal, or set LOCUS_TERMINAL=on to read questions from a pipe."
    )
