"""Direct rooms with people: the one that is there, else a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from adapters.matrix.errors import checked_call, translated
from adapters.matrix.fields import room_id, user_id
from adapters.matrix.parts import Parts
from bot.errors import NotFoundError, UnavailableError
from bot.messages import Audience, Place

NOBODY: Final = "There is no such person on Matrix: a user id is @NAME:SERVER."
KNOWN_S: Final = 10.0  # within which a room that was made comes with a sync
POLL_S: Final = 0.05
MEGOLM: Final = "m.megolm.v1.aes-sha2"


async def direct_place(parts: Parts, user: str) -> Place:
    """Return the direct room with a person, made and encrypted if there is none; they are invited then.

    Raises:
        NotFoundError: If there is no such person.
        RefusedError: If the homeserver does not let Locus make a room.
        UnavailableError: If the homeserver is away, or a room that was just made is not known yet.
    """
    if not user_id(user) or user == parts.client.user_id:
        raise NotFoundError(NOBODY)
    room = parts.places.direct_room(user)
    if room is None:
        await _check(parts, user)
        room = await _make(parts, user)
    place = parts.places.place(room)
    return Place(place.chat, place.workspace, place.channel, "", Audience.DIRECT)


async def _check(parts: Parts, user: str) -> None:
    """Raise NotFoundError for somebody whom the homeserver does not know: a room is not made for nobody."""
    with translated():
        status, answer = await parts.client.call("GET", f"/_matrix/client/v3/profile/{quote(user)}")
        if status == 404:  # Synapse adds M_UNKNOWN
            raise NotFoundError(NOBODY)
        if status != 403:  # a homeserver need not show profiles
            checked_call(status, answer)


async def _make(parts: Parts, user: str) -> str:
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}}
    wanted: Mapping[str, object] = {
        "preset": "trusted_private_chat",
        "is_direct": True,
        "invite": [user],
        "initial_state": [encryption] if parts.options.encryption else [],
    }
    with translated():
        made = room_id(checked_call(*await parts.client.call("POST", "/_matrix/client/v3/createRoom", wanted)))
    if not made:
        raise UnavailableError("The Matrix homeserver names no room that it made.", retry_after_s=KNOWN_S)
    await parts.places.mark_direct(made, user)
    try:
        async with asyncio.timeout(KNOWN_S):
            while made not in parts.client.rooms:  # noqa: ASYNC110 - matrix-nio says of no room that it is known now
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise UnavailableError("A Matrix room that was made is not known yet.", retry_after_s=KNOWN_S) from error
    return made
