"""Digests and subscriptions as text for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.cli.render import shown_time
from bot.digest.datasets import Dataset
from bot.digest.writing import Written
from bot.plain_text import without_controls
from bot.store.digest_subscriptions import Standing


def digest_json(datasets: Sequence[Dataset], written: Written | None, notes: Sequence[str]) -> dict[str, object]:
    """Return the object that `locus digest preview --json` prints."""
    headline = written.parts[0].text.partition("\n")[0] if written is not None else ""
    return {"headline": headline, "datasets": [asdict(one) for one in datasets], "notes": list(notes)}


def standing_json(standing: Standing) -> dict[str, object]:
    """Return one object of `locus digest list --json`."""
    one, progress = standing.subscription, standing.progress
    return {
        "id": one.subscription_id,
        "name": one.name,
        "chat": one.place.chat,
        "workspace": one.place.workspace,
        "channel": one.place.channel,
        "groups": list(one.interest.groups),
        "types": list(one.interest.kinds),
        "tissues": list(one.interest.tissues),
        "species": list(one.interest.species),
        "when": one.when,
        "cron": one.cron,
        "zone": one.zone,
        "quiet": one.quiet,
        "paused": one.paused,
        "refused": one.refused,
        "posted_at": shown_time(progress.posted_at) if progress.posted_at else None,
        "told": progress.told,
        "skipped": progress.skipped,
    }


def print_digest(console: Console, written: Written) -> None:
    """Print a digest as it would be posted, its thread below it."""
    for number, part in enumerate(written.parts):
        if number:
            console.print()
        console.print(Text(without_controls(part.text), style="bold"), soft_wrap=True)
        for section in part.sections:
            console.print(Text(f"\n{without_controls(section.heading)}", style="bold"), soft_wrap=True)
            for entry in section.entries:
                line = Text("  ")
                line.append(without_controls(entry.title), style=Style(link=entry.url) if entry.url else "")
                console.print(line, soft_wrap=True)
                for detail in (entry.text, entry.url):
                    if detail:
                        console.print(Text(f"    {without_controls(detail)}", style="dim"), soft_wrap=True)


def print_standings(console: Console, standings: Sequence[Standing]) -> None:
    """Print subscriptions as a table; what is wide wraps, handles do not."""
    if not standings:
        console.print("No channel has a digest.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Digest", no_wrap=True, min_width=13)
    for name in ("Channel", "Of", "When", "Last", "Datasets", "State"):
        table.add_column(name, overflow="fold")
    for standing in standings:
        one, progress = standing.subscription, standing.progress
        cells = (
            one.subscription_id,
            f"{one.place.chat}/{one.place.workspace}/{one.place.channel}",
            one.interest.words,
            f"{one.when} ({one.zone})",
            shown_time(progress.posted_at) if progress.posted_at else "never",
            f"{progress.told:,}",
            _state(standing),
        )
        table.add_row(*(Text(without_controls(cell)) for cell in cells))
    console.print(table)


def _state(standing: Standing) -> str:
    """Return how a subscription is, in a few words or the sentence on what is wrong."""
    one = standing.subscription
    state = f"paused: {one.paused}" if one.paused else f"declared as {one.name}" if one.declared else "active"
    return f"{state}; {standing.progress.skipped}" if standing.progress.skipped else state
