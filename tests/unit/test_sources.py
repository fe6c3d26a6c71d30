"""Sources: folders, files, the starter documents, repositories, pages and sitemaps."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from bot.errors import (
    BusyError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    SettingsError,
    UnavailableError,
    UnreadableError,
)
from knowledge.fetching import Fetcher, FetchPolicy
from knowledge.sources import Source, git, open_source, web
from knowledge.sources.git import git_address
from knowledge.sources.web import parse_sitemap
from tests.servers import LocalServer, Reply, Request, endless, make_repository, stalled

MIB = 1024 * 1024

Open = Callable[[str], Awaitable[Source]]


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A web server on the loopback."""
    with LocalServer() as running:
        yield running


@pytest.fixture
async def open_local(server: LocalServer, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens sources, with the local server as a private host and files up to 1 MiB."""
    policy = FetchPolicy(private_hosts=(server.address,), max_bytes=MIB, timeout_s=5)
    async with Fetcher(policy) as fetcher:
        yield functools.partial(open_source, fetcher=fetcher, cache_dir=tmp_path / "cache", max_file_bytes=MIB)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    path = tmp_path / "docs"
    path.mkdir()
    return path


def contents(source: Source) -> dict[str, bytes]:
    return {file.source: file.read() for file in source.files()}


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def names(source: Source) -> list[str]:
    return [file.source for file in source.files()]


# Folders and files


async def test_folder_offers_documents_sorted(folder: Path, open_local: Open) -> None:
    """Documents come in the order of their paths; hidden things, code, images and data stay away."""
    paths = ("b.md", "a/z.gmi", "a.md", "README", "a/b/c.txt", "x.py", "x.PNG", ".git/config", ".hidden.md")
    write_files(folder, {path: path for path in paths})

    source = await open_local(str(folder))

    assert str(folder) == source.name
    assert ["README", "a/b/c.txt", "a/z.gmi", "a.md", "b.md"] == names(source)
    assert b"a/z.gmi" == contents(source)["a/z.gmi"]
    assert [6, 9, 7, 4, 4] == [file.size_bytes for file in source.files()]


async def test_folder_has_one_name_in_all_spellings(folder: Path, open_local: Open, tmp_path: Path) -> None:
    """The name of a folder is its resolved path, whatever was typed."""
    (tmp_path / "link").symlink_to(folder)

    opened = [
        await open_local(spec) for spec in (str(folder), f"{folder}/", f"{folder}/../docs", str(tmp_path / "link"))
    ]

    assert {str(folder)} == {source.name for source in opened}


async def test_single_file_is_offered_whatever_its_extension(folder: Path, open_local: Open) -> None:
    """A file named on its own is offered under its file name."""
    (folder / "data.json").write_text("{}")

    source = await open_local(str(folder / "data.json"))

    assert (str(folder / "data.json"), {"data.json": b"{}"}) == (source.name, contents(source))


async def test_links_stay_inside_and_offer_nothing_twice(folder: Path, open_local: Open, tmp_path: Path) -> None:
    """Links out of the folder and into hidden folders are not followed, cycles end, and own names win."""
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "docs2").mkdir()
    (tmp_path / "docs2" / "x.md").write_text("neighbour")
    (folder / "sub").mkdir()
    (folder / "sub" / "z.md").write_text("z")
    (folder / "lib.py").write_text("shown by its link")
    (folder / ".git").mkdir()
    (folder / ".git" / "config.md").write_text("hidden")
    links = {
        "a.md": "sub/z.md",
        "out.md": "../secret.md",
        "out": "..",
        "near": "../docs2",
        "etc": "/etc",
        "sub/loop": "..",
        "self": ".",
        "again": "sub",
        "gone.md": "nowhere.md",
        "round": "round",
        "git.md": ".git/config.md",
        "code.md": "lib.py",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)

    assert {"sub/z.md": b"z", "code.md": b"shown by its link"} == contents(await open_local(str(folder)))


async def test_large_files_are_offered_but_not_read(folder: Path, open_local: Open) -> None:
    """Reading a file over the limit raises one sentence with both sizes and the setting."""
    with (folder / "big.txt").open("wb") as stream:
        stream.truncate(200 * MIB)
    (folder / "full.txt").write_bytes(bytes(MIB))

    big, full = (await open_local(str(folder))).files()

    assert (200 * MIB, MIB) == (big.size_bytes, len(full.read()))
    with pytest.raises(UnreadableError) as caught:
        big.read()
    assert "big.txt is 200 MiB, over the limit of 1 MiB (LOCUS_MAX_FILE_MIB); it was left out." == str(caught.value)


async def test_things_that_are_no_files_do_not_block(folder: Path, open_local: Open) -> None:
    """Pipes, sockets and vanished files raise at once when read."""
    os.mkfifo(folder / "pipe")
    (folder / "gone").write_text("x")
    descriptor = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{descriptor}/sock")  # the path itself may be too long for a socket
        files = list((await open_local(str(folder))).files())
    os.close(descriptor)
    (folder / "gone").unlink()

    assert ["gone", "pipe", "sock"] == [file.source for file in files]
    for file in files:
        with pytest.raises(UnreadableError, match=f"^{file.source} is "):
            file.read()


async def test_file_exchanged_for_a_link_is_not_followed(folder: Path, open_local: Open, tmp_path: Path) -> None:
    """A file replaced by a link after the listing is not read."""
    (tmp_path / "secret").write_text("secret")
    (folder / "a.md").write_text("a")
    (file,) = (await open_local(str(folder))).files()
    (folder / "a.md").unlink()
    (folder / "a.md").symlink_to(tmp_path / "secret")

    with pytest.raises(UnreadableError):
        file.read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_forbidden_files_and_folders_are_named(folder: Path, open_local: Open) -> None:
    """What this user may not read is offered, and reading it says so."""
    (folder / "a.md").write_text("a")
    (folder / "a.md").chmod(0)
    (folder / "closed").mkdir(mode=0)
    files = list((await open_local(str(folder))).files())
    (folder / "closed").chmod(0o700)

    for file in files:
        with pytest.raises(UnreadableError, match="may not be"):
            file.read()


async def test_forbidden_errors_are_translated(folder: Path, open_local: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal becomes one sentence, also where the tests run as root."""
    (folder / "a.md").write_text("a")
    (file,) = (await open_local(str(folder))).files()

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(UnreadableError, match=r"^a\.md may not be read by this user"):
        file.read()


async def test_odd_file_names_do_not_break_anything(folder: Path, open_local: Open) -> None:
    """Names that are no UTF-8 or hold control characters are shown escaped, and are read."""
    write_files(
        folder, {os.fsdecode(name): "text" for name in (b"\xff.md", b"a\nb.md", "ü \u202e.md".encode(), b"-rf")}
    )

    found = contents(await open_local(str(folder)))

    assert {r"\xff.md", r"a\nb.md", r"ü \u202e.md", "-rf"} == found.keys()
    assert {b"text"} == set(found.values())
    assert all(name.encode() for name in found)


@pytest.fixture
def deep_folder(folder: Path) -> Iterator[Path]:
    """A folder with a document 1,500 levels down, and a level that is too deep to be named."""
    here = os.open(folder, os.O_RDONLY)
    for level in range(2100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if level == 1500:
            os.close(os.open("a.md", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)


async def test_very_deep_folders_are_walked(deep_folder: Path, open_local: Open) -> None:
    """A depth beyond Python's recursion is no problem, and one beyond the system's limit is reported."""
    files = list((await open_local(str(deep_folder))).files())
    (document,) = (file for file in files if file.source.endswith("/a.md"))
    (too_deep,) = (file for file in files if file is not document)

    assert b"" == document.read()
    with pytest.raises(UnreadableError):
        too_deep.read()


async def test_links_of_folder_documents(folder: Path, open_local: Open) -> None:
    """Documents of a copy of gn-docs carry their public pages."""
    (folder / "gn-docs" / "general" / "datasets" / "X").mkdir(parents=True)
    (folder / "gn-docs" / "general" / "datasets" / "X" / "summary.rtf").write_text("x")

    (file,) = (await open_local(str(folder))).files()

    assert "https://genenetwork.org/datasets/X" == file.url


async def test_folder_that_vanishes_is_unavailable(folder: Path, open_local: Open) -> None:
    """A folder that is gone at the sync does not look like an empty one."""
    source = await open_local(str(folder))
    await asyncio.to_thread(folder.rmdir)

    with pytest.raises(UnavailableError, match="cannot be listed"):
        list(source.files())


@pytest.mark.parametrize("spec", ["/no/such/folder", "no-such-file.md", "a\0b", "x" * 5000, "~nobody-here/x"])
async def test_missing_folder_is_named(open_local: Open, spec: str) -> None:
    """What is neither there nor a URL is named with a hint."""
    with pytest.raises(NotFoundError, match=r"^There is no folder or file .*; check the spelling or give a URL\.$"):
        await open_local(spec)


@pytest.mark.parametrize("spec", ["", "  ", "git@github.com:a/b.git", "ssh://git@github.com/a/b.git", "git+ssh://a/b"])
async def test_specifications_that_are_not_understood(open_local: Open, spec: str) -> None:
    """Empty specifications and repositories by ssh are refused with a hint."""
    with pytest.raises(InvalidRequestError):
        await open_local(spec)


async def test_starter_documents_are_found_in_the_package(open_local: Open) -> None:
    """The word `starter` stands for the shipped documents, by their file names."""
    source = await open_local("starter")

    assert "starter" == source.name
    for file in source.files():
        assert ("/" not in file.source, file.size_bytes) == (True, len(file.read()))


# Repositories


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ("https://github.com/genenetwork/gn-docs", "https://github.com/genenetwork/gn-docs.git"),
        ("https://GitHub.com/genenetwork/gn-docs.git/", "https://github.com/genenetwork/gn-docs.git"),
        ("git+https://git.example.org/notes", "https://git.example.org/notes"),
        ("https://git.example.org/notes.git", "https://git.example.org/notes.git"),
        ("https://github.com/genenetwork/gn-docs/blob/main/README.md", None),
        ("https://github.com/genenetwork", None),
        ("https://genenetwork.org/a/b", None),
        ("ssh://git@github.com/a/b.git", None),
        ("/srv/a.git", None),
    ],
)
def test_repositories_are_told_from_pages(spec: str, address: str | None) -> None:
    """Spellings of one repository give one address; pages of a forge are pages."""
    assert address == git_address(spec)


@pytest.fixture
def upstream(server: LocalServer, tmp_path: Path) -> Path:
    """A repository with documents, served by git's own HTTP program."""
    server.serve_git(tmp_path / "srv")
    files = {"general/a.md": b"first", "old.md": b"old", ".gitattributes": b"*.bin filter=lfs\n", "x.py": b"code"}
    return make_repository(tmp_path / "srv" / "notes.git", files, {"passwd.md": "/etc/passwd"})


async def test_repository_is_copied_and_brought_up_to_date(
    server: LocalServer, upstream: Path, open_local: Open
) -> None:
    """The default branch is fetched, links become plain files, and a second sync shows the changes."""
    spec = server.url("/git/notes.git")
    first = contents(await open_local(spec))
    (upstream / "old.md").unlink()
    make_repository(upstream, {"general/a.md": b"second", "new.md": b"new"})

    second = await open_local(spec)

    assert {"general/a.md": b"first", "old.md": b"old", "passwd.md": b"/etc/passwd"} == first
    assert {"general/a.md": b"second", "new.md": b"new", "passwd.md": b"/etc/passwd"} == contents(second)
    assert spec == second.name


async def test_damaged_copy_is_made_anew(server: LocalServer, upstream: Path, open_local: Open, tmp_path: Path) -> None:
    """A copy that git cannot use any more is replaced."""
    spec = server.url("/git/notes.git")
    await open_local(spec)
    (copy,) = (path for path in (tmp_path / "cache" / "git").iterdir() if path.is_dir())
    (copy / ".git" / "shallow.lock").touch()
    shutil.rmtree(copy / ".git" / "objects")

    assert b"first" == contents(await open_local(spec))["general/a.md"]


async def test_git_connects_to_the_checked_address(server: LocalServer, upstream: Path, tmp_path: Path) -> None:
    """Git is given the address that was checked: a name only our resolver knows is reached."""

    async def to_loopback(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    policy = FetchPolicy(private_hosts=(f"docs.test:{server.port}",))
    async with Fetcher(policy, resolver=to_loopback) as fetcher:
        spec = server.url("/git/notes.git", host="docs.test")
        source = await open_source(spec, fetcher=fetcher, cache_dir=tmp_path / "cache", max_file_bytes=MIB)

    assert b"first" == contents(source)["general/a.md"]


async def test_git_ignores_settings_and_proxies_of_the_machine(
    server: LocalServer, upstream: Path, open_local: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the environment nor the user's git settings can lead git elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    (tmp_path / ".gitconfig").write_text('[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://127.0.0.1\n')

    assert b"first" == contents(await open_local(server.url("/git/notes.git")))["general/a.md"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.git",
        "http://github.com/a/b.git",
        "https://user:pw@github.com/a/b",
        "https://127.1/a.git",
    ],
)
async def test_git_follows_the_fetch_policy(open_local: Open, url: str) -> None:
    """Unlisted hosts, plain http and passwords are refused before git is started."""
    with pytest.raises(RefusedError) as caught:
        await open_local(url)
    assert "pw" not in str(caught.value)


async def test_git_host_that_leads_inside_is_refused(server: LocalServer, tmp_path: Path) -> None:
    """A listed host whose name leads to the loopback is refused with its URL."""

    async def to_loopback(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with Fetcher(FetchPolicy(), resolver=to_loopback) as fetcher:
        with pytest.raises(RefusedError, match=r"^https://github\.com/a/b\.git .*LOCUS_FETCH_PRIVATE_HOSTS"):
            await open_source("https://github.com/a/b", fetcher=fetcher, cache_dir=tmp_path, max_file_bytes=MIB)


async def test_git_redirects_are_not_followed(server: LocalServer, upstream: Path, open_local: Open) -> None:
    """A redirect could lead anywhere, so it is an error."""
    target = server.url("/git/notes.git/info/refs?service=git-upload-pack")
    server.route("/moved.git/info/refs", Reply(status=301, headers={"Location": target}))

    with pytest.raises(UnavailableError, match="could not be fetched"):
        await open_local(server.url("/moved.git"))
    assert {"/moved.git/info/refs"} == set(server.paths)


async def test_git_failures_name_the_address(server: LocalServer, open_local: Open, tmp_path: Path) -> None:
    """Missing, failing, unreachable and empty repositories give different errors, each with the address."""
    server.serve_git(tmp_path / "srv")
    await asyncio.to_thread(make_repository, tmp_path / "srv" / "empty.git", {}, commit=False)
    server.route("/broken.git/info/refs", Reply(status=500))
    policy = FetchPolicy(private_hosts=("127.0.0.1:1",))

    with pytest.raises(NotFoundError, match=r"no public repository at http://127\.0\.0\.1:\d+/git/no\.git"):
        await open_local(server.url("/git/no.git"))
    with pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:\d+/broken\.git could not be fetched"):
        await open_local(server.url("/broken.git"))
    with pytest.raises(UnreadableError, match="is empty"):
        await open_local(server.url("/git/empty.git"))
    async with Fetcher(policy) as fetcher:
        with pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:1/a\.git could not be fetched"):
            await open_source("http://127.0.0.1:1/a.git", fetcher=fetcher, cache_dir=tmp_path, max_file_bytes=MIB)


async def test_failed_sync_keeps_the_copy(
    server: LocalServer, upstream: Path, open_local: Open, tmp_path: Path
) -> None:
    """When the server fails, the copy of the last sync stays and nothing half-made is left."""
    source = await open_local(server.url("/git/notes.git"))
    server.route("/git/notes.git/info/refs", Reply(status=503))

    with pytest.raises(UnavailableError):
        await open_local(server.url("/git/notes.git"))

    assert b"first" == contents(source)["general/a.md"]
    assert 1 == len([path for path in (tmp_path / "cache" / "git").iterdir() if path.is_dir()])


def processes_using(text: str) -> list[int]:
    """Return the ids of running processes whose command line holds a text."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_cancelled_git_leaves_no_process(server: LocalServer, open_local: Open) -> None:
    """Cancelling the sync kills git and its helpers."""
    server.route("/slow.git/info/refs", Reply(stalled(server.stopping)))
    task = asyncio.ensure_future(open_local(server.url("/slow.git")))
    await asyncio.to_thread(server.wait_for_request)
    assert await asyncio.to_thread(processes_using, server.url("/slow.git"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [] == await asyncio.to_thread(processes_using, server.url("/slow.git"))


async def test_git_has_a_time_limit(server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stalls is given up on."""
    monkeypatch.setattr(git, "TIME_FACTOR", 1)
    server.route("/slow.git/info/refs", Reply(stalled(server.stopping)))
    policy = FetchPolicy(private_hosts=(server.address,), timeout_s=0.3)
    async with Fetcher(policy) as fetcher:
        with pytest.raises(UnavailableError, match="LOCUS_FETCH_TIMEOUT_S"):
            await open_source(
                server.url("/slow.git"), fetcher=fetcher, cache_dir=tmp_path / "cache", max_file_bytes=MIB
            )


async def test_repository_over_the_limit_is_refused(
    server: LocalServer, upstream: Path, open_local: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk a copy takes is watched."""
    monkeypatch.setattr(git, "SIZE_FACTOR", 1)
    make_repository(upstream, {"big.txt": os.urandom(MIB)})

    with pytest.raises(UnreadableError, match=r"over the limit of 1 MiB for a repository .*LOCUS_FETCH_MAX_MIB"):
        await open_local(server.url("/git/notes.git"))
    assert [] == [path for path in (tmp_path / "cache" / "git").iterdir() if path.is_dir()]


async def test_two_syncs_of_one_repository_do_not_meet(server: LocalServer, open_local: Open) -> None:
    """While one sync is at work a second one is told to wait."""
    server.route("/slow.git/info/refs", Reply(stalled(server.stopping)))
    task = asyncio.ensure_future(open_local(server.url("/slow.git")))
    await asyncio.to_thread(server.wait_for_request)

    with pytest.raises(BusyError):
        await open_local(server.url("/slow.git"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_missing_git_is_named(server: LocalServer, open_local: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git the message says what to install."""
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(SettingsError, match="Git is not installed"):
        await open_local(server.url("/git/notes.git"))


# Pages and sitemaps


def urlset(*urls: str) -> Reply:
    """A sitemap of pages."""
    entries = "".join(f"<url><loc>\n {url} </loc><lastmod>2026-01-01</lastmod></url>" for url in urls)
    text = f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
    return Reply(text.encode(), headers={"Content-Type": "application/xml"})


def sitemap_index(*urls: str) -> Reply:
    """A sitemap of sitemaps."""
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return Reply(f"<sitemapindex>{entries}</sitemapindex>".encode())


async def test_page_is_offered_under_its_url(server: LocalServer, open_local: Open) -> None:
    """A web page is one document; its public page is where it was in the end."""
    server.route("/page", Reply(status=302, headers={"Location": "/page/"}))
    server.route("/page/", Reply(b"<h1>BXD</h1>"))

    source = await open_local(server.url("/page#top"))
    (file,) = source.files()

    assert (server.url("/page"), server.url("/page"), server.url("/page/")) == (source.name, file.source, file.url)
    assert (b"<h1>BXD</h1>", 12) == (file.read(), file.size_bytes)


async def test_page_that_is_missing_or_refused(server: LocalServer, open_local: Open) -> None:
    """The fetcher's errors reach the caller of a single page."""
    with pytest.raises(NotFoundError):
        await open_local(server.url("/no"))
    with pytest.raises(RefusedError):
        await open_local("http://127.0.0.1:1/")


async def test_sitemap_pages_are_fetched_in_order(server: LocalServer, open_local: Open) -> None:
    """Every page of the sitemap and of those below it is offered once."""
    server.route(
        "/sitemap.xml", sitemap_index(server.url("/one.xml"), server.url("/two.xml"), server.url("/sitemap.xml"))
    )
    server.route("/one.xml", urlset(server.url("/b?x=1"), server.url("/a#part")))
    server.route("/two.xml", urlset(server.url("/a"), server.url("/c?x=1"), server.url("/c?x=2")))
    for path in "abc":
        server.route(f"/{path}", lambda request: Reply(f"{request.path}?{request.query}".encode()))

    source = await open_local(server.url("/sitemap.xml"))

    expected = {"/b?x=1": b"/b?x=1", "/a": b"/a?", "/c?x=1": b"/c?x=1", "/c?x=2": b"/c?x=2"}
    assert {server.url(path): data for path, data in expected.items()} == contents(source)
    assert [server.url(path) for path in expected] == names(source)


async def test_sitemap_is_known_by_its_content(server: LocalServer, open_local: Open) -> None:
    """A sitemap without .xml in its address is recognised; other XML is a page."""
    server.route("/map", urlset(server.url("/a")))
    server.route("/a", Reply(b"a"))
    server.route("/feed.xml", Reply(b"<feed><title>News</title></feed>"))

    assert {server.url("/a"): b"a"} == contents(await open_local(server.url("/map")))
    assert [server.url("/feed.xml")] == names(await open_local(server.url("/feed.xml")))


async def test_broken_pages_of_a_sitemap_are_reported_one_by_one(server: LocalServer, open_local: Open) -> None:
    """A page that is missing, refused, too large or failing does not keep the others away."""
    server.route("/ok", Reply(b"ok"))
    server.route("/large", Reply(endless(server.stopping)))
    server.route("/broken", Reply(status=500))
    urls = [
        *(server.url(path) for path in ("/no?a", "/no?b", "/large", "/broken", "/ok")),
        "https://evil.example/",
        "x y",
    ]
    server.route("/map.xml", urlset(*urls))

    files = {file.source: file for file in (await open_local(server.url("/map.xml"))).files()}

    assert urls == list(files)
    assert b"ok" == files.pop(server.url("/ok")).read()
    for file in files.values():
        with pytest.raises(UnreadableError):
            file.read()


async def test_sync_is_given_up_when_the_server_stops_answering(server: LocalServer, open_local: Open) -> None:
    """A dead server is not asked for thousands of pages."""
    server.route("/map.xml", urlset(*(server.url(f"/page/{number}") for number in range(500))))
    server.route("/page/*", Reply(status=503, headers={"Retry-After": "5"}))

    with pytest.raises(UnavailableError, match="given up") as caught:
        await open_local(server.url("/map.xml"))
    assert (5.0, True) == (caught.value.retry_after_s, len(server.requests) < 20)


async def test_missing_sitemap_below_ends_the_sync(server: LocalServer, open_local: Open) -> None:
    """A sitemap that cannot be had does not look as if its pages were gone."""
    server.route("/sitemap.xml", sitemap_index(server.url("/no.xml")))

    with pytest.raises(NotFoundError):
        await open_local(server.url("/sitemap.xml"))


async def test_sitemaps_have_a_depth_and_a_length(
    server: LocalServer, open_local: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sitemaps are followed two levels down, and pages are counted."""
    monkeypatch.setattr(web, "MAX_PAGES", 2)

    def nested(request: Request) -> Reply:
        return sitemap_index(server.url(f"{request.path}x.xml"))

    server.route("/deep/*", nested)
    server.route("/many.xml", urlset(*(server.url(f"/p/{number}") for number in range(5))))
    server.route("/p/*", Reply(b"p"))

    assert [] == names(await open_local(server.url("/deep/x.xml")))
    assert 3 == len(server.requests)
    assert 2 == len(names(await open_local(server.url("/many.xml"))))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><urlset/>',
        "<urlset><url><loc>http://a</url></urlset>",
        "",
    ],
)
def test_hostile_xml_is_refused(text: str) -> None:
    """Document types, so entities of any kind, and damaged XML raise, in every encoding."""
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(ValueError, match=r".+"):
            parse_sitemap(text.encode(encoding))


async def test_damaged_sitemap_is_unreadable(server: LocalServer, open_local: Open) -> None:
    """A sitemap that breaks off is no sitemap with fewer pages."""
    server.route("/sitemap.xml", Reply(b"<urlset><url><loc>http://a/</loc></url>"))

    with pytest.raises(UnreadableError, match="damaged XML"):
        await open_local(server.url("/sitemap.xml"))
