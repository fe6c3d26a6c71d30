"""Who gets in: tokens, cookies, the lab's proxy, forms of other pages, and what every response carries."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import NotFoundError, SettingsError, UnavailableError
from bot.health import Health
from bot.settings import load_settings
from bot.store.client import Store
from bot.store.web_secret import web_secret
from bot.web.access import COOKIE, needs
from bot.web.forms import read_fields
from bot.web.health_pages import HealthPages
from bot.web.opening import open_web
from bot.web.sessions import Role
from bot.web.sign_in_pages import ATTEMPTS, MAX_ADDRESSES, WINDOW_S, Attempts
from bot.web.site import HEADERS, MAX_BODY, PageFamily
from bot.web.templating import NavLink, Templates
from tests.web import READER_TOKEN, STEWARD_TOKEN, Site, form_token, send_form, serve_pages

HOSTILE = "<script>alert(1)</script>\"'&"


class Notes:
    """Pages of each kind: for readers, for stewards, one that changes something, some that fail."""

    def __init__(self, templates: Templates) -> None:
        self.templates = templates
        self.written: list[str] = []

    def routes(self) -> Sequence[Route]:
        return [
            Route("/", self._first),
            Route("/notes", self._read),
            Route("/form", self._form),
            Route("/notes/new", self._write, methods=["POST"]),
            Route("/fails/{how}", self._fail),
        ]

    def links(self) -> Sequence[NavLink]:
        return [NavLink("First", "/"), NavLink("Notes", "/notes", Role.READER)]

    @needs(Role.STEWARD)
    async def _first(self, request: Request) -> Response:
        return self.templates.render(request, "welcome.html")

    @needs(Role.READER)
    async def _read(self, request: Request) -> Response:
        return self.templates.render(request, "welcome.html")

    @needs(Role.READER)
    async def _form(self, request: Request) -> Response:
        return self.templates.render(request, "sign_in.html", wanted="/", problem="")

    @needs(Role.STEWARD)
    async def _write(self, request: Request) -> Response:
        self.written.append((await read_fields(request)).get("text", ""))
        return PlainTextResponse("written")

    @needs(Role.ANYBODY)
    async def _fail(self, request: Request) -> Response:
        errors = {
            "away": UnavailableError(f"Redis does not answer {HOSTILE}: start it."),
            "gone": NotFoundError("There is no such answer: it may have been deleted."),
        }
        raise errors.get(request.path_params["how"]) or RuntimeError("the secret of somebody")


class Served:
    """Pages with what they were made of."""

    def __init__(self) -> None:
        self.notes: Notes

    def make(self, templates: Templates) -> Sequence[PageFamily]:
        self.notes = Notes(templates)
        return [self.notes, HealthPages(Health())]


@pytest.fixture
def served() -> Served:
    """The pages of this module."""
    return Served()


@pytest.fixture
async def site(served: Served) -> AsyncIterator[Site]:
    """They are served, with a token for each role."""
    async with serve_pages(served.make) as opened:
        yield opened


async def test_who_is_not_signed_in_signs_in_and_gets_where_they_wanted(site: Site) -> None:
    """With the way kept, and nothing of the token in any address."""
    async with site.client() as client:
        sent = await client.get("/notes?page=2")
        asked = await client.get(sent.headers["location"])
        token = form_token(asked)
        wanted = re.findall(r'name="next" value="([^"]*)"', asked.text)[0]
        entered = await client.post("/sign-in", data={"form_token": token, "next": wanted, "token": READER_TOKEN})
        shown = await client.get(entered.headers["location"])

    assert (303, "/sign-in?next=%2Fnotes%3Fpage%3D2") == (sent.status_code, sent.headers["location"])
    assert (303, "/notes?page=2", 200) == (entered.status_code, entered.headers["location"], shown.status_code)


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/a b", "", "/\n/x"])
async def test_signing_in_never_leads_elsewhere(site: Site, wanted: str) -> None:
    """Whatever the address asked for."""
    async with site.client() as client:
        entered = await send_form(client, "/sign-in", "/sign-in", token=STEWARD_TOKEN, next=wanted)

    assert "/" == entered.headers["location"]


async def test_a_cookie_is_out_of_reach_of_scripts_and_other_pages(site: Site) -> None:
    """And holds neither the token nor anything of it."""
    async with site.client() as client:
        entered = await send_form(client, "/sign-in", "/sign-in", token=STEWARD_TOKEN)
    cookie = entered.headers["set-cookie"]

    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert STEWARD_TOKEN not in cookie


async def test_behind_https_the_cookie_is_secure_and_the_prefix_its_path(served: Served) -> None:
    """LOCUS_PUBLIC_URL says so; a proxy may leave the prefix on or take it off."""
    async with (
        serve_pages(served.make, public_url="https://lab.example/locus") as site,
        site.client(Host="lab.example") as client,
    ):
        shown = await client.get("/locus/sign-in")
        stripped = await client.get("/sign-in")
        token = form_token(stripped)
        # A browser keeps the cookie of its own accord; here the address is not https.
        jar = {COOKIE: re.findall(rf"{COOKIE}=([^;]+)", stripped.headers["set-cookie"])[0]}
        client.cookies.clear()
        data = {"form_token": token, "token": STEWARD_TOKEN}
        entered = await client.post("/locus/sign-in", data=data, headers={"Cookie": f"{COOKIE}={jar[COOKIE]}"})

    assert (200, 200, 303) == (shown.status_code, stripped.status_code, entered.status_code)
    assert 'action="/locus/sign-in"' in stripped.text
    assert "/locus/" == entered.headers["location"]
    assert {"Secure", "Path=/locus/"} <= set(entered.headers["set-cookie"].split("; "))


async def test_readers_see_their_pages_and_no_others(site: Site) -> None:
    """Neither in the navigation nor by typing the address."""
    async with site.client(Role.READER) as client:
        notes, first = await client.get("/notes"), await client.get("/")
    async with site.client(Role.STEWARD) as client:
        both = await client.get("/notes")

    assert (200, 403) == (notes.status_code, first.status_code)
    assert [True, False] == [f">{name}<" in notes.text for name in ("Notes", "First")]
    assert [True, True] == [f">{name}<" in both.text for name in ("Notes", "First")]


async def test_a_wrong_token_is_said_and_too_many_have_to_wait(site: Site) -> None:
    """By address; the right one does not help then either."""
    async with site.client() as client:
        answers = [
            await send_form(client, "/sign-in", "/sign-in", token=f"wrong token {n}") for n in range(ATTEMPTS + 1)
        ]
        right = await send_form(client, "/sign-in", "/sign-in", token=STEWARD_TOKEN)

    assert [403] * ATTEMPTS + [429] == [one.status_code for one in answers]
    assert 429 == right.status_code
    assert 0 < int(right.headers["retry-after"]) <= WINDOW_S
    assert "Too many wrong tokens came from your address" in right.text
    assert 'aria-describedby="problem"' in answers[0].text


def test_attempts_are_counted_by_network_and_forgotten() -> None:
    """Who has one machine has all the rest of its IPv6 network; nobody can fill the memory."""
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for n in range(ATTEMPTS):
        attempts.failed(f"2001:db8::{n + 1}")
    waited = attempts.wait_s("2001:db8::ffff"), attempts.wait_s("2001:db8:0:1::1")
    now[0] = WINDOW_S + 1
    later = attempts.wait_s("2001:db8::1")
    for n in range(MAX_ADDRESSES + 5):
        attempts.failed(f"host {n}")

    assert (WINDOW_S, 0.0, 0.0) == (*waited, later)
    assert MAX_ADDRESSES == len(attempts._failed)


async def test_a_changed_token_ends_its_sessions_and_no_others(served: Served) -> None:
    """As does the end of thirty days; a cookie that somebody made is none."""
    async with serve_pages(served.make) as before:
        cookies = {}
        for role in (Role.STEWARD, Role.READER):
            async with before.client(role) as client:
                cookies[role] = client.cookies[COOKIE]
    async with serve_pages(served.make, dashboard_token="another-token-of-the-steward") as after:
        statuses = []
        for cookie in (cookies[Role.STEWARD], cookies[Role.READER], cookies[Role.READER][:-2], "nonsense", ""):
            async with httpx.AsyncClient(base_url=after.origin, cookies={COOKIE: cookie}) as client:
                statuses.append((await client.get("/notes")).status_code)

    assert [303, 200, 303, 303, 303] == statuses


async def test_signing_out_ends_it(site: Site) -> None:
    """In this browser."""
    async with site.client(Role.STEWARD) as client:
        left = await send_form(client, "/", "/sign-out")
        shown = await client.get("/")

    assert (303, 303) == (left.status_code, shown.status_code)


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({}, "own", 200),
        ({"Origin": "null"}, "own", 200),
        ({"Sec-Fetch-Site": "same-origin"}, "own", 200),
        ({}, "none", 403),
        ({}, "made up", 403),
        ({}, "of another session", 403),
        ({"Origin": "https://evil.example"}, "own", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "own", 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "null"}, "own", 403),
    ],
)
async def test_only_forms_of_this_session_change_anything(
    served: Served, site: Site, headers: dict[str, str], token: str, status: int
) -> None:
    """Not those of other pages, of other people, or without a token."""
    async with site.client(Role.STEWARD) as other, site.client(Role.STEWARD) as client:
        tokens = {
            "own": form_token(await client.get("/notes")),
            "of another session": form_token(await other.get("/notes")),
            "made up": "WyJhIiwiIl0.c2lnbmF0dXJl",
            "none": "",
        }
        data = {"form_token": tokens[token], "text": "kept"}
        answer = await client.post("/notes/new", data=data, headers=headers)

    assert status == answer.status_code
    assert (["kept"] if status == 200 else []) == served.notes.written


async def test_a_form_with_the_origin_of_the_page_itself_is_taken(served: Served, site: Site) -> None:
    """Also with that of the public address, behind a proxy that has another name."""
    async with site.client(Role.STEWARD, Origin=site.origin) as client:
        own = await send_form(client, "/notes", "/notes/new", text="one")
    assert (200, ["one"]) == (own.status_code, served.notes.written)
    async with (
        serve_pages(served.make, public_url="http://lab.example") as public,
        public.client(Role.STEWARD, Origin="http://lab.example") as client,
    ):
        there = await send_form(client, "/notes", "/notes/new", text="two")

    assert (200, ["two"]) == (there.status_code, served.notes.written)


async def test_a_reader_with_a_good_form_still_changes_nothing(served: Served, site: Site) -> None:
    """Rights come before forms."""
    async with site.client(Role.READER) as client:
        token = form_token(await client.get("/notes"))
        answer = await client.post("/notes/new", data={"form_token": token, "text": "kept"})
    async with site.client() as client:
        nobody = await client.post("/notes/new", data={"text": "kept"})

    assert (403, 403, []) == (answer.status_code, nobody.status_code, served.notes.written)


async def test_large_bodies_and_files_are_refused(served: Served, site: Site) -> None:
    """Before anything of them is kept."""
    async with site.client(Role.STEWARD) as client:
        token = form_token(await client.get("/notes"))
        large = await client.post("/notes/new", data={"form_token": token, "text": "x" * MAX_BODY})
        many = await client.post("/notes/new", data={"form_token": token, **{f"f{n}": "x" for n in range(100)}})
        file = await client.post("/notes/new", data={"form_token": token}, files={"f": b"data"})

    assert 413 == large.status_code
    assert [400, 400] == [many.status_code, file.status_code]
    assert [] == served.notes.written


async def test_a_trusted_proxy_names_people(served: Served) -> None:
    """Stewards by name, everybody else as reader, and nobody twice at once."""
    async with (
        serve_pages(
            served.make,
            dashboard_token=None,
            reader_token=None,
            proxy_user_header="X-Remote-User",
            trusted_proxies="127.0.0.1",
            stewards="rosalind barbara",
        ) as site,
        httpx.AsyncClient(base_url=site.origin) as client,
    ):
        seen = {}
        for name in ("rosalind", "somebody", ""):
            headers = {"X-Remote-User": name} if name else {}
            seen[name] = [(await client.get(path, headers=headers)).status_code for path in ("/", "/notes")]
        twice = await client.get("/", headers=[("X-Remote-User", "rosalind"), ("X-Remote-User", "mallory")])
        shown = await client.get("/notes", headers={"X-Remote-User": HOSTILE})
        no_form = await client.get("/sign-in")

    assert {"rosalind": [200, 200], "somebody": [403, 200], "": [403, 403]} == seen
    assert (403, 404) == (twice.status_code, no_form.status_code)
    assert "<script" not in shown.text
    assert "&lt;script&gt;" in shown.text


async def test_the_header_of_anybody_else_is_ignored(served: Served) -> None:
    """Whoever reaches the port without the proxy is nobody, also with a forwarded address."""
    async with serve_pages(
        served.make, proxy_user_header="X-Remote-User", trusted_proxies="10.9.9.9 192.0.2.0/24", stewards="rosalind"
    ) as site:
        headers = {"X-Remote-User": "rosalind", "X-Forwarded-For": "10.9.9.9"}
        async with site.client(Role.ANYBODY, **headers) as client:
            shown = await client.get("/")

    assert 303 == shown.status_code


async def test_a_form_behind_a_proxy_is_bound_to_its_person(served: Served) -> None:
    """The same browser under another name starts over, and no cookie makes anybody a steward."""
    async with (
        serve_pages(
            served.make,
            dashboard_token=None,
            reader_token=None,
            proxy_user_header="X-Remote-User",
            trusted_proxies="127.0.0.1/32",
            stewards="rosalind barbara",
        ) as site,
        httpx.AsyncClient(base_url=site.origin) as client,
    ):
        page = await client.get("/form", headers={"X-Remote-User": "rosalind"})
        data = {"form_token": form_token(page), "text": "kept"}
        statuses = [
            (await client.post("/notes/new", data=data, headers=headers)).status_code
            for headers in ({"X-Remote-User": "rosalind"}, {"X-Remote-User": "barbara"}, {})
        ]
        without = await client.get("/notes")

    assert ([200, 403, 403], ["kept"]) == (statuses, served.notes.written)
    assert 403 == without.status_code


async def test_behind_a_proxy_attempts_count_by_browser(served: Served) -> None:
    """Else one who guesses would lock out the whole lab; only what the proxy itself appended counts."""
    async with (
        serve_pages(served.make, proxy_user_header="X-Remote-User", trusted_proxies="127.0.0.1") as site,
        site.client() as client,
    ):
        statuses = []
        for forwarded in ["203.0.113.5"] * (ATTEMPTS + 1) + ["203.0.113.9", "198.51.100.1, 203.0.113.5"]:
            shown = await client.get("/sign-in")
            data = {"form_token": form_token(shown), "token": "wrong"}
            answer = await client.post("/sign-in", data=data, headers={"X-Forwarded-For": forwarded})
            statuses.append(answer.status_code)

    assert [403] * ATTEMPTS + [429, 403, 429] == statuses


async def test_without_token_and_proxy_there_is_no_dashboard(served: Served) -> None:
    """It says how to have one; probes are answered all the same."""
    async with serve_pages(served.make, dashboard_token=None, reader_token=None) as site, site.client() as client:
        off, sign_in, alive = [await client.get(path) for path in ("/", "/sign-in", "/healthz")]

    assert (404, 404, 200) == (off.status_code, sign_in.status_code, alive.status_code)
    assert "LOCUS_DASHBOARD_TOKEN" in off.text


async def test_every_response_is_strict(site: Site) -> None:
    """Pages, errors, redirects, assets, probes, and what is asked under a foreign name."""
    async with site.client(Role.STEWARD) as client:
        paths = ("/", "/notes", "/nowhere", "/fails/away", "/fails/unforeseen", "/healthz", "/sign-in")
        answers = [await client.get(path) for path in paths]
        answers.append(await client.get("/", headers={"Host": "evil.example"}))
        answers.append(await client.post("/sign-in", data={"token": "x"}))
        css = re.findall(r'href="(/static/[^"]+\.css[^"]*)"', answers[0].text)[0]
        asset = await client.get(css)
    async with site.client() as client:
        answers.append(await client.get("/"))

    for answer in answers:
        assert HEADERS == {name: answer.headers.get(name) for name in HEADERS}
        assert "server" not in answer.headers
    assert {"cache-control": "public, max-age=31536000, immutable"} == {
        name: asset.headers[name] for name, value in HEADERS.items() if asset.headers[name] != value
    }


async def test_what_fails_is_a_page_with_one_sentence(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Escaped, and of what nobody foresaw only a reference, under which the log has it."""
    with caplog.at_level(logging.INFO):
        async with site.client() as client:
            away, gone, failed, nowhere = [
                await client.get(path) for path in ("/fails/away", "/fails/gone", "/fails/unforeseen", "/nowhere")
            ]
    reference = re.findall(r"under ([0-9a-f]{8})", failed.text)[0]

    assert [503, 404, 500, 404] == [one.status_code for one in (away, gone, failed, nowhere)]
    assert "Redis does not answer &lt;script&gt;" in away.text
    assert "it may have been deleted." in gone.text
    assert "secret of somebody" not in failed.text
    assert [reference] == [record.__dict__["reference"] for record in caplog.records if record.exc_info]


