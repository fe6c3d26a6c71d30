"""The composition root of `locus run`: settings in, a service out. Needs the extra `run`; answering alone does not."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr
from rich.console import Console

from adapters.terminal import LineInput, TerminalAdapter
from bot.application import Application
from bot.bootstrap import open_application
from bot.chat import ChatAdapter
from bot.commands.sources import public_titles
from bot.errors import SettingsError
from bot.service import ALL_ROLES, Role, Service
from bot.settings import Settings
from bot.store.client import Store
from bot.store.opening import open_store
from bot.store.threads import JoinedThreads
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
        terminal = _terminal(settings, stack) if Role.ADAPTER in roles else None
        store = await stack.enter_async_context(open_store(settings, patience_s=REDIS_PATIENCE_S))
        application = None
        if Role.WORKER in roles:
            application = await stack.enter_async_context(open_application(settings, loading))
        # A worker that is no adapter posts through the process that is connected.
        adapters = [terminal] if terminal is not None else []
        if settings.slack_bot_token is not None and Role.ADAPTER in roles:
            adapters.append(await _open_slack(settings, settings.slack_bot_token, store, application, stack))
        if not adapters and Role.ADAPTER in roles:
            raise SettingsError(
                "No chat is configured: run `locus run` in a terminal, set LOCUS_TERMINAL=on to read questions from a "
                "pipe, or connect Slack (docs/slack.md)."
            )
        yield Service(settings, application, store, adapters, roles, alone=alone)


def _terminal(settings: Settings, stack: AsyncExitStack) -> ChatAdapter | None:
    """Return the chat in the terminal, if it is wanted."""
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty() and settings.slack_bot_token is None
    if settings.terminal == "off" or (settings.terminal == "auto" and not has_terminal):
        return None
    notice = None if settings.model or settings.remote_url else quoting_only()
    read = stack.enter_context(LineInput())
    return TerminalAdapter(settings.data_dir / TERMINAL_FOLDER, Console(highlight=False), read, notice=notice)


async def _open_slack(
    settings: Settings, token: SecretStr, store: Store, application: Application | None, stack: AsyncExitStack
) -> ChatAdapter:
    """Return Slack; connected when it runs.

    Raises:
        SettingsError: If the extra is not installed.
    """
    try:
        from adapters.slack.adapter import SlackAdapter
        from adapters.slack.interactions import Interactions
        from adapters.slack.options import Options
    except ImportError as error:
        raise SettingsError(
            f"Slack needs the extra 'slack' ({error.name} is missing): install it with `uv sync --extra slack`."
        ) from error
    options = Options(
        mode=settings.slack_mode,
        http_host=settings.slack_http_host,
        http_port=settings.slack_http_port,
        api_url=settings.slack_api_url,
        channels=frozenset(settings.slack_channels),
        follow_threads=settings.slack_follow_threads,
        streaming=settings.slack_streaming == "auto",
        native_markdown=settings.slack_native_markdown,
        steward=settings.slack_steward,
        teachers=frozenset(settings.slack_teachers),
    )

    async def titles() -> Sequence[str]:
        return public_titles((await application.facts()).sources) if application is not None else ()

    interactions = Interactions(titles=titles)
    adapter = SlackAdapter(
        token,
        settings.slack_app_token,
        settings.slack_signing_secret,
        options,
        threads=JoinedThreads(store, days=settings.conversation_days),
        register=[interactions.register],
        accepted=[interactions.name_thread],
    )
    await stack.enter_async_context(adapter)
    await stack.enter_async_context(interactions)
    return adapter
