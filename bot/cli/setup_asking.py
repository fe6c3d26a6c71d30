"""How `locus setup` asks: in a terminal, or of lines that come through a pipe."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import TypeVar

import typer
from rich.console import Console
from rich.text import Text

from bot.checks import Finding, Level
from bot.errors import BotError

T = TypeVar("T")

SKIP = "skip"
ATTEMPTS = 3  # of a pipe, where nobody can read why an answer was not taken
_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


class SkippedError(Exception):
    """The person does without this step."""


class Asker:
    """Asks one question after the other; "skip" as an answer leaves the step.

    Args:
        console: Where questions go.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._terminal = sys.stdin.isatty()

    def say(self, sentence: str, style: str = "") -> None:
        """Print a sentence; brackets in it are no markup, and long lines are left whole, to be copied."""
        self.console.print(Text(sentence, style=style), soft_wrap=True)

    def heading(self, title: str) -> None:
        """Begin a step."""
        self.console.print(Text(f"\n{title}", style="bold"))

    def tell(self, finding: Finding) -> None:
        """Print what was found."""
        fix = f" Fix: {finding.fix}" if finding.fix else ""
        self.say(f"  {finding.level.value}: {finding.text}{fix}", _STYLES[finding.level])

    def text(self, question: str, default: str = "") -> str:
        """Return what is typed, or the default for nothing.

        Raises:
            SkippedError: For "skip".
            typer.Abort: If there is no more input.
        """
        shown = f"{question} [{default}]: " if default else f"{question}: "
        return self._taken(self._line(shown)) or default

    def secret(self, question: str, *, known: bool = False) -> str:
        """Return what is typed without showing it; "" keeps a known one. Raises as `text`."""
        hint = " [Enter keeps the one that is set]" if known else " (not shown)"
        shown = f"{question}{hint}: "
        if not self._terminal:
            return self._taken(self._line(shown))
        try:
            return self._taken(getpass.getpass(shown))
        except EOFError as error:
            raise typer.Abort from error

    def yes(self, question: str, *, default: bool) -> bool:
        """Return whether somebody agrees. Raises as `text`."""
        while True:
            answer = self._line(f"{question} [{'Y/n' if default else 'y/N'}]: ").strip().lower()
            if answer == SKIP:
                raise SkippedError
            if answer in ("", "y", "yes", "n", "no"):
                return default if not answer else answer.startswith("y")
            self.say("  Answer y or n.")

    def until(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, asked again after an error of ours, which is shown. Raises as `text`."""
        attempts = 0
        while True:
            try:
                return ask()
            except BotError as error:
                self.say(f"  {error}", "red")
                self.say('  Try again, or type "skip".')
            attempts += 1
            if not self._terminal and attempts == ATTEMPTS:
                raise SkippedError

    def _taken(self, answer: str) -> str:
        answer = answer.strip()
        if answer.lower() == SKIP:
            raise SkippedError
        return answer

    def _line(self, shown: str) -> str:
        """Return a line, without its end."""
        if self._terminal:
            try:
                return input(shown)
            except EOFError as error:
                raise typer.Abort from error
        self.console.print(Text(shown), end="", soft_wrap=True)
        line = sys.stdin.readline()
        self.console.print()
        if not line:
            raise typer.Abort
        return line.rstrip("\r\n")
