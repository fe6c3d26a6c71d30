"""Looking at a configured Chroma server before trusting it: the Rust one, and not the Python one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import httpx

from bot.errors import SettingsError, UnavailableError

_TIMEOUT_S = 3.0
RUST_TITLE = "chroma-frontend"  # info.title of the Rust server's own description; the Python one says "Chroma"


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """What a Chroma server says of itself."""

    kind: Literal["rust", "python"]
    version: str


def inspect_chroma(url: str) -> ChromaServer:
    """Return what kind of Chroma server answers at `url`, without sending it anything but GET requests.

    Raises:
        SettingsError: If the URL is none.
        UnavailableError: If no Chroma server answers there.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise SettingsError(f"LOCUS_CHROMA_URL is {url!r}: give it as http://HOST:PORT.")
    try:
        with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False) as client:
            description = client.get("/openapi.json").raise_for_status().json()
            version = client.get("/api/v2/version").raise_for_status().json()
    except (httpx.HTTPError, ValueError, ssl.SSLError) as error:
        raise UnavailableError(
            f"No Chroma server answers at {url} ({type(error).__name__}): start it or check LOCUS_CHROMA_URL.",
            retry_after_s=5,
        ) from error
    info = description.get("info") if isinstance(description, dict) else None
    title = info.get("title") if isinstance(info, dict) else None
    return ChromaServer("rust" if title == RUST_TITLE else "python", str(version))


def require_rust(url: str) -> ChromaServer:
    """Return the server at `url` if it is the Rust one.

    Raises:
        SettingsError: If it is the Python server, which runs code named by a client before it checks who the client
            is (CVE-2026-45829).
        UnavailableError: If none answers.
    """
    server = inspect_chroma(url)
    if server.kind != "rust":
        raise SettingsError(
            f"The Chroma server at {url} is the Python one, which anybody who reaches it can make run code "
            "(CVE-2026-45829): run the Rust server, `chroma run`, instead."
        )
    return server
