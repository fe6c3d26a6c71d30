"""`locus setup` in a terminal of its own and behind a pipe, with scripted answers, over real servers."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from dotenv import dotenv_values

from adapters.slack.manifest import manifest_link, manifest_scopes
from bot.cli.setup_model import fitting_models, suggested_model
from bot.engine.devices import GpuDevice
from tests.gguf_models import write_random_gguf
from tests.integration.test_doctor import app
from tests.matrix_server.synapse import Synapse
from tests.pty_process import PtyProcess
from tests.redis_servers import free_port
from tests.slack_server import APP_TOKEN, BOT_TOKEN, LocalSlack

LOCUS = Path(sys.executable).with_name("locus")
DEADLINE_S = 200.0
# What the guide asks, in order, in words of its own.
STARTER, GN_DOCS, FURTHER, BRING = "come with Locus?", "own documentation", "Further sources", "Bring them in now?"
MODEL, SLACK, BOT, APP = "Which one", "Connect Slack?", "Token of the bot", "Token of the app"
MATRIX, HOMESERVER, ACCOUNT, PASSWORD = "Connect Matrix?", "Address of the homeserver", "Account, such", "Password of"
ZONE, CONTACT, LOOK = "Time zone of the lab", "Contact that", "Look now"
PAGE, PORT = "Open a page in the browser", "On which port"


def environment(**settings: str) -> dict[str, str]:
    """A clean environment with these settings; nothing outside this machine is asked."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    return {**clean, "LOCUS_GENENETWORK": "off", **settings}


def typed(folder: Path, answers: Sequence[tuple[str, str]], env: Mapping[str, str]) -> tuple[int, str]:
    """Answer in a terminal; returns the exit code and what was seen."""
    with PtyProcess([str(LOCUS), "setup", "--data-dir", "data"], cwd=folder, environment=env, columns=200) as process:
        for question, answer in answers:
            process.until(question, DEADLINE_S)
            process.until(": ", DEADLINE_S)
            process.type(f"{answer}\n")
        code = process.wait(DEADLINE_S)
        return code, process.seen


