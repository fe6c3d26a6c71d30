"""What a sync leaves out: the older events of a room where more happened than fits into one answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nio.events import BadEvent, Event, RoomMemberEvent, UnknownBadEvent
from nio.responses import RoomInfo, RoomMessagesResponse, SyncResponse

from adapters.matrix.errors import checked
from adapters.matrix.nio_gaps import CarefulClient
from bot.errors import NotFoundError, RefusedError

logger = logging.getLogger(__name__)

PAGE = 100  # events; Synapse gives up to 1,000, but encrypted ones take 1 ms each on the event loop
LONGEST = 5_000  # events of one room in one gap; older ones are left out

AnyEvent = Event | BadEvent | UnknownBadEvent


async def backfill(client: CarefulClient, response: SyncResponse, since: str) -> None:
    """Complete the timelines of a sync, so that they hold everything since the last one, oldest first.

    What was said before Locus was invited to a room is taken out.

    Args:
        client: That has handled the response.
        response: Its timelines are changed.
        since: Position that the sync began at.

    Raises:
        BotError: If the homeserver does not answer.
    """
    for room_id, room in response.rooms.join.items():
        if room.timeline.limited and room.timeline.prev_batch:
            room.timeline.events[:0] = await _older(client, room_id, room.timeline.prev_batch, since, room)
        del room.timeline.events[: _begin(room.timeline.events, client.user_id)]


async def _older(client: CarefulClient, room_id: str, start: str, since: str, room: RoomInfo) -> list[AnyEvent]:
    """Return the events between two positions, oldest first; none of a room that may not be read."""
    known = {_event_id(event) for event in room.timeline.events}
    found: list[AnyEvent] = []
    position = start
    while len(found) < LONGEST:
        try:
            answer = await client.room_messages(room_id, start=position, end=since, limit=PAGE)
            page = checked(answer, RoomMessagesResponse)
        except (RefusedError, NotFoundError):
            break  # thrown out meanwhile; the next sync says so
        events = [event for event in page.chunk if _event_id(event) not in known]
        known.update(_event_id(event) for event in events)
        found += events
        if not page.chunk or not page.end or page.end == position or _begin(events[::-1], client.user_id):
            break
        position = page.end
    else:
        logger.warning("a Matrix room had more than %d events while Locus was away; older ones are left out", LONGEST)
    return found[::-1]


def _begin(events: Sequence[AnyEvent], user_id: str) -> int:
    """Return the index of the first event that was meant for Locus too: its invitation, else its joining, else 0."""
    joined = [
        index
        for index, event in enumerate(events)
        if isinstance(event, RoomMemberEvent)
        and event.state_key == user_id
        and event.membership == "join"
        and event.prev_membership != "join"
    ]
    if not joined:
        return 0
    for index in range(joined[-1] - 1, -1, -1):
        event = events[index]
        if isinstance(event, RoomMemberEvent) and event.state_key == user_id:
            return index if event.membership == "invite" else joined[-1]
    return joined[-1]


def _event_id(event: AnyEvent) -> str:
    return str(event.source.get("event_id", ""))
