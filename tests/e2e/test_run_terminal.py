"""`locus run` in a terminal and behind a pipe: killed in the middle of an answer, it finishes it after the restart."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import LAB, write_documents
from tests.engines import write_chain_gguf
from tests.openai_server import OpenAiServer, delta, saying, slowly
from tests.pty_process import PtyProcess
from tests.servers import Reply

LOCUS = Path(sys.executable).with_name("locus")
QUESTION = "Where were the HXB rats bred?"
UNSUPPORTED = "The model wrote nothing that the documents support."
BRED = "The HXB and BXH rats were bred in Prague"
DEADLINE_S = 200.0


def environment(**settings: str) -> dict[str, str]:
    """A clean environment with these settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    return {**clean, "LOCUS_TERMINAL": "on", "LOCUS_LEASE_S": "2", **settings}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index, to be copied."""
    root = tmp_path_factory.mktemp("run")
    write_documents(root / "lab", LAB)
    ingest = [str(LOCUS), "ingest", "lab", "--data-dir", "data"]
    subprocess.run(ingest, cwd=root, env=environment(), capture_output=True, timeout=DEADLINE_S, check=True)
    return root / "data"


@pytest.fixture
def folder(index: Path, tmp_path: Path) -> Path:
    """A folder of this test's own, with the index in `data/`."""
    subprocess.run(["cp", "-r", str(index), str(tmp_path / "data")], check=True)
    return tmp_path


@pytest.fixture
def endpoint() -> Iterator[OpenAiServer]:
    """A model elsewhere that writes what the test says, when it says."""
    with OpenAiServer() as server:
        yield server


def run(folder: Path, **settings: str) -> PtyProcess:
    """`locus run` in a terminal of its own."""
    return PtyProcess([str(LOCUS), "run", "--data-dir", "data"], cwd=folder, environment=environment(**settings))


@contextlib.contextmanager
def piped(folder: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """`locus run` behind a pipe; killed on leaving where it still runs."""
    with subprocess.Popen(
        [str(LOCUS), "run", "--data-dir", "data"],
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def enter(process: subprocess.Popen[str], *lines: str) -> None:
    """Write lines to its input."""
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.flush()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what it writes until `text` was among it."""
    assert process.stdout is not None
    told = ""
    while text not in told:
        line = process.stdout.readline()
        assert line, f"it ended after {told!r}"
        told += line
    return told


def test_an_answer_of_a_local_model_survives_sigkill(folder: Path) -> None:
    """Killed while the model writes, `locus run` finishes the answer after the restart and shows it once."""
    words = ["The", "HXB", "rats", "arose", "inside", "labs", "mmm"]
    # A model that never ends: it repeats its last word as long as it may.
    model = write_chain_gguf(folder / "endless.gguf", [">", *words], words=words, end=False)
    settings = {"LOCUS_MODEL": str(model), "LOCUS_MODEL_MAX_TOKENS": "1600", "LOCUS_MODEL_THREADS": "1"}
    with run(folder, **settings) as terminal:
        terminal.until("› ", DEADLINE_S)
        terminal.type(f"{QUESTION}\n")
        terminal.until("mmm mmm", DEADLINE_S)
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.kill()
        before = terminal.seen
    with run(folder, **settings) as terminal:
        terminal.until("One question of the last time is still open; its answer follows here.", DEADLINE_S)
        terminal.until(f'You asked before the restart: "{QUESTION}"', DEADLINE_S)
        terminal.until(UNSUPPORTED, DEADLINE_S)
        terminal.until("› ", DEADLINE_S)
        terminal.type("/quit\n")
        code = terminal.wait(DEADLINE_S)
        after = terminal.seen
    with run(folder, **settings) as terminal:
        terminal.until("› ", DEADLINE_S)
        terminal.type("\x04")
        assert 0 == terminal.wait(DEADLINE_S)
        later = terminal.seen

    assert 0 == code
    assert [0, 1, 0] == [" ".join(seen.split()).count(UNSUPPORTED) for seen in (before, after, later)]
    assert "still open" not in later


def test_questions_of_a_pipe_survive_sigkill(folder: Path, endpoint: OpenAiServer) -> None:
    """Killed in the middle of the first of two answers, both are given after the restart, once and in order."""
    answering = threading.Event()

    def begin(_body: object) -> Reply:
        answering.set()
        return slowly(endpoint, delta(role="assistant", content=""), delta(content=f"{BRED} "))

    endpoint.replies = [begin, saying(f"{BRED} [1].")]
    settings = {"LOCUS_REMOTE_URL": endpoint.api, "LOCUS_REMOTE_MODEL": "test-model"}
    with piped(folder, **settings) as first:
        enter(first, QUESTION, "Which mice were crossed to make the BXD strains?")
        told = read_until(first, " documents …")
        assert answering.wait(DEADLINE_S)
        first.kill()
        told += first.communicate(timeout=DEADLINE_S)[0]
    with piped(folder, **settings) as again:
        shown, errors = again.communicate("", timeout=DEADLINE_S)

    assert (0, "") == (again.returncode, errors)
    assert BRED not in told
    assert "2 questions of the last time are still open; their answers follow here.\n" in shown
    assert [1, 1] == [shown.count(f'You asked before the restart: "{text}') for text in (QUESTION, "Which mice were")]
    assert shown.index(QUESTION) < shown.index("Which mice")
    assert 1 == shown.count(f"{BRED} [1].")


def test_sigterm_while_a_line_is_awaited(folder: Path) -> None:
    """A pipe that stays open and a terminal in the hands of readline both end with status 0, the modes as found."""
    with piped(folder) as pipe:
        enter(pipe, "help")
        read_until(pipe, "help")
        pipe.send_signal(signal.SIGTERM)
        code = pipe.wait(DEADLINE_S)
        assert pipe.stderr is not None
        errors = pipe.stderr.read()
    with run(folder) as terminal:
        terminal.until("› ", DEADLINE_S)
        terminal.type("half a li")
        terminal.until("half a li")
        os.kill(terminal.pid, signal.SIGTERM)
        code_there = terminal.wait(DEADLINE_S)

        assert (0, "") == (code, errors)
        assert (0, True) == (code_there, terminal.modes_kept)
