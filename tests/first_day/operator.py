"""Somebody at a shell: an empty home, a working folder, and the programs of one virtual environment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.first_day.report import FailedError, Report
from tests.pty_process import PtyProcess

# How this machine reaches the package registries, which is no cache.
REGISTRIES = (
    "PIP_",
    "SSL_",
    "REQUESTS_CA",
    "CURL_CA",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "UV_INDEX",
    "UV_DEFAULT",
)
WITHIN_S = 900.0
GUIDE_S = 300.0


@dataclass(frozen=True)
class Operator:
    """Runs commands as a person would.

    Attributes:
        folder: The working folder, where `.env` is.
        home: The home folder, empty at first: no caches and no settings.
        programs: The folder `bin` of the virtual environment.
        report: Where what is run is shown.
        settings: Variables of the environment, LOCUS_ ones.
        code: The folder of another version's code, run with the same packages; None for what is installed.
    """

    folder: Path
    home: Path
    programs: Path
    report: Report
    settings: Mapping[str, str] = field(default_factory=dict)
    code: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """All variables, and no others; pip refuses to install into anything but a virtual environment."""
        base = {
            "HOME": str(self.home),
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_REQUIRE_VIRTUALENV": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        base = {name: value for name, value in os.environ.items() if name.upper().startswith(REGISTRIES)} | base
        if self.code is not None:
            base["PYTHONPATH"] = str(self.code)
        return base | dict(self.settings)

    def changed(self, *, code: Path | None = None, **settings: str) -> Operator:
        """Return the same person with further settings, or at another version's code."""
        return replace(self, settings={**self.settings, **settings}, code=code)

    def inside(self, folder: str) -> Operator:
        """Return the same person in a folder below."""
        return replace(self, folder=self.folder / folder)

    def activated(self, environment: str) -> Operator:
        """Return the same person with a virtual environment of the working folder activated."""
        return replace(self, programs=self.folder / environment / "bin")

    def run(self, command: str, *, exits: int = 0, typed: str = "", **settings: str) -> str:
        """Run a command as it is typed, and return what it printed, errors too.

        Args:
            command: Words as for a shell, without a shell's signs; "locus" is this version's.
            exits: The exit code it should end with.
            typed: What its input is.
            settings: Further variables for this command.

        Raises:
            FailedError: If it ends otherwise.
        """
        done = self._done(command, exits, typed, settings)
        return done.stdout + done.stderr

    def read(self, command: str) -> Any:
        """Run a command that prints JSON and return that; what it says to people stands beside it. Raises as `run`."""
        done = self._done(command, 0, "", {})
        if done.stderr:
            self.report.note(done.stderr)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise FailedError(f"`{command}` printed no JSON: {done.stdout!r}") from error

    def _done(
        self, command: str, exits: int, typed: str, settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        started = time.monotonic()
        done = subprocess.run(
            self._words(command),
            cwd=self.folder,
            env=self.environment | dict(settings),
            input=typed,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        self.report.ran(command, time.monotonic() - started)
        if done.returncode != exits:
            raise FailedError(f"`{command}` ended with {done.returncode}, not {exits}:\n{done.stdout}{done.stderr}")
        return done

    @contextmanager
    def terminal(self, command: str, **settings: str) -> Iterator[PtyProcess]:
        """Run a command in a terminal of its own; killed on leaving where it still runs."""
        started = time.monotonic()
        variables = [f"{name}={value}" for name, value in (self.environment | settings).items()]
        # `env -i`: the terminal's process would have the variables of this one too.
        with PtyProcess(["env", "-i", *variables, *self._words(command)], cwd=self.folder, columns=160) as process:
            yield process
        self.report.ran(command, time.monotonic() - started)

    def answer(self, command: str, answers: Sequence[tuple[str, str]]) -> str:
        """Answer what a command asks, in order, and return what was seen.

        Args:
            command: As for `run`.
            answers: Words of a question, and what is typed then.

        Raises:
            FailedError: If it asks something else, or ends with another code than 0.
        """
        with self.terminal(command) as process:
            for question, typed in answers:
                process.until(question, GUIDE_S)
                process.until(": ", GUIDE_S)
                process.type(f"{typed}\n")
            code = process.wait(GUIDE_S)
            seen = process.seen
        if code:
            raise FailedError(f"`{command}` ended with {code}:\n{seen}")
        return seen

    def _words(self, command: str) -> list[str]:
        name, *words = shlex.split(command)
        if name != "locus":
            return [name, *words]
        if self.code is not None:
            # -P: not the code of the working folder, which may be a checkout of another version.
            return [str(self.programs / "python"), "-P", "-m", "bot", *words]
        return [str(self.programs / "locus"), *words]
