"""The fetcher: what it refuses, what it limits, and how it words failures."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import inspect
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path

import httpcore
import pytest
from hypothesis import given, strategies

from bot.errors import (
    BotError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    SettingsError,
    UnavailableError,
    UnreadableError,
)
from knowledge import fetching
from knowledge.fetching import Fetcher, FetchPolicy, check_address, check_url, is_public, shown_url
from tests.servers import LocalServer, Reply, endless, stalled

MIB = 1024 * 1024
PUBLIC = "93.184.216.34"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A web server on the loopback."""
    with LocalServer() as running:
        yield running


@pytest.fixture
async def fetcher(server: LocalServer) -> AsyncIterator[Fetcher]:
    """A fetcher that may reach the local server by its address."""
    policy = FetchPolicy(private_hosts=(server.address,), max_bytes=MIB, timeout_s=5)
    async with Fetcher(policy) as opened:
        yield opened


async def to_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


class RecordingNetwork(httpcore.AsyncNetworkBackend):
    """Remembers what it was asked to connect to; public addresses end at the local server, or nowhere."""

    def __init__(self, local_port: int | None = None) -> None:
        self.connected: list[str] = []
        self._local_port = local_port

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        if self._local_port is None:
            raise httpcore.ConnectError
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self._local_port, timeout)


async def test_fetch_returns_body_type_and_address(server: LocalServer, fetcher: Fetcher) -> None:
    """A page is returned with its bytes, its content type and its URL."""
    server.route("/page", Reply(b"<p>BXD</p>", headers={"Content-Type": "text/html; charset=utf-8"}))

    fetched = await fetcher.fetch(server.url("/page#part"))

    assert fetching.Fetched(server.url("/page"), b"<p>BXD</p>", "text/html; charset=utf-8") == fetched


