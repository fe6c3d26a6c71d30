"""What the doctor says about the web pages."""

from __future__ import annotations

import pytest

from bot.checks import Level
from bot.examination.pages import examine_pages
from bot.settings import load_settings

TOKEN = "token-of-the-steward"
PROXY = {"proxy_user_header": "X-Remote-User", "trusted_proxies": "10.0.0.5"}


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({"health_port": 8080}, Level.OK, "LOCUS_DASHBOARD_TOKEN turns it on"),
        ({"dashboard_token": TOKEN}, Level.WARNING, "LOCUS_HEALTH_PORT is 0"),
        ({"health_port": 8080, "dashboard_token": TOKEN}, Level.OK, "people come in with a token."),
        ({"health_port": 8080, "dashboard_token": TOKEN}, Level.OK, "LOCUS_PUBLIC_URL"),
        ({"health_port": 8080, **PROXY}, Level.WARNING, "Nobody may see the overview"),
        ({"health_port": 8080, **PROXY, "trusted_proxies": "0.0.0.0/0"}, Level.ERROR, "claim to be anybody"),
        (
            {"health_port": 8080, "dashboard_token": TOKEN, "public_url": "http://locus.lab.example"},
            Level.WARNING,
            "read on the way",
        ),
    ],
)
def test_it_says_what_is_on_and_what_is_wrong(settings: dict[str, object], level: Level, words: str) -> None:
    """With what to do about it where anything is to be done."""
    found = [one for one in examine_pages(load_settings(None, **settings)) if words in one.text]

    assert [level] == [one.level for one in found]
    assert (level is not Level.OK) == bool(found[0].fix)


def test_without_pages_nothing_is_said() -> None:
    """Who has none and wants none reads nothing of them."""
    assert [] == list(examine_pages(load_settings()))


def test_a_good_set_up_has_no_warning() -> None:
    """As docs/dashboard.md recommends it."""
    settings = load_settings(
        health_port=8080, dashboard_token=TOKEN, reader_token="token-of-the-readers", public_url="https://lab.example/x"
    )

    assert {Level.OK} == {one.level for one in examine_pages(settings)}
