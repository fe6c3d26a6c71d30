"""Who answers chats in the engine benchmark: Locus, llama-server, and one `Llama` object in turn."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import httpx

from benchmarks.engine_model import Prompt
from benchmarks.peers import ROOT, Peers
from bot.engine.supervisor import LocalModel
from bot.generation import ChatMessage, Finished, GenerationRequest, Sampling, Text

# The same for all: what it costs is part of what is measured.
TOP_K, TOP_P, MIN_P, TEMPERATURE = 40, 0.95, 0.05, 0.8
CHAIN = Sampling(TEMPERATURE, TOP_K, TOP_P, MIN_P, repetition_penalty=1.0)
CELLS = 16384  # tokens of all chats together that each contender's cache holds
START_S = 120.0
Flash = Literal["auto", "off"]
FLASH: tuple[Flash, ...] = ("auto", "off")  # attention in pieces or not: which is faster depends on the processor
PATIENCE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Timing:
    """How one load went; seconds since all its chats were asked at once.

    Attributes:
        first: When each chat's first word came.
        last: When each chat's answer was complete.
    """

    first: tuple[float, ...]
    last: tuple[float, ...]

    @property
    def total(self) -> float:
        """When everybody had an answer."""
        return max(self.last)

    @property
    def mean_first(self) -> float:
        """Mean time to the first word."""
        return sum(self.first) / len(self.first)


class Contender(Protocol):
    """Answers chats."""

    name: str
    slots: int  # copies of a shared beginning it may hold

    async def answer(self, prompts: Sequence[Prompt], new_tokens: int, *, seed: int = 0) -> Timing:
        """Answer all prompts, asked at once, with exactly so many tokens each."""
        ...

    async def warm(self, prompts: Sequence[Prompt]) -> None:
        """Compute each prompt, in a slot of its own where there are several."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of Locus; seconds since it was asked.

    Attributes:
        first: When its first word came.
        last: When it was complete.
        prompt_tokens: Tokens of its prompt.
        cached_tokens: Of these, not computed again.
    """

    first: float
    last: float
    prompt_tokens: int
    cached_tokens: int


async def ask(model: LocalModel, request: GenerationRequest) -> Reply:
    """Ask Locus' engine and wait for the whole answer, which must have the full length.

    Raises:
        SystemExit: If the answer ended early: its time would be too good.
    """
    begin = time.perf_counter()
    first = 0.0
    async for event in model.generate(request):
        if isinstance(event, Text) and not first:
            first = time.perf_counter() - begin
        elif isinstance(event, Finished):
            if event.usage.new_tokens != request.sampling.max_tokens:
                raise SystemExit(f"An answer ended after {event.usage.new_tokens} tokens: run the benchmark again.")
            last = time.perf_counter() - begin
            return Reply(first or last, last, event.usage.prompt_tokens, event.usage.cached_tokens)
    raise SystemExit("The engine ended an answer without saying so.")


def request(
    prompt: Prompt, new_tokens: int, *, seed: int = 0, user: str = "", conversation: str = ""
) -> GenerationRequest:
    """Return what Locus is asked for a prompt."""
    sampling = replace(CHAIN, max_tokens=new_tokens, seed=seed)
    message = ChatMessage("user", prompt.text)
    return GenerationRequest((message,), sampling, user, conversation, deadline_s=PATIENCE_S)


class Locus:
    """Our engine as it is used: a supervised process, chat messages in, events out."""

    name = "Locus"
    slots = 1

    def __init__(self, model: LocalModel) -> None:
        self.model = model

    async def answer(self, prompts: Sequence[Prompt], new_tokens: int, *, seed: int = 0) -> Timing:
        replies = await asyncio.gather(
            *(
                ask(self.model, request(prompt, new_tokens, seed=seed + number, user=str(number)))
                for number, prompt in enumerate(prompts)
            )
        )
        # The peers are given token ids: both must have read the same.
        assert [reply.prompt_tokens for reply in replies] == [len(prompt.tokens) for prompt in prompts]
        return Timing(tuple(reply.first for reply in replies), tuple(reply.last for reply in replies))

    async def warm(self, prompts: Sequence[Prompt]) -> None:
        await self.answer(prompts[:1], 1)


class LlamaServer:
    """llama-server on a local port; made by `open_server`."""

    def __init__(self, client: httpx.AsyncClient, slots: int, flash: Flash) -> None:
        name = f"llama-server, {slots} slots, unified KV" if slots > 1 else "llama-server, 1 slot"
        self.name = f"{name}, -fa {flash}"
        self.slots = slots
        self._client = client

    async def answer(self, prompts: Sequence[Prompt], new_tokens: int, *, seed: int = 0) -> Timing:
        asked = [self._ask(prompt, new_tokens, seed=seed + number) for number, prompt in enumerate(prompts)]
        times = await asyncio.gather(*asked)
        return Timing(tuple(first for first, _ in times), tuple(last for _, last in times))

    async def warm(self, prompts: Sequence[Prompt]) -> None:
        await asyncio.gather(*(self._ask(prompt, 1, slot=slot) for slot, prompt in enumerate(prompts)))

    async def _ask(self, prompt: Prompt, new_tokens: int, *, seed: int = 0, slot: int = -1) -> tuple[float, float]:
        """Return the seconds until the first piece and the last one."""
        body = {
            "prompt": prompt.tokens, "n_predict": new_tokens, "ignore_eos": True, "cache_prompt": True, "stream": True,
            "id_slot": slot, "seed": seed, "samplers": ["top_k", "top_p", "min_p", "temperature"],
            "top_k": TOP_K, "top_p": TOP_P, "min_p": MIN_P, "temperature": TEMPERATURE,
        }  # fmt: skip
        begin = time.perf_counter()
        first = last = 0.0
        written = 0
        async with self._client.stream("POST", "/completion", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    last = time.perf_counter() - begin
                    first = first or last
                    written = json.loads(line[6:]).get("tokens_predicted", written)
        if written != new_tokens:
            raise SystemExit(f"llama-server wrote {written} tokens in place of {new_tokens}: run the benchmark again.")
        return first, last


@asynccontextmanager
async def open_server(
    peers: Peers, model: Path, *, slots: int, threads: int, flash: Flash = "auto"
) -> AsyncIterator[LlamaServer]:
    """Start llama-server and end it on leaving.

    Raises:
        SystemExit: If it does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = ["-np", str(slots), *(["-kvu"] if slots > 1 else []), "-c", str(CELLS), "-t", str(threads), "--no-ui"]
    options += ["-fa", flash]
    command = peers.command("llama-server", "-m", str(model), "--host", "127.0.0.1", "--port", str(port), *options)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        # The server closes idle connections at moments of its own; a new one for each request costs nothing here.
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, limits=limits) as client:
            await _healthy(client, process)
            yield LlamaServer(client, slots, flash)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def _healthy(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    begin = time.monotonic()
    while process.poll() is None and time.monotonic() - begin < START_S:
        try:
            if (await client.get("/health")).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit(f"llama-server did not start (exit code {process.poll()}): start it by hand to see why.")


class OneLlama:
    """One `Llama` object in a process of its own, questions in turn; made by `open_llama`."""

    name = "one Llama object in turn"
    slots = 1

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def answer(self, prompts: Sequence[Prompt], new_tokens: int, *, seed: int = 0) -> Timing:
        asked = {"prompts": [prompt.tokens for prompt in prompts], "new": new_tokens, "seed": seed}
        told = json.loads(await asyncio.to_thread(self._exchange, json.dumps(asked)))
        return Timing(tuple(told["first"]), tuple(told["last"]))

    async def warm(self, prompts: Sequence[Prompt]) -> None:
        await self.answer(prompts[:1], 1)

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"The process of the Llama object ended with {self._process.wait()}.")
        return answer


@asynccontextmanager
async def open_llama(peers: Peers, model: Path, *, threads: int) -> AsyncIterator[OneLlama]:
    """Load a `Llama` in a process of its own and end it on leaving."""
    program = [sys.executable, "-m", "benchmarks.one_llama", str(model), "--threads", str(threads), "--context", "8192"]
    process = subprocess.Popen(  # noqa: ASYNC220
        peers.launched(program), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        if await asyncio.to_thread(process.stdout.readline) != "ready\n":
            raise SystemExit(f"The process of the Llama object ended with {await asyncio.to_thread(process.wait)}.")
        yield OneLlama(process)
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)
