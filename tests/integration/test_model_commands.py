"""`locus model` as a person runs it, with a local server that plays Hugging Face and the real quantizer."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from bot.engine.downloads import part_path, pull_model
from bot.engine.model_file import model_card
from bot.engine.recommended import recommended_models
from bot.errors import (
    BusyError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from tests.gguf_models import write_random_gguf
from tests.servers import LocalServer, Reply, Request

LOCUS = Path(sys.executable).with_name("locus")
REPOSITORY, FILE = "lab/model-GGUF", "model.gguf"
DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()


def locus(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a clean environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    return subprocess.run(
        [str(LOCUS), *map(str, arguments)],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


class Hub:
    """A hub with one file, which it may cut off, and a list of the pauses a client made.

    Attributes:
        cut_at: Bytes after which an answer with the whole file is cut off; None means never.
        range_cut_at: The same of an answer with the rest of the file.
    """

    def __init__(self, server: LocalServer, data: bytes = DATA, sha256: str = SHA256) -> None:
        self.server, self.data, self.sha256 = server, data, sha256
        self.cut_at: int | None = None
        self.range_cut_at: int | None = None
        self.pauses: list[float] = []
        self.progress: list[tuple[str, int, int]] = []
        self.ranges: list[str] = []
        server.route(f"/{REPOSITORY}/resolve/main/{FILE}", self.serve)

    def serve(self, request: Request) -> Reply:
        """Answer as a store does: whole, or the range asked for when the ETag still matches."""
        headers = {"ETag": f'"{self.sha256}"', "X-Linked-Size": str(len(self.data))}
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if wanted and request.headers.get("If-Range", headers["ETag"]) == headers["ETag"]:
            self.ranges.append(request.headers["Range"])
            start, status = int(wanted[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        body = self.data[start:]
        headers["Content-Length"] = str(len(body))
        return Reply([body[: self.cut_at if status == 200 else self.range_cut_at]], status, headers)

    async def pause(self, wait_s: float) -> None:
        """Wait no time at all."""
        self.pauses.append(wait_s)

    async def pull(
        self,
        folder: Path,
        *,
        file: str = FILE,
        token: SecretStr | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Path:
        """Download the file from this hub."""
        return await pull_model(
            REPOSITORY,
            file,
            folder,
            progress=lambda *step: self.progress.append(step),
            endpoint=self.server.url(""),
            token=token,
            transport=transport,
            pause=self.pause,
        )


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A server on the loopback."""
    with LocalServer() as running:
        yield running


@pytest.fixture
def hub(server: LocalServer) -> Hub:
    """A hub that serves DATA."""
    return Hub(server)


async def test_a_file_is_downloaded_and_checked(hub: Hub, tmp_path: Path) -> None:
    """The bytes are there under the file's name, nothing else is, and progress ends at the size."""
    path = await hub.pull(tmp_path / "models")

    assert DATA == path.read_bytes()
    assert [path] == list(path.parent.iterdir())
    assert (FILE, len(DATA), len(DATA)) == hub.progress[-1]


async def test_what_is_there_is_not_downloaded_again(hub: Hub, tmp_path: Path) -> None:
    """A second run reads no body and leaves the file as it is."""
    path = await hub.pull(tmp_path)
    hub.progress.clear()

    assert path == await hub.pull(tmp_path)
    assert [] == hub.progress
    assert [path] == list(tmp_path.iterdir())


async def test_a_cut_connection_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    """One pause, then the rest by its range."""
    hub.cut_at = 100_000
    path = await hub.pull(tmp_path)

    assert DATA == path.read_bytes()
    assert ["bytes=100000-"] == hub.ranges
    assert [1.0] == hub.pauses


async def test_another_run_goes_on_where_the_last_one_stopped(hub: Hub, tmp_path: Path) -> None:
    """A run that gave up leaves its part, and the next one resumes it."""
    hub.cut_at, hub.range_cut_at = 70_000, 0
    with pytest.raises(UnavailableError, match="run the same command again later, it goes on where it stopped"):
        await hub.pull(tmp_path)
    assert 70_000 == part_path(tmp_path / FILE).stat().st_size
    assert [1.0, 2.0, 4.0, 8.0, 16.0] == hub.pauses
    hub.cut_at = hub.range_cut_at = None
    hub.ranges.clear()
    path = await hub.pull(tmp_path)

    assert DATA == path.read_bytes()
    assert ["bytes=70000-"] == hub.ranges
    assert [path] == list(tmp_path.iterdir())


