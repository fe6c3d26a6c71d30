"""The chat as a person sees it: a process of its own in a real terminal, or behind real pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pty_process import PtyProcess
from tests.terminal_process import ANSWER

ROOT = Path(__file__).parents[2]
WAITS = "import os, sys, threading; from adapters.terminal import LineInput\n"


def chat(folder: Path, *, columns: int = 80) -> PtyProcess:
    """The chat in a terminal."""
    return PtyProcess([sys.executable, "-m", "tests.terminal_process", str(folder)], cwd=ROOT, columns=columns)


def test_a_conversation_looks_right(tmp_path: Path) -> None:
    """Prompt, question, answer wrapped at words and at wide characters, sources, note, and the prompt again."""
    with chat(tmp_path, columns=60) as terminal:
        terminal.until("› ")
        terminal.type("What is BXD?\n")
        terminal.until("nobody.")
        terminal.until("› ")
        terminal.type("\x04")
        code = terminal.wait()

        assert (0, True) == (code, terminal.modes_kept)
        assert terminal.seen.endswith(
            """A notice.

› What is BXD?
The BXD family was made by crossing C57BL/6J and DBA/2J
mice, and inbreeding their descendants for more than twenty
generations [1]. 日本語の文章は単語の間に空白がないので、ど
こでも改行できます。 It has about 150 strains [2].

Sources
[1] BXD strains [bold red]x[/]  https://gn.example/bxd
[2] Colony  colony.md

Answered [i]by[/i] nobody.

›
"""
        )
        assert 1 == terminal.written.count("It has about")


def test_a_narrower_window_is_obeyed(tmp_path: Path) -> None:
    """Waiting sentences are cut to one line and answers wrapped to the width as it is now."""
    with chat(tmp_path) as terminal:
        terminal.until("› ")
        terminal.resize(24)
        terminal.type("What is BXD?\n")
        terminal.until("nobody.")
        terminal.until("› ")
        terminal.type("\x04")
        terminal.wait()

        assert "2 questions are ahead …" in terminal.written
        assert (
            "\nThe BXD family was made\nby crossing C57BL/6J and\nDBA/2J mice, and\ninbreeding their\n" in terminal.seen
        )


def test_ctrl_c_stops_and_then_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    """Within an answer it stops it, with half a line typed it leaves; the echo is on again afterwards."""
    with chat(tmp_path) as terminal:
        terminal.until("› ")
        terminal.type("wait\n")
        terminal.until("It begins")
        terminal.type("\x03")
        terminal.until("Stopped, as you asked.")
        terminal.until("› ")
        terminal.type("half a li")
        terminal.until("half a li")
        terminal.type("\x03")
        code = terminal.wait()

        assert (0, True) == (code, terminal.modes_kept)
        assert terminal.seen.endswith("\n› half a li\n")


def test_a_killed_chat_goes_on(tmp_path: Path) -> None:
    """The question is answered in the next run, quoted above its answer, and in the one after nothing is left."""
    with chat(tmp_path) as terminal:
        terminal.until("› ")
        terminal.type("wait\n")
        terminal.until("It begins")
        terminal.kill()
    with chat(tmp_path) as terminal:
        terminal.until("One question of the last time is still open; its answer follows here.")
        terminal.until('You asked before the restart: "wait"')
        terminal.until("It begins")
        terminal.type("\x03")
        terminal.until("Stopped, as you asked.")
        terminal.until("› ")
        terminal.type("/quit\n")
        assert 0 == terminal.wait()
    with chat(tmp_path) as terminal:
        terminal.until("› ")
        terminal.type("/quit\n")
        assert 0 == terminal.wait()
        assert "still open" not in terminal.seen


def test_a_pipe_is_answered_to_its_end(tmp_path: Path) -> None:
    """Nothing but text comes out, and the process ends when the last question has its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.terminal_process", str(tmp_path)],
        input=b"one\n\ntwo\xff\xfe",
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    shown = done.stdout.decode()

    assert (0, b"") == (done.returncode, done.stderr)
    assert 2 == shown.count(ANSWER)
    assert "› one\n" in shown
    assert "› two��\n" in shown
    assert "\x1b" not in shown


def test_a_reader_that_leaves_ends_the_chat(tmp_path: Path) -> None:
    """As with `| head -1`: no trace, and what was not read is answered by the next run."""
    command = f"printf 'one\\ntwo\\n' | {sys.executable} -m tests.terminal_process {tmp_path} | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    again = subprocess.run(
        [sys.executable, "-m", "tests.terminal_process", str(tmp_path)],
        input="three\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )

    assert "" == done.stderr
    assert 3 >= again.stdout.count(ANSWER) >= 1


@pytest.mark.parametrize("end", ["close", "exit"])
def test_a_process_ends_while_a_pipe_stays_open(end: str) -> None:
    """A thread that waits for a line is woken by `close`, and does not abort an interpreter that ends without it."""
    code = WAITS + (
        "read = LineInput()\n"
        "def wait():\n"
        "    try: print(repr(read('')), flush=True); read('')\n"
        "    except EOFError: print('end', flush=True)\n"
        "thread = threading.Thread(target=wait, daemon=True); thread.start()\n"
        "os.read(int(sys.argv[1]), 1)\n"
    )
    code += "read.close(); thread.join(); read.close()\n" if end == "close" else ""
    ready, tell = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ready)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[ready],
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdin.write(b"a line\n")
        process.stdin.flush()
        first = process.stdout.readline()
        os.write(tell, b"x")
        rest, errors = process.stdout.read(), process.stderr.read()
        code_of = process.wait(30)
    os.close(ready)
    os.close(tell)

    assert (b"'a line'\n", 0, b"") == (first, code_of, errors)
    assert (b"end\n" if end == "close" else b"") == rest


def test_lines_of_a_pipe_are_bounded() -> None:
    """Of a line without an end a megabyte is kept, and the next one is read as it is."""
    code = WAITS + (
        "with LineInput() as read:\n"
        "    print([len(read('> ')), read(''), read('')])\n"
        "    try: read('')\n"
        "    except EOFError: print('end')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=b"x" * 5_000_000 + b"\ntwo\nlast",
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    length = int(done.stdout.split(b"[")[1].split(b",")[0])

    assert (0, b"") == (done.returncode, done.stderr)
    assert done.stdout.startswith(b"> [")
    assert done.stdout.endswith(b", 'two', 'last']\nend\n")
    assert 1 << 20 <= length <= (1 << 20) + (1 << 17)
