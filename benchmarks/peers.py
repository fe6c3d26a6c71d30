"""The peers of the engine benchmark: llama.cpp's own programs, from the sources inside llama-cpp-python's package."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import llama_cpp

from benchmarks.report import Report

TARGETS = ("llama-bench", "llama-batched-bench", "llama-server")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "locus-bench"
ROOT = Path(__file__).resolve().parents[1]
_CRASHES = (signal.SIGILL, signal.SIGSEGV, signal.SIGBUS)
_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_SERVER=ON", "-DLLAMA_BUILD_COMMON=ON", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Peers:
    """Where the programs are and how they are started.

    Attributes:
        folder: Holds `TARGETS`.
        amx: Whether the processor's matrix tiles are used, by everybody.
    """

    folder: Path
    amx: bool = True

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line of one of `TARGETS`."""
        return self.launched([str(self.folder / program), *arguments])

    def launched(self, command: Sequence[str]) -> list[str]:
        """Return a command line under the condition that holds for all; to be run in `ROOT`."""
        return list(command) if self.amx else [sys.executable, "-m", "benchmarks.without_amx", *command]


def find_peers(report: Report, folder: Path | None) -> Peers:
    """Return the programs: those of the folder named, else the ones built before, else built now.

    Raises:
        SystemExit: If they are not in the folder, or cannot be built here.
    """
    if folder is not None:
        missing = [name for name in TARGETS if not (folder / name).is_file()]
        if missing:
            raise SystemExit(f"{folder} lacks {', '.join(missing)}: name the folder with llama.cpp's programs.")
        return Peers(folder.resolve())
    home = CACHE / version("llama-cpp-python")
    built = home / ("build-gpu" if llama_cpp.llama_supports_gpu_offload() else "build")
    if not all((built / "bin" / name).is_file() for name in TARGETS):
        _build(report, home, built)
    return Peers(built / "bin")


def try_amx(report: Report, peers: Peers, model: Path, *, threads: int) -> Peers:
    """Let llama-bench compute a little; where that kills it, return the peers without the processor's matrix tiles.

    Raises:
        SystemExit: If llama-bench fails in any other way, or without the tiles too.
    """
    for tried in (peers, replace(peers, amx=False)):
        command = tried.command("llama-bench", "-m", str(model), "-n", "1", "-p", "64", "-r", "1", "-t", str(threads))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            if not tried.amx:
                report.line(
                    "llama-bench was killed using the processor's matrix tiles (AMX): everything here, Locus included, "
                    "runs without them."
                )
            return tried
        if -done.returncode not in _CRASHES:
            break
    raise SystemExit(f"llama-bench ended with {done.returncode}: {done.stderr.strip()[-400:]}")


def _build(report: Report, home: Path, built: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        raise SystemExit(
            "Building the peers needs cmake and a C++ compiler: install them (apt-get install cmake g++, or pip "
            "install cmake), or name a folder with llama.cpp's programs with --peers."
        )
    begin = time.perf_counter()
    source = _source(home)
    report.line(f"Building llama.cpp's programs in {built}; this takes some minutes.")
    options = [*_OPTIONS, *(["-DGGML_CUDA=ON"] if _is_cuda() else [])]
    _check_run([cmake, "-S", str(source), "-B", str(built), *options])
    _check_run([cmake, "--build", str(built), "--parallel", str(os.cpu_count() or 1), "--target", *TARGETS])
    report.line(f"The peers were built in {time.perf_counter() - begin:.0f} s.")


def _is_cuda() -> bool:
    # Metal, the other one, is on by itself where there is one.
    return bool(llama_cpp.llama_supports_gpu_offload()) and sys.platform != "darwin"


def _source(home: Path) -> Path:
    """Return llama.cpp's sources of the installed version, downloaded and unpacked where they are not yet."""
    name = f"llama_cpp_python-{version('llama-cpp-python')}"
    source = home / name / "vendor" / "llama.cpp"
    if not source.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        archive = home / f"{name}.tar.gz"
        if not archive.is_file():
            wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
            _check_run(
                [*_pip(), "download", "--no-deps", "--no-binary", "llama-cpp-python", "--dest", str(home), wanted]
            )
        part = home / "unpacking"
        shutil.rmtree(part, ignore_errors=True)
        with tarfile.open(archive) as opened:
            opened.extractall(part, filter="data")
        (part / name).rename(home / name)
        part.rmdir()
    return source


def _pip() -> list[str]:
    """Return how pip is called: this interpreter's own, else one on the path, else uv's."""
    for command in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"], ["uvx", "pip"]):
        if shutil.which(command[0]) and subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
            return command
    raise SystemExit(
        "Downloading llama.cpp's sources needs pip: install it, or name a folder of programs with --peers."
    )


def _check_run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-1500:]
        raise SystemExit(f"{' '.join(command[:3])} ended with {done.returncode}:\n{output}")
