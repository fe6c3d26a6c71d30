"""Assembles the chat that answers in the terminal without a service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from adapters.terminal import TerminalChat
from bot.bootstrap.application import Loading, open_application, untold
from bot.picture_files import FOLDER as PICTURES_FOLDER
from bot.settings import Settings
from bot.texts import quoting_only


@asynccontextmanager
async def open_terminal_chat(settings: Settings, loading: Loading = untold) -> AsyncIterator[TerminalChat]:
    """Assemble the chat in the terminal; `loading` as in `open_application`."""
    async with open_application(settings, loading) as application:
        notice = None if settings.model or settings.remote_url else quoting_only()
        files = settings.data_dir / PICTURES_FOLDER
        yield TerminalChat(application, Console(highlight=False), read_line, notice=notice, files=files)


def read_line(prompt: str) -> str:
    """Read a line with the keys of readline where it is there."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - importing it changes input()
    return input(prompt)
