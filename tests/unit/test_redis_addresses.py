"""Addresses of Redis servers: what is accepted, what is refused with which sentence, and that no password is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.store.addresses import parse_address


@pytest.mark.parametrize(
    ("url", "shown", "host", "port", "tls", "has_password"),
    [
        ("redis://localhost", "redis://localhost:6379", "localhost", 6379, False, False),
        ("redis://lab:secret@redis.lab:7000/3", "redis://redis.lab:7000/3", "redis.lab", 7000, False, True),
        ("rediss://:secret@[::1]:7000/", "rediss://[::1]:7000", "::1", 7000, True, True),
        ("REDIS://h/0", "redis://h:6379/0", "h", 6379, False, False),
        ("rediss://h?ssl_ca_certs=/etc/lab.pem", "rediss://h:6379", "h", 6379, True, False),
        ("unix:///run/redis/redis.sock", "unix:///run/redis/redis.sock", "", 0, False, False),
        ("unix://lab:secret@/run/my%20redis", "unix:///run/my%20redis", "", 0, False, True),
        ("unix:///run/redis.sock?db=1&password=secret", "unix:///run/redis.sock", "", 0, False, True),
        (" redis://h ", "redis://h:6379", "h", 6379, False, False),
    ],
)
def test_addresses_are_read(url: str, shown: str, host: str, port: int, tls: bool, has_password: bool) -> None:
    """Host, port, encryption and password are told apart; what is shown has no password."""
    address = parse_address(url)

    assert (shown, host, port, tls, has_password) == (
        address.shown,
        address.host,
        address.port,
        address.tls,
        address.has_password,
    )
    assert "secret" not in repr(address)
    assert "secret" not in address.bare_url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "is no address: give it as redis://HOST:PORT"),
        ("localhost:6379", "is no address"),
        ("http://localhost:6379", "begins with http://, which is no Redis address"),
        ("redis+sentinel://:secret@a:1,b:2/primary", "names Redis Sentinels"),
        ("sentinel://a:26379", "give the primary itself"),
        ("redis+cluster://a:1,b:2", "names a Redis cluster"),
        ("redis://:secret@a:1,b:2,c:3/0", "names several servers"),
        ("redis://:6379", "names no host"),
        ("redis://:secret@/0", "names no host"),
        ("redis://h:port", "is no number from 1 to 65535"),
        ("redis://h:0", "is no number from 1 to 65535"),
        ("redis://h:70000", "is no number from 1 to 65535"),
        ("redis://:se/cret@h:6379", "write @ as %40"),
        ("redis://:se#cret@h:6379", "write @ as %40"),
        ("redis://:se?cret@h:6379", "write @ as %40"),
        ("redis://[::1", "cannot be read"),
        ("redis://h/lab", "must be the number of a database"),
        ("redis://h?socket_timeout=1", "does not know"),
        ("rediss://h?ssl_cert_reqs=none", "does not know"),
        ("unix://run/redis.sock", "after three slashes"),
        ("unix://", "after three slashes"),
        (f"unix:///{'x' * 107}", "longer than 107 bytes"),
    ],
)
def test_what_is_no_address_is_refused(url: str, sentence: str) -> None:
    """Each mistake has a sentence that says what to write instead, and shows nothing secret."""
    with pytest.raises(SettingsError, match="LOCUS_REDIS_URL") as caught:
        parse_address(url)

    assert sentence in str(caught.value)
    assert "cret" not in str(caught.value)


@given(
    password=st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=5, max_size=30),
    begin=st.sampled_from(["redis://", "redis://lab", "rediss://", "unix://", "redis+sentinel://", "http://", ""]),
    end=st.sampled_from(["@h:6379/0", "@h", "@", "@/run/s", "@a,b", "@h:99999", "", "@[h", "@h/x"]),
)
def test_no_sentence_shows_a_password(password: str, begin: str, end: str) -> None:
    """Whatever the password does to the address, no part of it of five letters is in the sentence or what is shown."""
    secret = f"Zq{password}"
    try:
        address = parse_address(f"{begin}:{secret}{end}")
        told = address.shown if "@" in end else ""
    except SettingsError as error:
        told = str(error)

    assert "Zq" not in told
