"""Templates: what documents and models write is text, never markup, and how times and numbers read."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from selectolax.lexbor import LexborHTMLParser
from starlette.requests import Request

from bot.web.address import Hosts, PublicAddress
from bot.web.files import Files
from bot.web.templating import Templates

FILES = Files()
TEMPLATES = Templates(PublicAddress("https://lab.example/locus"), ZoneInfo("America/Chicago"), FILES.versions)
REQUEST = Request({"type": "http", "path": "/", "headers": [], "method": "GET"})
MOMENT = 1_763_760_000.0  # 21 Nov 2025, 21:20 UTC


def shown(source: str, **context: object) -> str:
    return TEMPLATES._environment.from_string(source).render(**context)


@given(st.text(max_size=60) | st.sampled_from(["</p><script>", "'\"><img src=x>", "&lt;b&gt;", "{{ 7 * 7 }}"]))
def test_whatever_an_error_says_is_text(sentence: str) -> None:
    """Not one element more than in the page with an empty sentence."""
    page = TEMPLATES.render(REQUEST, "error.html", 404, sentence=sentence)
    empty = TEMPLATES.render(REQUEST, "error.html", 404, sentence="")
    counts = [len(LexborHTMLParser(bytes(one.body).decode("utf-8", "replace")).css("*")) for one in (page, empty)]

    assert counts[0] == counts[1]


def test_a_name_that_is_missing_is_an_error() -> None:
    """A page with a hole where a number should be is worse than none."""
    with pytest.raises(UndefinedError, match="sentence"):
        TEMPLATES.render(REQUEST, "error.html", 404)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 1763760000 | date }}", "21 Nov 2025"),
        ("{{ 1763760000 | time }}", "21 Nov 2025, 15:20"),
        ("{{ none | time }}", "–"),
        ("{{ '2026-11-02' | day }}", "2 Nov"),
        ("{{ 12345 | number }}", "12,345"),
        ("{{ 0.4142 | number(2) }}", "0.41"),
        ("{{ none | number }}", "–"),
        ("{{ 0.42 | seconds }}", "0.4 s"),
        ("{{ 42 | seconds }}", "42 s"),
        ("{{ 600 | seconds }}", "10 min"),
        ("{{ 7300 | seconds }}", "2 h"),
        ("{{ 400000 | seconds }}", "5 days"),
        ("{{ 12 | age }}", "just now"),
        ("{{ 600 | age }}", "10 min ago"),
        ("{{ 0.123 | percent }}", "12 %"),
        ("{{ 'https://example.org/a b' | link }}", ""),
        ("{{ 'https://example.org/a?b=1' | link }}", "https://example.org/a?b=1"),
        ("{{ 'javascript:alert(1)' | link }}", ""),
        ("{{ none | link }}", ""),
        ("{{ url('/gaps', 'a/b c', page=2) }}", "/locus/gaps/a%2Fb%20c?page=2"),
    ],
)
def test_values_read_as_people_write_them(source: str, expected: str) -> None:
    """In the lab's time zone, with thousands apart, and addresses only where they are safe to follow."""
    found = LexborHTMLParser(f"<p>{shown(source)}</p>").css_first("p")

    assert found is not None
    assert expected == found.text()


def test_a_time_is_also_there_for_machines() -> None:
    """With its offset."""
    assert 'datetime="2025-11-21T15:20:00-06:00"' in shown("{{ 1763760000 | time }}")


@pytest.mark.parametrize(
    ("url", "path", "inside"),
    [
        ("", "/gaps", "/gaps"),
        ("https://lab.example", "/gaps", "/gaps"),
        ("https://lab.example/locus", "/locus/gaps", "/gaps"),
        ("https://lab.example/locus", "/gaps", "/gaps"),
        ("https://lab.example/locus", "/locus", "/"),
        ("https://lab.example/locus", "/locuses", "/locuses"),
    ],
)
def test_a_prefix_may_be_there_or_not(url: str, path: str, inside: str) -> None:
    """Proxies differ."""
    assert inside == PublicAddress(url).inside(path)


def test_a_whole_address_is_there_where_one_is_configured() -> None:
    """For the chats."""
    assert "https://lab.example/locus/answers/a%2Fb" == PublicAddress("https://lab.example/locus").full(
        "/answers", "a/b"
    )
    assert None is PublicAddress().full("/answers", "x")


@given(st.text(max_size=40))
def test_no_foreign_name_is_a_name_of_the_page(name: str) -> None:
    """Whatever stands in the Host header."""
    hosts = Hosts("127.0.0.1", ["lab.example"])
    plain = name.strip().lower().rstrip(".").partition(":")[0]

    assert not hosts.allow(f"{name}.evil.example")
    if hosts.allow(name):
        assert plain in ("lab.example", "localhost", "127.0.0.1", "") or name.strip().lower().strip("[").startswith(
            "::1"
        )
