"""`locus inbox`: open and given-up requests, tried again or dropped; their texts only where asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.cli.render import dump_json, print_line, shown_time
from bot.errors import BusyError, InvalidRequestError, NotFoundError
from bot.plain_text import without_controls
from bot.requests import Cancelled, Kind, Request, State
from bot.settings import Settings
from bot.store.dead import DeadLetter, DeadLetters
from bot.store.inbox import Inbox, InboxLimits
from bot.store.opening import open_store
from bot.store.overview import Overview
from bot.texts import (
    ambiguous_reference,
    apology_on_its_way,
    drop_needs_yes,
    not_given_up,
    nothing_to_drop,
    span_in_words,
    unknown_request,
)

DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts that `locus inbox` works with."""

    inbox: Inbox
    dead: DeadLetters
    overview: Overview


@dataclass(frozen=True, slots=True)
class Row:
    """A request as it is shown.

    Attributes:
        request: As it is, or as it was when it was given up.
        state: Of the request, or "dead".
        dead_at: When it was given up, in seconds since 1970; 0 for others.
    """

    request: Request
    state: str
    dead_at: float = 0.0


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open the shared state beside a running Locus."""
    async with open_store(settings, exclusive=False) as store:
        inbox = Inbox(store, InboxLimits(duplicates_h=settings.duplicates_h))
        dead = DeadLetters(inbox, retention_days=settings.retention_days)
        yield Desk(inbox, dead, Overview(inbox, dead))


async def list_requests(settings: Settings, state: str, *, as_json: bool, with_text: bool) -> None:
    """Print open and dead requests, the oldest first."""
    async with open_desk(settings) as desk:
        rows = [row for row in await _rows(desk.overview) if state in ("", row.state)]
    now = time.time()
    if as_json:
        objects = [row_json(row, now, with_text=with_text) for row in rows]
        sys.stdout.write(dump_json({"requests": objects}) + "\n")
    else:
        print_rows(Console(highlight=False), rows, now, with_text=with_text)


async def show_request(settings: Settings, reference: str, *, as_json: bool, with_text: bool) -> None:
    """Print one request, also a finished one."""
    async with open_desk(settings) as desk:
        row = await _row(desk, await _whole(desk.overview, reference))
    if as_json:
        sys.stdout.write(dump_json(row_json(row, time.time(), with_text=with_text)) + "\n")
    else:
        print_row(Console(highlight=False), row, time.time(), with_text=with_text)


async def retry_request(settings: Settings, reference: str) -> None:
    """Put a given-up request back into the inbox."""
    async with open_desk(settings) as desk:
        whole = await _whole(desk.overview, reference)
        if not await desk.dead.retry(whole):
            if await desk.dead.find(whole) is not None:
                raise BusyError(apology_on_its_way(whole))
            raise NotFoundError(not_given_up(whole))
    sys.stdout.write(f"Request {whole} waits for its turn again; its answer replaces the apology.\n")


async def drop_request(settings: Settings, reference: str, *, yes: bool) -> None:
    """Delete a given-up request, or stop an open one, whose person is told."""
    async with open_desk(settings) as desk:
        row = await _row(desk, await _whole(desk.overview, reference))
        whole = row.request.request_id
        what = f"the given-up request {whole}" if row.state == DEAD else f"request {whole}, which is {row.state}"
        if not yes:
            if not sys.stdin.isatty():
                raise InvalidRequestError(drop_needs_yes(whole))
            if not typer.confirm(f"Drop {what}?", err=True):
                sys.stderr.write("locus: Nothing was dropped.\n")
                return
        if row.state == DEAD:
            await desk.dead.drop(whole)
            sys.stdout.write(f"Dropped {what}.\n")
        elif await desk.inbox.cancel(whole, Cancelled.STOPPED, allowed=lambda one: one.kind is Kind.QUESTION):
            sys.stdout.write(f"Stopped {what}; its person is told.\n")
        else:
            raise NotFoundError(nothing_to_drop(whole))


async def _rows(overview: Overview) -> list[Row]:
    """Return open and dead requests by the time of their acceptance; one whose apology is open is dead."""
    dead = {letter.request.request_id: letter for letter in await overview.dead_letters()}
    rows = [_dead_row(letter) for letter in dead.values()]
    rows += [Row(one, one.state.value) for one in await overview.open_requests() if one.request_id not in dead]
    return sorted(rows, key=lambda row: row.request.accepted_at)


async def _row(desk: Desk, reference: str) -> Row:
    letter = await desk.dead.find(reference)
    if letter is not None:
        return _dead_row(letter)
    request = await desk.inbox.find(reference)
    if request is None:
        raise NotFoundError(unknown_request(reference))
    return Row(request, request.state.value)


def _dead_row(letter: DeadLetter) -> Row:
    return Row(letter.request, DEAD, letter.at)


async def _whole(overview: Overview, reference: str) -> str:
    """Return the only reference that begins like this."""
    beginning = reference.strip().lower()
    found = await overview.references(beginning) if beginning else []
    if not found:
        raise NotFoundError(unknown_request(reference))
    if len(found) > 1:
        raise InvalidRequestError(ambiguous_reference(reference, found))
    return found[0]


def row_json(row: Row, now: float, *, with_text: bool) -> dict[str, object]:
    """Return the object that `--json` prints for a request."""
    request = row.request
    message = request.message
    shown: dict[str, object] = {
        "reference": request.request_id,
        "state": row.state,
        "kind": request.kind.value,
        "chat": message.place.chat,
        "channel_id": message.place.channel_id,
        "conversation_id": message.place.conversation_id,
        "person_id": message.sender.person_id,
        "accepted_at": shown_time(request.accepted_at),
        "age_s": round(now - request.accepted_at, 1),
        "attempts": request.attempt,
        "failures": request.failures,
        "deaths": request.deaths,
        "owner": request.owner,
        "cancelled": request.cancelled.value,
        "outcome": request.outcome,
    }
    if row.dead_at:
        shown["given_up_at"] = shown_time(row.dead_at)
    if with_text:
        shown["text"] = message.text
    return shown


def print_rows(console: Console, rows: Sequence[Row], now: float, *, with_text: bool) -> None:
    """Print requests as a table; what is wide wraps, references do not."""
    if not rows:
        console.print("No request is open, and none was given up.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Reference", no_wrap=True, min_width=13)
    for name in ("State", "Chat", "Age", "Attempts", "Owner", "Outcome"):
        table.add_column(name, overflow="fold")
    if with_text:
        table.add_column("Text", overflow="fold")
    for row in rows:
        request = row.request
        cells = [
            request.request_id,
            row.state,
            request.message.place.chat,
            span_in_words(now - request.accepted_at),
            str(request.attempt),
            "" if row.state == DEAD else request.owner,
            _outcome(row),
        ]
        if with_text:
            cells.append(request.message.text)
        table.add_row(*(Text(without_controls(cell)) for cell in cells))
    console.print(table)


def print_row(console: Console, row: Row, now: float, *, with_text: bool) -> None:
    """Print one request for reading."""
    request = row.request
    place = request.message.place
    print_line(console, "Reference", request.request_id)
    print_line(console, "State", row.state)
    print_line(console, "Outcome", _outcome(row))
    age = span_in_words(now - request.accepted_at)
    print_line(console, "Accepted", f"{shown_time(request.accepted_at)}, {age} ago")
    if row.dead_at:
        print_line(console, "Given up", shown_time(row.dead_at))
    print_line(console, "Chat", f"{place.chat}, channel {place.channel_id}, conversation {place.conversation_id}")
    print_line(console, "Person", request.message.sender.person_id)
    tried = f"{request.attempt}, of which {request.failures} failed and {request.deaths} ended with their worker"
    print_line(console, "Attempts", tried)
    print_line(console, "Owner", request.owner if request.state is State.RUNNING and row.state != DEAD else "none")
    if with_text:
        print_line(console, "Text", request.message.text)


def _outcome(row: Row) -> str:
    request = row.request
    if request.outcome or request.cancelled is Cancelled.NO:
        return request.outcome
    return f"being {request.cancelled.value}"
