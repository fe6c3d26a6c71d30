"""The adapter of the scripted chat server."""

from __future__ import annotations

import asyncio
import json
import logging
from types import TracebackType
from typing import Any, Self

import aiohttp

from bot.chat import Reception
from bot.errors import BotError, InvalidRequestError, NotFoundError, RefusedError, UnavailableError
from bot.messages import Audience, FileReference, IncomingMessage, Place, Sender, request_id
from bot.replies import Reply
from tests.chat_records import BODY, EVENT, Body, ChatEvent, EventKind

logger = logging.getLogger(__name__)

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # before connecting again; the last one from then on
CALL_TIMEOUT_S = 10.0


class ScriptedChat:
    """A chat for tests; implements `bot.chat.ChatAdapter` and is an asynchronous context manager.

    Args:
        url: The server's address.
        draft_interval_s: As in the port.
    """

    name = "scripted"

    def __init__(self, url: str, *, draft_interval_s: float = 0.1) -> None:
        self.draft_interval_s = draft_interval_s
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self._url, timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def run(self, reception: Reception) -> None:
        """Connect, and again after each break, until cancelled."""
        broken = 0
        while True:
            try:
                async with self._client.ws_connect("/events", heartbeat=5) as socket:
                    broken = 0
                    await self._listen(socket, reception)
            except (aiohttp.ClientError, OSError) as error:
                logger.warning("the scripted chat is away: %s", type(error).__name__)
            await asyncio.sleep(PAUSES_S[min(broken, len(PAUSES_S) - 1)])
            broken += 1

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, reception: Reception) -> None:
        """Pass on what arrives until the connection ends, many events at a time."""
        async with asyncio.TaskGroup() as handling:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    handling.create_task(self._handle(socket, json.loads(message.data), reception))

    async def _handle(
        self, socket: aiohttp.ClientWebSocketResponse, delivery: dict[str, Any], reception: Reception
    ) -> None:
        """Pass on one event, and acknowledge it unless it could not be stored."""
        event = EVENT.validate_python(delivery["event"], strict=False)
        try:
            await self._pass_on(event, reception)
        except InvalidRequestError as error:
            logger.warning("an event was refused: %s", error)
        except BotError as error:
            logger.warning("an event was not taken: %s", error)
            return
        try:
            await socket.send_str(json.dumps({"acknowledge": delivery["event_id"]}))
        except (aiohttp.ClientError, OSError):
            return  # the server delivers it again

    async def _pass_on(self, event: ChatEvent, reception: Reception) -> None:
        place = Place(self.name, "", event.channel, event.thread, event.audience)
        sender = Sender(self.name, "", event.user)
        message = IncomingMessage(place, sender, event.message_id, event.text, event.order, event.version)
        if event.kind is EventKind.MESSAGE:
            await reception.message(message)
        elif event.kind is EventKind.EDIT:
            await reception.edit(message)
        elif event.kind is EventKind.DELETE:
            await reception.delete(place, event.message_id)
        else:
            await reception.stop(place, sender, request_id=request_id(place, event.message_id))

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        answer = await self._call(
            "POST",
            "/posts",
            {"channel": place.channel, "thread": place.thread, "key": key, "answers": answers, "body": _body(reply)},
        )
        return str(answer["id"])

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        await self._call("PUT", f"/posts/{post_id}", {"body": _body(reply)})

    async def remove(self, place: Place, post_id: str) -> None:
        try:
            await self._call("DELETE", f"/posts/{post_id}")
        except NotFoundError:
            return

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        raise NotFoundError("The scripted chat holds no files.")

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage:
        return message

    async def belongs(self, sender: Sender, group: str) -> bool:
        return False

    async def direct(self, user: str) -> Place:
        return Place(self.name, "", f"direct-{user}", "", Audience.DIRECT)

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        answer = await self._call("GET", "/posts", query={"channel": place.channel, "key": key})
        return None if answer["id"] is None else str(answer["id"])

    async def _call(
        self, method: str, path: str, fields: object = None, *, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the server's answer, or raise as the port says."""
        try:
            async with self._client.request(method, path, json=fields, params=query) as response:
                if response.status == 404:
                    raise NotFoundError("The message is gone.")
                if response.status == 403:
                    raise RefusedError("The bot may not write in this channel.")
                if response.status != 200:
                    wait_s = float(response.headers.get("Retry-After", "0")) or None
                    raise UnavailableError(f"The chat answered {response.status}.", retry_after_s=wait_s)
                answer: dict[str, Any] = await response.json()
                return answer
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The call may have taken effect.
            raise UnavailableError("The chat does not answer.") from error

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("ScriptedChat is a context manager: enter it first")
        return self._session


def _body(reply: Reply) -> object:
    body = Body(
        reply.stage,
        reply.text,
        tuple(citation.n for citation in reply.citations),
        reply.answered,
        reply.note,
        reply.reference,
        reply.handle,
    )
    return BODY.dump_python(body, mode="json")
