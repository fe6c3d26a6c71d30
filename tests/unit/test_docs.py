"""The pages are true: links lead somewhere, commands, options, settings and modules that they name exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from bot.cli.app import app
from bot.settings import PREFIX, secret_file_names, setting_names

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "tests/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
# Written in pages as examples of what is wrong, or as patterns.
NO_SETTINGS = {"LOCUS_TOPK", "LOCUS_NAME", "LOCUS_SECRET"}
# Of the benchmarks, and of the Compose file.
OTHERS = {"LOCUS_BENCH_PEER_PYTHON", "LOCUS_BENCH_CORPUS", "LOCUS_CPUS", "LOCUS_MEMORY", "LOCUS_MODELS"}
_BLOCK = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def blocks(text: str) -> str:
    """All that stands in blocks of code."""
    return "\n".join(_BLOCK.findall(text))


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of `locus` that a page shows, in a block or within a line."""
    lines = [line.strip().removeprefix("$ ").removeprefix("uv run ") for line in blocks(text).splitlines()]
    lines += [one.removeprefix("$ ").removeprefix("uv run ") for one in _INLINE.findall(_BLOCK.sub("", text))]
    for line in lines:
        line = re.sub(r"^(?:[A-Z_]+=\S+ +)+", "", line)
        line = re.split(r" {2,}#| # |\s[|&>]+\s|[;…]", line)[0].replace("\\|", "|")
        if re.match(r"locus [a-z-]", line):
            try:
                yield shlex.split(line)[1:]
            except ValueError:
                yield line.split()[1:]


Known = TyperCommand | TyperGroup


def root() -> Known:
    """The command `locus`."""
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def below(command: Known) -> dict[str, Known]:
    """Its commands, by name."""
    found = command.commands if isinstance(command, TyperGroup) else {}
    return {name: one for name, one in found.items() if isinstance(one, TyperCommand | TyperGroup)}


def command_of(words: list[str]) -> tuple[Known, list[str]] | str:
    """The command that words name and the words behind it, or the word that names none."""
    found = root()
    while below(found) and words and not words[0].startswith(("-", "[")):
        names, words = words[0].split("|"), words[1:]
        missing = [name for name in names if name not in below(found)]
        if missing:
            return missing[0]
        found = below(found)[names[0]]
    return found, words


def all_commands(command: Known, before: str = "locus") -> Iterator[str]:
    """Every command by its whole name."""
    if not below(command):
        yield before
    for name, one in below(command).items():
        yield from all_commands(one, f"{before} {name}")


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_between_pages_lead_somewhere(name: str) -> None:
    """To a file or folder that is there, and to a heading of it."""
    page = ROOT / name
    lost = []
    for link in (one or other for one, other in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)

    assert [] == lost


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_locus_exist_with_their_options(name: str) -> None:
    """In blocks of code and in sentences."""
    wrong = []
    for words in commands((ROOT / name).read_text(encoding="utf-8")):
        found = command_of(words)
        if isinstance(found, str):
            wrong.append(f"{' '.join(words)}: no command {found}")
            continue
        command, rest = found
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        given = {match for word in rest for match in re.findall(r"^\[?(--?[a-z][a-z-]*)", word)}
        wrong += [f"{' '.join(words)}: no option {option}" for option in sorted(given - known)]

    assert [] == wrong


def test_every_command_stands_in_the_page_of_commands() -> None:
    """None is forgotten when one is added."""
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    shown = {" ".join(["locus", *words]) for words in commands(text)}
    missing = [
        name for name in all_commands(root()) if not any(one == name or one.startswith(f"{name} ") for one in shown)
    ]

    assert [] == missing


@pytest.mark.parametrize("name", NAMES)
def test_targets_of_make_exist(name: str) -> None:
    """Wherever a page says `make WORD`."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"^\$? ?make ([a-z-]+)", blocks(text), re.MULTILINE)) | {
        target for code in _INLINE.findall(_BLOCK.sub("", text)) for target in re.findall(r"^make ([a-z-]+)", code)
    }

    assert set() == named - targets


@pytest.mark.parametrize("name", NAMES)
def test_extras_exist(name: str) -> None:
    """Wherever a page says `--extra NAME`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"--extra ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8")))

    assert set() == named - set(project["optional-dependencies"])


@pytest.mark.parametrize("name", [one for one in NAMES if not one.startswith("docs/decisions")])
def test_settings_exist(name: str) -> None:
    """Every LOCUS_ name of a page, but for examples of what is wrong."""
    named = set(re.findall(rf"\b{PREFIX}[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?!_)", (ROOT / name).read_text(encoding="utf-8")))

    assert set() == named - setting_names() - secret_file_names() - NO_SETTINGS - OTHERS


@pytest.mark.parametrize("name", NAMES)
def test_modules_that_are_run_exist(name: str) -> None:
    """Wherever a page says `python -m MODULE`."""
    named = set(
        re.findall(r"python3? -m ((?:bot|tests|benchmarks|knowledge|adapters)[\w.]*)", (ROOT / name).read_text())
    )

    assert [] == [one for one in sorted(named) if importlib.util.find_spec(one.rstrip(".")) is None]


def test_every_page_is_in_the_list_of_pages() -> None:
    """docs/README.md leads to each page of docs/; decisions are a folder there."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert [] == sorted(page for page in pages if f"]({page})" not in index)


def test_the_map_of_the_code_names_what_there_is() -> None:
    """Folders and modules of ARCHITECTURE.md exist, and no folder is missing there."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z_]+(?:/[a-z_]+)*/)`[^|]*\|([^|]*)\|([^|]*)\|",
        text.partition("## Code map")[2].partition("\n## ")[0],
        re.MULTILINE,
    )
    lost = []
    for folder, holds, _ in rows:
        base = ROOT / folder
        if not base.is_dir():
            lost.append(folder)
        for module in re.findall(r"`([a-z_*/]+)`", holds):
            if not any(base.glob(pattern) for pattern in (f"{module}.py", module.rstrip("/"))) and not list(
                base.glob(f"{module}.py")
            ):
                lost.append(f"{folder}{module}")
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {
        "/".join(Path(one).parts[:2]) + "/"
        for one in tracked.split()
        if one.startswith(("bot/", "adapters/")) and one.count("/") > 1 and (ROOT / one).exists()
    } - {"bot/bootstrap/", "bot/examination/"}  # told of in the row of bot/

    assert ([], []) == (sorted(set(lost)), sorted(folders - {folder for folder, _, _ in rows}))
