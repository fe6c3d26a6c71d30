"""A room as a client shows it: edits and deletions applied, from the events that a person was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.matrix.marks import FIELD

Content = dict[str, Any]


@dataclass
class Line:
    """A message as it looks now.

    Attributes:
        event_id: Of the message as it was first sent.
        sender: Who wrote it.
        content: As of its last edit.
        root: Of its thread, or "".
        edits: How often it was edited.
        reply_to: What clients without threads show it as a reply to, or "".
    """

    event_id: str
    sender: str
    content: Content
    root: str = ""
    edits: int = 0
    reply_to: str = ""

    @property
    def body(self) -> str:
        """Its plain text."""
        return str(self.content.get("body", ""))

    @property
    def html(self) -> str:
        """Its formatted text."""
        return str(self.content.get("formatted_body", ""))

    @property
    def handle(self) -> str:
        """Of the answer of Locus that it shows, or ""."""
        return str(self.content.get(FIELD, {}).get("handle", ""))


@dataclass
class RoomView:
    """What is seen of one room.

    Attributes:
        lines: Messages in order, deleted ones left out.
        contents: Of every message and edit as it was sent, by its sender.
        members: Membership of everybody.
        unreadable: Ids of events whose keys are missing.
    """

    lines: dict[str, Line] = field(default_factory=dict)
    contents: list[tuple[str, Content]] = field(default_factory=list)
    members: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    _sources: set[str] = field(default_factory=set)

    def take(self, sources: Iterable[Mapping[str, Any]]) -> None:
        """Take further events, decrypted; the same one twice changes nothing."""
        for source in sources:
            event_id = str(source.get("event_id", ""))
            if event_id not in self._sources:
                self._sources.add(event_id)
                self._take(event_id, source)

    def of(self, sender: str, root: str | None = None) -> list[Line]:
        """Return what somebody has written, in one thread or everywhere."""
        return [line for line in self.lines.values() if line.sender == sender and root in (None, line.root)]

    def _take(self, event_id: str, source: Mapping[str, Any]) -> None:
        kind, sender, content = source.get("type"), str(source.get("sender", "")), dict(source.get("content", {}))
        relation = content.get("m.relates_to") or {}
        if kind == "m.room.member":
            self.members[str(source.get("state_key"))] = str(content.get("membership"))
        elif kind == "m.room.redaction":
            self.lines.pop(str(content.get("redacts") or source.get("redacts")), None)
        elif kind == "m.room.encrypted":
            self.unreadable.append(event_id)
        elif kind == "m.room.message" and content:
            self.contents.append((sender, content))
            if relation.get("rel_type") == "m.replace":
                line = self.lines.get(relation["event_id"])
                if line is not None and line.sender == sender:
                    line.content = content["m.new_content"]
                    line.edits += 1
            else:
                root = relation["event_id"] if relation.get("rel_type") == "m.thread" else ""
                reply = str((relation.get("m.in_reply_to") or {}).get("event_id", ""))
                self.lines[event_id] = Line(event_id, sender, content, root, reply_to=reply)
