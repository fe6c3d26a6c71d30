"""What README shows is what the program prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCUS = Path(sys.executable).with_name("locus")
SHOWN = re.findall(
    r'^\$ locus ask "(.+?)"\n((?!\$ )(?s:.+?))```', (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the starter documents."""
    folder = tmp_path_factory.mktemp("readme") / "data"
    locus(folder, "ingest", "starter")
    return folder


def locus(data_dir: Path, *words: str) -> str:
    """What a command prints, in a terminal of 80 columns."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    done = subprocess.run(
        [str(LOCUS), *words, "--data-dir", str(data_dir)],
        env={**clean, "COLUMNS": "80", "LOCUS_GENENETWORK": "off"},
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    return done.stdout


def comparable(text: str) -> str:
    """A text without the handle of its answer, which is another one each time, and without blanks at the ends."""
    lines = [line.rstrip() for line in text.splitlines() if not re.match(r"Answer \w+ \(locus answer show", line)]
    return "\n".join(lines).strip()


def test_readme_shows_an_answer_and_a_refusal() -> None:
    """Both can be compared."""
    assert [True, False] == ["The documents do not say." not in output for _, output in SHOWN]


@pytest.mark.parametrize(("question", "output"), SHOWN)
def test_an_answer_is_the_one_that_readme_shows(question: str, output: str, data_dir: Path) -> None:
    """Word for word, but for its handle."""
    assert comparable(output) == comparable(locus(data_dir, "ask", question))
