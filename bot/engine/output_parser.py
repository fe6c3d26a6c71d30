"""What a model wrote, told apart while it is written: thoughts, text and calls of tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bot.engine.tool_formats import ToolFormat, without_surrogates
from bot.generation import Text, Thought, ToolCall, ToolSpec

# Pairs of marks around thoughts: Qwen, DeepSeek and others; some fine-tunes; Magistral; Seed-OSS; gpt-oss.
THINKING_MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
)
# gpt-oss writes these around the answer; they are no part of it.
SILENT_MARKS = (
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>",
    "<|message|>",
    "<|end|>",
    "<|return|>",
)

Phase = Literal["open", "thinking", "answering", "calling"]


class OutputParser:
    """Takes the pieces of one generation; how the text is cut into pieces makes no difference."""

    def __init__(
        self,
        tool_format: ToolFormat | None,
        tools: Sequence[ToolSpec] = (),
        *,
        starts_thinking: bool = False,
        thinking_marks: Sequence[tuple[str, str]] = THINKING_MARKS,
    ) -> None:
        """Begin a text.

        Args:
            tool_format: How this model calls tools, or None to take calls for text.
            tools: The tools it may call; without any, calls are taken for text too.
            starts_thinking: Whether the prompt ends within a thinking block.
            thinking_marks: Opening and closing marks of thinking blocks.
        """
        self._format = tool_format if tools else None
        self._tools = tuple(tools)
        self._closings = dict(thinking_marks)
        triggers = self._format.triggers if self._format else ()
        self._marks = tuple(dict.fromkeys([*self._closings, *self._closings.values(), *SILENT_MARKS, *triggers]))
        self._bare = self._format.bare_triggers if self._format else ()
        self._held = ""
        self._at_start = True  # at the beginning or after a mark, where white space is left out
        self._wrote = False
        self._wanted = tuple(self._closings.values()) if starts_thinking else ()
        self._phase: Phase = "thinking" if starts_thinking else "open"

    @property
    def phase(self) -> Phase:
        """Where the text stands: "open" before its first character, "thinking", "answering", or "calling" a tool."""
        return self._phase

    def feed(self, piece: str) -> list[Text | Thought]:
        """Take a piece and return what is certain by now; what may begin a mark is held back.

        Args:
            piece: The next characters, control tokens written out.
        """
        self._held += without_surrogates(piece)
        return self._events(final=False)

    def finish(self) -> tuple[list[Text | Thought], list[ToolCall]]:
        """End the text and return what was held back, and the calls.

        Raises:
            InvalidRequestError: If a call cannot be read or breaks its schema; the message is for the model as well.
        """
        events = self._events(final=True)
        if self._phase != "calling" or self._format is None:
            return events, []
        called, self._held = self._held, ""
        if not self._format.is_call(called, self._tools):
            return [*events, self._text(called)], []
        return events, self._format.parse(called, self._tools)

    def _events(self, *, final: bool) -> list[Text | Thought]:
        events: list[Text | Thought] = []
        while self._held and self._phase != "calling":
            before = self._held, self._phase
            self._step(events, final=final)
            if before == (self._held, self._phase):
                break
        return _joined(events)

    def _step(self, events: list[Text | Thought], *, final: bool) -> None:
        """Move on to the next mark, or as far as is certain."""
        if self._phase == "thinking":
            self._think(events, final=final)
            return
        if self._at_start:
            self._held = self._held.lstrip()
            if self._bare and (begun := self._bare_call(final=final)) is not None:
                self._phase = "calling" if begun else self._phase
                return
        at, mark = _first(self._held, self._marks)
        keep = 0 if mark or final else _open(self._held, self._marks)
        certain = self._held[:at] if mark else self._held[: len(self._held) - keep]
        # White space before a mark is left out, so it waits for what follows it.
        text = certain if final and not mark else certain.rstrip()
        if text:
            events.append(self._text(text))
        if not mark:
            self._held = self._held[len(text) :]
            return
        self._held = self._held[at:]
        if self._format and mark in self._format.triggers:
            self._phase = "calling"
            return
        self._held = self._held[len(mark) :]
        if mark in self._closings:
            self._phase, self._wanted = "thinking", (self._closings[mark],)
        self._at_start = True

    def _text(self, text: str) -> Text:
        apart = "\n\n" if self._at_start and self._wrote else ""
        self._phase, self._at_start, self._wrote = "answering", False, True
        return Text(apart + text)

    def _think(self, events: list[Text | Thought], *, final: bool) -> None:
        at, mark = _first(self._held, self._wanted)
        keep = 0 if mark or final else _open(self._held, self._wanted)
        thought = self._held[:at] if mark else self._held[: len(self._held) - keep]
        if thought:
            events.append(Thought(thought))
        self._held = self._held[len(thought) + len(mark) :]
        if mark:
            self._phase, self._at_start = "open", True

    def _bare_call(self, *, final: bool) -> bool | None:
        """True if the text begins with a bare call, False if it may, None if it does not."""
        compact = "".join(self._held[:200].split())
        if any(compact.startswith(trigger) for trigger in self._bare):
            return True
        may = bool(compact) and any(trigger.startswith(compact) for trigger in self._bare)
        return False if may and not final else None


def _first(text: str, marks: Sequence[str]) -> tuple[int, str]:
    """Return where the first mark stands, and the longest mark that begins there; (-1, "") if there is none."""
    found = [(at, -len(mark), mark) for mark in marks if (at := text.find(mark)) >= 0]
    return (min(found)[0], min(found)[2]) if found else (-1, "")


def _open(text: str, marks: Sequence[str]) -> int:
    """Return the length of the longest end of the text that may begin a mark."""
    longest = max((len(mark) for mark in marks), default=0)
    for length in range(min(longest - 1, len(text)), 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks):
            return length
    return 0


def _joined(events: Sequence[Text | Thought]) -> list[Text | Thought]:
    joined: list[Text | Thought] = []
    for event in events:
        last = joined[-1] if joined else None
        if last is not None and type(last) is type(event):
            joined[-1] = type(event)(last.text + event.text)
        else:
            joined.append(event)
    return joined
