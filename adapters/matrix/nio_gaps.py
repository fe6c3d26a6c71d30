"""What matrix-nio 0.26 leaves open, closed in one place; each with a test in tests/integration/test_matrix_gaps.py.

1. It sends plain text into an encrypted room when no keys are loaded: refused.
2. One-time keys are never made anew once the homeserver has none left, and there is no fallback key: both are.
3. A room key counts as shared even if the homeserver was away while it was sent, so that nobody could read what
   follows: it is shared again, and nothing is sent before.
4. Who comes or goes while a room key is being shared is overlooked: shared anew.
5. A failure at the wrong moment makes all later messages to that room wait for ever: they do not.
6. A page of a proxy (502) counts as success where a call answers nothing, and as the file where one is downloaded; a
   room key that was refused logs the client out; a claim that was refused raises TypeError: all are failures.
7. A sync that ends where the last one did is skipped, though it may be handled for the second time after a failure, or
   be the first of a process: `forget_position`.
8. Rooms that it left or was thrown out of stay known: `forget_left`.
9. Power levels of rooms of version 12 are wrong: nobody may ask for them.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from aiohttp import ClientResponse
from nio.client.async_client import AsyncClientConfig
from nio.responses import (
    ErrorResponse,
    FileResponse,
    JoinedMembersResponse,
    KeysClaimResponse,
    KeysQueryResponse,
    Response,
    RoomSendError,
    RoomSendResponse,
    ShareGroupSessionResponse,
    SyncResponse,
)
from nio.rooms import MatrixRoom

from adapters.matrix.errors import FAILURE_PAUSE_S, ClearTextError, checked
from adapters.matrix.key_gaps import KeyKeepingClient
from adapters.matrix.trust import Trust
from bot.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from nio.crypto.olm_machine import Olm  # not there without the packages that encrypt

KEY_TYPE = "signed_curve25519"
SHARE_TRIES = 4
REACTION = "m.reaction"

Devices = frozenset[tuple[str, str]]


class _Key(Protocol):
    def to_base64(self) -> str: ...


class _FallbackKeys(Protocol):
    """A part of vodozemac's account that its stubs leave out."""

    def generate_fallback_key(self) -> object: ...

    @property
    def fallback_key(self) -> Mapping[str, _Key]: ...


