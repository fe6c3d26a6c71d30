"""Decides from the chat server's records whether every question has exactly one visible final answer, and its own.

A question carries a tag such as q17v0 in its text, an edit of it q17v1; the answerer of the soak's replicas repeats the
tag behind its answer. A final message without a tag is a sentence of the service and must carry the reference of its
question.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.replies import Stage
from bot.texts import busy_sentence, nothing_to_stop, stopped, too_many_questions
from tests.chat_records import Body, ChatEvent, EventKind, EventRecord, Post, Snapshot, Version

TAG = re.compile(r"\bq\d+v\d+\b")
STOP_WORD = "stop"  # a message of this text need not be answered: what it stops says so
REFUSALS = (busy_sentence(0).partition("0")[0], too_many_questions(1).partition(" in ")[0])


def tag_of(number: int, version: int) -> str:
    """Return the tag of a version of a question."""
    return f"q{number}v{version}"


class Fault(StrEnum):
    """A broken promise."""

    UNACCEPTED = "never accepted"
    MISSING = "no visible message"
    UNFINISHED = "visible message not final"
    DOUBLED = "more than one message"
    CHANGED = "final answer changed"
    FOREIGN = "answer of another question"
    OUTDATED = "answer of an older version"
    DELETED = "visible though deleted"
    DISORDER = "answered before an earlier question"
    STRAY = "message without a question"


class Ending(StrEnum):
    """What a question got."""

    ANSWER = "answer"
    STOPPED = "stopped"  # or there was nothing to stop
    REFUSED = "refused"  # too many questions
    APOLOGY = "apology"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise and the message it was broken for."""

    fault: Fault
    message_id: str
    detail: str = ""


@dataclass(slots=True)
class Question:
    """A message with everything that happened to it; derived from the records.

    Attributes:
        record: The message's own event.
        posts: What was ever posted for it.
        edits: Events that edited it.
        deletions: Events that deleted it.
        stops: Events that stopped its answer.
    """

    record: EventRecord
    posts: list[Post] = field(default_factory=list)
    edits: list[EventRecord] = field(default_factory=list)
    deletions: list[EventRecord] = field(default_factory=list)
    stops: list[EventRecord] = field(default_factory=list)

    @property
    def message_id(self) -> str:
        """Id of the message."""
        return self.record.event.message_id

    @property
    def reference(self) -> str:
        """Handle of the request it makes."""
        return self.record.event.reference

    @property
    def tags(self) -> list[str]:
        """Tags of its versions, oldest first."""
        texts = [self.record.event.text, *(edit.event.text for edit in self.edits)]
        return [tag for text in texts for tag in TAG.findall(text)]

    @property
    def visible(self) -> list[Post]:
        """Its messages that are visible."""
        return [post for post in self.posts if post.visible]

    @property
    def finals(self) -> list[Version]:
        """Every final state that was ever shown."""
        return [version for post in self.posts for version in post.versions if version.body.stage is Stage.FINAL]

    @property
    def final_at(self) -> float | None:
        """When its first final state was shown."""
        return min((version.at for version in self.finals), default=None)

    @property
    def answered_at(self) -> float | None:
        """When its first final answer was shown, sentences of the service left out."""
        return min((version.at for version in self.finals if TAG.search(version.body.text)), default=None)

    @property
    def withdrawn(self) -> bool:
        """True when it was deleted before any final state was shown: the deletion was in time."""
        return any(acknowledged(deletion) < (self.final_at or float("inf")) for deletion in self.deletions)

    @property
    def ended(self) -> bool:
        """True when nothing more is expected to happen."""
        if not self.record.settled:
            return False
        return (
            (self.withdrawn and not self.visible)
            or (bool(self.visible) and all(post.body.stage is Stage.FINAL for post in self.visible))
            or (not self.visible and (bool(self.deletions) or self.record.event.text == STOP_WORD))
        )

    @property
    def ending(self) -> Ending:
        """What it got."""
        if not self.visible or self.visible[0].body.stage is not Stage.FINAL:
            return Ending.NOTHING
        text = self.visible[0].body.text
        if TAG.search(text):
            return Ending.ANSWER
        if text in (stopped(), nothing_to_stop()):
            return Ending.STOPPED
        return Ending.REFUSED if text.startswith(REFUSALS) else Ending.APOLOGY


def acknowledged(record: EventRecord) -> float:
    """When an event was first acknowledged; infinity if never."""
    return min(record.acknowledged, default=float("inf"))


