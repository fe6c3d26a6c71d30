"""`locus scope`: the channels that were seen, and who vouches that their own documents may be seen there."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.cli.render import dump_json, shown_time
from bot.errors import InvalidRequestError, NotFoundError
from bot.plain_text import without_controls
from bot.settings import Settings
from bot.store.opening import open_store
from bot.store.places import KnownPlace, Places
from bot.texts import confirm_needs_yes, unknown_place

READERS = {
    "direct": "one person",
    "private": "its members",
    "public": "everybody of the organisation",
    "shared": "people of other organisations too",
}


@asynccontextmanager
async def open_places(settings: Settings) -> AsyncIterator[Places]:
    """Open the shared state beside a running Locus."""
    async with open_store(settings, exclusive=False) as store:
        yield Places(store)


async def list_places(settings: Settings, *, as_json: bool) -> None:
    """Print the channels that were seen."""
    async with open_places(settings) as places:
        known = await places.list()
    if as_json:
        sys.stdout.write(dump_json({"channels": [place_json(place) for place in known]}) + "\n")
    else:
        print_places(Console(highlight=False), known)


async def confirm_place(settings: Settings, channel_id: str, *, yes: bool) -> None:
    """Let the audience that a channel has now see its own documents."""
    async with open_places(settings) as places:
        known = await places.find(channel_id)
        if known is None:
            raise NotFoundError(unknown_place(channel_id))
        readers = READERS[known.seen]
        if not yes:
            if not sys.stdin.isatty():
                raise InvalidRequestError(confirm_needs_yes(channel_id))
            if not typer.confirm(f"Channel {channel_id} can be read by {readers}. Confirm it for them?", err=True):
                sys.stderr.write("locus: Nothing was confirmed.\n")
                return
        await places.confirm(channel_id, known.seen)
    sys.stdout.write(f"Confirmed: {readers} may see the own documents of channel {channel_id} there.\n")


async def revoke_place(settings: Settings, channel_id: str) -> None:
    """Let nobody see a channel's own documents."""
    async with open_places(settings) as places:
        await places.revoke(channel_id)
    sys.stdout.write(f"Nobody sees the own documents of channel {channel_id} until it is confirmed again.\n")


def place_json(place: KnownPlace) -> dict[str, object]:
    """Return the object that `--json` prints for a channel."""
    return {
        "channel_id": place.channel_id,
        "chat": place.chat,
        "workspace": place.workspace,
        "channel": place.channel,
        "audience": place.seen.value,
        "confirmed": place.confirmed.value if place.confirmed is not None else None,
        "own_documents": place.open,
        "seen_at": shown_time(place.at),
    }


def print_places(console: Console, places: Sequence[KnownPlace]) -> None:
    """Print channels as a table; what is wide wraps, handles do not."""
    if not places:
        console.print("No channel was seen yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Channel", no_wrap=True, min_width=13)
    for name in ("Chat", "Workspace", "Id", "Audience", "Confirmed", "Own documents", "Seen"):
        table.add_column(name, overflow="fold")
    for place in places:
        cells = (
            place.channel_id,
            place.chat,
            place.workspace,
            place.channel,
            place.seen.value,
            place.confirmed.value if place.confirmed is not None else "nobody",
            "visible" if place.open else "waiting",
            shown_time(place.at),
        )
        table.add_row(*(Text(without_controls(cell)) for cell in cells))
    console.print(table)
