"""From what a local Slack has recorded to the records that the checker reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.replies import Stage
from tests.chat_records import Body, ChatEvent, EventRecord, Post, Snapshot, Version

BOT: Final = "UBOT"
TEAM: Final = "T1"
NOBODY: Final = "no Locus was connected"
DIED: Final = "its connection was lost"
UNACKNOWLEDGED: Final = "not acknowledged"
_REFERENCE = re.compile(r"^Reference (\w+)$", re.MULTILINE)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """Something a person did.

    Attributes:
        event: What, with the ids that it has in Slack.
        sent_at: When, by `time.monotonic()`.
        about: By which its deliveries are known, see `about_of`.
    """

    event: ChatEvent
    sent_at: float
    about: tuple[str, ...]


def read_snapshot(acts: Sequence[Act], state: Json, deliveries: Sequence[Json], messages: Sequence[Json]) -> Snapshot:
    """Return what people did and saw.

    Args:
        acts: What they did.
        state: As of `RemoteSlack.state`.
        deliveries: Of the events that tell the app.
        messages: Of the bot.
    """
    of_act: defaultdict[tuple[str, ...], list[Json]] = defaultdict(list)
    for delivery in deliveries:
        of_act[about_of(delivery["payload"])].append(delivery)
    records = [_record(f"e{number}", act, of_act[act.about]) for number, act in enumerate(acts)]
    by_reference = {record.event.reference: record.event.message_id for record in records}
    posts = [_post(message, by_reference, state) for message in messages if not _is_minor(message)]
    return Snapshot(records, posts, len(state["connections"]))


def about_of(payload: Json) -> tuple[str, ...]:
    """Return what a delivery is about: kind, channel, message, and the text of an edit; () for anything else."""
    if payload.get("type") == "block_actions":
        place = payload["container"]
        return ("press", place["channel_id"], place["message_ts"], payload["user"]["id"])
    event = payload.get("event", {})
    match event.get("type"), event.get("subtype"):
        case "message", "message_changed":
            return ("edit", event["channel"], event["message"]["ts"], event["message"]["text"])
        case "message", "message_deleted":
            return ("delete", event["channel"], event["deleted_ts"])
        case (("message" | "app_mention"), None):
            return ("message", event["channel"], event["ts"])
        case "agent_session_stopped", _:
            return ("stopped", event["channel"], event["thread_ts"])
    return ()


def _record(event_id: str, act: Act, deliveries: Sequence[Json]) -> EventRecord:
    """One event with all attempts to tell the app; a mention is told twice, as a message and as a mention."""
    attempts = [attempt for delivery in deliveries for attempt in delivery["attempts"]]
    return EventRecord(
        event_id,
        act.event,
        act.sent_at,
        sorted(attempt["sent_at"] for attempt in attempts),
        sorted(attempt["sent_at"] + attempt["took_s"] for attempt in attempts if attempt["took_s"] is not None),
        given_up=bool(deliveries) and all(delivery["status"] == "failed" for delivery in deliveries),
        missed=[why for attempt in attempts if (why := missed(attempt))],
    )


def missed(attempt: Json) -> str:
    """Return why an attempt was not acknowledged, or ""; one that still waits counts as unacknowledged."""
    if attempt["took_s"] is not None:
        return ""
    if not attempt["through"]:
        return NOBODY
    return DIED if attempt["cut"] else UNACKNOWLEDGED


def _post(message: Json, by_reference: Mapping[str, str], state: Json) -> Post:
    key = _metadata(message).get("key", "")
    versions = [Version(_real(version["at"], state), _body(version)) for version in message["versions"]]
    removed_at = versions[-1].at if message["deleted"] else None
    answers = by_reference.get(key, "")
    return Post(message["ts"], message["channel"], message["thread_ts"], key, answers, versions, removed_at)


def _body(version: Json) -> Body:
    """Return how a message looked: as long as it is streamed or has a Stop below it, it is no final one."""
    text: str = version["text"]
    if version["streamed"] or "locus_stop" in version["actions"]:
        return Body(Stage.DRAFT, text)
    reference = found[1] if (found := _REFERENCE.search(text)) else ""
    return Body(Stage.FINAL, text, answered=not reference, reference=reference)


def _is_minor(message: Json) -> bool:
    """True for what one person alone sees, and for further messages of a long answer."""
    return bool(message["seen_only_by"]) or "part_of" in _metadata(message)


def _metadata(message: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = message["metadata"].get("event_payload", {})
    return found


def _real(at: float, state: Json) -> float:
    """Return a time of the local Slack's clock as one of `time.monotonic()`."""
    return float(state["monotonic"] - (state["now"] - at) / state["speed"])
