"""Drawing a chat: a line that changes in place, a text that grows, blocks between them, a prompt below."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from adapters.terminal.render import WordWrap
from bot.plain_text import without_controls
from bot.texts import written_anew


@dataclass
class _Draft:
    """A text that grows on the screen; `text` is what was taken, `broken` that something else stands below it."""

    post_id: str
    wrap: WordWrap
    text: str = ""
    broken: bool = field(default=False)


class Screen:
    """What stands at the cursor, and how to write below it; used by one thread at a time.

    Args:
        console: Where to. On a terminal drafts grow and sentences change in place; elsewhere whole blocks are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.live = console.is_terminal
        self.in_place = console.is_terminal and not console.is_dumb_terminal
        self._draft: _Draft | None = None
        self._transient = False
        self._prompt = ""

    @property
    def prompting(self) -> bool:
        """True while a person may be typing."""
        return bool(self._prompt)

    def set_prompt(self, prompt: str) -> None:
        """A prompt is shown by whoever reads, or, with "", a line was entered."""
        if prompt:
            self._clear()
        self._prompt = prompt.lstrip("\n")

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph of its own."""
        self._clear()
        self._console.print(Text(without_controls(text), style=style), soft_wrap=not self.live)
        self._prompt_again()

    def replace(self, sentence: str) -> None:
        """Show a sentence that the next one, or what follows, takes the place of."""
        self._clear()
        line = Text(" ".join(without_controls(sentence).split()), style="dim")
        line.truncate(max(1, self._console.width - 1), overflow="ellipsis")
        self._console.print(line, end="", soft_wrap=True)
        self._transient = True

    def grow(self, post_id: str, text: str) -> None:
        """Show what is new in a draft that `may_grow`."""
        draft = self._draft
        if draft is None:
            self._clear()
            draft = self._draft = _Draft(post_id, WordWrap(lambda: self._console.width))
        elif not text.startswith(draft.text):
            self.abandon(post_id)
            self.say(written_anew(), "dim")
            draft = self._draft = _Draft(post_id, WordWrap(lambda: self._console.width))
        self._write(draft.wrap.add(without_controls(text[len(draft.text) :])))
        draft.text = text

    def may_grow(self, post_id: str) -> bool:
        """True unless another draft is on the screen, or something stands below this one."""
        return self._draft is None or (self._draft.post_id == post_id and not self._draft.broken)

    def abandon(self, post_id: str) -> None:
        """End a draft as it is."""
        draft = self._draft
        if draft is not None and draft.post_id == post_id:
            if draft.text and not draft.broken:
                self._write(draft.wrap.end() + "\n")
            self._draft = None

    def finish(self, post_id: str, text: str) -> bool:
        """Go on from a draft to its final text; False where there is no draft to go on from, or it is another text."""
        draft = self._draft
        if draft is None or draft.post_id != post_id:
            return False
        goes_on = text.startswith(draft.text)
        same = bool(draft.text) and not draft.broken and (goes_on or text.strip() == draft.text.strip())
        if same and goes_on:
            self.grow(post_id, text)
        self.abandon(post_id)
        return same

    def drafted(self, post_id: str) -> bool:
        """True when a draft of this post is the last thing on the screen."""
        draft = self._draft
        return draft is not None and draft.post_id == post_id and bool(draft.text) and not draft.broken

    def begin_block(self) -> Console:
        """Return the console, at the beginning of an empty line, to print a block with; `end_block` follows."""
        self._clear()
        return self._console

    def end_block(self) -> None:
        """The block is complete."""
        self._prompt_again()

    def _clear(self) -> None:
        """Bring the cursor to the beginning of an empty line; a draft may go on below."""
        if self._transient:
            self._erase_line()
            self._transient = False
        if self._draft is not None and self._draft.text and not self._draft.broken:
            self._write(self._draft.wrap.end() + "\n")
            self._draft.broken = True
        if self._prompt and self.live:
            if self.in_place and cell_len(self._prompt + _typed()) < self._console.width:
                self._erase_line()
            else:
                self._write("\n")

    def _prompt_again(self) -> None:
        if self._prompt and self.live:
            self._write(f"\n{self._prompt}{_typed()}")

    def _erase_line(self) -> None:
        self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))

    def _write(self, text: str) -> None:
        if text:
            self._console.print(Text(text), end="", soft_wrap=True)


def _typed() -> str:
    """Return what stands behind the prompt, where readline knows."""
    readline = sys.modules.get("readline")
    return str(readline.get_line_buffer()) if readline is not None else ""
