"""A language model elsewhere: any OpenAI-compatible endpoint, such as llama-server, vLLM or Ollama."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr

from bot.circuit import CircuitBreaker, CircuitState
from bot.engine.remote_errors import NoAnswerInTimeError, PromptTooLongError, RemoteBusyError, broken, translated
from bot.engine.remote_http import RemoteClient
from bot.engine.remote_server import RemoteServer, ServerKind, inspect_server
from bot.engine.remote_stream import StreamReader, read_events
from bot.engine.remote_wire import request_body, sampling_used, without_oldest_turn
from bot.errors import BusyError, UnavailableError
from bot.generation import ChatMessage, Finished, GenerationEvent, GenerationRequest, ModelFacts, Usage

logger = logging.getLogger(__name__)

BYTES_PER_TOKEN = 3.5
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 8.0

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class RemotePatience:
    """How long a remote model is waited for.

    Attributes:
        connect_s: Seconds for one connection.
        first_token_s: Seconds from sending the request to the first piece; the server reads the prompt in them.
        next_token_s: Seconds between two pieces.
        attempts: How often one generation is tried, all together, while nothing has been written.
        retry_after_s: Longest Retry-After that is waited out; a longer one is reported.
    """

    connect_s: float = 5.0
    first_token_s: float = 120.0
    next_token_s: float = 30.0
    attempts: int = 3
    retry_after_s: float = 20.0


class _DeadlineError(Exception):
    """The request's time is up."""


