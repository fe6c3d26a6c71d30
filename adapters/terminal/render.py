"""What both chats in a terminal print alike: text that goes on where it ended, and sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from bot.addresses import safe_url
from bot.attachments import Attachment
from bot.evidence import Citation
from bot.picture_files import inline_picture, told
from bot.plain_text import without_controls
from bot.replies import Section


def print_sources(console: Console, citations: Sequence[Citation], *, answered: bool) -> None:
    """Print the numbered sources below an answer, or the closest documents below a refusal; nothing without any."""
    if citations:
        console.print("\n[bold]Sources[/bold]" if answered else "\n[bold]Closest documents[/bold]")
    for citation in citations:
        url = _plain(citation.url or "")
        line = Text(f"[{citation.n}] ", style="bold")
        line.append(_plain(citation.title), style=Style(link=url) if url else "")
        line.append(f"  {url or _plain(citation.source)}", style="dim")
        console.print(line, soft_wrap=True)


def print_sections(console: Console, sections: Sequence[Section]) -> None:
    """Print lists: each heading, and below it each entry with its text and its address."""
    for section in sections:
        console.print(Text(f"\n{_plain(section.heading)}", style="bold"))
        for entry in section.entries:
            line = Text(f"- {_plain(entry.title)}", style=Style(link=_plain(entry.url)))
            console.print(line, soft_wrap=True)
            if entry.text:
                console.print(Text(f"  {_plain(entry.text)}"), soft_wrap=True)
            console.print(Text(f"  {_plain(entry.url)}", style="dim"), soft_wrap=True)


def print_page(console: Console, page: str) -> None:
    """Print the address of an answer's page; nothing without one."""
    if url := safe_url(page):
        line = Text("\nAnswer with its passages: ", style="dim")
        console.print(line.append(url, style=Style(link=url)), soft_wrap=True)


def print_files(console: Console, attachments: Sequence[Attachment], paths: Sequence[Path]) -> None:
    """Print where the files of an answer stand; pictures are shown where the terminal can."""
    for attachment, path in zip(attachments, paths, strict=True):
        picture = inline_picture(attachment.data, os.environ) if attachment.alt and console.is_terminal else ""
        if picture:
            console.file.write(f"\n{picture}\n")
        console.print(Text(f"\n{told(attachment, path)}"), soft_wrap=True)


def _plain(text: str) -> str:
    """Return text for one line."""
    return " ".join(without_controls(text).split())


class WordWrap:
    """Breaks a text that grows at words, so that a word never begins at the end of a line and goes on in the next.

    A word is held back until it is known to be complete, which it is after a blank, or after a character that takes two
    cells, since lines of Chinese and Japanese break anywhere.

    Args:
        width: Returns the cells of a line as they are now.
    """

    def __init__(self, width: Callable[[], int]) -> None:
        self._width = width
        self._column = 0
        self._blanks = ""
        self._word = ""

    def add(self, text: str) -> str:
        """Take more text and return what can be printed now."""
        ready: list[str] = []
        for char in text:
            if char.isspace():
                ready.append(self._flush())
                if char == "\n":
                    ready.append(char)
                    self._column, self._blanks = 0, ""
                else:
                    self._blanks += " "
                continue
            self._word += char
            if cell_len(char) > 1:
                ready.append(self._flush())
        return "".join(ready)

    def end(self) -> str:
        """Return what was held back; the text is complete."""
        ready = self._flush()
        self._column, self._blanks = 0, ""
        return ready

    def _flush(self) -> str:
        word, blanks, cells = self._word, self._blanks, cell_len(self._word)
        if not word:
            return ""
        self._word, self._blanks = "", ""
        width = max(1, self._width())
        if self._column and self._column + len(blanks) + cells > width:
            self._column = 0
            blanks = "\n"
            self._column = cells
        else:
            self._column += len(blanks) + cells
        if self._column > width:  # an address longer than a line is broken by the terminal
            self._column %= width
        return blanks + word