async def test_the_log_has_neither_tokens_nor_addresses(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of what is asked for or typed."""
    with caplog.at_level(logging.DEBUG):
        async with site.client(Role.STEWARD) as client:
            await client.get("/notes?q=question-of-somebody")
            await send_form(client, "/notes", "/sign-in", token="wrong-token-typed")
    written = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]

    words = (STEWARD_TOKEN, "question-of-somebody", "wrong-token-typed", "127.0.0.1")
    assert [] == [word for record in written for word in words if word in record.getMessage()]


async def test_an_endpoint_that_does_not_say_whom_it_is_for_is_refused_at_start() -> None:
    """A page cannot be open by oversight."""

    async def open_to_all(_: Request) -> Response:
        return PlainTextResponse("secrets")

    class Careless:
        def routes(self) -> Sequence[Route]:
            return [Route("/careless", open_to_all)]

        def links(self) -> Sequence[NavLink]:
            return ()

    with pytest.raises(ValueError, match=r"/careless does not say whom it is for"):
        async with serve_pages(lambda _: [Careless()]):
            pass


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
async def test_a_connection_that_asks_for_nothing_is_closed(
    site: Site, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that begins and does not go on, and the next is served."""
    monkeypatch.setattr("bot.web.server.HEADERS_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.origin.rpartition(":")[2]))
    writer.write(sent)
    async with asyncio.timeout(20):
        rest = await reader.read()
    writer.close()
    await writer.wait_closed()
    async with site.client() as client:
        alive = await client.get("/healthz")

    assert (b"", 200) == (rest, alive.status_code)


async def test_the_secret_is_one_for_all_and_stays(store: Store) -> None:
    """All processes and the next start have the same, so that nobody has to sign in again."""
    first, second = await asyncio.gather(web_secret(store), web_secret(store))

    assert 32 == len(first)
    assert first == second == await web_secret(store)


async def test_without_redis_the_page_says_so_and_probes_are_answered(served: Served) -> None:
    """Nobody can be told from anybody else then."""
    away = Store("redis://127.0.0.1:1/0")
    settings = load_settings(dashboard_token=STEWARD_TOKEN)
    async with open_web(settings, lambda: web_secret(away), UTC, served.make) as server, httpx.AsyncClient() as client:
        page, alive = [await client.get(f"http://127.0.0.1:{server.port}{path}") for path in ("/", "/healthz")]
    await away.close()

    assert (503, 200) == (page.status_code, alive.status_code)
    assert "Redis" in page.text


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"dashboard_token": "short"}, "openssl rand"),
        ({"reader_token": READER_TOKEN}, "LOCUS_DASHBOARD_TOKEN"),
        ({"reader_token": READER_TOKEN, "dashboard_token": READER_TOKEN}, "the same"),
        ({"proxy_user_header": "X-Remote-User"}, "LOCUS_TRUSTED_PROXIES"),
        ({"trusted_proxies": "10.0.0.1"}, "LOCUS_PROXY_USER_HEADER"),
        ({"proxy_user_header": "X-Remote-User", "trusted_proxies": "10.0.0.300"}, "10.0.0.300"),
        ({"proxy_user_header": "X Remote", "trusted_proxies": "10.0.0.1"}, "LOCUS_PROXY_USER_HEADER"),
        ({"public_url": "ftp://lab.example"}, "LOCUS_PUBLIC_URL"),
        ({"public_url": "https://lab.example/?a=1"}, "LOCUS_PUBLIC_URL"),
    ],
)
def test_settings_that_would_not_keep_anybody_out_are_refused(settings: dict[str, str], named: str) -> None:
    """With a sentence that says what to do, and without the value of a secret."""
    with pytest.raises(SettingsError, match=named) as refused:
        load_settings(None, **settings)

    assert READER_TOKEN not in str(refused.value)
