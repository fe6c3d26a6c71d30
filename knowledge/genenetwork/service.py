"""One service of GeneNetwork: remembered answers, attempts, the circuit breaker, and what counts as data."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from bot.circuit import CircuitBreaker
from bot.errors import BotError, InvalidRequestError, NotFoundError
from bot.live.values import Fetched
from bot.response_cache import CachedResponse, ResponseCache
from knowledge.genenetwork.errors import ServiceFailedError
from knowledge.genenetwork.http import HttpReply, PoliteHttp
from knowledge.genenetwork.options import GeneNetworkOptions
from knowledge.genenetwork.retry import with_retries
from knowledge.genenetwork.timing import Timing

DAY_S = 86_400.0
_THREAD_BYTES = 1 << 18  # larger bodies are parsed beside the event loop
_GONE = frozenset({401, 403, 404, 410})  # what is not public is not there
_MISUNDERSTOOD = frozenset({400, 405, 406, 414, 415, 422})


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Data:
    """JSON as a service sent it.

    Attributes:
        value: The JSON.
        url: The request that can be run again.
        fetched_at: When the service last vouched for it, UTC.
    """

    value: JsonValue
    url: str
    fetched_at: datetime


def fetched(value: T, data: Data, page: str, *also: Data) -> Fetched[T]:
    """Return a value with where it came from; `also` is what completed it."""
    further = tuple(dict.fromkeys(one.url for one in also if one.url != data.url))
    return Fetched(value, data.url, page, data.fetched_at, further)


class Service:
    """A service and its base address.

    Args:
        name: As it stands at the beginning of a sentence.
        base: Address without a slash at its end.
        http: Sends the requests.
        cache: Remembers answers.
        options: Limits.
        timing: Clocks.
    """

    def __init__(
        self,
        name: str,
        base: str,
        *,
        http: PoliteHttp,
        cache: ResponseCache,
        options: GeneNetworkOptions,
        timing: Timing,
    ) -> None:
        self.name = name
        self.base = base
        self._http = http
        self._cache = cache
        self._options = options
        self._timing = timing
        self._circuit = CircuitBreaker(
            name, failures=options.failures, pause_s=options.pause_after_failures_s, clock=timing.monotonic
        )

    def url(self, *parts: str, **query: str | int | None) -> str:
        """Return an address below the base; parts and values are encoded, values of None left out."""
        path = "/".join(quote(part, safe="") for part in parts)
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self.base}/{path}" + (f"?{urlencode(given)}" if given else "")

    async def get(self, url: str, *, compute: bool = False, fresh_s: float | None = None) -> Data:
        """Get JSON.

        Args:
            url: As `url` makes it.
            compute: Whether the service computes long; such a call is not repeated.
            fresh_s: Seconds for which a remembered answer needs no question; None is the option's, or a day where it
                was computed.

        Raises:
            NotFoundError: The service does not know it.
            InvalidRequestError: The service does not understand the request.
            UnavailableError: It is down, failed, or sent no data.
        """
        if fresh_s is None:
            fresh_s = DAY_S if compute else self._options.fresh_s
        kept = await self._kept(url)
        if kept is not None and self._timing.now() - kept.fetched_at < fresh_s:
            return await self._parsed(kept)
        reply = await self._asked(
            url, timeout_s=self._options.compute_s if compute else self._options.quick_s,
            headers=_conditions(kept), retries=0 if compute else self._options.retries,
        )  # fmt: skip
        if reply.status == 304 and kept is not None:
            answer = CachedResponse(
                url, kept.content_type, kept.body, kept.etag, kept.last_modified, self._timing.now()
            )
        else:
            self._check(reply)
            answer = self._answer(url, reply)
        data = await self._parsed(answer)
        await self._keep(answer)
        return data

    async def post(self, form: Mapping[str, str], *, accept: str, fresh_s: float | None = None) -> Data:
        """Post a form that changes nothing (a query) to the base address; raises as `get`.

        The URL of the result holds the form's fields, so that it can be run again.
        """
        url = f"{self.base}?{urlencode(form)}"
        kept = await self._kept(url)
        if fresh_s is None:
            fresh_s = self._options.fresh_s
        if kept is not None and self._timing.now() - kept.fetched_at < fresh_s:
            return await self._parsed(kept)
        reply = await self._asked(
            self.base, timeout_s=self._options.quick_s, headers={"Accept": accept}, form=form,
            retries=self._options.retries,
        )  # fmt: skip
        self._check(reply)
        answer = self._answer(url, reply)
        data = await self._parsed(answer)
        await self._keep(answer)
        return data

    async def _asked(
        self,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str],
        retries: int,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        async def attempt() -> HttpReply:
            with self._circuit.call():
                return await self._http.request(self.name, url, timeout_s=timeout_s, headers=headers, form=form)

        return await with_retries(attempt, retries=retries, timing=self._timing)

    def _check(self, reply: HttpReply) -> None:
        """Raise the error that a status means."""
        if reply.status in _GONE:
            raise NotFoundError(f"{self.name} does not know this: check the name.")
        if reply.status in _MISUNDERSTOOD:
            raise InvalidRequestError(f"{self.name} does not understand this request: check what was asked.")
        if reply.status != 200:
            raise ServiceFailedError(
                f"{self.name} failed on this request ({reply.status}): try another one.", status=reply.status
            )

    def _answer(self, url: str, reply: HttpReply) -> CachedResponse:
        content_type = reply.headers.get("content-type", "")
        if "json" not in content_type.lower():
            raise ServiceFailedError(f"{self.name} sent a page instead of data: try again later.")
        try:
            body = reply.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ServiceFailedError(f"{self.name} sent damaged data: try again later.") from error
        return CachedResponse(
            url,
            content_type,
            body,
            reply.headers.get("etag", "")[:300],
            reply.headers.get("last-modified", "")[:100],
            self._timing.now(),
        )

    async def _parsed(self, answer: CachedResponse) -> Data:
        try:
            if len(answer.body) > _THREAD_BYTES:
                value: JsonValue = await asyncio.to_thread(json.loads, answer.body)
            else:
                value = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise ServiceFailedError(f"{self.name} sent damaged data: try again later.") from error
        self._check_body(value)
        return Data(value, answer.url, datetime.fromtimestamp(answer.fetched_at, UTC))

    def _check_body(self, value: JsonValue) -> None:
        """Raise the error that stands in a body of HTTP 200 (gn_api: GN2 reports errors so; GN3 now and then)."""
        if not isinstance(value, dict):
            return
        errors = value.get("errors")
        if isinstance(errors, list | dict):
            first = errors[0] if isinstance(errors, list) and errors else errors
            status = first.get("status") if isinstance(first, dict) else None
            _raise_for_body(self.name, str(status))
        elif "error" in value and "results" not in value and "data" not in value:
            raise ServiceFailedError(f"{self.name} failed on this request: try another one.")

    async def _kept(self, url: str) -> CachedResponse | None:
        with contextlib.suppress(BotError):  # without its memory the service still answers
            return await self._cache.get(url)
        return None

    async def _keep(self, answer: CachedResponse) -> None:
        with contextlib.suppress(BotError):
            await self._cache.put(answer)


def _raise_for_body(name: str, status: str) -> None:
    if status in {"204", "404"}:
        raise NotFoundError(f"{name} does not know this: check the name.")
    if status in {"400", "415"}:
        raise InvalidRequestError(f"{name} does not understand this request: check what was asked.")
    raise ServiceFailedError(f"{name} failed on this request: try another one.")


def _conditions(kept: CachedResponse | None) -> dict[str, str]:
    """Return the headers that ask whether an answer changed (RFC 9110 13.1)."""
    headers = {"Accept": "application/json"}
    if kept is not None and kept.etag:
        headers["If-None-Match"] = kept.etag
    elif kept is not None and kept.last_modified:
        headers["If-Modified-Since"] = kept.last_modified
    return headers
