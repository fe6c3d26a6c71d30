"""People who write in encrypted rooms: an ordinary one, and one who is as strict as MSC4153 asks for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from nio.api import Api
from nio.client.async_client import AsyncClient, AsyncClientConfig
from nio.events import Event
from nio.responses import JoinResponse, RoomSendResponse, SyncResponse
from nio.store.database import SqliteStore

from tests.matrix_server.person import PATIENCE_S
from tests.matrix_server.synapse import Account


class EncryptingPerson:
    """One device with its own keys, on matrix-nio as it is. Made by `encrypting`, which closes it.

    Attributes:
        account: Who it is.
        client: matrix-nio's client.
        seen: Events of all rooms, decrypted where that was possible, with their rooms.
    """

    def __init__(self, client: AsyncClient, account: Account) -> None:
        self.account = account
        self.client = client
        self.seen: list[tuple[str, Event]] = []

    @property
    def user_id(self) -> str:
        """The person's user id."""
        return self.account.user_id

    async def sync(self, timeout_s: float = 0.0) -> SyncResponse:
        """Fetch what is new and keep the keys up."""
        full = None if self.client.next_batch else True
        wanted = {"room": {"timeline": {"limit": 1000}}}
        answer = await self.client.sync(timeout=int(timeout_s * 1000), sync_filter=wanted, full_state=full)
        assert isinstance(answer, SyncResponse), answer
        for room_id, room in answer.rooms.join.items():
            self.seen += [(room_id, event) for event in room.timeline.events]
        await self.client.send_to_device_messages()
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        if self.client.should_query_keys:
            await self.client.keys_query()
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())
        return answer

    async def join(self, room_id: str) -> None:
        """Join a room and see who is in it."""
        answer = await self.client.join(room_id)
        assert isinstance(answer, JoinResponse), answer
        while room_id not in self.client.rooms:
            await self.sync(timeout_s=1)

    async def say(self, room_id: str, text: str, *, mention: Sequence[str] = (), thread: str = "") -> str:
        """Send a text message, encrypted where the room is, and return its id."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": text}
        if mention:
            content["m.mentions"] = {"user_ids": list(mention)}
        if thread:
            fallback = {"is_falling_back": True, "m.in_reply_to": {"event_id": thread}}
            content["m.relates_to"] = {"rel_type": "m.thread", "event_id": thread, **fallback}
        await self.before_sending(room_id)
        answer = await self.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True)
        assert isinstance(answer, RoomSendResponse), answer
        return answer.event_id

    async def before_sending(self, room_id: str) -> None:
        """See who is there; a stricter person decides who may read."""
        await self.sync()

    async def wait_for(self, wanted: Callable[[Event], bool], room_id: str = "") -> Event:
        """Return the first event, seen already or to come, that is wanted.

        Raises:
            TimeoutError: If none comes in half a minute.
        """
        looked = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for place, event in self.seen[looked:]:
                    if room_id in ("", place) and wanted(event):
                        return event
                looked = len(self.seen)
                await self.sync(timeout_s=5)


class StrictPerson(EncryptingPerson):
    """Gives room keys only to devices that their owner's cross-signing identity has signed (MSC4153)."""

    async def before_sending(self, room_id: str) -> None:
        """Shut out every device that nobody vouches for."""
        await self.sync()
        users = list(self.client.rooms[room_id].users)
        while not all(self.client.device_store.active_user_devices(user) for user in users):
            await self.client.joined_members(room_id)
            if self.client.should_query_keys:
                await self.client.keys_query()
        known = await self._query(users)
        for user in users:
            for device in list(self.client.device_store.active_user_devices(user)):
                if user == self.user_id or is_vouched_for(known, user, str(device.id), device.ed25519):
                    self.client.unblacklist_device(device)
                else:
                    self.client.blacklist_device(device)

    async def _query(self, users: Sequence[str]) -> dict[str, Any]:
        body = json.dumps({"device_keys": {user: [] for user in users}})
        headers = {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"}
        async with await self.client.send("POST", "/_matrix/client/v3/keys/query", body, headers) as answer:
            known: dict[str, Any] = await answer.json()
        return known


def is_vouched_for(known: dict[str, Any], user: str, device_id: str, ed25519: str) -> bool:
    """Verify with the answer of /keys/query that master key, self-signing key and device hang together."""
    try:
        master, signing = known["master_keys"][user], known["self_signing_keys"][user]
        device = known["device_keys"][user][device_id]
        ((master_id, master_key),) = master["keys"].items()
        ((signing_id, signing_key),) = signing["keys"].items()
        assert master_id == f"ed25519:{master_key}"
        assert signing_id == f"ed25519:{signing_key}"
        assert master["usage"] == ["master"]
        assert signing["usage"] == ["self_signing"]
        assert device["keys"][f"ed25519:{device_id}"] == ed25519
        verify(signing, master_key, signing["signatures"][user][master_id])
        verify(device, signing_key, device["signatures"][user][signing_id])
    except (KeyError, ValueError, AssertionError):
        return False
    return True


def verify(content: dict[str, Any], public: str, signature: str) -> None:
    """Check one signature.

    Raises:
        ValueError: If it is none, or padded.
    """
    if "=" in public + signature:
        raise ValueError("padded")
    bare = {name: value for name, value in content.items() if name not in ("signatures", "unsigned")}
    key = ECC.import_key(_der(base64.b64decode(public + "=")))
    eddsa.new(key, "rfc8032").verify(Api.to_canonical_json(bare).encode(), base64.b64decode(signature + "=="))


def _der(raw: bytes) -> bytes:
    """Return a public Ed25519 key as RFC 8410 writes it."""
    return bytes.fromhex("302a300506032b6570032100") + raw


@asynccontextmanager
async def encrypting(
    url: str, account: Account, folder: Path, kind: type[EncryptingPerson] = EncryptingPerson
) -> AsyncIterator[EncryptingPerson]:
    """Yield a person at a client whose keys are kept in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = AsyncClientConfig(store=SqliteStore, encryption_enabled=True, pickle_key="test", max_limit_exceeded=0)
    client = AsyncClient(url, account.user_id, store_path=str(folder), config=config)
    client.restore_login(account.user_id, account.device_id, account.access_token)
    someone = kind(client, account)
    try:
        await someone.sync()
        yield someone
    finally:
        if client.client_session is not None:
            await client.client_session.close()
        if client.store is not None:
            client.store.database.close()