async def test_a_part_of_another_version_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    """When the file changed on the hub, the download begins anew."""
    hub.cut_at, hub.range_cut_at = 70_000, 0
    with pytest.raises(UnavailableError):
        await hub.pull(tmp_path)
    hub.cut_at = hub.range_cut_at = None
    hub.ranges.clear()
    hub.data = DATA[::-1]
    hub.sha256 = hashlib.sha256(hub.data).hexdigest()
    path = await hub.pull(tmp_path)

    assert hub.data == path.read_bytes()
    assert [] == hub.ranges


async def test_a_wrong_checksum_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    """A file that is not what was announced is deleted, with both hashes in the sentence."""
    hub.sha256 = "0" * 64

    with pytest.raises(UnavailableError, match=f"arrived damaged .SHA-256 {SHA256[:12]}….*000000000000….*deleted"):
        await hub.pull(tmp_path)
    assert [] == list(tmp_path.iterdir())


async def test_a_full_disk_is_told_before_the_download(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed and what is free, and nothing is written."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))

    with pytest.raises(StorageError, match=r"model.gguf needs 0 MiB more and 0 MiB is free in .*LOCUS_DATA_DIR"):
        await hub.pull(tmp_path)
    assert [] == hub.progress
    assert [] == list(tmp_path.iterdir())


async def test_a_file_that_does_not_exist_is_named(hub: Hub, tmp_path: Path) -> None:
    """The address is in the sentence, and there is one attempt."""
    with pytest.raises(NotFoundError, match=r"lab/model-GGUF/resolve/main/other.gguf does not exist"):
        await hub.pull(tmp_path, file="other.gguf")
    assert 1 == len(hub.server.requests)


async def test_a_gated_model_asks_for_a_token(hub: Hub, tmp_path: Path) -> None:
    """The sentence says what to do on the model's page and here."""
    hub.server.route(f"/{REPOSITORY}/resolve/main/{FILE}", Reply(b"", 401))

    with pytest.raises(RefusedError, match="accept the model's licence on its page and give a token with --token-file"):
        await hub.pull(tmp_path)


async def test_a_busy_server_is_asked_again_after_its_time(hub: Hub, tmp_path: Path) -> None:
    """503 with Retry-After is waited for, 500 with growing pauses."""
    answers = [Reply(b"", 503, {"Retry-After": "7"}), Reply(b"", 500)]
    hub.server.route(
        f"/{REPOSITORY}/resolve/main/{FILE}", lambda request: answers.pop(0) if answers else hub.serve(request)
    )
    path = await hub.pull(tmp_path)

    assert DATA == path.read_bytes()
    assert [7.0, 2.0] == hub.pauses


async def test_a_file_without_a_checksum_is_refused(hub: Hub, tmp_path: Path) -> None:
    """Nothing is taken on trust."""
    hub.server.route(f"/{REPOSITORY}/resolve/main/{FILE}", Reply(DATA, 200, {"ETag": '"abc"'}))

    with pytest.raises(RefusedError, match="comes without a SHA-256 checksum"):
        await hub.pull(tmp_path)


async def test_another_file_of_the_same_name_is_kept(hub: Hub, tmp_path: Path) -> None:
    """A file from elsewhere is not overwritten."""
    (tmp_path / FILE).write_bytes(b"mine")

    with pytest.raises(InvalidRequestError, match="exists already and is another file"):
        await hub.pull(tmp_path)
    assert b"mine" == (tmp_path / FILE).read_bytes()


async def test_two_downloads_of_one_file_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    """The second one is told to wait."""
    with part_path(tmp_path / FILE).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="is being downloaded by another process"):
            await hub.pull(tmp_path)


class StoreTransport(httpx.AsyncBaseTransport):
    """Carries requests for Hugging Face's stores to a local server, as a name server would."""

    def __init__(self, store: LocalServer) -> None:
        self._inner, self._store = httpx.AsyncHTTPTransport(), store

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.host.endswith("hf.co"):
            url = url.copy_with(scheme="http", host="127.0.0.1", port=self._store.port)
        sent = httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        return await self._inner.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._inner.aclose()


