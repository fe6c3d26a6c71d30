"""Writes an answer from fetched values: text whose every figure has the number of the page it stands on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ParamSpec, TypeVar

from bot.attachments import Attachment
from bot.errors import SettingsError
from bot.evidence import Answer, Citation
from bot.live.values import Fetched
from bot.pictures import Drawing, Picture
from bot.pictures.picture import safe_name
from bot.plain_text import one_line, shortened
from bot.texts import live_note

T = TypeVar("T")
P = ParamSpec("P")

CELL_CHARS = 120
QUERIES = 6  # that are written out
NOT_GIVEN = "not given"
_NUMBERED = re.compile(r"\[(\d+)\]")
_FORMULA = re.compile(r"[=+\-@\t\r]")


def cell(text: str, limit: int = CELL_CHARS) -> str:
    """Return a text from outside as it may stand in a line or a table: it ends no column and makes up no citation."""
    return shortened(_NUMBERED.sub(r"(\1)", one_line(text)).replace("|", "¦").replace("`", "'"), limit)


def shown_time(moment: datetime) -> str:
    """Return a moment as people read it: "2026-03-02 14:05 UTC"."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


class Writing:
    """An answer being written.

    Args:
        question: As asked.
    """

    def __init__(self, question: str) -> None:
        self._question = question
        self._blocks: list[str] = []
        self._citations: list[Citation] = []
        self._queries: list[str] = []
        self._attachments: list[Attachment] = []
        self._oldest: datetime | None = None

    def cite(self, fetched: Fetched[T], title: str) -> str:
        """Return the mark "[n]" of where a value came from; the same page and request have the same."""
        quote = f"Fetched {shown_time(fetched.fetched_at)} from {fetched.url}"
        for known in self._citations:
            if (known.url, known.quote) == (fetched.page, quote):
                return f"[{known.n}]"
        number = len(self._citations) + 1
        self._citations.append(Citation(number, cell(title), "GeneNetwork", fetched.page, quote))
        self._queries = list(dict.fromkeys((*self._queries, fetched.url, *fetched.also)))
        self._oldest = min(self._oldest or fetched.fetched_at, fetched.fetched_at)
        return f"[{number}]"

    def say(self, text: str) -> None:
        """Add a paragraph, or a list; its texts from outside went through `cell`."""
        self._blocks.append(text)

    def items(self, items: Iterable[tuple[str, str]], mark: str) -> None:
        """Add a list of names and values, those without a value left out, each with the mark."""
        lines = [f"- {name}: {value} {mark}" for name, value in items if value]
        if lines:
            self._blocks.append("\n".join(lines))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], mark: str) -> None:
        """Add a table; each row ends with the mark. Cells went through `cell`; a column that is empty is left out."""
        every = list(rows)
        kept = [place for place in range(len(columns)) if any(row[place] for row in every)]
        lines = [_row([columns[place] for place in kept]), _row(["---"] * len(kept))]
        for row in every:
            *before, last = [row[place] or NOT_GIVEN for place in kept]
            lines.append(_row([*before, f"{last} {mark}"]))
        self._blocks.append("\n".join(lines))

    async def draw(
        self, drawing: Drawing, name: str, function: Callable[P, Picture], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Attach a picture, or say why there is none: the answer stands without it."""
        try:
            picture = await drawing.draw(function, *args, **kwargs)
        except (SettingsError, ValueError) as error:
            self.say(str(error) if isinstance(error, SettingsError) else "These values cannot be drawn.")
        else:
            self._attachments.append(picture.attachment(name))

    def data(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | int | None]]) -> None:
        """Attach a table as CSV (RFC 4180); what a spreadsheet would take for a formula begins with an apostrophe."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(columns)
        writer.writerows([_harmless(one) for one in row] for row in rows)
        file = Attachment(f"{safe_name(name)}.csv", "text/csv", buffer.getvalue().encode("utf-8", "replace"))
        self._attachments.append(file)

    def answer(self, *, query: str = "") -> Answer:
        """Return the answer.

        Args:
            query: What was asked in another language than URLs: SPARQL.
        """
        if query:
            self._blocks.append(f"Query, to be run again:\n\n```sparql\n{query.replace('```', '')}\n```")
            # A chat breaks up the addresses in a text, so that it can only be copied from a file.
            self._attachments.append(Attachment("query.rq", "application/sparql-query", query.encode()))
        note = live_note(shown_time(self._oldest)) if self._oldest is not None else ""
        return Answer(
            self._question,
            "\n\n".join(self._blocks),
            "live",
            True,
            tuple(self._citations),
            1.0,
            note=note,
            attachments=tuple(self._attachments),
            requests=() if query else tuple(self._queries[:QUERIES]),
        )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _harmless(value: str | float | int | None) -> str | float | int:
    if value is None:
        return ""
    if isinstance(value, str):
        text = one_line(value)
        return f"'{text}" if _FORMULA.match(text) else text
    return value
