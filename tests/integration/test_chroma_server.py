"""A configured Chroma server: the Rust one works, any other is refused before it is used."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

import knowledge.examination as examination
from bot.checks import Level
from bot.errors import SettingsError, StorageError, UnavailableError
from knowledge.aliases import AliasTable
from knowledge.embeddings import MiniLmEmbedder
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.retrieval import HybridRetriever
from knowledge.servers import require_rust
from tests.documents import LAB, CountingProgress, FolderSource, write_documents


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def rust_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Rust server that ships with Chroma, on loopback."""
    port = free_port()
    folder = tmp_path_factory.mktemp("chroma-server")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                httpx.get(f"{url}/api/v2/heartbeat", trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url
        process.terminate()


class _Python(BaseHTTPRequestHandler):
    """Answers as Chroma's Python server describes itself."""

    def do_GET(self) -> None:
        body = b'{"info": {"title": "Chroma", "version": "1.5.9"}}' if self.path == "/openapi.json" else b'"1.5.9"'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def python_server() -> Iterator[str]:
    """A server that calls itself as the Python one does."""
    server = HTTPServer(("127.0.0.1", 0), _Python)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_an_index_on_the_rust_server_finds_what_the_embedded_one_does(
    rust_server: str, tmp_path: Path, embedder: MiniLmEmbedder
) -> None:
    """Ingest, search, change and delete work through the server."""
    lab = write_documents(tmp_path / "lab", LAB)
    index = KnowledgeIndex(tmp_path / "data", embedder, chroma_url=rust_server)
    for _ in range(2):
        sync_source(index, FolderSource(lab), scope="public", spec="lab", parse=parse, progress=CountingProgress())
        (lab / "rats.org").unlink(missing_ok=True)
    retriever = HybridRetriever(index, AliasTable([]))
    evidence = await retriever.search("how many permutations set the threshold?", scopes=("public",))
    retriever.close()
    index.close()
    found = [passage.home.source for passage in evidence.passages]

    assert "mapping.md" == found[0]
    assert "rats.org" not in found
    assert not (tmp_path / "data" / "index" / "vectors").exists()


def test_an_embedded_index_is_not_mixed_with_a_server(
    rust_server: str, tmp_path: Path, embedder: MiniLmEmbedder
) -> None:
    """The index remembers where its vectors are."""
    KnowledgeIndex(tmp_path / "data", embedder).close()

    with pytest.raises(StorageError, match="chroma: embedded then, http://127.0.0.1"):
        KnowledgeIndex(tmp_path / "data", embedder, chroma_url=rust_server)


def test_the_python_server_is_refused(python_server: str) -> None:
    """The sentence names the hole and what to run instead."""
    with pytest.raises(SettingsError, match=r"CVE-2026-45829\): run the Rust server, `chroma run`"):
        require_rust(python_server)

    assert Level.ERROR is examination.examine_chroma(python_server).level


def test_a_server_that_does_not_answer_is_named() -> None:
    """The sentence names the address and the setting."""
    with pytest.raises(UnavailableError, match=r"No Chroma server answers at .*LOCUS_CHROMA_URL"):
        require_rust(f"http://127.0.0.1:{free_port()}")


def test_the_doctor_complains_about_an_open_server_on_the_network(
    rust_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this machine alone a Rust server is fine; reachable from elsewhere it is an error."""
    here = examination.examine_chroma(rust_server)
    monkeypatch.setattr(examination, "is_loopback", lambda _host: False)
    elsewhere = examination.examine_chroma(rust_server)

    assert (Level.OK, Level.ERROR) == (here.level, elsewhere.level)
    assert "without asking for a password" in elsewhere.text
