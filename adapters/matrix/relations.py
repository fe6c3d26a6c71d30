"""Content that belongs to other events: answers in threads and edits; and ids that make sending twice harmless."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from bot.messages import digest

Content = dict[str, JsonValue]

MAX_FALLBACK: Final = 200  # characters that clients without edits are shown


def in_thread(content: Content, root: str, last: str = "") -> Content:
    """Return content as a message of a thread.

    Args:
        content: Without a relation.
        root: Id of the event the thread hangs on; an event that is itself in a thread cannot be one.
        last: Id of the newest event of the thread that is known: clients without threads show this as a reply to it.
    """
    reply: dict[str, JsonValue] = {"event_id": last or root}
    relation: dict[str, JsonValue] = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": reply,
    }
    return {**content, "m.relates_to": relation}


def edit_of(content: Content, original: str) -> Content:
    """Return content that replaces that of an earlier event.

    The text outside `m.new_content`, for clients without edits, is short, so that an edit takes hardly more room than a
    message, and nobody is called a second time.

    Args:
        content: The new content, without a relation: an edited message stays in its thread.
        original: Id of the message as it was first sent, also where it was edited since.
    """
    return {
        "msgtype": content["msgtype"],
        "body": f"* {_beginning(str(content['body']))}",
        "m.mentions": {},
        "m.new_content": {**content},
        "m.relates_to": {"rel_type": "m.replace", "event_id": original},
    }


def transaction_id(key: str, part: int = 0, revision: str = "") -> str:
    """Return the id under which an event is sent: a homeserver takes each one once, and gives the same event again.

    Args:
        key: Of the post, as the core gives it.
        part: Number of the message where an answer takes several, from 0.
        revision: Of the content: "" for the post itself, and another for each edit, one that goes back included.
    """
    return f"locus-{digest('transaction', key, str(part), revision)}"


def _beginning(body: str) -> str:
    """Return the first words of a text; an address among them is whole, since half of one would lead elsewhere."""
    if len(body) <= MAX_FALLBACK:
        return body
    words = body[:MAX_FALLBACK].rsplit(None, 1)
    return f"{words[0]} …" if len(words) > 1 else "…"
