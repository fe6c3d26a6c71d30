"""The composition root of `locus run`: settings in, a service out. Needs the extra `run`; answering alone does not."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from rich.console import Console

from adapters.terminal import LineInput, TerminalAdapter
from bot.application import Application
from bot.bootstrap import make_dataset_folders, open_application, open_genenetwork
from bot.chat import ChatAdapter
from bot.commands.sources import public_titles
from bot.digest.parts import make_digest_parts
from bot.errors import SettingsError
from bot.extras import installing
from bot.metrics import UNMEASURED, Metrics
from bot.pictures.drawing import Drawing
from bot.scheduling.zones import default_zone
from bot.service import ALL_ROLES, Role, Service
from bot.settings import Settings
from bot.store.client import Store
from bot.store.genenetwork_cache import GeneNetworkCache
from bot.store.inbox import Inbox, InboxLimits
from bot.store.opening import open_store
from bot.store.threads import JoinedThreads
from bot.store.unheard import UnheardTimes
from bot.texts import quoting_only
from bot.tracing import UNTRACED, Traces
from bot.unheard import Unheard

if TYPE_CHECKING:
    from adapters.matrix.account import MatrixAccount as MatrixAccount
    from adapters.matrix.options import Credentials
    from adapters.matrix.options import Options as MatrixOptions

TERMINAL_FOLDER = "terminal"  # in the data folder
MATRIX_FOLDER = "matrix"  # there too
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
        genenetwork = digest = None
        # Live answers and digests draw in one thread: matplotlib is not made to be used by several at once.
        drawing = Drawing()
        stack.push_async_callback(asyncio.to_thread, drawing.close)
        metrics = _metrics() if settings.health_port else UNMEASURED
        traces = await stack.enter_async_context(_traces(settings, roles))
        if Role.WORKER in roles or Role.SCHEDULER in roles:
            # One client for all that this process asks of GeneNetwork, with a memory that all processes share.
            opening = open_genenetwork(settings, GeneNetworkCache(store), probe=True)
            genenetwork = await stack.enter_async_context(opening)
        if Role.WORKER in roles:
            opened = open_application(settings, loading, genenetwork, drawing=drawing, metrics=metrics)
            application = await stack.enter_async_context(opened)
            await application.count_documents()
        if genenetwork is not None:
            model = application.model if application is not None else None
            folders = make_dataset_folders(settings)
            digest = await make_digest_parts(
                settings, genenetwork.catalogue, drawing, model, folders, declared=Role.SCHEDULER in roles
            )
        zone = await asyncio.to_thread(lambda: ZoneInfo(default_zone(settings.time_zone)))
        # A worker that is no adapter posts through the process that is connected.
        adapters = [terminal] if terminal is not None else []
        if settings.slack_bot_token is not None and Role.ADAPTER in roles:
            adapters.append(await _open_slack(settings, settings.slack_bot_token, store, application, stack))
        if settings.matrix_homeserver is not None and Role.ADAPTER in roles:
            adapters.append(await _open_matrix(settings, store, stack))
        if not adapters and Role.ADAPTER in roles:
            raise SettingsError(
                "No chat is configured: run `locus run` in a terminal, set LOCUS_TERMINAL=on to read questions from a "
                "pipe, or connect Slack (docs/slack.md) or Matrix (docs/matrix.md)."
            )
        yield Service(
            settings,
            application,
            store,
            adapters,
            roles,
            alone=alone,
            digest=digest,
            metrics=metrics,
            traces=traces,
            zone=zone,
        )


def _terminal(settings: Settings, stack: AsyncExitStack) -> ChatAdapter | None:
    """Return the chat in the terminal, if it is wanted."""
    elsewhere = settings.slack_bot_token is not None or settings.matrix_homeserver is not None
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not elsewhere
    if settings.terminal == "off" or (settings.terminal == "auto" and not has_terminal):
        return None
    notice = None if settings.model or settings.remote_url else quoting_only()
    read = stack.enter_context(LineInput())
    return TerminalAdapter(settings.data_dir / TERMINAL_FOLDER, Console(highlight=False), read, notice=notice)


def _metrics() -> Metrics:
    """Return what counts for /metrics.

    Raises:
        SettingsError: If the extra is not installed.
    """
    try:
        from bot.prometheus_metrics import PrometheusMetrics
    except ImportError as error:
        raise SettingsError(
            f"LOCUS_HEALTH_PORT needs the extra 'run' ({error.name} is missing): install it with "
            f"`{installing('run')}`, or set it to 0."
        ) from error
    return PrometheusMetrics()


@asynccontextmanager
async def _traces(settings: Settings, roles: frozenset[Role]) -> AsyncIterator[Traces]:
    """Yield where spans go.

    Raises:
        SettingsError: If the extra is not installed.
    """
    if settings.traces_url is None:
        yield UNTRACED
        return
    try:
        from bot.otel_traces import open_traces
    except ImportError as error:
        raise SettingsError(
            f"LOCUS_TRACES_URL needs the extra 'tracing' ({error.name} is missing): install it with "
            f"`{installing('tracing')}`, or leave it out."
        ) from error
    async with open_traces(settings.traces_url, roles, secrets.token_hex(4)) as traces:
        yield traces


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
            f"Slack needs the extra 'slack' ({error.name} is missing): install it with `{installing('slack')}`."
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
    )

    async def titles() -> Sequence[str]:
        return public_titles((await application.facts()).sources) if application is not None else ()

    interactions = Interactions(titles=titles)
    adapter = SlackAdapter(
        token,
        settings.slack_app_token,
        settings.slack_signing_secret,
        options,
        threads=JoinedThreads(store, days=settings.conversation_days, listed=True),
        unheard=_unheard(settings, store),
        register=[interactions.register],
        accepted=[interactions.name_thread],
        documents=lambda: application.documents if application is not None else 0,
    )
    await stack.enter_async_context(adapter)
    await stack.enter_async_context(interactions)
    return adapter


def _unheard(settings: Settings, store: Store) -> Unheard | None:
    """Return what knows until when somebody listened to Slack; None where nothing that was missed is answered."""
    if not settings.slack_catch_up_h:
        return None
    inbox = Inbox(store, InboxLimits(queue=settings.queue_limit, duplicates_h=settings.duplicates_h))
    return UnheardTimes(inbox, "slack", secrets.token_hex(8), span_s=settings.slack_catch_up_h * 3600)


async def _open_matrix(settings: Settings, store: Store, stack: AsyncExitStack) -> ChatAdapter:
    """Return Matrix; connected when it runs.

    Raises:
        SettingsError: If the extra is not installed.
    """
    try:
        from adapters.matrix.adapter import MatrixAdapter
    except ImportError as error:
        raise SettingsError(
            f"Matrix needs the extra 'matrix' ({error.name} is missing): install it with `{installing('matrix')}`."
        ) from error
    options, credentials = matrix_options(settings)
    adapter = MatrixAdapter(
        options,
        settings.data_dir / MATRIX_FOLDER,
        credentials=credentials,
        threads=JoinedThreads(store, days=settings.conversation_days),
    )
    return await stack.enter_async_context(adapter)


def matrix_account(settings: Settings) -> MatrixAccount:
    """Return what `locus matrix` works on.

    Raises:
        SettingsError: If no homeserver is set or the extra is not installed.
    """
    options, credentials = matrix_options(settings)
    try:
        from adapters.matrix.account import MatrixAccount
    except ImportError as error:
        raise SettingsError(
            f"Matrix needs the extra 'matrix' ({error.name} is missing): install it with `{installing('matrix')}`."
        ) from error
    return MatrixAccount(options, settings.data_dir / MATRIX_FOLDER, credentials)


def matrix_options(settings: Settings) -> tuple[MatrixOptions, Credentials]:
    """Return the lab's choices for Matrix, and what it logs in with.

    Raises:
        SettingsError: If no homeserver is set.
    """
    if settings.matrix_homeserver is None:
        raise SettingsError("LOCUS_MATRIX_HOMESERVER is not set: docs/matrix.md shows how to connect Matrix.")
    from adapters.matrix.options import Credentials
    from adapters.matrix.options import Options as MatrixOptions
    from adapters.matrix.trust import Trust

    options = MatrixOptions(
        homeserver=settings.matrix_homeserver,
        user=settings.matrix_user,
        encryption=settings.matrix_encryption,
        trust=Trust(settings.matrix_trust, frozenset(settings.matrix_trusted)),
        allowed_users=frozenset(settings.matrix_allowed_users),
        allowed_servers=frozenset(settings.matrix_allowed_servers),
        rooms=frozenset(settings.matrix_rooms),
        command_prefix=settings.matrix_command_prefix,
        msgtype=settings.matrix_msgtype,
        follow_threads=settings.matrix_follow_threads,
        edit_interval_s=settings.matrix_edit_interval_s,
        steward=settings.matrix_steward,
        offer_reactions=settings.matrix_offer_reactions,
    )
    credentials = Credentials(
        password=settings.matrix_password,
        access_token=settings.matrix_access_token,
        device_id=settings.matrix_device_id,
        store_passphrase=settings.matrix_store_passphrase,
    )
    return options, credentials
