"""Addresses in text: those of citations, made fit to be linked, and all others, broken so that no chat links them."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, urlsplit

from bot.domains import COMMON_DOMAINS, TOP_LEVEL_DOMAINS

MAX_URL = 1500  # characters as written, with `&` escaped; half of what the strictest chat takes (Slack: 3,000)

_PORT = re.compile(r":\d{1,5}\Z")
_URL_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE
)
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INVISIBLE = re.compile(r"[\s\x00-\x20\x7f-\xa0\ud800-\udfff]")
# None of these ends an address or is markup in any way chats write links: <address|label>, [label](address), HTML.
_PATH_SAFE = "/-._?=,:+%&#"

_SCHEME = re.compile(r":(?=//)")
_OTHER_SCHEME = re.compile(
    r"(mailto|xmpp|\b(?:tel|sms|skype|slack|javascript|vbscript|data|blob|magnet|file|facetime|matrix)):(?=\S)",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?<![\w-])[\w-]+(?:[.\N{IDEOGRAPHIC FULL STOP}．｡][\w-]+)+")
_DOTS = re.compile(r"[.\N{IDEOGRAPHIC FULL STOP}．｡]")
_MISSING_BLANK = re.compile(r"\.(?=[A-Z][a-z]+(?:\.|\Z))")  # "of mice.In rats": the beginning of a sentence
_NUMERIC_HOST = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?=[/:])")
_WEB = re.compile(r"(?:\A|[-_])www\Z", re.IGNORECASE)
_LABEL = re.compile(r"[^\W_]+")


def safe_url(url: str | None) -> str | None:
    """Return an http or https address that cannot end its link early, percent-encoded; None for anything else.

    An address with a user name in it, which shows another host than it leads to, is none either. `&` stays: it is to be
    escaped like text.
    """
    if not url or len(url) > MAX_URL or _INVISIBLE.search(url):
        return None
    try:
        parts = urlsplit(url)
        port = _PORT.search(parts.netloc)
        host = parts.netloc[: port.start()] if port else parts.netloc
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return None
    if parts.scheme.lower() not in ("http", "https") or not _URL_HOST.fullmatch(host):
        return None
    rest = parts.path or "/" if parts.query or parts.fragment else parts.path
    rest += f"?{parts.query}" if parts.query else ""
    encoded = quote(_STRAY_PERCENT.sub("%25", rest), safe=_PATH_SAFE.replace("#", ""))
    if parts.fragment:
        encoded += "#" + quote(_STRAY_PERCENT.sub("%25", parts.fragment), safe=_PATH_SAFE.replace("#", ""))
    encoded = encoded.replace("~", "%7E")  # `quote` leaves it, and chats strike text out with it
    result = f"{parts.scheme.lower()}://{host.lower()}{port.group() if port else ''}{encoded}"
    return result if len(result) + 4 * result.count("&") <= MAX_URL else None


def broken_addresses(text: str, *, in_code: bool = False) -> str:
    """Return cleaned text in which nothing is an address, all of it readable: "https[:]//genenetwork[.]org/tools".

    Args:
        text: As `bot.plain_text.clean` returns it.
        in_code: True where names with dots are rather those of files and attributes than of hosts.
    """
    return _break_hosts(_OTHER_SCHEME.sub(r"\1[:]", _SCHEME.sub("[:]", text)), in_code=in_code)


def _break_hosts(text: str, *, in_code: bool) -> str:
    domains = COMMON_DOMAINS if in_code else TOP_LEVEL_DOMAINS

    def broken(match: re.Match[str]) -> str:
        name = match.group()
        if _is_host(name, domains, in_code=in_code):
            return _DOTS.sub("[.]", name if in_code else _MISSING_BLANK.sub(". ", name)).replace("[.] ", ". ")
        return name

    return _NUMERIC_HOST.sub(lambda match: match.group().replace(".", "[.]"), _HOST.sub(broken, text))


def _is_host(name: str, domains: frozenset[str], *, in_code: bool) -> bool:
    first, *labels = _DOTS.split(name)
    if any(_WEB.search(label) for label in (first, *labels[:-1])):
        return True
    # Chinese sentences follow each other without a blank, and are no hosts.
    other_scripts = not in_code and "\N{IDEOGRAPHIC FULL STOP}" not in name
    return any(_is_domain(label, domains, other_scripts=other_scripts) for label in labels)


def _is_domain(label: str, domains: frozenset[str], *, other_scripts: bool) -> bool:
    if label.lower().startswith("xn--"):
        return True
    found = _LABEL.match(unicodedata.normalize("NFKC", label))
    if found is None:
        return False
    word = found.group().lower()
    if not word.isascii():
        return other_scripts and 2 <= len(word) <= 12 and word.isalpha()
    return word in domains