class CarefulClient(KeyKeepingClient):
    """An `AsyncClient` without those gaps and those of `key_gaps`.

    It never waits by itself, neither for a rate limit nor after a failure.

    Args:
        homeserver: Address of the client-server API.
        config: Of matrix-nio.
        store_path: Folder of the keys; empty without encryption.
        trust: Which devices may read in encrypted rooms.
    """

    def __init__(self, homeserver: str, config: AsyncClientConfig, store_path: str, trust: Trust) -> None:
        super().__init__(homeserver, store_path=store_path, config=config)
        self._trust = trust
        self._sharing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unused_fallback_keys: list[str] | None = None  # what the homeserver said last; None before it has

    async def room_send(
        self,
        room_id: str,
        message_type: str,
        content: dict[Any, Any],
        tx_id: str | None = None,
        ignore_unverified_devices: bool = True,
    ) -> RoomSendResponse | RoomSendError:
        """Send an event, encrypted where the room is.

        Raises:
            ClearTextError: If the room is encrypted and no keys are loaded.
            UnavailableError: If the room is not known, or its key could not be given to everybody.
        """
        room = self.rooms.get(room_id)
        if room is None:
            # Whether it is encrypted is not known either.
            raise UnavailableError("Locus is in no such Matrix room.", retry_after_s=FAILURE_PAUSE_S)
        # Reactions are in clear in every room.
        if room.encrypted and (self.olm is not None or message_type != REACTION):
            async with self._sharing[room_id]:
                await self._share_key(room)
        # Nothing is awaited in there before the text is encrypted: the key is shared.
        response = await super().room_send(room_id, message_type, content, tx_id, ignore_unverified_devices)
        return cast("RoomSendResponse | RoomSendError", response)

    @property
    def _machine(self) -> Olm:
        if self.olm is None:
            raise ClearTextError(
                "This Matrix room is encrypted and Locus has no keys loaded, so it writes nothing there: set "
                "LOCUS_MATRIX_ENCRYPTION=true."
            )
        return self.olm

    async def _share_key(self, room: MatrixRoom) -> None:
        """Give the room's key to everybody who may read it and has not got it."""
        machine = self._machine
        for _ in range(SHARE_TRIES):
            if not room.members_synced:
                checked(await self.joined_members(room.room_id), JoinedMembersResponse)
            if self.should_query_keys:
                checked(await self.keys_query(), KeysQueryResponse)
            self._judge_devices(room)
            if not machine.should_share_group_session(room.room_id):
                return
            missing = self.get_missing_sessions(room.room_id)
            if missing:
                checked(await self.keys_claim(missing), KeysClaimResponse)
            before = self._devices(room)
            await self.share_group_session(room.room_id, ignore_unverified_devices=True)
            if before == self._devices(room):
                return
            self.invalidate_outbound_session(room.room_id)
        raise UnavailableError("The members of a Matrix room change too fast.", retry_after_s=FAILURE_PAUSE_S)

    def _judge_devices(self, room: MatrixRoom) -> None:
        for user_id in list(room.users):
            for device in self.device_store.active_user_devices(user_id):
                accepted = self._trust.accepts(user_id, str(device.id))
                if accepted and device.blacklisted:
                    self.unblacklist_device(device)
                elif not accepted and not device.blacklisted:
                    self.blacklist_device(device)

    def _devices(self, room: MatrixRoom) -> Devices:
        """All devices of everybody in a room, and each member once, for those without any."""
        members = {(user_id, "") for user_id in room.users}
        known = (
            (user, str(device.id)) for user in room.users for device in self.device_store.active_user_devices(user)
        )
        return frozenset(members.union(known))

    async def share_group_session(
        self, room_id: str, ignore_unverified_devices: bool = False
    ) -> ShareGroupSessionResponse:
        """Share a room's key.

        Raises:
            UnavailableError: If it did not reach everybody; it is not used then.
        """
        try:
            response = await super().share_group_session(room_id, ignore_unverified_devices)
        finally:
            waiting = self.sharing_session.pop(room_id, None)
            if waiting is not None:
                waiting.set()
        machine = self._machine
        session = machine.outbound_group_sessions[room_id]
        wanted = {
            (user_id, device.id)
            for user_id in self.rooms[room_id].users
            for device in self.device_store.active_user_devices(user_id)
            if machine.session_store.get(device.curve25519) is not None
        }
        if wanted - session.users_shared_with - session.users_ignored:
            session.shared = False
            raise UnavailableError("A Matrix room's key did not reach everybody.", retry_after_s=FAILURE_PAUSE_S)
        return checked(response, ShareGroupSessionResponse)

    async def receive_response(self, response: Response) -> None:
        """Take note of a response, also of how many one-time keys are left."""
        await super().receive_response(response)
        if isinstance(response, SyncResponse) and self.olm is not None:
            left = response.device_key_count.signed_curve25519
            self.olm.uploaded_key_count = self.olm.uploaded_key_count if left is None else left

    @property
    def needs_fallback_key(self) -> bool:
        """Whether the homeserver has no unused key left for the time when all one-time keys are taken."""
        unused = self._unused_fallback_keys
        return self.olm is not None and unused is not None and KEY_TYPE not in unused

    def make_fallback_key(self) -> dict[str, object]:
        """Return the body of the call that uploads a new fallback key; `fallback_key_is_there` follows it.

        Source: Matrix client-server API 1.17, "One-time and fallback keys".
        """
        machine = self._machine
        account = cast("_FallbackKeys", machine.account._account)  # nio does not pass this part of vodozemac on
        account.generate_fallback_key()
        machine.save_account()
        made: dict[str, object] = {}
        for key_id, key in account.fallback_key.items():
            signed: dict[str, object] = {"key": key.to_base64(), "fallback": True}
            signature = machine.sign_json(signed)
            signed["signatures"] = {self.user_id: {f"ed25519:{self.device_id}": signature}}
            made[f"{KEY_TYPE}:{key_id}"] = signed
        return {"fallback_keys": made}

    def fallback_key_is_there(self) -> None:
        """Take note that the homeserver has it."""
        self._unused_fallback_keys = [KEY_TYPE]
        self._machine.mark_keys_as_published()
        self._machine.save_account()

    async def create_matrix_response(
        self,
        response_class: type,
        transport_response: ClientResponse,
        data: tuple[Any, ...] | None = None,
        save_to: PathLike[str] | None = None,
    ) -> Response:
        """Return what a call answered; whatever is no success is an `ErrorResponse` and nothing more specific."""
        status = transport_response.status
        fine = status < 400 and (issubclass(response_class, FileResponse) or await self._is_answer(transport_response))
        body = {} if fine else await self.parse_body(transport_response)
        if fine or "flows" in body:  # the latter asks for more
            return await super().create_matrix_response(response_class, transport_response, data, save_to)
        code, said, retry = body.get("errcode"), body.get("error"), body.get("retry_after_ms")
        error = ErrorResponse(
            said if isinstance(said, str) else f"HTTP status {status}",
            code if isinstance(code, str) else None,
            retry if isinstance(retry, int) else None,
        )
        error.transport_response = cast("Any", transport_response)
        return error

    async def _is_answer(self, response: ClientResponse) -> bool:
        return response.content_type == "application/json" or bool(await self.parse_body(response))

    async def parse_body(self, transport_response: ClientResponse) -> dict[Any, Any]:
        """Return the body of a response, {} for one that is no JSON object."""
        parsed: object = await super().parse_body(transport_response)
        body = parsed if isinstance(parsed, dict) else {}
        unused = body.get("device_unused_fallback_key_types")
        if "next_batch" in body and isinstance(unused, list):
            self._unused_fallback_keys = unused
        return body

    async def close(self) -> None:
        """Close the connections."""
        if self.client_session is not None:
            await self.client_session.close()
            self.client_session = None

    def forget_position(self) -> None:
        """Let the next sync be handled whatever it brings."""
        self.next_batch = ""

    def forget_left(self, response: SyncResponse) -> None:
        """Forget rooms that Locus is no member of any more, and invitations that were taken back."""
        for room_id in response.rooms.leave:
            self.rooms.pop(room_id, None)
            self.invited_rooms.pop(room_id, None)
            self._sharing.pop(room_id, None)
            if self.olm is not None:
                self.olm.outbound_group_sessions.pop(room_id, None)

    async def has_permission(self, room_id: str, permission_type: str) -> NoReturn:
        """Raise: what matrix-nio says about rights is wrong in rooms of version 12."""
        raise RefusedError("Rights in Matrix rooms are never decided by power levels: use lists of user ids.")

    async def has_event_permission(self, room_id: str, event_name: str, event_type: str = "event") -> NoReturn:
        """Raise: what matrix-nio says about rights is wrong in rooms of version 12."""
        raise RefusedError("Rights in Matrix rooms are never decided by power levels: use lists of user ids.")

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Call an endpoint that matrix-nio has no method for; return the HTTP status and the JSON object.

        Args:
            method: Such as "POST".
            path: From "/_matrix" on.
            body: JSON; none for a GET.
        """
        headers = {"Authorization": f"Bearer {self.access_token}", "Content-Type": "application/json"}
        response = await self.send(method, path, None if body is None else json.dumps(body), headers)
        async with response:
            return response.status, await self.parse_body(response)
