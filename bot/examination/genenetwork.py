"""Whether GeneNetwork can be reached; it is asked once, for the shortest list it has."""

from __future__ import annotations

import asyncio

from bot.bootstrap.genenetwork import open_genenetwork
from bot.checks import Finding, Level, clock_finding
from bot.errors import BotError
from bot.settings import Settings

PART = "genenetwork"
PATIENCE_S = 20.0


async def examine_genenetwork(settings: Settings) -> list[Finding]:
    """Say whether it answers, and what its clock says; without it, documents still do, so its absence is a warning."""
    fix = "look whether this machine may reach it, or set LOCUS_GENENETWORK=off."
    try:
        async with open_genenetwork(settings) as opened:
            if opened is None:
                return [Finding(Level.OK, PART, "It is not asked: LOCUS_GENENETWORK is off.")]
            async with asyncio.timeout(PATIENCE_S):
                species = await opened.client.species()
            ahead_s = opened.http.ahead_s
    except TimeoutError:
        text = f"{settings.genenetwork_url} did not answer within {PATIENCE_S:g} s."
        return [Finding(Level.WARNING, PART, text, fix)]
    except BotError as error:
        return [Finding(Level.WARNING, PART, f"{settings.genenetwork_url} gives no live data. {error}", fix)]
    text = f"{settings.genenetwork_url} answers, with {len(species.value)} species."
    clock = [] if ahead_s is None else [clock_finding("GeneNetwork's", ahead_s)]
    if not (settings.genenetwork_contact or settings.contact):
        fix = "set LOCUS_CONTACT to an address of the lab."
        return [Finding(Level.OK, PART, f"{text} Its operators are told no contact.", fix), *clock]
    return [Finding(Level.OK, PART, text), *clock]