async def test_fetch_sends_no_environment_and_asks_for_plain_bytes(
    server: LocalServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies of the environment are not used, and no compression is asked for."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.route("/page", Reply(b"x"))

    await fetcher.fetch(server.url("/page"))

    assert "identity" == server.requests[0].headers["Accept-Encoding"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://genenetwork.org/x",
        "file:///etc/passwd",
        "https://user:hunter2@genenetwork.org/",
        "https://genenetwork.org@evil.example/",
        "https://evil.example/",
        "https://genenetwork.org.evil.example/",
        "https://evilgenenetwork.org/",
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "https://genenetwork%2eorg/",
        "https://genenetwork.org\\@evil.example/",
    ],
)
async def test_fetch_refuses_addresses_off_the_list(url: str) -> None:
    """Other schemes, user names, strange spellings and unlisted hosts are refused before anything is resolved."""

    async def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    async with Fetcher(FetchPolicy(), resolver=never, backend=RecordingNetwork()) as fetcher:
        with pytest.raises((RefusedError, InvalidRequestError)) as caught:
            await fetcher.fetch(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/", "http://127.1/"])
def test_odd_spellings_of_addresses_are_refused_even_if_listed(url: str) -> None:
    """A number that old resolvers read as an IPv4 address is no host name."""
    host = url[7:-1]

    with pytest.raises((RefusedError, InvalidRequestError)):
        check_url(url, FetchPolicy(private_hosts=(host,)))


@pytest.mark.parametrize("text", ["", "genenetwork.org", "https://", "https:///x", "http://[::1", "http://a:99999999/"])
def test_text_that_is_no_url_is_an_invalid_request(text: str) -> None:
    """What cannot be parsed is named as such, or refused for its missing scheme."""
    with pytest.raises((InvalidRequestError, RefusedError)):
        check_url(text, FetchPolicy())


PARTS = [
    "http",
    "https",
    ":",
    "//",
    "/",
    "@",
    "\\",
    "genenetwork.org",
    "evil.example",
    "127.0.0.1",
    "[::1]",
    "%2e",
    "#",
    "?",
]


@given(strategies.lists(strategies.sampled_from(PARTS) | strategies.text(max_size=3), max_size=9).map("".join))
def test_no_text_leads_off_the_list(text: str) -> None:
    """Whatever the text, it is refused with one of our errors or names an allowed host without user information."""
    try:
        url = check_url(text, FetchPolicy())
    except (InvalidRequestError, RefusedError):
        return

    assert ("genenetwork.org", b"") == (url.host, url.userinfo)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://GeneNetwork.ORG/A", "https://genenetwork.org/A"),
        ("https://genenetwork.org./a", "https://genenetwork.org/a"),
        ("https://info.genenetwork.org:443/a", "https://info.genenetwork.org/a"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_hosts_are_compared_in_one_spelling(url: str, normal: str) -> None:
    """Case, a trailing dot, the default port and international names do not matter."""
    policy = FetchPolicy(allowed_hosts=("genenetwork.org", "*.genenetwork.org", "BÜCHER.example"))

    assert normal == str(check_url(url, policy))


def test_wildcard_does_not_cover_the_domain_itself() -> None:
    """The entry *.example.org allows hosts below example.org only."""
    with pytest.raises(RefusedError, match="LOCUS_FETCH_ALLOWED_HOSTS"):
        check_url("https://example.org/", FetchPolicy(allowed_hosts=("*.example.org",)))


@pytest.mark.parametrize("entry", ["*", "*.", "https://example.org", "example.org/x", "a.*.org", ""])
def test_policy_refuses_entries_that_are_no_hosts(entry: str) -> None:
    """A wrong entry of the list is named at the start."""
    with pytest.raises(SettingsError, match="LOCUS_FETCH_ALLOWED_HOSTS"):
        FetchPolicy(allowed_hosts=(entry,))


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e"])
def test_public_addresses_are_public(address: str) -> None:
    """Ordinary addresses of the internet are accepted."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),  # noqa: S104
        *("100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "192.0.2.1", "224.0.0.1", "239.1.1.1"),
        *("240.0.0.1", "255.255.255.255", "192.88.99.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:53aa:64c:0:1:2:3", "2001:db8::1", "3fff::1"),
        *("100::1", "genenetwork.org", ""),
    ],
)
def test_other_addresses_are_not_public(address: str) -> None:
    """Private, local, multicast and reserved ranges, and IPv6 that carries IPv4, are not public."""
    assert not is_public(address)


async def test_one_private_answer_spoils_all() -> None:
    """A host is refused if any of its addresses is private, whatever the others are."""

    async def mixed(host: str, port: int) -> Sequence[str]:
        return [PUBLIC, "10.0.0.1"]

    with pytest.raises(RefusedError, match=r"10\.0\.0\.1.*LOCUS_FETCH_PRIVATE_HOSTS"):
        await check_address("genenetwork.org", 443, FetchPolicy(), resolver=mixed)


async def test_private_host_is_allowed_at_its_port_only(server: LocalServer) -> None:
    """A named exception with a port opens that port and no other."""
    policy = FetchPolicy(allowed_hosts=("inside.test",), private_hosts=("inside.test:8080",))

    assert ["127.0.0.1"] == await check_address("inside.test", 8080, policy, resolver=to_loopback)
    with pytest.raises(RefusedError):
        await check_address("inside.test", 22, policy, resolver=to_loopback)


async def test_listed_host_that_leads_inside_is_refused_with_its_url(server: LocalServer) -> None:
    """A public name that resolves to the loopback is refused, and the message names URL and setting."""
    policy = FetchPolicy(allowed_hosts=("docs.test",))
    async with Fetcher(policy, resolver=to_loopback) as fetcher:
        with pytest.raises(RefusedError, match=r"^http://docs\.test:\d+/x .*LOCUS_FETCH_PRIVATE_HOSTS"):
            await fetcher.fetch(server.url("/x?token=1", host="docs.test"))

    assert [] == server.requests


async def test_changing_answers_of_the_name_server_change_nothing(server: LocalServer) -> None:
    """The connection goes to the address that was checked; the name is asked for once and a later answer is checked."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    network = RecordingNetwork(server.port)
    server.route("/x", Reply(b"public page"))
    async with Fetcher(FetchPolicy(allowed_hosts=("docs.test",)), resolver=rebinding, backend=network) as fetcher:
        fetched = await fetcher.fetch("http://docs.test/x")
        with pytest.raises(RefusedError):
            await fetcher.fetch("http://docs.test/x")

    assert b"public page" == fetched.data
    assert ([PUBLIC], "docs.test") == (network.connected, server.requests[0].headers["Host"])


async def test_next_address_is_tried_when_one_does_not_answer() -> None:
    """All checked addresses of a host are tried in order."""

    async def two(host: str, port: int) -> Sequence[str]:
        return [PUBLIC, "1.1.1.1"]

    network = RecordingNetwork()
    async with Fetcher(FetchPolicy(), resolver=two, backend=network) as fetcher:
        with pytest.raises(UnavailableError, match=r"^https://genenetwork\.org/ could not be reached"):
            await fetcher.fetch("https://genenetwork.org/")

    assert [PUBLIC, "1.1.1.1"] == network.connected


async def test_redirects_are_followed(server: LocalServer, fetcher: Fetcher) -> None:
    """Relative and absolute redirects lead to the page, whose own URL is returned."""
    server.route("/a", Reply(status=301, headers={"Location": "b?x=1"}))
    server.route("/b", Reply(status=307, headers={"Location": server.url("/c")}))
    server.route("/c", Reply(b"there"))

    fetched = await fetcher.fetch(server.url("/a"))

    assert (server.url("/c"), b"there") == (fetched.url, fetched.data)


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/secret", "http://inner.test:{port}/secret", "file:///etc"])
async def test_redirect_to_a_private_address_is_refused(server: LocalServer, target: str) -> None:
    """Every redirect passes all checks again, by list and by address."""
    policy = FetchPolicy(allowed_hosts=("inner.test",), private_hosts=(f"docs.test:{server.port}",))
    server.route("/a", Reply(status=302, headers={"Location": target.format(port=server.port)}))
    server.route("/secret", Reply(b"secret"))
    async with Fetcher(policy, resolver=to_loopback) as fetcher:
        with pytest.raises(RefusedError):
            await fetcher.fetch(server.url("/a", host="docs.test"))

    assert ["/a"] == server.paths


async def test_redirects_in_a_circle_end(server: LocalServer, fetcher: Fetcher) -> None:
    """After five redirects the fetcher gives up."""
    server.route("/a", Reply(status=302, headers={"Location": "/a"}))

    with pytest.raises(UnavailableError, match="redirected more than 5 times"):
        await fetcher.fetch(server.url("/a"))
    assert 6 == len(server.requests)


async def test_endless_body_is_cut_off(server: LocalServer, fetcher: Fetcher) -> None:
    """A body without end is refused at the limit."""
    server.route("/endless", Reply(endless(server.stopping)))

    with pytest.raises(UnreadableError, match=r"over the limit of 1 MiB .*LOCUS_FETCH_MAX_MIB"):
        await fetcher.fetch(server.url("/endless"))


async def test_announced_size_over_the_limit_is_not_read(server: LocalServer, fetcher: Fetcher) -> None:
    """A Content-Length over the limit is refused at once."""
    server.route("/big", Reply(b"x", headers={"Content-Length": str(2 * MIB)}))

    with pytest.raises(UnreadableError, match="LOCUS_FETCH_MAX_MIB"):
        await fetcher.fetch(server.url("/big"))


async def test_body_of_exactly_the_limit_is_accepted(server: LocalServer, fetcher: Fetcher) -> None:
    """The limit itself is allowed."""
    server.route("/full", Reply(bytes(MIB)))

    assert MIB == len((await fetcher.fetch(server.url("/full"))).data)


async def test_gzip_bomb_is_cut_off_after_decompression(server: LocalServer, fetcher: Fetcher) -> None:
    """Decompressed bytes count: a small body that unfolds to a large one is refused."""
    bomb = gzip.compress(bytes(200 * MIB))
    server.route("/bomb", Reply(bomb, headers={"Content-Encoding": "gzip"}))

    assert len(bomb) < MIB
    with pytest.raises(UnreadableError, match="LOCUS_FETCH_MAX_MIB"):
        await fetcher.fetch(server.url("/bomb"))


async def test_compression_nobody_asked_for(server: LocalServer, fetcher: Fetcher) -> None:
    """Gzip is undone although it was not asked for; damaged, cut and unknown encodings are refused."""
    packed = gzip.compress(b"text" * 100)
    server.route("/good", Reply(packed, headers={"Content-Encoding": "gzip"}))
    server.route("/cut", Reply(packed[:-12], headers={"Content-Encoding": "gzip"}))
    server.route("/bad", Reply(b"no gzip", headers={"Content-Encoding": "gzip"}))
    server.route("/other", Reply(packed, headers={"Content-Encoding": "br"}))

    assert b"text" * 100 == (await fetcher.fetch(server.url("/good"))).data
    for path in ("/cut", "/bad", "/other"):
        with pytest.raises(UnreadableError):
            await fetcher.fetch(server.url(path))


async def test_body_shorter_than_announced_is_an_error(server: LocalServer, fetcher: Fetcher) -> None:
    """A connection that ends too early is no success."""
    server.route("/short", Reply(b"half", headers={"Content-Length": "8"}))

    with pytest.raises(UnavailableError, match="hung up"):
        await fetcher.fetch(server.url("/short"))


async def test_slow_body_ends_at_the_time_limit(server: LocalServer) -> None:
    """The clock runs over the whole download."""
    server.route("/slow", Reply(stalled(server.stopping)))
    policy = FetchPolicy(private_hosts=(server.address,), timeout_s=0.2)
    started = time.monotonic()
    async with Fetcher(policy) as fetcher:
        with pytest.raises(UnavailableError, match=r"longer than 0\.2 s \(LOCUS_FETCH_TIMEOUT_S\)"):
            await fetcher.fetch(server.url("/slow"))

    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "header", "retryable", "after"),
    [
        (500, None, True, None),
        (503, "7", True, 7.0),
        (429, "Thu, 01 Jan 1970 00:00:00 GMT", True, 0.0),
        (429, "soon", True, None),
        (503, "9" * 30, True, 86_400.0),
        (403, None, False, None),
        (304, None, False, None),
    ],
)
async def test_failing_statuses(
    server: LocalServer, fetcher: Fetcher, status: int, header: str | None, retryable: bool, after: float | None
) -> None:
    """Errors of the server are unavailable, and say whether and when to try again."""
    server.route("/x", Reply(status=status, headers={"Retry-After": header} if header else {}))

    with pytest.raises(UnavailableError, match=str(status)) as caught:
        await fetcher.fetch(server.url("/x"))
    assert (retryable, after) == (caught.value.retryable, caught.value.retry_after_s)