class RemoteModel:
    """Implements `bot.ports.LanguageModel` over HTTP.

    Which server it is, and so which fields it takes, is asked once, before the first generation. Environment variables
    for proxies and certificates are not read, redirects are not followed, and the key goes to the configured host only.

    Args:
        url: Address of the API, such as http://127.0.0.1:8080/v1 (LOCUS_REMOTE_URL).
        model: Name of the model (LOCUS_REMOTE_MODEL), or "" for the only one the server has.
        key: Sent as a bearer token (LOCUS_REMOTE_KEY), or None.
        context: Tokens of prompt and answer together, where the server does not say.
        patience: How long to wait.
        circuit: Leaves a failing server alone; one of its own by default.
        ssl_context: Replaces the default certificates (those of certifi).
        sleep: Waits for seconds between two attempts.
        jitter: Returns a random share, 0 to 1, of the longest pause.

    Raises:
        SettingsError: If the URL or the key cannot be one.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        key: SecretStr | None = None,
        context: int = 4096,
        patience: RemotePatience | None = None,
        circuit: CircuitBreaker | None = None,
        ssl_context: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience or RemotePatience()
        self._client = RemoteClient(url, key=key, connect_s=self._patience.connect_s, ssl_context=ssl_context)
        self._url = self._client.url
        self._wanted = model
        self._context = context
        self._circuit = circuit or CircuitBreaker(f"The remote model at {self._url}")
        self._sleep = sleep
        self._jitter = jitter
        self._server: RemoteServer | None = None

    @property
    def facts(self) -> ModelFacts:
        """What is known; before the first generation or `inspect` that is what the settings say."""
        server = self._server
        if server is None:
            return ModelFacts(self._wanted or "remote model", "", self._context, {"url": self._url})
        details = {"url": self._url, "server": server.kind.value}
        if server.version:
            details["version"] = ".".join(str(number) for number in server.version)
        return ModelFacts(server.model, "", server.context or self._context, details)

    async def inspect(self) -> RemoteServer:
        """Return what the server is, asking it the first time.

        Raises:
            SettingsError: If it refuses the key, or the model's name is missing.
            UnavailableError: If it cannot be reached.
        """
        if self._server is None:
            self._server = await inspect_server(self._client, self._wanted)
            logger.info("%s is %s with %s", self._url, self._server.kind.value, self._server.model)
        return self._server

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """See `bot.ports.LanguageModel.generate`; also raises `SettingsError` where the server says that one is wrong.

        While nothing has been written, failures are tried again after a growing pause. Where the prompt is too long,
        the oldest turns are left out one by one.
        """
        deadline = asyncio.get_running_loop().time() + request.deadline_s
        messages = request.messages
        attempt = 1
        while True:
            written = False
            try:
                async with aclosing(self._attempt(request, messages, deadline)) as events:
                    async for event in events:
                        written = True
                        yield event
                    return
            except PromptTooLongError:
                shorter = without_oldest_turn(messages)
                if written or len(shorter) == len(messages):
                    raise
                messages = shorter
                continue
            except (UnavailableError, BusyError) as error:
                pause_s = self._pause_s(error, attempt)
                if written or pause_s is None or asyncio.get_running_loop().time() + pause_s >= deadline:
                    raise
            except _DeadlineError:
                server = self._server or RemoteServer(ServerKind.OTHER, self._wanted)
                used = sampling_used(request.sampling, server)
                yield Finished("deadline", (), Usage(), len(request.messages) - len(messages), used)
                return
            attempt += 1
            await self._sleep(pause_s)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, exact for llama-server, else estimated.

        The estimate is one token per 3.5 bytes of UTF-8, rounded up: more than English prose has (four to five
        characters per token), on purpose, since a prompt thought too long is better than one that is. Tables of
        numbers can have more.
        """
        if self._circuit.state is CircuitState.CLOSED:
            try:
                server = await self.inspect()
                if server.kind is ServerKind.LLAMA_SERVER:
                    return [await self._count(text) for text in texts]
            except (UnavailableError, BusyError):
                logger.debug("%s does not count tokens: they are estimated", self._url)
        return [_estimate(text) for text in texts]

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        await self._client.close()

    async def _attempt(
        self, request: GenerationRequest, messages: Sequence[ChatMessage], deadline: float
    ) -> AsyncGenerator[GenerationEvent]:
        """One call of the server, counted by the circuit breaker."""
        dropped = len(request.messages) - len(messages)
        clock = asyncio.get_running_loop().time
        with self._circuit.call():
            server = await self._in_time(self.inspect(), deadline, deadline)
            body = request_body(request, messages, server)
            reader = StreamReader(self._url, server.model)
            limit = clock() + self._patience.first_token_s
            late = False
            opening = self._client.open_stream("/chat/completions", body, server.model)
            response = await self._in_time(opening, limit, deadline)
            try:
                async with aclosing(read_events(self._url, response.aiter_raw())) as lines:
                    while (data := await self._in_time(self._next(lines), limit, deadline)) not in {None, b"[DONE]"}:
                        pieces = reader.pieces
                        for piece in reader.feed(data or b""):
                            yield piece
                        if reader.pieces > pieces:  # a chunk without text says nothing of the prompt being read
                            limit = clock() + self._patience.next_token_s
                if not reader.complete:
                    raise broken(self._url, "broke off in the middle of its answer")
            except _DeadlineError:
                late = True
            finally:
                await response.aclose()
            ending = reader.ending(sampling_used(request.sampling, server), dropped, deadline=late)
        # Outside, for whoever stops listening at the last event has heard the whole answer.
        for event in ending:
            yield event

    async def _next(self, lines: AsyncGenerator[bytes]) -> bytes | None:
        with translated(self._url):
            return await anext(lines, None)

    async def _in_time(self, step: Awaitable[Value], limit: float, deadline: float) -> Value:
        """Wait for one step, until the earlier of two times of the event loop's clock."""
        try:
            async with asyncio.timeout_at(min(limit, deadline)):
                return await step
        except TimeoutError as error:
            if deadline <= limit:
                raise _DeadlineError from error
            raise NoAnswerInTimeError(
                f"The remote model at {self._url} wrote nothing for too long: see its log, or ask again later."
            ) from error

    async def _count(self, text: str) -> int:
        """Tokens of one text by llama-server's own count."""
        said = await self._client.post_json(f"{self._client.root}/tokenize", {"content": text})
        tokens = said.get("tokens") if isinstance(said, dict) else None
        return len(tokens) if isinstance(tokens, list) else _estimate(text)

    def _pause_s(self, error: UnavailableError | BusyError, attempt: int) -> float | None:
        """Seconds before the next attempt, or None where another one makes no sense."""
        if attempt >= self._patience.attempts or isinstance(error, NoAnswerInTimeError):
            return None
        if self._circuit.state is not CircuitState.CLOSED:
            return None
        asked_s: float | None = None
        if isinstance(error, UnavailableError | RemoteBusyError):
            asked_s = error.retry_after_s
        if asked_s is not None:
            return asked_s if asked_s <= self._patience.retry_after_s else None
        longest_s = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (attempt - 1))
        return longest_s * (0.5 + 0.5 * self._jitter())


def _estimate(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)
