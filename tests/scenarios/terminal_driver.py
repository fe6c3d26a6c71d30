"""Scenarios in the terminal: the real adapter, whose lines are typed here, as from a pipe."""

from __future__ import annotations

import asyncio
import io
import queue
import re
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar

from rich.console import Console

from adapters.terminal import TerminalAdapter
from bot.chat import ChatAdapter
from tests.scenarios.driver import Can, Driver

_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TerminalDriver(Driver):
    """One person at one terminal; all questions are one conversation, and known by their words.

    Args:
        folder: Of the chat.
        redis_url: As of `Driver`.
        prefix: As of `Driver`.
    """

    name = "terminal"
    cannot: ClassVar[Mapping[Can, str]] = {
        Can.EDIT: "a line that was entered cannot be edited",
        Can.DELETE: "a line that was entered cannot be deleted",
        Can.REPEAT: "a line is entered once; what is delivered again after a restart is in other scenarios",
        Can.PLACES: "a terminal is one conversation of one person",
        Can.DRAFTS: "a pipe shows complete answers only",
    }

    def __init__(self, folder: Path, redis_url: str, prefix: str) -> None:
        super().__init__(redis_url, prefix)
        self._folder = folder
        self._screen = io.StringIO()
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._adapter: TerminalAdapter | None = None

    def shown(self) -> str:
        return self._screen.getvalue()

    def leaks(self) -> list[str]:
        return _ESCAPE.findall(self.shown())

    async def ask(self, text: str, *, elsewhere: bool = False) -> str:
        self._lines.put(text)
        return text

    async def send_file(self, name: str, data: bytes, text: str) -> str:
        # Here a file is named instead of sent, behind the word.
        path = self._folder.parent / name
        await asyncio.to_thread(path.write_bytes, data)
        return await self.ask(f"{text.split()[0]} {shlex.quote(str(path))}")

    async def follow_up(self, question: str, text: str) -> str:
        return await self.ask(text)

    async def edit(self, question: str, text: str) -> None:
        raise NotImplementedError

    async def delete(self, question: str) -> None:
        raise NotImplementedError

    async def deliver_again(self, question: str) -> None:
        raise NotImplementedError

    async def stop(self, question: str) -> None:
        self._lines.put("/stop")

    async def again(self, question: str) -> None:
        self._lines.put("again")

    async def vote_down(self, question: str, comment: str) -> None:
        self._lines.put(f"/down {comment}")

    async def passages(self, question: str) -> None:
        self._lines.put("/quotes")

    async def _open(self, stack: AsyncExitStack) -> ChatAdapter:
        lines = self._lines = queue.Queue()

        def read(prompt: str) -> str:
            line = lines.get()
            if line is None:
                raise EOFError
            return line

        console = Console(file=self._screen, force_terminal=False, color_system=None, width=1000, highlight=False)
        self._adapter = TerminalAdapter(self._folder, console, read, pause=self._pause)
        return self._adapter

    async def _connected(self) -> None:
        pass

    def _handle(self, question: str) -> str:
        assert self._adapter is not None
        return self._adapter._display.last_handle

    def _hang_up(self) -> None:
        self._lines.put(None)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))
