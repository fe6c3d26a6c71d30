"""Asking Hugging Face, or a mirror of it, for one file: names, redirects, the token, and what answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import SecretStr

from bot.errors import InvalidRequestError, NotFoundError, RefusedError, UnavailableError

HUGGING_FACE = "https://huggingface.co"
# Where Hugging Face keeps the bytes (its Xet and LFS stores).
STORE_HOSTS = ("huggingface.co", "*.huggingface.co", "hf.co", "*.hf.co")
MAX_REDIRECTS = 5
MAX_WAIT_S = 60.0
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SEGMENT = re.compile(r"\w[\w.+ ()-]{0,200}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class CutError(Exception):
    """A transfer broke and is worth another attempt, after `wait_s` seconds at least; never leaves the engine."""

    def __init__(self, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def check_names(repository: str, file: str) -> None:
    """Refuse names that are no repository and no GGUF file in it.

    Raises:
        InvalidRequestError: With an example.
    """
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise InvalidRequestError(f"{repository!r} is no repository: write OWNER/NAME, such as Qwen/Qwen3-4B-GGUF.")
    if not file.endswith(".gguf") or not all(_SEGMENT.fullmatch(one) and ".." not in one for one in file.split("/")):
        raise InvalidRequestError(f"{file!r} is no GGUF file of a repository: write its name, ending in .gguf.")


def check_endpoint(endpoint: str) -> None:
    """Refuse an endpoint that anybody on the way could pose as.

    Raises:
        InvalidRequestError: If it is neither https nor on this machine.
    """
    scheme, host, _ = origin(endpoint)
    if not host or (scheme != "https" and not (scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))):
        raise InvalidRequestError(f"{endpoint} is no https address: give one, such as {HUGGING_FACE}.")


@dataclass(slots=True)
class HubFile:
    """A file on the hub and what is known of it.

    Attributes:
        url: Where the endpoint has it.
        token: Sent to the endpoint only.
        sha256: Of the whole file, or "" until the endpoint has told it.
        total: Its size in bytes, or 0 where unknown.
    """

    client: httpx.AsyncClient
    url: str
    token: SecretStr | None = None
    sha256: str = ""
    total: int = 0

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]

    async def open(self, url: str, extra: Mapping[str, str]) -> httpx.Response:
        """Follow redirects to allowed hosts and return the answer, whose body is not read yet.

        Raises:
            CutError: If another attempt makes sense.
            BotError: If none does.
        """
        for _ in range(MAX_REDIRECTS + 1):
            headers = dict(extra)
            if self.token is not None and origin(url) == origin(self.url):
                headers["Authorization"] = f"Bearer {self.token.get_secret_value()}"
            try:
                request = self.client.build_request("GET", url, headers=headers)
            except httpx.InvalidURL as error:
                raise UnavailableError(f"{self.url} leads to a malformed address: try again later.") from error
            response = await self.client.send(request, stream=True)
            try:
                if origin(url) == origin(self.url):
                    self._remember(response)
                if not response.has_redirect_location:
                    self._check_status(response)
                    return response
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
            url = urljoin(url, response.headers["Location"])
            if origin(url) != origin(self.url) and not _is_store(url):
                raise RefusedError(
                    f"{self.url} leads to {urlsplit(url).hostname}, which is no store of Hugging Face: Locus does not "
                    "follow it."
                )
        raise UnavailableError(f"{self.url} redirects without an end: try again later.")

    def _remember(self, response: httpx.Response) -> None:
        """Keep checksum and size; for files in a store the endpoint tells both before it redirects."""
        for name in ("X-Linked-ETag", "ETag"):
            value = response.headers.get(name, "").removeprefix("W/").strip('"')
            if _SHA256.fullmatch(value):
                if self.sha256 not in ("", value):
                    raise UnavailableError(f"{self.name} changed during its download: run the command again.")
                self.sha256 = value
                break
        size = response.headers.get("X-Linked-Size", "")
        if size.isdigit():
            self.total = int(size)

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (401, 403):
            raise RefusedError(
                f"{self.url} is not given out: check the names, or accept the model's licence on its page and give a "
                "token with --token-file."
            )
        if status == 404:
            raise NotFoundError(f"{self.url} does not exist: check the repository and the file name on its page.")
        if status == 429 or status >= 500:
            wait = response.headers.get("Retry-After", "")
            raise CutError(f"HTTP {status}", wait_s=min(MAX_WAIT_S, float(wait)) if wait.isdigit() else 0.0)
        if status not in (200, 206, 416):
            raise UnavailableError(f"{self.url} answers with HTTP {status}: try again later.")


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    port: int | None = None
    with suppress(ValueError):
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _is_store(url: str) -> bool:
    scheme, host, port = origin(url)
    known = any(host == one or (one[0] == "*" and host.endswith(one[1:])) for one in STORE_HOSTS)
    return scheme == "https" and port == 443 and known