def piped(folder: Path, answers: Sequence[str], **settings: str) -> subprocess.CompletedProcess[str]:
    """Answer through a pipe."""
    return subprocess.run(
        [str(LOCUS), "setup", "--data-dir", "data"],
        cwd=folder,
        env=environment(**settings),
        input="".join(f"{answer}\n" for answer in answers),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def written(folder: Path) -> dict[str, str | None]:
    """What the settings file holds."""
    return dict(dotenv_values(folder / ".env"))


async def test_a_lab_is_set_up_in_one_go(synapse: Synapse, tmp_path: Path) -> None:
    """Documents, model, Slack, Matrix, time zone, contact; each is tried at once, and no secret is shown."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "protocol.md").write_text("# Feeding\n\nBXD mice are fed twice a day in the colony.\n")
    model = write_random_gguf(tmp_path / "lab.gguf")
    account = synapse.register("locus")
    port = free_port()
    answers = [
        (STARTER, "n"),
        (GN_DOCS, ""),
        (FURTHER, "nowhere"),
        (FURTHER, "lab"),
        (BRING, "y"),
        (MODEL, str(tmp_path / "none.gguf")),
        (MODEL, "lab.gguf"),
        (SLACK, "y"),
        (BOT, APP_TOKEN),
        (BOT, "xoxb-of-somebody-else"),
        (BOT, BOT_TOKEN),
        (APP, APP_TOKEN),
        (MATRIX, "y"),
        (HOMESERVER, synapse.url),
        (ACCOUNT, account.user_id),
        (PASSWORD, "wrong password"),
        (ACCOUNT, account.user_id),
        (PASSWORD, account.password),
        (ZONE, "Mars/Olympus"),
        (ZONE, "America/Chicago"),
        (CONTACT, "lab@example.org"),
        (PAGE, "y"),
        (PORT, "70000"),
        (PORT, str(port)),
        (LOOK, "y"),
    ]
    async with LocalSlack(app(manifest_scopes())) as slack:
        env = environment(LOCUS_SLACK_API_URL=f"{slack.base_url}/api/")
        code, seen = await asyncio.to_thread(typed, tmp_path, answers, env)

    assert 0 == code, seen
    settings = written(tmp_path)
    token = settings.pop("LOCUS_DASHBOARD_TOKEN") or ""
    assert {
        "LOCUS_DATA_DIR": str(tmp_path / "data"),
        "LOCUS_SOURCES": str(tmp_path / "lab"),
        "LOCUS_MODEL": str(model),
        "LOCUS_SLACK_BOT_TOKEN": BOT_TOKEN,
        "LOCUS_SLACK_APP_TOKEN": APP_TOKEN,
        "LOCUS_MATRIX_HOMESERVER": synapse.url,
        "LOCUS_MATRIX_USER": account.user_id,
        "LOCUS_TIME_ZONE": "America/Chicago",
        "LOCUS_CONTACT": "lab@example.org",
        "LOCUS_HEALTH_PORT": str(port),
    } == settings
    assert 32 == len(token)
    assert 0o600 == stat.S_IMODE((tmp_path / ".env").stat().st_mode)
    assert [] == [
        word for word in (BOT_TOKEN, "xoxb-of", APP_TOKEN, account.password, "wrong password", token) if word in seen
    ]
    assert f"Logged in as {account.user_id}" in seen
    assert "Start Locus with `locus run`" in seen
    assert manifest_link() in seen.replace("\n", "")


def test_everything_can_be_left_out(tmp_path: Path) -> None:
    """Then nothing but the data folder is written, and it says how to ask."""
    done = piped(tmp_path, ["skip"] * 7)

    assert (0, {"LOCUS_DATA_DIR": str(tmp_path / "data")}) == (done.returncode, written(tmp_path))
    assert 7 == done.stdout.count("Left out.")
    assert "Ask your first question with `locus chat`." in done.stdout


def test_a_second_time_changes_nothing_that_is_kept(tmp_path: Path) -> None:
    """Enter keeps everything: documents, model, zone, contact, and lines and comments of one's own."""
    model, port = write_random_gguf(tmp_path / "lab.gguf"), str(free_port())
    first = piped(
        tmp_path, ["y", "n", "-", "n", str(model), "n", "n", "America/Chicago", "lab@example.org", "y", port, "n"]
    )
    with (tmp_path / ".env").open("a") as file:
        file.write("# mine\nLOCUS_TOP_K=5\n")
    before = (tmp_path / ".env").read_text()
    again = piped(tmp_path, ["", "", "", "n", "", "", "", "", "", "", "", "n"])

    assert (0, 0) == (first.returncode, again.returncode), again.stdout + again.stderr
    assert before == (tmp_path / ".env").read_text()
    assert "Written" not in again.stdout


def test_what_was_done_before_it_was_stopped_is_kept(tmp_path: Path) -> None:
    """Also where the input simply ends."""
    done = piped(tmp_path, ["y", "n", "-", "n"])

    assert 130 == done.returncode
    assert "Stopped. What was already done is kept." in done.stderr
    assert "starter" == written(tmp_path)["LOCUS_SOURCES"]


def test_settings_that_are_wrong_already_are_said_first(tmp_path: Path) -> None:
    """Nothing is written over them."""
    (tmp_path / ".env").write_text("LOCUS_TOPK=3\n")
    done = piped(tmp_path, [])

    assert (3, "LOCUS_TOPK=3\n") == (done.returncode, (tmp_path / ".env").read_text())
    assert "did you mean LOCUS_TOP_K?" in done.stderr


def test_a_variable_of_the_environment_wins_and_is_named(tmp_path: Path) -> None:
    """Otherwise people would look for their answer in vain."""
    done = piped(tmp_path, ["y", "n", "-", "n", "skip", "n", "n", "skip", "n", "n"], LOCUS_SOURCES="elsewhere")

    assert "LOCUS_SOURCES is set in the environment too, which wins over the file." in done.stdout


def test_a_pipe_that_keeps_being_wrong_comes_to_its_end(tmp_path: Path) -> None:
    """After three attempts the step is left out, and the rest goes on."""
    done = piped(tmp_path, ["skip", *["99"] * 3, "n", "n", "America/Chicago", "-", "n", "n"])

    assert (0, "America/Chicago") == (done.returncode, written(tmp_path).get("LOCUS_TIME_ZONE"))
    assert "There is no model 99" in done.stdout


def test_a_port_that_is_taken_is_not_written(tmp_path: Path) -> None:
    """Another program listens there; the next one is taken, with a token that only the file shows."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, other = str(taken.getsockname()[1]), str(free_port())
        done = piped(tmp_path, ["skip", "skip", "skip", "skip", "skip", "y", port, other, "n"])
    settings = written(tmp_path)

    assert (0, other) == (done.returncode, settings["LOCUS_HEALTH_PORT"])
    assert f"Port {port} is in use" in done.stdout
    assert str(settings["LOCUS_DASHBOARD_TOKEN"]) not in done.stdout


def test_only_models_that_fit_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the free memory of the machine or of its GPUs, whichever is more."""
    monkeypatch.setattr("bot.cli.setup_model.installed_gpu_devices", lambda: ())
    offered = {}
    for gib in (1, 7, 64):
        monkeypatch.setattr("bot.cli.setup_model.free_memory", lambda size=gib: size * 2**30)
        offered[gib] = [model.memory_gib for model in fitting_models()]

    assert [] == offered[1]
    assert offered[7]
    assert 7 >= max(offered[7])
    assert len(offered[7]) < len(offered[64])


def test_the_largest_that_is_quick_enough_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU a small one, on a GPU what fits its memory, and none where none fits."""
    monkeypatch.setattr("bot.cli.setup_model.free_memory", lambda: 64 * 2**30)
    monkeypatch.setattr("bot.cli.setup_model.installed_gpu_devices", lambda: ())
    on_cpu = suggested_model(fitting_models())
    gpu = GpuDevice("CUDA0", "made up", 17 * 2**30, 24 * 2**30)
    monkeypatch.setattr("bot.cli.setup_model.installed_gpu_devices", lambda: (gpu,))
    on_gpu = suggested_model(fitting_models())

    assert ((8, 16), None) == (
        (on_cpu.memory_gib if on_cpu else 0, on_gpu.memory_gib if on_gpu else 0),
        suggested_model([]),
    )
