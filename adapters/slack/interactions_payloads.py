"""Reading what Slack sends when people press, submit and react: whatever is missing or malformed is ""."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from adapters.slack.sending_values import Spot

Payload = Mapping[str, JsonValue]

_HANDLE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ID = re.compile(r"[A-Z0-9]{1,40}", re.ASCII)
_TS = re.compile(r"\d{1,15}\.\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Where:
    """Who did something, and where.

    Attributes:
        user: Id of the person.
        user_team: Workspace of the person.
        team: Workspace in which it was done.
        channel: Id of the channel, or "" for what was done in a tab of the app.
        thread_ts: Root of the thread, or "" for the channel itself.
        message_ts: The message it was done to, or "".
        trigger_id: Opens one modal within three seconds, or "".
    """

    user: str
    user_team: str
    team: str
    channel: str = ""
    thread_ts: str = ""
    message_ts: str = ""
    trigger_id: str = ""

    @property
    def spot(self) -> Spot:
        """Where messages about it go."""
        return Spot(self.channel, self.thread_ts)


def part(payload: Payload, name: str) -> Payload:
    """Return a field that is an object, or an empty one."""
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}


def word(payload: Payload, name: str) -> str:
    """Return a field that is text without lone surrogates, or ""."""
    value = payload.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def slack_id(payload: Payload, name: str) -> str:
    """Return a field that is an id as Slack makes them, or ""."""
    value = word(payload, name)
    return value if _ID.fullmatch(value) else ""


def time_stamp(payload: Payload, name: str) -> str:
    """Return a field that is the time stamp of a message, or ""."""
    value = word(payload, name)
    return value if _TS.fullmatch(value) else ""


def is_handle(text: str) -> bool:
    """True for what can be a handle of an answer or of a request."""
    return _HANDLE.fullmatch(text) is not None


def records(payload: Payload, name: str) -> list[Payload]:
    """Return the objects of a field that is a list."""
    value = payload.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def where_of(body: Payload) -> Where | None:
    """Return who pressed, submitted or chose something, and where; None for nobody."""
    user, container, message = part(body, "user"), part(body, "container"), part(body, "message")
    person = slack_id(user, "id")
    if not person:
        return None
    home = slack_id(user, "team_id")
    team = slack_id(part(body, "team"), "id") or home
    return Where(
        person,
        home or team,
        team,
        slack_id(container, "channel_id") or slack_id(part(body, "channel"), "id"),
        time_stamp(container, "thread_ts") or time_stamp(message, "thread_ts"),
        time_stamp(container, "message_ts") or time_stamp(message, "ts"),
        word(body, "trigger_id"),
    )


def where_of_event(body: Payload) -> Where | None:
    """Return who caused an event that is about no message of theirs, and where; None for nobody."""
    event = part(body, "event")
    person = slack_id(event, "user")
    if not person:
        return None
    team = slack_id(body, "context_team_id") or slack_id(body, "team_id")
    home = slack_id(event, "user_team") or slack_id(event, "team") or team
    item = part(event, "item")
    return Where(
        person,
        home,
        team or home,
        slack_id(event, "channel") or slack_id(item, "channel"),
        time_stamp(event, "thread_ts"),
        time_stamp(item, "ts") or time_stamp(event, "ts"),
    )


def elements(blocks: list[Payload]) -> Iterator[tuple[str, str]]:
    """Yield action_id and value of everything that can be pressed in blocks."""
    for block in blocks:
        for element in records(block, "elements"):
            action_id = word(element, "action_id")
            for choice in (element, part(element, "positive_button")):
                if word(choice, "value"):
                    yield action_id, word(choice, "value")


def entered(view: Payload, action_id: str) -> str:
    """Return what a person has entered in a modal, or ""."""
    for block in part(part(view, "state"), "values").values():
        if isinstance(block, Mapping) and (value := word(part(block, action_id), "value")):
            return value
    return ""


def kept(view: Payload) -> Payload:
    """Return what was kept in a modal when it was opened."""
    try:
        value: JsonValue = json.loads(word(view, "private_metadata"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def where_of_submission(body: Payload) -> Where | None:
    """Return who submitted a modal, and the channel and thread that it was opened for; None for nobody."""
    where, keep = where_of(body), kept(part(body, "view"))
    if where is None:
        return None
    channel, thread = slack_id(keep, "channel"), time_stamp(keep, "thread")
    return Where(where.user, where.user_team, where.team, channel, thread, trigger_id=where.trigger_id)