@pytest.mark.parametrize("status", [404, 410])
async def test_missing_page_is_not_found(server: LocalServer, fetcher: Fetcher, status: int) -> None:
    """A page that does not exist is named."""
    server.route("/gone", Reply(status=status))

    with pytest.raises(NotFoundError, match=r"^http://127\.0\.0\.1:\d+/gone does not exist"):
        await fetcher.fetch(server.url("/gone"))


async def test_unreachable_server_and_unknown_name() -> None:
    """No listener and no name both give one sentence with the URL."""

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    async with Fetcher(FetchPolicy(private_hosts=("127.0.0.1:1",)), resolver=unknown) as fetcher:
        with pytest.raises(UnavailableError, match=r"^http://127\.0\.0\.1:1/ could not be reached"):
            await fetcher.fetch("http://127.0.0.1:1/")
        with pytest.raises(UnavailableError, match=r"^https://genenetwork\.org/ was not fetched: .*resolved\.$"):
            await fetcher.fetch("https://genenetwork.org/")


async def test_cancelling_leaves_the_fetcher_usable(server: LocalServer, fetcher: Fetcher) -> None:
    """A download that was cancelled does not disturb the next one."""
    server.route("/slow", Reply(stalled(server.stopping)))
    server.route("/x", Reply(b"x"))
    task = asyncio.create_task(fetcher.fetch(server.url("/slow")))
    await asyncio.to_thread(server.wait_for_request)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert b"x" == (await fetcher.fetch(server.url("/x"))).data


