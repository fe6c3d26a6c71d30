"""`locus run`: the service in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Sequence

from bot.cli.loading import shown_loading
from bot.data_folder import mark_form
from bot.errors import SettingsError
from bot.extras import installing
from bot.settings import Settings

logger = logging.getLogger(__name__)


async def run_service(settings: Settings, roles: Sequence[str]) -> None:
    """Run until SIGTERM or SIGINT, or until the last chat has ended.

    Raises:
        SettingsError: If the extra is not installed, or a setting is wrong.
    """
    try:
        from bot.service import ALL_ROLES, Role
        from bot.serving import open_service
    except ImportError as error:
        raise SettingsError(
            f"`locus run` needs the extra 'run' ({error.name} is missing): install it with `{installing('run')}`."
        ) from error
    await asyncio.to_thread(mark_form, settings.data_dir)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # A chat in the terminal takes SIGINT for itself while it runs: it stops an answer before it stops Locus.
        loop.add_signal_handler(number, stop.set)
    chosen = frozenset(Role(role) for role in roles) or ALL_ROLES
    with shown_loading() as loading:
        async with open_service(settings, chosen, loading) as service:
            # What is loaded by now stays: a garbage collection, which stops the event loop too, need not look at it.
            gc.collect()
            gc.freeze()
            await service.run(stop)
    logger.info("stopped")
