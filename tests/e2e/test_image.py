"""What the image runs, in a bare virtual environment that is installed as the Dockerfile says: no engine is needed."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

from tests.documents import LAB, write_documents
from tests.redis_servers import free_port, redis_binary

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
WITHIN_S = 120.0  # a slow machine that reads everything for the first time
QUESTION = "Which mice were crossed to make the BXD strains?"


def _uv() -> str:
    own = ROOT / ".uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        pytest.skip("uv is not installed: `make setup-dev` brings it")
    return found


def _instruction(name: str) -> list[str]:
    """Return the words of an ENTRYPOINT or CMD."""
    words: list[str] = json.loads(re.findall(rf"^{name} (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
    return words


def _health_check() -> list[str]:
    words: list[str] = json.loads(re.findall(r"^ +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0])
    return words


class Image:
    """An environment in the place of the image.

    Args:
        folder: Holds it.
    """

    def __init__(self, folder: Path) -> None:
        self.venv = folder / "venv"
        self.data = folder / "data"
        self.tmp = folder / "tmp"
        self.settings = folder / "etc"
        for path in (self.data, self.tmp, self.settings):
            path.mkdir()
        programs = folder / "usr-bin"  # the image has Debian's redis-server
        programs.mkdir()
        (programs / "redis-server").symlink_to(redis_binary())
        runtime = DOCKERFILE.partition("AS runtime\n")[2]
        block = re.search(r"^ENV (.*?)(?<!\\)$", runtime, re.MULTILINE | re.DOTALL)
        assert block is not None
        variables = dict(word.split("=", 1) for word in shlex.split(block[1].replace("\\\n", " ")))
        places = {"/opt/locus": str(self.venv), "/data": str(self.data), "/tmp": str(self.tmp)}  # noqa: S108
        named = re.compile("|".join(places))
        variables = {name: named.sub(lambda found: places[found[0]], value) for name, value in variables.items()}
        base = f"{programs}:/usr/local/bin:/usr/bin:/bin"
        self.environment = variables | {"PATH": variables["PATH"].replace("$PATH", base), "TMPDIR": str(self.tmp)}

    def build(self) -> None:
        """Do what the Dockerfile does, but for compiling: llama-cpp-python is copied from the tests' environment."""
        steps = re.findall(r"^RUN (uv sync .*)$", DOCKERFILE, re.MULTILINE)
        home = pwd.getpwuid(os.getuid()).pw_dir
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | {
            "HOME": home,
            "UV_PROJECT_ENVIRONMENT": str(self.venv),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
        }
        more = ["--quiet", "--reinstall-package", "locus-bot", "--no-install-package", "llama-cpp-python"]
        subprocess.run([_uv(), *shlex.split(steps[-1])[1:], *more], cwd=ROOT, env=environment, check=True, timeout=240)
        (packages,) = (self.venv / "lib").glob("python3.*/site-packages")
        compiled = distribution("llama-cpp-python")
        for name in {path.parts[0] for path in compiled.files or () if path.parts[0] not in ("..", "bin")}:
            shutil.copytree(Path(str(compiled.locate_file(name))), packages / name)

    def confined(self, *command: str) -> list[str]:
        """Return a command that can write nowhere but where the image's root file system has volumes."""
        script = str(ROOT / "tests" / "read_only.py")
        return [sys.executable, "-I", script, str(self.data), str(self.tmp), "--", *command]

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command as in the container."""
        return subprocess.run(
            self.confined(*command),
            cwd=self.settings,
            env=self.environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    @contextlib.contextmanager
    def running(self, *command: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command in the background; it is told to end, and must have ended in the end."""
        process = subprocess.Popen(
            self.confined(*command),
            cwd=self.settings,
            env=self.environment | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def healthy(self, check: list[str], process: subprocess.Popen[str], settings: dict[str, str]) -> bool:
        """Ask as the engine does until the answer is yes, the process ends or too much time is over."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            asked = subprocess.run(
                check, cwd=self.settings, env=self.environment | settings, capture_output=True, timeout=30, check=False
            )
            if asked.returncode == 0:
                return True
        return False


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The installed environment, with an index of a few documents, made by the image's own command."""
    made = Image(tmp_path_factory.mktemp("image"))
    made.build()
    probe = made.run("true")
    if probe.returncode == 77:
        pytest.skip("this kernel has no Landlock, with which a read-only root file system is played here")
    write_documents(made.data / "documents", LAB)
    done = made.run("locus", "ingest", str(made.data / "documents"))
    assert done.returncode == 0, done.stderr
    return made


def test_the_extras_are_installed_and_nothing_for_developers(image: Image) -> None:
    """Chats, model, documents and pictures work; test tools, and the bundled Redis of the tests, stay out."""
    wanted = "llama_cpp, slack_bolt, nio, pypdf, docx, matplotlib, redis, apscheduler, chromadb"
    done = image.run("python", "-c", f"import {wanted}, bot; print(bot.__file__)")
    left_out = image.run("python", "-c", "import pytest")

    assert 0 == done.returncode, done.stderr
    assert str(image.venv) in done.stdout
    assert 1 == left_out.returncode


def test_the_entry_command_runs_and_the_health_check_says_so(image: Image) -> None:
    """It starts with a read-only root, answers questions, is found healthy, and ends with 0 when it is told to."""
    port = free_port()
    settings = {"LOCUS_TERMINAL": "on", "LOCUS_HEALTH_PORT": str(port)}
    command = [*_instruction("ENTRYPOINT"), *_instruction("CMD")]
    with image.running(*command, **settings) as process:
        healthy = image.healthy(_health_check(), process, settings)
        ready = ["python", "-c", f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/readyz', timeout=4)"]
        is_ready = image.healthy(ready, process, settings)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=WITHIN_S)

    assert (True, True, 0) == (healthy, is_ready, process.returncode), output
    assert [] == list(image.settings.iterdir())


def test_the_health_check_fails_where_nothing_runs(image: Image) -> None:
    """An engine is told that the container is not healthy."""
    done = image.run(*_health_check(), LOCUS_HEALTH_PORT=str(free_port()))

    assert 0 != done.returncode


def test_a_question_is_answered_in_the_container(image: Image) -> None:
    """`docker run locus ask …`: with an index in the volume, and nothing written beside it."""
    done = image.run(*_instruction("ENTRYPOINT"), "ask", QUESTION)

    assert 0 == done.returncode, done.stderr
    assert "C57BL/6J and DBA/2J" in done.stdout


def test_chroma_starts_from_the_same_image(image: Image) -> None:
    """The server of compose.yaml: its command and its health check, and documents come into it and out of it again."""
    service = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["chroma"]
    port = free_port()
    folder = image.data / "chroma"
    words = {"8000": str(port), "/data": str(folder), "0.0.0.0": "127.0.0.1"}  # noqa: S104 - of the container
    command = [words.get(word, word) for word in service["entrypoint"]]
    check = [word.replace(":8000", f":{port}") for word in service["healthcheck"]["test"][1:]]
    settings = {"LOCUS_CHROMA_URL": f"http://127.0.0.1:{port}", "LOCUS_DATA_DIR": str(image.data / "second")}
    with image.running(*command) as process:
        healthy = image.healthy(check, process, {})
        ingested = image.run("locus", "ingest", str(image.data / "documents"), **settings)
        answered = image.run("locus", "ask", QUESTION, **settings)

    assert healthy
    assert (0, 0) == (ingested.returncode, answered.returncode), ingested.stderr + answered.stderr
    assert "C57BL/6J and DBA/2J" in answered.stdout
