"""The commands of `locus digest` and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bot.cli.options import AsJson, DataDir, command_group, settings_of

digest_app = command_group("Look at GeneNetwork's new datasets, and after the channels that are told of them.")

Groups = Annotated[list[str] | None, typer.Option("--group", help="Only this group (BXD). May be given several times.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="Only this type: mrna, phenotype, genotype, protein, other.")
]
Tissues = Annotated[list[str] | None, typer.Option("--tissue", help="Only this tissue (hippocampus).")]
DigestId = Annotated[str | None, typer.Option("--digest", help="The handle that `locus digest list` shows.")]


@digest_app.command(name="list")
def digest_list(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show the digests of all channels, and which of them are paused."""
    from bot.cli.digests import list_digests

    asyncio.run(list_digests(settings_of(data_dir), as_json=as_json))


@digest_app.command(name="preview")
def digest_preview(
    since: Annotated[
        str | None, typer.Option("--since", help="Look back: datasets dated on this day or later.", metavar="DATE")
    ] = None,
    digest_id: DigestId = None,
    group: Groups = None,
    kind: Types = None,
    tissue: Tissues = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what is new in GeneNetwork; nothing is posted or remembered."""
    from bot.cli.digests import preview_digest
    from bot.digest.wishes import make_interest

    interest = make_interest(groups=group or (), kinds=kind or (), tissues=tissue or ())
    asyncio.run(
        preview_digest(settings_of(data_dir), interest, since=since or "", handle=digest_id or "", as_json=as_json)
    )


@digest_app.command(name="run")
def digest_run(
    digest_id: DigestId = None,
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Longest wait for it, in seconds.")] = 600.0,
    data_dir: DataDir = None,
) -> None:
    """Let the running Locus look at GeneNetwork and post what is new now, without waiting for Monday."""
    from bot.cli.digests import run_digests

    asyncio.run(run_digests(settings_of(data_dir), digest_id or "", wait_s))


@digest_app.command(name="release")
def digest_release(data_dir: DataDir = None) -> None:
    """Let the digests tell of datasets that were held, as too many were new at once."""
    from bot.cli.digests import release_digests

    asyncio.run(release_digests(settings_of(data_dir)))


@digest_app.command(name="baseline")
def digest_baseline(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Take everything that GeneNetwork lists now as known; no channel is told of it."""
    from bot.cli.digests import baseline_digests

    asyncio.run(baseline_digests(settings_of(data_dir), as_json=as_json))
