"""HTTP mode: signed requests to the bot's address, with Slack's retries, and forged ones."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from tests.slack_server.clock import Clock
from tests.slack_server.deliveries import Attempt, Delivery, Outcome
from tests.slack_server.values import Json

_REASONS = {"timeout": "http_timeout", "connection": "connection_failed", "status": "http_error"}


def signature(secret: str, timestamp: str, body: str) -> str:
    """Return the value of `X-Slack-Signature`.

    Source:
        Slack's description of verifying requests: HMAC with SHA-256 over version, time stamp and body.
    """
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What the bot answered to a request."""

    status: int
    body: str
    headers: dict[str, str]


class HttpMode:
    """Sends deliveries to an address, a `Transport`.

    Args:
        url: Of the bot.
        secret: For signing.
        clock: Of the server; skew is added to its time.

    Attributes:
        skew_s: How far the time stamps are off.
        requests: Headers and body of every signed request, for replaying.
    """

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self.url = url
        self.skew_s = 0.0
        self.requests: list[tuple[dict[str, str], str]] = []
        self._secret = secret
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def attempt(self, delivery: Delivery, attempt: Attempt, timeout_s: float) -> Outcome:
        """Send one signed request and wait for the answer."""
        headers = {}
        if attempt.number:
            headers = {"X-Slack-Retry-Num": str(attempt.number), "X-Slack-Retry-Reason": attempt.reason}
        headers, body = self._signed(delivery, headers)
        attempt.through = self.url
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self.send(headers, body)
        except TimeoutError:
            return Outcome(_REASONS["timeout"])
        except aiohttp.ClientError:
            return Outcome(_REASONS["connection"])
        if answer.status // 100 != 2:
            return Outcome(_REASONS["status"], again=answer.headers.get("X-Slack-No-Retry") != "1")
        return Outcome(response=_response(answer))

    def _signed(self, delivery: Delivery, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        if delivery.kind == "events_api":
            body, media_type = json.dumps(delivery.payload), "application/json"
        elif delivery.kind == "interactive":
            body = urlencode({"payload": json.dumps(delivery.payload)})
            media_type = "application/x-www-form-urlencoded"
        else:
            body, media_type = urlencode(delivery.payload), "application/x-www-form-urlencoded"
        timestamp = str(int(self._clock.now() + self.skew_s))
        headers = headers | {
            "Content-Type": media_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._secret, timestamp, body),
        }
        self.requests.append((headers, body))
        return headers, body

    async def verify_url(self, challenge: str = "challenge") -> Answer:
        """Send what Slack sends when the address is entered, and return the answer."""
        body = json.dumps({"type": "url_verification", "token": "local", "challenge": challenge})
        timestamp = str(int(self._clock.now() + self.skew_s))
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._secret, timestamp, body),
        }
        return await self.send(headers, body)

    async def forge(
        self, payload: Json, *, secret: str, age_s: float = 0.0, signed: bool = True, timestamp: str = ""
    ) -> Answer:
        """Send a request as a stranger would.

        Args:
            payload: Of an event.
            secret: What it is signed with; the right one makes an honest request, apart from its age.
            age_s: How old it pretends to be; below 0 it comes from the future.
            signed: False leaves the signature out.
            timestamp: Replaces the time stamp, also in the signature.
        """
        body = json.dumps(payload)
        timestamp = timestamp or str(int(self._clock.now() - age_s))
        headers = {"Content-Type": "application/json", "X-Slack-Request-Timestamp": timestamp}
        if signed:
            headers["X-Slack-Signature"] = signature(secret, timestamp, body)
        return await self.send(headers, body)

    async def replay(self, number: int = -1) -> Answer:
        """Send a request once more, exactly as it was."""
        return await self.send(*self.requests[number])

    async def send(self, headers: dict[str, str], body: str) -> Answer:
        """Post to the bot."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.post(self.url, data=body.encode(), headers=headers) as response:
            return Answer(response.status, await response.text(), dict(response.headers))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def _response(answer: Answer) -> Json | None:
    """Return what the answer to an interaction or command carries."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return {"text": answer.body} if answer.body else None
    return value if isinstance(value, dict) else None
