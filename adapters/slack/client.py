"""The one place that calls Slack's Web API; works in any process that has the bot token."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import aiohttp
from pydantic import JsonValue, SecretStr
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.errors import AWAY, FAILURE_PAUSE_S, GARBLED, OutcomeUnknownError, from_code, from_status, seconds
from bot.errors import BotError

SLACK_API = "https://slack.com/api/"
TIMEOUT_S = 30.0  # of one call; Slack itself gives up on a request after about as long
UPLOAD_TIMEOUT_S = 120.0

# Methods take either form; a form is what all of them have always taken, JSON keeps blocks what they are.
_JSON_METHODS = ("chat.", "views.", "assistant.", "agents.")
_FORM_METHODS = frozenset(("chat.delete", "chat.getPermalink"))

# The library writes whole requests and answers to its logger at level DEBUG: texts of people among them.
_silent = logging.getLogger(f"{__name__}.library")
_silent.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class SlackReply:
    """An answer of Slack that says `ok`.

    Attributes:
        fields: As received.
        headers: Of HTTP.
    """

    fields: Mapping[str, JsonValue]
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return a header of HTTP, or ""."""
        return next((str(value) for known, value in self.headers.items() if known.lower() == name.lower()), "")

    def text(self, name: str) -> str:
        """Return a field that is a string, or ""."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def records(self, name: str) -> list[dict[str, JsonValue]]:
        """Return a field that is a list of objects; whatever else it holds is left out."""
        value = self.fields.get(name)
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    @property
    def next_cursor(self) -> str:
        """Where the next page begins, or "" after the last."""
        metadata = self.fields.get("response_metadata")
        cursor = metadata.get("next_cursor") if isinstance(metadata, dict) else ""
        return cursor if isinstance(cursor, str) else ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is, as auth.test says.

    Attributes:
        team_id: The workspace.
        user_id: The bot as a person that can be mentioned.
        bot_id: The bot as author of its messages.
        url: Address of the workspace.
    """

    team_id: str
    user_id: str
    bot_id: str
    url: str = ""

    def wrote(self, message: Mapping[str, JsonValue]) -> bool:
        """True for a message of the bot itself."""
        return (bool(self.bot_id) and message.get("bot_id") == self.bot_id) or message.get("user") == self.user_id


class SlackClient:
    """Calls methods of the Web API and turns every failure into an error of ours; an async context manager.

    Nothing is ever sent twice by this class: the library's own second try after a broken connection is off, because it
    posts a message again whose first answer was lost.

    Args:
        token: The bot token.
        api_base_url: Where the methods are; another one than Slack's for tests.
        timeout_s: Longest time of one call.
        proxy: Address of an HTTP proxy, or None for none.
        trust_environment: True to take the proxy from HTTP_PROXY and HTTPS_PROXY. The library reads these even for
            addresses that NO_PROXY excludes, so this is off unless a setting asks for it.
    """

    def __init__(
        self,
        token: SecretStr,
        *,
        api_base_url: str = SLACK_API,
        timeout_s: float = TIMEOUT_S,
        proxy: str | None = None,
        trust_environment: bool = False,
    ) -> None:
        self._token = token
        self._api_base_url = api_base_url
        self._timeout_s = timeout_s
        self._proxy = proxy
        self._trust_environment = trust_environment
        self._session: aiohttp.ClientSession | None = None
        self._web: AsyncWebClient | None = None
        self._identity: Identity | None = None
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> SlackClient:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout_s), trust_env=self._trust_environment
        )
        self._web = AsyncWebClient(
            token=self._token.get_secret_value(),
            base_url=self._api_base_url,
            session=self._session,
            trust_env_in_session=self._trust_environment,
            logger=_silent,
            retry_handlers=[],
        )
        if self._proxy or not self._trust_environment:
            self._web.proxy = self._proxy
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def web(self) -> AsyncWebClient:
        """The library's client, for the library's other parts; here everything goes through `call`."""
        if self._web is None:
            raise RuntimeError("a SlackClient is used inside `async with`")
        return self._web

    async def call(self, method: str, **arguments: JsonValue) -> SlackReply:
        """Call a method once; arguments that are None are left out.

        Raises:
            RateLimitedError: If Slack asks to wait.
            OutcomeUnknownError: If it is unknown whether the call was carried out.
            UnavailableError: If another attempt makes sense.
            NotFoundError: If the message, thread, person or file is gone.
            RefusedError: If this is not allowed in that place.
            SettingsError: If the token is not valid, or lacks a scope.
            InvalidRequestError: If Slack does not take the arguments.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            if method.startswith(_JSON_METHODS) and method not in _FORM_METHODS:
                response = await self.web.api_call(method, json=given)
            else:
                response = await self.web.api_call(method, data={name: _form(value) for name, value in given.items()})
        except SlackApiError as error:
            raise _translated(method, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknownError(AWAY, retry_after_s=FAILURE_PAUSE_S) from error
        except (SlackClientError, ValueError, AttributeError, TypeError) as error:
            # The library stumbles over answers that are no JSON object.
            raise OutcomeUnknownError(GARBLED, retry_after_s=FAILURE_PAUSE_S) from error
        if not isinstance(response.data, dict):
            raise OutcomeUnknownError(GARBLED, retry_after_s=FAILURE_PAUSE_S)
        return SlackReply(response.data, dict(response.headers or {}))

    async def upload(self, url: str, data: bytes) -> None:
        """Send the content of a file to the address that files.getUploadURLExternal has named. Raises as `call`."""
        if self._session is None:
            raise RuntimeError("a SlackClient is used inside `async with`")
        try:
            async with self._session.post(
                url, data=data, proxy=self.web.proxy, timeout=aiohttp.ClientTimeout(total=UPLOAD_TIMEOUT_S)
            ) as response:
                status, header = response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknownError(AWAY, retry_after_s=FAILURE_PAUSE_S) from error
        if status != 200:
            raise from_status("upload", status, retry_after_s=seconds(header))

    async def identity(self) -> Identity:
        """Return who the bot is; asked once. Raises as `call`."""
        async with self._asking:
            if self._identity is None:
                reply = await self.call("auth.test")
                self._identity = Identity(
                    reply.text("team_id"), reply.text("user_id"), reply.text("bot_id"), reply.text("url")
                )
        return self._identity


def _form(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | Sequence | bool):
        return json.dumps(value)
    return str(value)


def _translated(method: str, error: SlackApiError) -> BotError:
    response = error.response
    if not isinstance(response, AsyncSlackResponse):
        return from_status(method, getattr(response, "status", 0))
    retry_after_s = seconds(response.headers.get("Retry-After"))
    body = response.data if isinstance(response.data, dict) else {}
    code = body.get("error")
    if response.status_code >= 500 or not isinstance(code, str):
        return from_status(method, response.status_code, retry_after_s=retry_after_s)
    if response.status_code == 429:
        code = "ratelimited"
    needed = body.get("needed")
    return from_code(method, code, needed=needed if isinstance(needed, str) else "", retry_after_s=retry_after_s)
