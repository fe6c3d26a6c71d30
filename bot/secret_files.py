"""Secrets that stand in files: LOCUS_<NAME>_FILE holds the path of a file with what LOCUS_<NAME> would hold.

Docker and Kubernetes mount secrets as files, systemd hands them over as credentials; neither then shows them to
`docker inspect`, to /proc/PID/environ or to child processes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import SettingsError

SUFFIX = "_FILE"
MAX_BYTES = 64 * 1024  # the longest real one is a token of some hundred bytes
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A variable that names a file with a secret.

    Attributes:
        name: The setting that the file stands for, such as LOCUS_REMOTE_KEY.
        path: The file; a relative one is below the working folder.
    """

    name: str
    path: Path

    @property
    def variable(self) -> str:
        """The name of the variable, such as LOCUS_REMOTE_KEY_FILE."""
        return self.name + SUFFIX

    def read(self) -> str:
        """Return the secret, without the end of its line.

        Raises:
            SettingsError: If the file is missing, empty, no file, too long, no text, or may not be read.
        """
        begin = f"{self.variable} names {self.path}, which"
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise SettingsError(f"{begin} is no file: name the file that holds the secret.")
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError as error:
            raise SettingsError(f"{begin} is not there: write the secret into it.") from error
        except OSError as error:
            why = error.strerror or "an error of the system"
            raise SettingsError(f"{begin} cannot be read ({why}): let the account of Locus read it.") from error
        except ValueError as error:  # a path with a NUL
            raise SettingsError(f"{self.variable} names no possible path: write the path of a file.") from error
        if len(data) > MAX_BYTES:
            raise SettingsError(f"{begin} is longer than {MAX_BYTES // 1024} KiB: name the file that holds the secret.")
        try:
            secret = data.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise SettingsError(f"{begin} is not UTF-8 text: write the secret into it as text.") from error
        if not secret.strip():
            raise SettingsError(f"{begin} is empty: write the secret into it.")
        if _UNFIT.search(secret):
            raise SettingsError(f"{begin} holds more than one line of text: leave only the secret in it.")
        return secret

    def is_open_to_everybody(self) -> bool:
        """Whether every account of this machine may read the file; False where that cannot be told."""
        try:
            return os.name == "posix" and bool(self.path.stat().st_mode & stat.S_IROTH)
        except (OSError, ValueError):
            return False


def secret_files(secrets: Iterable[str], *places: Mapping[str, str | None]) -> list[SecretFile]:
    """Return the secret files that are named, in the order of the secrets.

    Args:
        secrets: Names of variables that hold secrets.
        places: Where variables stand, the first wins; an empty value is none.
    """
    given = _merged(places)
    return [SecretFile(name, Path(given[name + SUFFIX])) for name in secrets if given.get(name + SUFFIX)]


def given_twice(files: Iterable[SecretFile], *places: Mapping[str, str | None]) -> list[str]:
    """Return a sentence for every secret that is set as a value too."""
    given = _merged(places)
    return [
        f"{file.name} and {file.variable} are both set: remove one of them." for file in files if given.get(file.name)
    ]


def _merged(places: Iterable[Mapping[str, str | None]]) -> dict[str, str]:
    """Return what is set, by names in capitals, as the settings take them in either."""
    merged: dict[str, str] = {}
    for place in places:
        for name, value in place.items():
            if value:
                merged.setdefault(name.upper(), value)
    return merged