def redirect(hub: Hub, location: str) -> None:
    """Let the hub send the client elsewhere, as Hugging Face does for large files."""
    headers: Mapping[str, str] = {
        "Location": location,
        "X-Linked-ETag": f'"{SHA256}"',
        "X-Linked-Size": str(len(DATA)),
    }
    hub.server.route(f"/{REPOSITORY}/resolve/main/{FILE}", Reply(b"", 302, headers))


async def test_a_redirect_to_the_store_resumes_and_gets_no_token(hub: Hub, tmp_path: Path) -> None:
    """The token stays with the endpoint; the store's own ETag guards the resumed part."""
    redirect(hub, "https://cdn-lfs.hf.co/blob?signature=1")
    conditions: list[str | None] = []
    with LocalServer() as store:

        def serve(request: Request) -> Reply:
            if "Range" in request.headers:
                conditions.append(request.headers.get("If-Range"))
                size = f"bytes 50000-{len(DATA) - 1}/{len(DATA)}"
                return Reply(DATA[50_000:], 206, {"Content-Range": size, "ETag": '"store-1"'})
            return Reply([DATA[:50_000]], 200, {"Content-Length": str(len(DATA)), "ETag": '"store-1"'})

        store.route("/blob", serve)
        path = await hub.pull(tmp_path, token=SecretStr("secret"), transport=StoreTransport(store))

        assert DATA == path.read_bytes()
        assert ['"store-1"'] == conditions
        assert not [one for one in store.requests if "Authorization" in one.headers]
    assert {"Bearer secret"} == {one.headers.get("Authorization") for one in hub.server.requests}


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/blob",
        "http://cdn-lfs.hf.co/blob",
        "https://hf.co.evil.example/blob",
        "https://cdn.hf.co:8443/blob",
        "https://nothf.co/blob",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_elsewhere_is_not_followed(hub: Hub, tmp_path: Path, location: str) -> None:
    """Only https and only the stores of Hugging Face."""
    redirect(hub, location)

    with pytest.raises(RefusedError, match="is no store of Hugging Face"):
        await hub.pull(tmp_path)
    assert 1 == len(hub.server.requests)


async def test_redirects_in_a_circle_end(hub: Hub, tmp_path: Path) -> None:
    """A hub that redirects to itself is given up."""
    redirect(hub, hub.server.url(f"/{REPOSITORY}/resolve/main/{FILE}"))

    with pytest.raises(UnavailableError, match="redirects without an end"):
        await hub.pull(tmp_path)


@pytest.mark.parametrize(
    ("repository", "file"),
    [
        ("../etc", FILE),
        ("lab", FILE),
        ("lab/a/b", FILE),
        ("lab/..", FILE),
        ("https://evil.example/x", FILE),
        (REPOSITORY, "../up.gguf"),
        (REPOSITORY, "/etc/x.gguf"),
        (REPOSITORY, "a/../../x.gguf"),
        (REPOSITORY, "x.gguf?y=.gguf"),
        (REPOSITORY, "model.bin"),
        (REPOSITORY, ".gguf"),
    ],
)
async def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, repository: str, file: str) -> None:
    """Nothing is asked for and nothing is written."""
    with pytest.raises(InvalidRequestError):
        await pull_model(repository, file, tmp_path / "models", progress=lambda *_: None)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("endpoint", ["http://mirror.example", "ftp://127.0.0.1", "mirror.example", ""])
async def test_an_endpoint_must_be_https(tmp_path: Path, endpoint: str) -> None:
    """Anybody on the way could pose as another one."""
    with pytest.raises(InvalidRequestError, match="is no https address"):
        await pull_model(REPOSITORY, FILE, tmp_path, progress=lambda *_: None, endpoint=endpoint)


async def test_all_parts_of_a_split_model_come(hub: Hub, tmp_path: Path) -> None:
    """The first part's name brings the others, from the same folder of the repository."""
    for number in (1, 2):
        name = f"/{REPOSITORY}/resolve/main/q4/m-0000{number}-of-00002.gguf"
        hub.server.route(name, hub.serve)
    path = await hub.pull(tmp_path, file="q4/m-00001-of-00002.gguf")

    assert tmp_path / "m-00001-of-00002.gguf" == path
    assert [DATA, DATA] == [one.read_bytes() for one in sorted(tmp_path.iterdir())]


