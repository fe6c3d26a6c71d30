"""The homeserver's side of `locus doctor` and `locus setup`: is it one, and do the clocks agree?"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from pydantic import JsonValue, TypeAdapter

from bot.checks import Finding, Level, clock_finding

PART: Final = "matrix"
TIMEOUT_S: Final = 20.0
MOST_BYTES: Final = 100_000
VERSIONS: Final = "/_matrix/client/versions"
_Object: Final = TypeAdapter(dict[str, JsonValue])


async def examine_server(homeserver: str, *, clock: Callable[[], float] = time.time) -> list[Finding]:
    """Ask a homeserver once, without any account.

    Args:
        homeserver: Address of its client-server API.
        clock: Seconds since 1970.
    """
    fix = "check LOCUS_MATRIX_HOMESERVER: https://SERVER/.well-known/matrix/client says which address is meant."
    try:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            before = clock()
            async with session.get(homeserver.rstrip("/") + VERSIONS, allow_redirects=False) as response:
                after = clock()
                status, date = response.status, response.headers.get("Date", "")
                body = await response.content.read(MOST_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [Finding(Level.ERROR, PART, f"{homeserver} does not answer ({type(error).__name__}).", fix)]
    versions = _versions(body) if status == 200 else []
    if not versions:
        return [Finding(Level.ERROR, PART, f"{homeserver} is no Matrix homeserver (HTTP {status}).", fix)]
    findings = [Finding(Level.OK, PART, f"{homeserver} speaks Matrix up to {versions[-1]}.")]
    try:
        said = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return findings  # a proxy has left it out
    return [*findings, clock_finding("the homeserver's", (before + after) / 2 - said - 0.5)]  # it has whole seconds


def _versions(body: bytes) -> list[str]:
    try:
        named = _Object.validate_json(body).get("versions")
    except ValueError:
        return []
    return [one[:20] for one in named if isinstance(one, str)] if isinstance(named, list) else []
