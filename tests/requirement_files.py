"""The files of requirements/, from which pip installs what uv.lock locks: `python -m tests.requirement_files`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
HEADER = "# Made from uv.lock by `make requirements`; docs/installing-with-pip.md says how it is used.\n"
EXPORT = (
    "export --frozen --no-dev --no-emit-project --no-annotate --no-header --no-hashes --quiet".split()
)  # with --no-hashes a file has a hundred lines instead of three thousand


def find_uv() -> str | None:
    """Return the program uv: the checkout's own, or the one on the path."""
    own = ROOT / ".uv" / "bin" / "uv"
    return str(own) if own.exists() else shutil.which("uv")


def requirement_files(uv: str) -> dict[str, str]:
    """Return the text of every file by its name: all packages without extras, and what each extra adds to them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    base = _exported(uv)
    files = {"base.txt": base}
    for extra in extras:
        files[f"{extra}.txt"] = [line for line in _exported(uv, "--extra", extra) if line not in base]
    return {name: HEADER + "".join(f"{line}\n" for line in lines) for name, lines in files.items()}


def _exported(uv: str, *options: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [uv, *EXPORT, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def main() -> None:
    """Write the files, and take away those of extras that are no more."""
    uv = find_uv()
    if uv is None:
        raise SystemExit("uv is not installed: `make setup-dev` brings it")
    files = requirement_files(uv)
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.txt"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