async def test_closed_fetcher_says_what_was_done_wrong() -> None:
    """Fetching outside of `async with` is a mistake of the caller."""
    policy = FetchPolicy(private_hosts=("127.0.0.1",))
    with pytest.raises(RuntimeError, match="async with"):
        await Fetcher(policy).fetch("http://127.0.0.1/")


def test_every_error_of_httpcore_is_translated() -> None:
    """An upgrade of httpcore cannot bring an error class that passes the border."""
    classes = [value for value in vars(httpcore).values() if inspect.isclass(value) and issubclass(value, Exception)]

    assert 10 < len(classes)
    assert [] == [error for error in classes if not issubclass(error, fetching._NETWORK_ERRORS)]
    assert all(isinstance(fetching._unavailable("u", error("x")), BotError) for error in classes)


def test_shown_url_hides_secrets() -> None:
    """Messages carry neither passwords nor queries."""
    assert "https://a.example/x" == shown_url("https://me:pw@a.example/x?key=1#y")
    assert 200 == len(shown_url("https://a.example/" + "x" * 500))


def make_certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with a certificate for `host` and of a client that trusts it."""
    x509 = pytest.importorskip("cryptography.x509")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(pem + secret)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "cert.pem")
    return serving, ssl.create_default_context(cadata=pem.decode())


async def test_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    """TLS names and checks the host although the connection goes to an address."""
    serving, trusting = make_certificate(tmp_path, "docs.test")
    named: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: named.append(name)
    with LocalServer(tls=serving) as server:
        server.route("/x", Reply(b"safe"))
        policy = FetchPolicy(private_hosts=("docs.test", "other.test"), timeout_s=5)
        async with Fetcher(policy, resolver=to_loopback, ssl_context=trusting) as fetcher:
            fetched = await fetcher.fetch(server.url("/x", host="docs.test"))
            with pytest.raises(UnavailableError, match="certificate") as caught:
                await fetcher.fetch(server.url("/x", host="other.test"))

    assert (b"safe", "docs.test", False) == (fetched.data, named[0], caught.value.retryable)
