"""The licences of what Locus is made of, against those that are allowed: `python -m tests.licences`.

It writes docs/licences.md. Packages are those of requirements/, which is made from uv.lock; tests, checks and the
homeserver of the tests are apart.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.requirement_files import FOLDER, ROOT

PAGE = ROOT / "docs" / "licences.md"
RULES = ROOT / "tests" / "licences.toml"
HEAD = """# Licences

Locus itself is under the [MIT licence](../LICENSE). This page lists what it is made of: every package that an
installation with all extras brings, from `uv.lock`, and how it is licensed by its own account. `make licences` writes
it and refuses what `tests/licences.toml` does not allow; `make check` runs it.

Not in this list: what tests and checks use and nobody installs to run Locus. Among that is Synapse (AGPL-3.0), the
homeserver that the tests of Matrix start as a program of its own, from an environment of its own; Locus never imports
it. Chromium, Redis and a model's server are programs of their own too. The models that `locus model` offers have
licences of their own ([models.md](models.md)).

| package | licence |
|---|---|
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is allowed, how packages call it, and what was read where they do not say."""

    allowed: frozenset[str]
    names: Mapping[str, str]
    read: Mapping[str, str]


def load_rules() -> Rules:
    """Return the rules of tests/licences.toml."""
    content = tomllib.loads(RULES.read_text())
    return Rules(frozenset(content["allowed"]), content["names"], content["read"])


def packages(lines: Iterable[str]) -> list[str]:
    """Return the names of the packages in requirement files, as PyPI compares them, in order."""
    # Browsers are no place where Locus runs, although some packages do.
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines if "emscripten" not in line)
    return sorted({canonical(match.group()) for match in found if match is not None})


def canonical(name: str) -> str:
    """Return a package's name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, str]:
    """Return what the installed packages say of their licence, by package."""
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed", "--python", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return {canonical(one["Name"]): one["License"] for one in json.loads(done.stdout)}


def licence_of(package: str, said: Mapping[str, str], rules: Rules) -> str:
    """Return an SPDX expression, or "" where nobody knows."""
    if package in rules.read:
        return rules.read[package]
    text = said.get(package, "")
    parts = [rules.names.get(part.strip(), part.strip()) for part in text.split(";")]
    return " AND ".join(dict.fromkeys(part for part in parts if part and part != "UNKNOWN"))


def is_allowed(expression: str, rules: Rules) -> bool:
    """Whether all parts of an expression are allowed; of those with "OR" between them, one."""
    return bool(expression) and all(
        any(one.strip(" ()") in rules.allowed for one in part.split(" OR ")) for part in _parts(expression)
    )


def _parts(expression: str) -> list[str]:
    """Return what stands between the "AND" outside of brackets."""
    found, depth = [""], 0
    for word in expression.split():
        if word == "AND" and depth == 0:
            found.append("")
            continue
        depth += word.count("(") - word.count(")")
        found[-1] += f" {word}"
    return found


def page() -> tuple[str, list[str]]:
    """Return the page, and a sentence for each package that is not allowed."""
    rules, said = load_rules(), declared()
    lines = [line for path in sorted(FOLDER.glob("*.txt")) for line in path.read_text().splitlines()]
    licences = {package: licence_of(package, said, rules) for package in packages(lines)}
    wrong = [
        f"{package} is under {licence or 'no licence that it names'}: allow it in tests/licences.toml, or do without."
        for package, licence in licences.items()
        if not is_allowed(licence, rules)
    ]
    return HEAD + "".join(f"| {package} | {licence} |\n" for package, licence in licences.items()), wrong


def main() -> None:
    """Write the page, or say what is not allowed."""
    text, wrong = page()
    if wrong:
        raise SystemExit("\n".join(wrong))
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
