"""What docs/security.md says: what it names exists; and promises that only a look at all code can keep."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
FOLDERS = ("bot", "adapters", "knowledge")
# What runs what it reads, or is known to; our own prompts are texts.
CODE = (
    r"\bimport (?:pickle|shelve|marshal|dill)\b|trust_remote_code|\bfrom langchain\S* import .*\bload\w*|"
    r"yaml\.(?:unsafe_)?load\b|(?<![\w.])(?:eval|exec)\("
)


@cache
def names_of_tests() -> frozenset[str]:
    """The names of all tests."""
    found = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(name for text in found for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE))


def sources() -> dict[str, str]:
    """Every module of Locus, by its path."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def test_every_test_that_is_named_exists() -> None:
    """Whoever renames one renames it there."""
    assert set() == set(re.findall(r"`(test_\w+)`", PAGE)) - names_of_tests()


def test_every_file_that_is_named_exists() -> None:
    """Modules, tests and settings of checks."""
    named = re.findall(r"`((?:bot|adapters|knowledge|tests)/[\w./]*)`", PAGE)

    assert [] == [name for name in named if not (ROOT / name).exists()]
    assert len(named) > 8


@pytest.mark.parametrize(
    "row", [line for line in PAGE.split("## Lessons of others")[1].splitlines() if line.startswith("| ")][1:]
)
def test_every_lesson_has_a_test(row: str) -> None:
    """No row of the table is only words."""
    assert re.search(r"`test_\w+`", row)


def test_nothing_loads_what_could_be_code() -> None:
    """No pickle, no YAML with tags, no loader of LangChain, no code of a model's repository."""
    found = [(path, match.group()) for path, text in sources().items() for match in re.finditer(CODE, text)]

    assert [] == found


def test_nothing_reports_home() -> None:
    """Chroma's telemetry is off wherever a client is made, and LangChain's traces are."""
    made = [
        text for text in sources().values() if re.search(r"chromadb\.\w*Client\(|PersistentClient\(|HttpClient\(", text)
    ]

    assert made
    assert all("anonymized_telemetry=False" in text for text in made)


def test_libraries_with_known_holes_are_not_locked() -> None:
    """Libolm is not there at all; llama-cpp-python, langgraph's and matrix-nio's are late enough."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {
        one["name"]: tuple(int(part) for part in re.findall(r"\d+", one.get("version", "0"))[:3]) for one in packages
    }

    assert "python-olm" not in locked
    assert locked["llama-cpp-python"] >= (0, 3, 36)
    assert locked["matrix-nio"] >= (0, 26)
    assert locked["langgraph-checkpoint"] >= (4, 0)
    assert locked["langchain-core"] >= (1, 2, 5)
