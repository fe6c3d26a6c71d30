"""Addresses of citations, which come from documents and are as untrusted as these, made fit for both markups."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

MAX_URL = 1500  # characters as written, with `&` escaped; Slack's limit for an address in blocks is 3,000

_PORT = re.compile(r":\d{1,5}\Z")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INVISIBLE = re.compile(r"[\s\x00-\x20\x7f-\xa0\ud800-\udfff]")
# None of these ends an address or is markup in mrkdwn (<address|label>) or Markdown ([label](address)).
_PATH_SAFE = "/-._?=,:+%&#"


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
    if parts.scheme.lower() not in ("http", "https") or not _HOST.fullmatch(host):
        return None
    rest = parts.path or "/" if parts.query or parts.fragment else parts.path
    rest += f"?{parts.query}" if parts.query else ""
    encoded = quote(_STRAY_PERCENT.sub("%25", rest), safe=_PATH_SAFE.replace("#", ""))
    if parts.fragment:
        encoded += "#" + quote(_STRAY_PERCENT.sub("%25", parts.fragment), safe=_PATH_SAFE.replace("#", ""))
    encoded = encoded.replace("~", "%7E")  # `quote` leaves it, and mrkdwn strikes text out with it
    result = f"{parts.scheme.lower()}://{host.lower()}{port.group() if port else ''}{encoded}"
    return result if len(result) + 4 * result.count("&") <= MAX_URL else None
