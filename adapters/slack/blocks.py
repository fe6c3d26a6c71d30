"""Slack's blocks as Locus writes them: sections, small print, and buttons that carry a handle and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

Block = dict[str, JsonValue]

# Slack's limits for blocks of one message.
MAX_BLOCKS = 50
MAX_SECTION = 3000  # characters of mrkdwn
MAX_NATIVE = 12_000  # characters of all `markdown` blocks together
# All blocks together are refused somewhere above 11,000 characters of text; where exactly Slack does not say.
MAX_JSON = 10_000


class Action(StrEnum):
    """What a button asks for; the value is Slack's action_id."""

    VOTE = "locus_vote"  # Slack's own pair of thumbs
    UP = "locus_up"
    DOWN = "locus_down"
    PASSAGES = "locus_passages"
    AGAIN = "locus_again"
    HAND_OVER = "locus_hand_over"
    STOP = "locus_stop"


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed.

    Attributes:
        action: Which; UP or DOWN, never VOTE.
        handle: Handle of an answer, or of a request for STOP; as untrusted as everything that comes in.
    """

    action: Action
    handle: str


def read_press(action_id: str, value: str) -> Press | None:
    """Return what was pressed, or None for a button that is not Locus's."""
    try:
        action = Action(action_id)
    except ValueError:
        return None
    if action is Action.VOTE:
        vote, _, handle = value.partition(":")
        if vote not in ("up", "down"):
            return None
        return Press(Action.UP if vote == "up" else Action.DOWN, handle)
    return Press(action, value)


def section(mrkdwn: str) -> Block:
    """Return a section; nothing in it is linked but what is marked up."""
    return {"type": "section", "text": _mrkdwn(mrkdwn)}


def native(markdown: str) -> Block:
    """Return a block of standard Markdown."""
    return {"type": "markdown", "text": markdown}


def small_print(mrkdwn: str) -> Block:
    """Return a line of small, grey text."""
    return {"type": "context", "elements": [_mrkdwn(mrkdwn)]}


def buttons(*elements: JsonValue) -> Block:
    """Return a row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def button(label: str, action: Action, value: str, *, style: Literal["", "primary", "danger"] = "") -> JsonValue:
    """Return a button; `value` is a handle."""
    shown: dict[str, JsonValue] = {
        "type": "button",
        "text": {"type": "plain_text", "text": label, "emoji": True},
        "action_id": action.value,
        "value": value,
    }
    return shown | {"style": style} if style else shown


def thumbs(handle: str) -> Block:
    """Return Slack's own pair of thumbs; which was pressed stands before the handle, since both share an action_id."""

    def thumb(label: str, vote: str) -> JsonValue:
        return {
            "text": {"type": "plain_text", "text": label},
            "value": f"{vote}:{handle}",
            "accessibility_label": label,
        }

    element: JsonValue = {
        "type": "feedback_buttons",
        "action_id": Action.VOTE.value,
        "positive_button": thumb("Good answer", "up"),
        "negative_button": thumb("Bad answer", "down"),
    }
    return {"type": "context_actions", "elements": [element]}


def json_length(value: JsonValue) -> int:
    """Return the characters of a value as JSON, other scripts not escaped."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _mrkdwn(text: str) -> JsonValue:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
