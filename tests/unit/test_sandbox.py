"""What a confined process is refused, tried in processes of their own: being confined is for good."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bot.engine import sandbox
from bot.engine.sandbox import clean_environment
from tests.kernel import needs_landlock, needs_seccomp

TRIALS = """
import json, os, socket, subprocess, sys, threading
from bot.engine.sandbox import confine

go, done = threading.Event(), threading.Event()
early = {}

def tried(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return 0

def older_thread():
    go.wait()
    early["network"] = tried(lambda: socket.socket(socket.AF_INET))
    done.set()

server = socket.socket(socket.AF_UNIX)
address = os.path.join(sys.argv[2], "server.sock")
server.bind(address)
server.listen()
threaded = sys.argv[1] == "threaded"
if threaded:
    threading.Thread(target=older_thread, daemon=True).start()
granted = confine()
if threaded:
    go.set()
    done.wait()
folder = sys.argv[2]
given = os.path.join(folder, "given.txt")
results = {
    "IPv4": tried(lambda: socket.socket(socket.AF_INET)),
    "IPv6": tried(lambda: socket.socket(socket.AF_INET6)),
    "netlink": tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "local server": tried(lambda: socket.socket(socket.AF_UNIX).connect(address)),
    "program": tried(lambda: os.execv("/bin/true", ["true"])),
    "child program": tried(lambda: subprocess.run(["/bin/true"])),
    "write": tried(lambda: open(given, "a").close()),
    "truncate": tried(lambda: os.truncate(given, 0)),
    "new file": tried(lambda: open(os.path.join(folder, "new.txt"), "w").close()),
    "new folder": tried(lambda: os.mkdir(os.path.join(folder, "new"))),
    "delete": tried(lambda: os.unlink(given)),
    "rename": tried(lambda: os.rename(given, given + "2")),
    "parent's secrets": tried(lambda: open(f"/proc/{os.getppid()}/environ", "rb").read()),
    "read": tried(lambda: open(given).close()),
    "null device": tried(lambda: open(os.devnull, "w").close()),
}
print(json.dumps({"granted": granted, "results": results, "early": early}))
"""
EPERM, EACCES = 1, 13


def trials(folder: Path, mode: str = "alone") -> dict[str, dict[str, int]]:
    """Confine a new process and let it try what it must not do."""
    (folder / "given.txt").write_text("given")
    done = subprocess.run(
        [sys.executable, "-I", "-c", TRIALS, mode, str(folder)],
        capture_output=True, text=True, timeout=60, check=True, env=clean_environment(os.environ),
    )  # fmt: skip
    answer: dict[str, dict[str, int]] = json.loads(done.stdout)
    return answer


@needs_seccomp
def test_network_and_programs_are_out_of_reach(tmp_path: Path) -> None:
    """Sockets of every family but local ones, connections to local servers, and programs are refused by the kernel."""
    found = trials(tmp_path)
    assert found["granted"]["network"]

    names = ("IPv4", "IPv6", "netlink", "local server", "program", "child program")
    assert dict.fromkeys(names, EPERM) == {name: found["results"][name] for name in names}


@needs_landlock
def test_nothing_can_be_written_but_everything_read(tmp_path: Path) -> None:
    """Files are neither made nor changed nor removed; the model file and the null device stay open to it."""
    found = trials(tmp_path)
    assert found["granted"]["writing"]

    names = ("write", "truncate", "new file", "new folder", "delete", "rename")
    assert dict.fromkeys(names, EACCES) == {name: found["results"][name] for name in names}
    assert (0, 0) == (found["results"]["read"], found["results"]["null device"])
    assert "given" == (tmp_path / "given.txt").read_text()


@needs_landlock
def test_the_environment_of_the_process_that_started_it_cannot_be_read(tmp_path: Path) -> None:
    """The chats' process holds the tokens; Landlock keeps the confined one from looking into it."""
    found = trials(tmp_path)
    assert found["granted"]["writing"]

    assert found["results"]["parent's secrets"] in (EPERM, EACCES)


@needs_seccomp
def test_threads_that_run_already_are_confined_too(tmp_path: Path) -> None:
    """The filter of calls reaches them; the promise about writing, which does not, is not made then."""
    found = trials(tmp_path, "threaded")
    assert found["granted"]["network"]

    assert EPERM == found["early"]["network"]
    assert not found["granted"]["writing"]


def test_only_what_the_model_needs_of_the_environment_is_passed_on() -> None:
    """Paths, language, graphics drivers; no settings, tokens or proxies."""
    given = {
        "PATH": "/bin", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "0", "LOCUS_SLACK__BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1", "HTTPS_PROXY": "http://user:pass@proxy", "AWS_SECRET_ACCESS_KEY": "k",
        "PYTHONPATH": "/evil", "LD_PRELOAD": "/evil.so",
    }  # fmt: skip
    kept = clean_environment(given)

    assert {"PATH", "LC_ALL", "CUDA_VISIBLE_DEVICES"} == kept.keys() & given.keys()


def test_elsewhere_nothing_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems the doctor must be able to say that the process is not confined."""
    monkeypatch.setattr(sys, "platform", "darwin")

    assert {"network": False, "writing": False} == sandbox.confine()
    assert not sandbox.forbid_calls(amx=True)


def test_an_unknown_processor_is_promised_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of system calls are known for two."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    assert not sandbox.forbid_calls(amx=True)
