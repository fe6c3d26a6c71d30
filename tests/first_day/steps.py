"""What an operator does on the first day, each step with the commands of the page that tells it."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dotenv import dotenv_values

from tests.first_day.memory import FOLLOW_UP, QUESTION, SUBSCRIBE, Memory, converse, recall
from tests.first_day.older import described, unpack_version
from tests.first_day.operator import Operator
from tests.first_day.report import require
from tests.redis_servers import free_port

EXTRAS = ("run", "redis-server", "documents", "charts")
SOURCE_LINK = "https://github.com/genenetwork/gn-docs/"
PROMPT = "› "
ANSWER_S = 120.0
NOT_KNOWN = "does not know, and was left as it is"


def install_with_pip(operator: Operator, checkout: str, *, extras: Sequence[str] = EXTRAS) -> None:
    """docs/installing-with-pip.md, from the clone on.

    Args:
        operator: In an empty folder; the environment will be `locus/venv` there.
        checkout: What is cloned.
        extras: Beyond what is always installed.
    """
    operator.run(f"git clone --quiet {checkout} locus")
    files = " ".join(f"-r requirements/{name}.txt" for name in ("base", *extras))
    inside = operator.inside("locus")
    inside.run("python3 -m venv venv")
    active = inside.activated("venv")
    require((active.programs / "pip").is_file(), "the environment has no pip of its own")
    active.run(f"pip install --no-deps {files}")
    active.run("pip install --no-deps .")
    operator.report.note(active.run("locus --version").strip())


def set_up(operator: Operator) -> None:
    """`locus setup`: the documents that come with Locus, quoting, no chat but the terminal, the page in the browser."""
    answers = [
        ("come with Locus?", "y"),
        ("own documentation", "n"),
        ("Further sources", "-"),
        ("Bring them in now?", "y"),
        ("Which one", "none"),
        ("Connect Slack?", "n"),
        ("Connect Matrix?", "n"),
        ("Time zone of the lab", "America/Chicago"),
        ("Contact that", "lab@example.org"),
        ("Open a page", "y"),
        ("On which port", str(free_port())),
        ("Look now", "y"),
    ]
    seen = operator.answer("locus setup", answers)
    file = operator.folder / ".env"
    written = dotenv_values(file)
    require(stat.S_IMODE(file.stat().st_mode) == 0o600, f"{file} can be read by others")
    require(written.get("LOCUS_SOURCES") == "starter", f"LOCUS_SOURCES is {written.get('LOCUS_SOURCES')}")
    require(written.get("LOCUS_TIME_ZONE") == "America/Chicago", f"LOCUS_TIME_ZONE is {written.get('LOCUS_TIME_ZONE')}")
    token = written.get("LOCUS_DASHBOARD_TOKEN") or ""
    require(len(token) >= 16 and token not in seen, "the dashboard's token was not made, or was shown")
    require("documents new or changed" in seen, f"no documents came in:\n{seen}")
    operator.report.note(f"{file.name}: {', '.join(written)}")


def look_at_everything(operator: Operator) -> None:
    """`locus doctor`: no errors; warnings are shown."""
    said = operator.run("locus doctor")
    found = operator.read("locus doctor --json")["findings"]
    operator.report.note("\n".join(line for line in said.splitlines() if line.startswith(("warning", "error"))) or "ok")
    require(all(one["level"] != "error" for one in found), said)
    parts = {one["part"] for one in found}
    wanted = {
        "version",
        "settings",
        "disk",
        "data folder",
        "time zone",
        "embedding",
        "index",
        "source",
        "model",
        "redis",
    }
    require(wanted <= parts, f"nothing is said of {', '.join(sorted(wanted - parts))}")


def chat(operator: Operator) -> None:
    """`locus run` in a terminal: a question, a follow-up, `status`, a subscription; each with what it rests on."""
    with operator.terminal("locus run") as terminal:
        terminal.until(PROMPT, ANSWER_S)
        for question in (QUESTION, FOLLOW_UP):
            terminal.type(f"{question}\n")
            terminal.until("Sources", ANSWER_S)
            terminal.until(SOURCE_LINK, ANSWER_S)
            terminal.until(PROMPT, ANSWER_S)
        terminal.type("status\n")
        terminal.until("I have read", ANSWER_S)
        terminal.until(PROMPT, ANSWER_S)
        if operator.settings.get("LOCUS_GENENETWORK") != "off":
            terminal.type(f"{SUBSCRIBE}\n")
            terminal.until("every Monday at 9:00", ANSWER_S)
            terminal.until(PROMPT, ANSWER_S)
        terminal.type("/quit\n")
        code = terminal.wait(ANSWER_S)
        seen = terminal.seen
    require(code == 0, f"`locus run` ended with {code}:\n{seen}")
    require("[1]" in seen, f"no statement has a number:\n{seen}")
    for line in seen.splitlines():
        if line.startswith(("I have read", "[1] ")):
            operator.report.note(line)


def back_up_and_restore(operator: Operator, data: Path, other: Path) -> None:
    """docs/operating.md: the same answer, conversations and subscriptions are in a folder that was empty.

    Args:
        operator: Whose data folder it is.
        data: That folder.
        other: An empty one.
    """
    before = recall(operator, data)
    file = operator.folder / "lab.backup"
    operator.report.note(operator.run(f"locus backup {file}").strip())
    operator.run(f"locus restore --check {file}")
    there = operator.changed(LOCUS_DATA_DIR=str(other))
    operator.report.note(there.run(f"locus restore {file}").strip().splitlines()[0])
    there.run("locus doctor")
    after = recall(there, other)
    require(not before.lost(after), f"lost by backup and restore: {', '.join(before.lost(after))}")
    operator.report.note(_counted(after))


def upgrade(operator: Operator, commit: str, folder: Path, *, digests: bool) -> None:
    """docs/operating.md, Upgrade: a data folder of an earlier version, opened by this one, and by that one again.

    Args:
        operator: Runs this version.
        commit: The earlier version.
        folder: For its code and its data.
        digests: Whether that version knows digests.
    """
    operator.report.note(f"from {described(commit)}")
    data = folder / "data"
    code = unpack_version(commit, folder / "code")
    # Not with the .env of the guide: an earlier version refuses, by name, a setting that it does not know.
    new = replace(operator, folder=folder).changed(LOCUS_DATA_DIR=str(data))
    old = new.changed(code=code)
    where = old.run("python -P -c 'import bot; print(bot.__file__)'").strip()
    require(where.startswith(str(code)), f"the earlier version is not what runs: {where}")
    old.run("locus ingest starter")
    converse(old, QUESTION, FOLLOW_UP, *([SUBSCRIBE] if digests else []))
    before = recall(old, data, digests=digests)
    operator.report.note(_counted(before))
    require(len(before.turns) >= 4, f"the earlier version remembers {len(before.turns)} turns of 4")
    require(not digests or bool(before.digests), "the earlier version has no subscription")
    new.run(f"locus backup {folder / 'before.backup'}")
    new.run("locus doctor")
    after = recall(new, data)
    require(not before.lost(after), f"lost by the upgrade: {', '.join(before.lost(after))}")
    converse(new, "And who made them?")
    # Back for a day, and forward again: the form of the folder has not changed between the two.
    back = recall(old, data, digests=digests)
    require(not before.lost(back), f"the earlier version misses {', '.join(before.lost(back))}")
    forward = recall(new, data)
    require(not after.lost(forward), f"lost by going back: {', '.join(after.lost(forward))}")
    require(len(forward.turns) > len(after.turns), "what was asked after the upgrade is lost by going back")
    operator.report.note(_counted(forward))
    restored = folder / "restored"
    new.changed(LOCUS_DATA_DIR=str(restored)).run(f"locus restore {folder / 'before.backup'}")
    again = recall(old.changed(code=code, LOCUS_DATA_DIR=str(restored)), restored, digests=digests)
    require(not before.lost(again), f"the backup of before the upgrade misses {', '.join(before.lost(again))}")


def refuse_a_newer_folder(operator: Operator, data: Path) -> None:
    """docs/operating.md, Going back: a folder of a form that is not known here is refused and left as it is."""
    note = data / "form.json"
    mine = note.read_text()
    note.write_text(json.dumps({"form": 99, "locus": "9.0.0"}))
    try:
        before = _fingerprint(data)
        there = operator.changed(LOCUS_DATA_DIR=str(data))
        said = there.run("locus run", exits=9, LOCUS_TERMINAL="on")
        for command in (f'locus ask "{QUESTION}"', "locus ingest starter", "locus digest list", "locus inbox list"):
            there.run(command, exits=9)
        examined = there.run("locus doctor", exits=1)
        require(NOT_KNOWN in said and NOT_KNOWN in examined, f"it is refused without its sentence:\n{said}\n{examined}")
        changed = sorted(dict(before.items() ^ _fingerprint(data).items()))
        require(not changed, f"a refused command has changed {', '.join(changed)}")
        operator.report.note(said.strip())
    finally:
        note.write_text(mine)


def demonstrate(operator: Operator) -> None:
    """`make demo` of the README, in a clone of its own: uv comes from PyPI where it is not on the path."""
    said = operator.run(f'make demo QUESTION="{QUESTION}"')
    require("[1]" in said and SOURCE_LINK in said, f"no cited answer:\n{said}")


def _counted(memory: Memory) -> str:
    digests = "" if memory.digests is None else f", {len(memory.digests)} digest(s)"
    return f"{len(memory.turns)} turns of conversation{digests}, an answer with {len(memory.answer) - 1} source(s)"


def _fingerprint(data: Path) -> dict[str, str]:
    files = [path for path in sorted(data.rglob("*")) if path.is_file()]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
