"""The knowledge side of `locus doctor`: index, embedding model, Chroma server, disk."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from bot.checks import Finding, Level
from bot.errors import BotError
from bot.hosts import is_loopback
from knowledge.index import KnowledgeIndex, describe
from knowledge.servers import inspect_chroma
from knowledge.teaching import PREFIX as TAUGHT

LOW_DISK_BYTES = 1024**3  # an index of GeneNetwork's documentation takes about 150 MB
STALE_DAYS = 30  # from then on a source that is kept elsewhere is likely to have changed
OWN = ("starter",)  # ships with Locus, and changes with it only
EXTRAS = {
    "documents": ("pypdf", "python-docx", "striprtf"),
    "llama": ("llama-cpp-python", "langchain"),
    "run": ("redis", "apscheduler", "uvicorn", "prometheus-client"),
    "slack": ("slack-bolt",),
    "matrix": ("matrix-nio",),
}


def examine_index(open_index: Callable[[], KnowledgeIndex]) -> Iterator[Finding]:
    """Open the index and say what it holds."""
    try:
        index = open_index()
    except BotError as error:
        sentence, _, fix = str(error).rpartition(": ")
        yield Finding(Level.ERROR, "index", f"{sentence}.", fix)
        return
    try:
        facts = describe(index)
        if facts["documents"] == "0":
            yield Finding(Level.WARNING, "index", "Nothing is indexed yet.", "run `locus ingest`.")
            return
        text = (
            f"Revision {facts['revision']} of {facts['published']} ({_age(facts['published'])}): "
            f"{facts['documents']} documents, {facts['chunks']} chunks, "
            f"{facts['sources']} source{'' if facts['sources'] == '1' else 's'}."
        )
        yield Finding(Level.OK, "index", text)
        revision = index.revision(int(facts["revision"]))
        vectors = sum(revision.vectors.count(scope) for scope in index.catalogue.scopes()) if revision else 0
        if vectors < int(facts["chunks"]):
            yield Finding(
                Level.ERROR,
                "index",
                f"{int(facts['chunks']) - vectors} chunks have no vector.",
                "move the data folder away and run `locus ingest` again.",
            )
        sources = index.catalogue.sources()
        for _, scope, name, spec, synced_at in sources:
            if name.startswith(TAUGHT):
                continue
            text = f"{spec} ({name}), scope {scope}, synced {synced_at} ({_age(synced_at)})."
            stale = spec not in OWN and _days(synced_at) > STALE_DAYS
            fix = "run `locus ingest`, best every night (deploy/README.md)." if stale else ""
            yield Finding(Level.WARNING if stale else Level.OK, "source", text, fix)
        if taught := sum(name.startswith(TAUGHT) for _, _, name, _, _ in sources):
            yield Finding(Level.OK, "source", f"{taught} files were taught in chats (`locus files list`).")
    except (BotError, sqlite3.Error) as error:
        yield Finding(Level.ERROR, "index", str(error), "move the data folder away and run `locus ingest` again.")
    finally:
        index.close()


def _days(moment: str) -> float:
    """Return the days since a moment in ISO 8601; 0 for what is none."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return max(0.0, (datetime.now(UTC) - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds() / 86_400)


def _age(moment: str) -> str:
    days = int(_days(moment))
    return "today" if days == 0 else "a day ago" if days == 1 else f"{days} days ago"


def examine_disk(data_dir: Path) -> Finding:
    """Say how much room the data folder's disk has."""
    folder = next(path for path in (data_dir, *data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free for {data_dir}."
    if free < LOW_DISK_BYTES:
        return Finding(Level.WARNING, "disk", text, "free some space or move the data folder (LOCUS_DATA_DIR).")
    return Finding(Level.OK, "disk", text)


def examine_chroma(url: str) -> Finding:
    """Say whether a configured Chroma server is one to trust."""
    try:
        server = inspect_chroma(url)
    except BotError as error:
        return Finding(Level.ERROR, "chroma", str(error))
    if server.kind != "rust":
        return Finding(
            Level.ERROR,
            "chroma",
            f"The server at {url} is the Python one, which runs code named by a client before it asks who the client "
            "is (CVE-2026-45829).",
            "run the Rust server, `chroma run`.",
        )
    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        return Finding(
            Level.ERROR,
            "chroma",
            f"The server at {url} answers over the network without asking for a password.",
            "bind it to the loopback address, or put it behind a proxy that asks for a certificate (mTLS).",
        )
    return Finding(Level.OK, "chroma", f"Rust server {server.version} at {url}, on this machine only.")


def examine_extras() -> Iterator[Finding]:
    """Say which optional parts are installed."""
    for extra, packages in EXTRAS.items():
        try:
            found = ", ".join(f"{package} {version(package)}" for package in packages)
        except PackageNotFoundError:
            continue
        yield Finding(Level.OK, "extra", f"{extra}: {found}.")
