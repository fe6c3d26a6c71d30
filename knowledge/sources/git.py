"""Git repositories as sources: a shallow copy of the default branch, kept in a cache and brought up to date.

Git connects by itself, so it is given the checks of the fetcher: the same host lists, an address that was checked and
is pinned (`http.curloptResolve`), no redirects, no transport but https (http for private hosts), no settings, proxies
or credentials of the machine, no hooks, submodules, symbolic links or LFS downloads. Time and disk have limits.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import ipaddress
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bot.errors import (
    BotError,
    BusyError,
    NotFoundError,
    RefusedError,
    SettingsError,
    StorageError,
    UnavailableError,
    UnreadableError,
)
from knowledge.links import FORGES
from knowledge.sources.addresses import check_url, port_of, shown_url

if TYPE_CHECKING:
    from knowledge.fetching import Fetcher

SIZE_FACTOR = 20  # a repository may take this many times LOCUS_FETCH_MAX_MIB on disk, checkout included
TIME_FACTOR = 10  # and this many times LOCUS_FETCH_TIMEOUT_S
_FILE_COST_BYTES = 4096  # counted for every file, so that a tree of a million empty files is noticed
_WATCH_INTERVAL_S = 0.5
_STDERR_BYTES = 4096
_MISSING = re.compile(
    r"not found|could not read Username|Authentication failed|terminal prompts disabled", re.IGNORECASE
)


class _GitError(Exception):
    """A git command failed; the text is the end of what it wrote."""


def git_address(spec: str) -> str | None:
    """Return the https address of the repository a specification names, or None when it names something else.

    Repositories are `git+https://…`, anything ending in `.git`, and `https://github.com/owner/repo` (the same for the
    other forges). Spellings of one repository give one address.
    """
    explicit = spec.startswith("git+")
    text = spec.removeprefix("git+").strip().rstrip("/")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return None
    if url.scheme not in {"http", "https"}:
        return None
    is_forge = url.host.removeprefix("www.") in FORGES
    path = url.path.strip("/")
    if not explicit and not path.endswith(".git") and not (is_forge and path.count("/") == 1 and not url.query):
        return None
    return str(url) if path.endswith(".git") or not is_forge else f"{url}.git"


async def sync_repository(address: str, *, fetcher: Fetcher, cache_dir: Path) -> Path:
    """Bring the cached copy of a repository up to date and return its work tree.

    A copy that cannot be brought up to date is made anew beside it, and replaces it only when that worked.

    Args:
        address: From `git_address`.
        fetcher: Gives the policy and the checked addresses.
        cache_dir: The copy lies in `git/<digest of the address>` below it.

    Raises:
        SettingsError: Git is not installed, or too old to be told the address to connect to.
        RefusedError: The policy does not allow the address.
        NotFoundError: There is no such public repository.
        UnavailableError: The server cannot be reached, or the time is over.
        UnreadableError: The repository is larger than allowed.
        BusyError: Another process is at work on the same copy.
        StorageError: The cache cannot be written.
    """
    url = check_url(address, fetcher.policy)
    if url.scheme != "https" and not fetcher.policy.allows_private(url.raw_host.decode(), port_of(url)):
        raise RefusedError(f"{shown_url(url)} was not fetched: repositories are fetched by https only.")
    program = await _find_git()
    limit_s = fetcher.policy.timeout_s * TIME_FACTOR
    folder = cache_dir / "git" / hashlib.sha256(address.encode()).hexdigest()[:32]
    try:
        async with _locked(folder.with_suffix(".lock"), url), asyncio.timeout(limit_s):
            addresses = await fetcher.addresses(url)
            git = _Git(program, url, addresses, fetcher.policy.max_bytes * SIZE_FACTOR)
            return await _update(git, folder)
    except TimeoutError as error:
        raise UnavailableError(
            f"{shown_url(url)} took longer than {limit_s:g} s ({TIME_FACTOR} times LOCUS_FETCH_TIMEOUT_S)."
        ) from error
    except OSError as error:
        raise StorageError(f"{cache_dir} cannot hold {shown_url(url)} ({error.strerror}).") from error


async def _update(git: _Git, folder: Path) -> Path:
    if await asyncio.to_thread((folder / ".git").is_dir):
        with suppress(_GitError, UnreadableError):
            await asyncio.to_thread(_remove_locks, folder)
            await git.checkout(folder)
            return folder
    fresh = folder.with_suffix(".new")
    await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
    try:
        await asyncio.to_thread(fresh.mkdir)
        await git.run(fresh, "init", "--quiet", "--template=")
        await git.checkout(fresh)
        await asyncio.to_thread(_replace, fresh, folder)
    except _GitError as error:
        raise _translated(git.shown, str(error)) from error
    finally:
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
    return folder


class _Git:
    """Runs git commands for one repository, under the policy."""

    def __init__(self, program: str, url: httpx.URL, addresses: list[str], max_bytes: int) -> None:
        self.shown = shown_url(url)
        self._url = str(url)
        self._max_bytes = max_bytes
        settings = {
            "protocol.allow": "never",
            f"protocol.{url.scheme}.allow": "always",
            "http.followRedirects": "false",
            "http.proxy": "",
            "credential.helper": "",
            "core.hooksPath": "/dev/null",
            "core.symlinks": "false",
            "core.fsmonitor": "false",
            "core.protectHFS": "true",
            "core.protectNTFS": "true",
            "submodule.recurse": "false",
            "gc.auto": "0",
            "maintenance.auto": "false",
        }
        host = url.raw_host.decode()
        if host not in addresses:  # a host that is an address needs no pin
            pinned = ",".join(f"[{text}]" if ipaddress.ip_address(text).version == 6 else text for text in addresses)
            settings["http.curloptResolve"] = f"{host}:{port_of(url)}:{pinned}"
        self._command = [program, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "HOME": "/nonexistent",  # no .netrc, no settings of the user
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
        }

    async def checkout(self, folder: Path) -> None:
        """Fetch the head of the default branch and make it the work tree."""
        options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        await self.run(folder, "fetch", *options, "--force", self._url, "+HEAD:refs/locus/head")
        await self.run(folder, "checkout", "--quiet", "--force", "--detach", "refs/locus/head")
        await self.run(folder, "clean", "--quiet", "-ffdx")

    async def run(self, folder: Path, *arguments: str) -> None:
        """Run a command in the folder; nothing of it is left running, whatever happens.

        Raises:
            _GitError: It failed.
            UnreadableError: The folder grew over the limit.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            cwd=folder,
            env={**self._environment, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        ending = asyncio.create_task(_end(process), name="git")
        try:
            while True:
                done, _ = await asyncio.wait({ending}, timeout=_WATCH_INTERVAL_S)
                if await asyncio.to_thread(_size_bytes, folder) > self._max_bytes:
                    raise UnreadableError(
                        f"{self.shown} is over the limit of {self._max_bytes // 2**20} MiB for a repository "
                        f"({SIZE_FACTOR} times LOCUS_FETCH_MAX_MIB)."
                    )
                if done:
                    break
        finally:
            if not ending.done():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(ending)
        if process.returncode:
            raise _GitError(ending.result())


async def _end(process: asyncio.subprocess.Process) -> str:
    """Wait for the end of a process and return the last it wrote to stderr."""
    tail = b""
    if process.stderr is not None:
        while chunk := await process.stderr.read(_STDERR_BYTES):
            tail = (tail + chunk)[-_STDERR_BYTES:]
    await process.wait()
    return tail.decode("utf-8", "replace")


async def _find_git() -> str:
    program = await asyncio.to_thread(shutil.which, "git")
    if program is None:
        raise SettingsError("Git is not installed; install it to read repositories, or give a folder.")
    process = await asyncio.create_subprocess_exec(
        program, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    version = re.search(rb"(\d+)\.(\d+)", output)
    if version is None or (int(version[1]), int(version[2])) < (2, 37):
        raise SettingsError(
            "Git is older than 2.37 and cannot be told which address to connect to; install a newer one."
        )
    return program


@asynccontextmanager
async def _locked(path: Path, url: httpx.URL) -> AsyncIterator[None]:
    """Hold the lock file of a copy."""

    def acquire() -> int:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise BusyError(
                f"{shown_url(url)} is being fetched by another process; try again when it is done."
            ) from error
        return descriptor

    descriptor = await asyncio.to_thread(acquire)
    try:
        yield
    finally:
        os.close(descriptor)


def _remove_locks(folder: Path) -> None:
    """Remove the locks of a git that was killed; our own lock says that none is running."""
    for lock in (folder / ".git").rglob("*.lock"):
        lock.unlink(missing_ok=True)


def _replace(fresh: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _size_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # temporary files come and go
                total += max(os.lstat(f"{parent}/{name}").st_size, _FILE_COST_BYTES)
    return total


def _translated(shown: str, output: str) -> BotError:
    if "No space left on device" in output:
        return StorageError(f"The disk is full; {shown} could not be stored.")
    if "couldn't find remote ref HEAD" in output:
        return UnreadableError(f"The repository {shown} is empty; there is nothing to read.")
    if _MISSING.search(output):
        return NotFoundError(f"There is no public repository at {shown}; check the address.")
    reason = next((line[7:] for line in output.splitlines() if line.startswith("fatal: ")), "git gave no reason")
    reason = re.sub(r"\S+://\S+", "it", reason)[:160].strip(" .")
    return UnavailableError(f"The repository {shown} could not be fetched ({reason}).")
