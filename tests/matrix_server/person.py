"""A person who writes in plain rooms, straight over the client-server API."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from tests.matrix_server.synapse import Account

Event = dict[str, Any]
PATIENCE_S = 30.0
MEGOLM = "m.megolm.v1.aes-sha2"


class Person:
    """One device of a user. Made by `person`, which closes it.

    Attributes:
        account: Who it is.
    """

    def __init__(self, url: str, account: Account, http: httpx.AsyncClient) -> None:
        self.account = account
        self._url = url
        self._http = http
        self._since = ""
        self._seen: list[tuple[str, Event]] = []

    @property
    def user_id(self) -> str:
        """The person's user id."""
        return self.account.user_id

    async def call(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        """Call the API below `/_matrix/client/v3` and return what it answers.

        Raises:
            httpx.HTTPStatusError: If it is no success.
        """
        response = await self._http.request(
            method,
            f"{self._url}/_matrix/client/v3{path}",
            json=body if body is not None or method == "GET" else {},
            params=query,
            headers={"Authorization": f"Bearer {self.account.access_token}"},
        )
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    async def create_room(
        self,
        *invited: str,
        encrypted: bool = False,
        direct: bool = False,
        name: str = "",
        version: str | None = None,
        public: bool = False,
    ) -> str:
        """Make a room and return its id; `direct` says in the invitation that it is a conversation of two."""
        state = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}}] if encrypted else []
        wanted: dict[str, object] = {
            "preset": "public_chat" if public else "private_chat",
            "invite": list(invited),
            "is_direct": direct,
            "initial_state": state,
        }
        if name:
            wanted["name"] = name
        if version is not None:
            wanted["room_version"] = version
        return str((await self.call("POST", "/createRoom", wanted))["room_id"])

    async def join(self, room_id: str) -> None:
        """Join a room."""
        await self.call("POST", f"/rooms/{quote(room_id)}/join")

    async def leave(self, room_id: str) -> None:
        """Leave a room, or decline to be in it."""
        await self.call("POST", f"/rooms/{quote(room_id)}/leave")

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite somebody."""
        await self.call("POST", f"/rooms/{quote(room_id)}/invite", {"user_id": user_id})

    async def kick(self, room_id: str, user_id: str, *, ban: bool = False) -> None:
        """Remove somebody from a room."""
        await self.call("POST", f"/rooms/{quote(room_id)}/{'ban' if ban else 'kick'}", {"user_id": user_id})

    async def encrypt(self, room_id: str) -> None:
        """Let a room be encrypted from now on."""
        await self.state(room_id, "m.room.encryption", {"algorithm": MEGOLM})

    async def state(self, room_id: str, kind: str, content: Mapping[str, object], key: str = "") -> str:
        """Set a piece of a room's state and return the event's id."""
        answer = await self.call("PUT", f"/rooms/{quote(room_id)}/state/{kind}/{quote(key)}", dict(content))
        return str(answer["event_id"])

    async def upgrade(self, room_id: str, version: str) -> str:
        """Upgrade a room and return the id of the one that replaces it."""
        answer = await self.call("POST", f"/rooms/{quote(room_id)}/upgrade", {"new_version": version})
        return str(answer["replacement_room"])

    async def send(self, room_id: str, content: Mapping[str, object], kind: str = "m.room.message") -> str:
        """Send an event as it is and return its id."""
        path = f"/rooms/{quote(room_id)}/send/{kind}/{secrets.token_hex(8)}"
        return str((await self.call("PUT", path, dict(content)))["event_id"])

    async def say(
        self, room_id: str, text: str, *, mention: Sequence[str] = (), thread: str = "", **content: object
    ) -> str:
        """Send a text message and return its id."""
        whole: dict[str, object] = {"msgtype": "m.text", "body": text, **content}
        if mention:
            whole["m.mentions"] = {"user_ids": list(mention)}
        if thread:
            fallback = {"is_falling_back": True, "m.in_reply_to": {"event_id": thread}}
            whole["m.relates_to"] = {"rel_type": "m.thread", "event_id": thread, **fallback}
        return await self.send(room_id, whole)

    async def edit(self, room_id: str, event_id: str, text: str, *, mention: Sequence[str] = ()) -> str:
        """Edit a message and return the id of the edit."""
        new: dict[str, object] = {"msgtype": "m.text", "body": text}
        if mention:
            new["m.mentions"] = {"user_ids": list(mention)}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return await self.send(room_id, {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation})

    async def react(self, room_id: str, event_id: str, key: str) -> str:
        """React to a message and return the reaction's id."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send(room_id, {"m.relates_to": relation}, "m.reaction")

    async def redact(self, room_id: str, event_id: str) -> str:
        """Delete a message or reaction."""
        answer = await self.call("PUT", f"/rooms/{quote(room_id)}/redact/{quote(event_id)}/{secrets.token_hex(8)}")
        return str(answer["event_id"])

    async def log_out(self) -> None:
        """End the session: the token is good for nothing afterwards."""
        await self.call("POST", "/logout")

    async def members(self, room_id: str) -> dict[str, str]:
        """Return the membership of everybody who has one."""
        answer = await self.call("GET", f"/rooms/{quote(room_id)}/members")
        return {event["state_key"]: event["content"]["membership"] for event in answer["chunk"]}

    async def history(self, room_id: str, limit: int = 1000) -> list[Event]:
        """Return the events of a room as they are stored, oldest first."""
        answer = await self.call("GET", f"/rooms/{quote(room_id)}/messages", dir="b", limit=str(limit))
        return list(reversed(answer["chunk"]))

    async def event(self, room_id: str, event_id: str) -> Event:
        """Return one event as it is stored."""
        return await self.call("GET", f"/rooms/{quote(room_id)}/event/{quote(event_id)}")

    async def sync(self, timeout_s: float = 0.0) -> dict[str, Any]:
        """Fetch what is new; its timeline events and ephemeral ones are kept for `wait_for`."""
        query = {"timeout": str(int(timeout_s * 1000)), "filter": '{"room":{"timeline":{"limit":1000}}}'}
        if self._since:
            query["since"] = self._since
        answer = await self.call("GET", "/sync", **query)
        self._since = answer["next_batch"]
        for room_id, room in answer.get("rooms", {}).get("join", {}).items():
            for part in ("timeline", "ephemeral"):
                self._seen += [(room_id, event) for event in room.get(part, {}).get("events", ())]
        return answer

    async def wait_for(self, wanted: Callable[[Event], bool], room_id: str = "") -> Event:
        """Return the first event, seen already or to come, that is wanted.

        Raises:
            TimeoutError: If none comes in half a minute.
        """
        looked = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for place, event in self._seen[looked:]:
                    if room_id in ("", place) and wanted(event):
                        return event
                looked = len(self._seen)
                await self.sync(timeout_s=5)


@asynccontextmanager
async def person(url: str, account: Account) -> AsyncIterator[Person]:
    """Yield a person at their client."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield Person(url, account, http)
