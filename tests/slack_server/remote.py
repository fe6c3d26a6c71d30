"""A local Slack in another process, as tests that outlive their adapters use it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import aiohttp

from tests.slack_server.values import Json

_ROOT = Path(__file__).resolve().parents[2]
_STOP_S = 10.0
_POLL_S = 0.02

T = TypeVar("T")


@contextmanager
def slack_process(*options: str) -> Iterator[str]:
    """Run `python -m tests.slack_server` with options, and give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.slack_server", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    try:
        if process.stdout is None or not (line := process.stdout.readline().strip()):
            raise RuntimeError("the local Slack did not start")
        yield f"http://127.0.0.1:{line}"
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


class RemoteSlack:
    """Drives a local Slack by its address; an async context manager.

    Args:
        url: As `slack_process` gives it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    @property
    def api_base_url(self) -> str:
        """What the slack_sdk takes as `base_url`."""
        return f"{self.url}/api/"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def act(self, name: str, /, **arguments: object) -> Json:
        """Let a person, an administrator or the world do something: any act of `LocalSlack`, by its name.

        Messages are given and returned as `{"channel": ..., "ts": ...}`, views by their ids.

        Raises:
            ValueError: If Slack would not allow it.
        """
        value = await self._post("act", {"act": name, "arguments": arguments})
        return value if isinstance(value, dict) else {"value": value}

    async def add_faults(self, method: str, *, times: int = 1, **fault: object) -> None:
        """Let the next calls of a method go wrong; fields of `Fault`."""
        await self._post("faults", {"how": "add", "method": method, "times": times, "fault": fault})

    async def always(self, method: str, **fault: object) -> None:
        """Let all calls of a method go wrong; fields of `Fault`."""
        await self._post("faults", {"how": "always", "method": method, "fault": fault})

    async def by_chance(self, method: str, probability: float, **fault: object) -> None:
        """Let a share of a method's calls go wrong; fields of `Fault`."""
        await self._post("faults", {"how": "by_chance", "method": method, "probability": probability, "fault": fault})

    async def clear_faults(self) -> None:
        """Let everything go well again."""
        await self._post("faults", {"how": "clear"})

    async def sockets(self, do: str, **options: str) -> None:
        """Let Socket Mode connections "abort" or "disconnect" (with a reason), or "disable" and "enable" them."""
        await self._post("sockets", {"do": do, **options})

    async def configure(self, **settings: object) -> None:
        """Set `timing`, `disorder`, `limits`, `policies` (mappings), `copies`, or let the clock jump by `advance_s`."""
        await self._post("configure", settings)

    async def state(self) -> Json:
        """Return counts: deliveries, calls, 429s, pings."""
        value: Json = await self._get("state")
        return value

    async def messages(self, *, by: str = "", channel: str = "") -> Sequence[Json]:
        """Return all messages with everything known of them; `seen` is how each looks."""
        value: list[Json] = await self._get("messages", by=by, channel=channel)
        return value

    async def deliveries(self, since: int = 0, *, by: Literal["", "people"] = "") -> Sequence[Json]:
        """Return all deliveries from a number on, or those of them that are of what people did."""
        value: list[Json] = await self._get("deliveries", since=str(since), by=by)
        return value

    async def calls(self, method: str = "", outcome: str = "") -> Sequence[Json]:
        """Return the calls that were made."""
        value: list[Json] = await self._get("calls", method=method, outcome=outcome)
        return value

    async def transcript(self, channel: str, thread: str = "", viewer: str = "") -> Sequence[Json]:
        """Return what is to be seen now."""
        value: list[Json] = await self._get("transcript", channel=channel, thread=thread, viewer=viewer)
        return value

    async def until(self, condition: Callable[[], Awaitable[T | None]], timeout_s: float = 10.0) -> T:
        """Ask again and again until the answer is true, and return it.

        Raises:
            TimeoutError: If it is not within `timeout_s` real seconds.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                if value := await condition():
                    return value
                await asyncio.sleep(_POLL_S)

    async def _post(self, path: str, body: Json) -> Any:
        async with self._opened().post(f"{self.url}/control/{path}", json=body) as response:
            value = await response.json()
        if response.status != 200:
            raise ValueError(value["error"])
        return value

    async def _get(self, path: str, **query: str) -> Any:
        async with self._opened().get(f"{self.url}/control/{path}", params=query) as response:
            response.raise_for_status()
            return await response.json()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use `async with`")
        return self._session