def questions_of(snapshot: Snapshot) -> tuple[list[Question], list[Post]]:
    """Return the questions in the order they were asked, and the posts that answer none of them."""
    found: dict[tuple[str, str], Question] = {}
    for record in snapshot.events:
        if record.event.kind is EventKind.MESSAGE:
            found[record.event.channel, record.event.message_id] = Question(record)
    for record in snapshot.events:
        if _stops_all(record.event):
            for other in found.values():
                asked = other.record.event
                if (asked.conversation, asked.user) == (record.event.conversation, record.event.user):
                    other.stops.append(record)
        if record.event.kind is EventKind.MESSAGE:
            continue
        question = found.get((record.event.channel, record.event.message_id))
        if question is not None:
            events = {
                EventKind.EDIT: question.edits,
                EventKind.DELETE: question.deletions,
                EventKind.STOP: question.stops,
            }
            events[record.event.kind].append(record)
    strays: list[Post] = []
    for post in snapshot.posts:
        question = found.get((post.channel, post.answers))
        (strays if question is None else question.posts).append(post)
    return list(found.values()), strays


def _stops_all(event: ChatEvent) -> bool:
    """True when a person stops all that they wait for in a conversation."""
    if event.kind is EventKind.STOP:
        return not event.message_id
    return event.kind is EventKind.MESSAGE and event.text == STOP_WORD


def check(snapshot: Snapshot) -> list[Violation]:
    """Return every broken promise."""
    questions, strays = questions_of(snapshot)
    violations = [Violation(Fault.STRAY, post.answers, post.body.text) for post in strays]
    for question in questions:
        violations += _check_visibility(question)
        violations += _check_finals(question)
    conversations: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in questions:
        conversations[question.record.event.conversation].append(question)
    for conversation in conversations.values():
        violations += _check_order(conversation)
    return violations


def _check_visibility(question: Question) -> Iterator[Violation]:
    """One message, and only one ever; none for what was deleted in time."""
    message_id, visible = question.message_id, question.visible
    # What the chat has given up may be found in its history, and has then been accepted all the same.
    found = question.record.given_up and (visible or question.deletions or question.record.event.text == STOP_WORD)
    if not question.record.acknowledged and not found:
        yield Violation(Fault.UNACCEPTED, message_id, ", ".join(question.record.missed))
    if len(question.posts) > 1:
        yield Violation(Fault.DOUBLED, message_id, ", ".join(post.post_id for post in question.posts))
    if question.withdrawn:
        if visible:
            yield Violation(Fault.DELETED, message_id, visible[0].body.text)
        return
    if not visible and not question.deletions and question.record.event.text != STOP_WORD:
        yield Violation(Fault.MISSING, message_id)
    for post in visible:
        if post.body.stage is not Stage.FINAL:
            yield Violation(Fault.UNFINISHED, message_id, post.body.text)


def _check_finals(question: Question) -> Iterator[Violation]:
    """Finals belong to the question, in its newest version, and stand once they are shown."""
    message_id, tags = question.message_id, question.tags
    for version in question.finals:
        if not _is_own(question, version.body):
            yield Violation(Fault.FOREIGN, message_id, version.body.text)
    changes = len(question.edits) + len(question.stops) + len(question.deletions)
    for post in question.posts:
        shown = itertools.dropwhile(lambda version: version.body.stage is not Stage.FINAL, post.versions)
        if len({(version.body.stage, version.body.text) for version in shown}) > 1 and not changes:
            yield Violation(Fault.CHANGED, message_id, post.body.text)
    if len({version.body.text for version in question.finals}) > 1 + changes:
        yield Violation(Fault.CHANGED, message_id, "more often than its question")
    in_time = [edit for edit in question.edits if acknowledged(edit) < (question.final_at or 0.0)]
    if in_time and question.visible:
        newest = max(in_time, key=lambda edit: float(edit.event.version))
        allowed = tags[question.edits.index(newest) + 1 :]
        found = TAG.findall(question.visible[-1].body.text)
        if found and not set(found) <= set(allowed):
            yield Violation(Fault.OUTDATED, message_id, question.visible[-1].body.text)


def _is_own(question: Question, body: Body) -> bool:
    """True for the question's own answer, and for a sentence that its person asked for or that has its reference."""
    if found := TAG.findall(body.text):
        return set(found) <= set(question.tags)
    if body.text == stopped():
        return bool(question.stops)
    if body.text == nothing_to_stop():
        return question.record.event.text == STOP_WORD
    return body.reference == question.reference and not body.answered


def _check_order(conversation: Sequence[Question]) -> Iterator[Violation]:
    """Who was accepted before the other arrived is answered first; what was said about others is not an answer."""
    for first, second in itertools.permutations(conversation, 2):
        if (
            first.record.event.order < second.record.event.order
            and acknowledged(first.record) < min(second.record.deliveries, default=0.0)
            and first.answered_at is not None
            and second.answered_at is not None
            and first.answered_at > second.answered_at
        ):
            yield Violation(Fault.DISORDER, second.message_id, f"before {first.message_id}")