def test_recommended_models_are_well_formed() -> None:
    """Names are unique, files whole, and the list is sorted by memory."""
    models = recommended_models()

    assert len({one.name for one in models}) == len(models) >= 6
    assert sorted(one.memory_gib for one in models) == [one.memory_gib for one in models]
    assert not [one for one in models if not one.file.endswith(".gguf") or "-of-0" in one.file]
    assert all(one.repository.count("/") == 1 and one.licence for one in models)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose rows are long enough for every type of weights."""
    return write_random_gguf(tmp_path_factory.mktemp("model") / "tiny-f32.gguf", width=256)


def test_pull_ends_with_the_line_to_write(server: LocalServer, model: Path, tmp_path: Path) -> None:
    """The file is checked, pinned and listed; the line works as a setting."""
    data = model.read_bytes()
    Hub(server, data, hashlib.sha256(data).hexdigest())
    done = locus("model", "pull", REPOSITORY, FILE, "--endpoint", server.url(""), "--data-dir", "d", cwd=tmp_path)
    path = tmp_path / "d/models" / FILE

    assert (0, "") == (done.returncode, done.stderr)
    assert f"\nLOCUS_MODEL={path}\n" in done.stdout
    assert {str(path): hashlib.sha256(data).hexdigest()} == json.loads((tmp_path / "d/models/pins.json").read_text())
    listed = json.loads(locus("model", "list", "--json", "--data-dir", "d", cwd=tmp_path, LOCUS_MODEL=str(path)).stdout)
    assert [(str(path), "random", True)] == [(one["path"], one["name"], one["in_use"]) for one in listed["files"]]
    assert {"name", "repository", "file", "licence", "memory_gib", "note", "fits", "present"} == set(
        listed["recommended"][0]
    )


def test_list_shows_models_by_memory_and_damaged_files(tmp_path: Path) -> None:
    """Classes in order, what is here marked, and a damaged file named with its problem."""
    first = recommended_models()[0]
    (tmp_path / "d/models").mkdir(parents=True)
    write_random_gguf(tmp_path / "d/models" / first.file)
    (tmp_path / "d/models/broken.gguf").write_bytes(b"x")
    done = locus("model", "list", "--data-dir", "d", cwd=tmp_path)

    assert 0 == done.returncode
    assert re.search(rf"here {re.escape(first.name)}\s+{first.licence}", done.stdout)
    assert done.stdout.index("\n4 GiB") < done.stdout.index("\n8 GiB") < done.stdout.index("\n32 GiB")
    assert re.search("broken.gguf: LOCUS_MODEL is .* is not a GGUF model file", done.stdout)


def test_an_unknown_name_says_what_to_write(tmp_path: Path) -> None:
    """A name that is not recommended, without a file."""
    done = locus("model", "pull", "nothing", "--data-dir", "d", cwd=tmp_path)

    assert InvalidRequestError.exit_code == done.returncode
    assert "locus model list" in done.stderr


def test_info_tells_what_the_model_needs(model: Path, tmp_path: Path) -> None:
    """A cache of 8192 tokens, 2 layers, 4 heads of 64 + 64 values is 16 MiB; half as q8_0 and a sixteenth more."""
    asked = ("model", "info", model, "--context", "8192", "--data-dir", "d")
    done = locus(*asked, cwd=tmp_path)
    found = json.loads(locus(*asked, "--kv-type", "q8_0", "--json", cwd=tmp_path).stdout)

    assert 0 == done.returncode, done.stderr
    assert re.search(r"architecture +llama, 2 layers\n", done.stdout)
    assert re.search(r"cache +16 MiB for 8,192 tokens in f16", done.stdout)
    assert re.search(r"here +fits: .*free\n", done.stdout)
    assert (True, 16 * 1024**2 * 17 // 32, "F32", None) == (
        found["fits"],
        found["kv_bytes"],
        found["quantization"],
        found["pinned_sha256"],
    )


def test_info_says_what_does_not_fit(model: Path, tmp_path: Path) -> None:
    """A cache larger than any machine is no error, but told with the settings that help."""
    done = locus("model", "info", model, "--context", str(10**12), "--data-dir", "d", cwd=tmp_path)

    assert 0 == done.returncode
    assert re.search(r"here +does not fit: .* is free .*LOCUS_MODEL_CACHE_TOKENS", done.stdout)


def test_info_needs_a_model(tmp_path: Path) -> None:
    """Without a path and without LOCUS_MODEL the sentence asks for one."""
    done = locus("model", "info", "--data-dir", "d", cwd=tmp_path)

    assert InvalidRequestError.exit_code == done.returncode
    assert "LOCUS_MODEL is not set" in done.stderr


@pytest.mark.parametrize(("target", "expected"), [("q8_0", "Q8_0"), ("Q4_K_M", "Q4_K_M"), ("f16", "F16")])
def test_quantize_makes_a_smaller_model(model: Path, tmp_path: Path, target: str, expected: str) -> None:
    """The real quantizer writes into the data folder; the type is in name and header, and the file is pinned."""
    done = locus("model", "quantize", model, target, "--data-dir", "d", cwd=tmp_path)
    path = tmp_path / f"d/models/tiny-{target.lower()}.gguf"

    assert 0 == done.returncode, done.stderr
    assert expected == model_card(path).quantization
    assert path.stat().st_size < model.stat().st_size
    assert f"LOCUS_MODEL={path}\n" in done.stdout
    assert (
        hashlib.sha256(path.read_bytes()).hexdigest()
        == json.loads((tmp_path / "d/models/pins.json").read_text())[str(path)]
    )


def test_quantize_refuses_what_would_spoil(model: Path, tmp_path: Path) -> None:
    """An unknown type, a file that is there, and a model that is quantized already; --again allows the last one."""
    assert 0 == locus("model", "quantize", model, "q8_0", "--output", "a.gguf", cwd=tmp_path).returncode
    cases = {
        (model, "q9", "b.gguf"): "q9 is no type of weights: take one of f16, bf16, q8_0",
        (model, "q4_0", "a.gguf"): "a.gguf exists already",
        (Path("a.gguf"), "q4_0", "b.gguf"): "quantized already (Q8_0)",
    }
    for (source, kind, output), sentence in cases.items():
        done = locus("model", "quantize", source, kind, "--output", output, cwd=tmp_path)
        assert (InvalidRequestError.exit_code, True) == (done.returncode, sentence in done.stderr), done.stderr
    again = locus("model", "quantize", "a.gguf", "q4_0", "--output", "b.gguf", "--again", cwd=tmp_path)

    assert 0 == again.returncode, again.stderr
    assert "Q4_0" == model_card(tmp_path / "b.gguf").quantization


def test_a_model_llama_cpp_gives_up_on_leaves_no_file(model: Path, tmp_path: Path) -> None:
    """The child's reason is in the sentence."""
    data = model.read_bytes()
    (tmp_path / "odd.gguf").write_bytes(data.replace(b"llama.block_count", b"llama.block_coun_"))
    done = locus("model", "quantize", "odd.gguf", "q8_0", "--data-dir", "d", cwd=tmp_path)

    assert 5 == done.returncode
    assert re.search(r"odd.gguf could not be quantized to q8_0: llama.cpp says: .*\w", done.stderr)
    assert ["pins.json"] == [one.name for one in (tmp_path / "d/models").iterdir()]


def test_a_changed_model_is_refused_until_confirmed(model: Path, tmp_path: Path) -> None:
    """The parser does not see a file that is not the pinned one; `confirm` accepts it."""
    source = tmp_path / "m.gguf"
    shutil.copy(model, source)
    asked = ("--data-dir", "d")
    assert 0 == locus("model", "quantize", source, "q8_0", "--output", "1.gguf", *asked, cwd=tmp_path).returncode
    write_random_gguf(source, width=256, seed=1)
    refused = locus("model", "quantize", source, "q8_0", "--output", "2.gguf", *asked, cwd=tmp_path)

    assert 3 == refused.returncode
    assert f"locus model confirm {source}" in refused.stderr
    assert not (tmp_path / "2.gguf").exists()
    assert 0 == locus("model", "confirm", source, *asked, cwd=tmp_path).returncode
    assert 0 == locus("model", "quantize", source, "q8_0", "--output", "2.gguf", *asked, cwd=tmp_path).returncode
