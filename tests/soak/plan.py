"""What people do in a soak: a seeded list of events with times."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

from bot.messages import Audience
from tests.chat_records import ChatEvent, EventKind
from tests.soak.checker import STOP_WORD, tag_of

ASKED = (
    "What is the BXD family and how were the strains made?",
    "What is a likelihood ratio statistic?",
    "How is a LOD score computed from an LRS?",
    "What does interval mapping do?",
    "Which rat strains are in the HXB family?",
    "What are cofactors good for?",
    "How can I cite GeneNetwork?",
    "What is heritability?",
    "Who won the football match yesterday?",
    "How are permutations used for a significance threshold?",
)
MOST_MEMBERS = 4  # people in one conversation
DIRECT_SHARE = 0.3  # of the conversations
SOON_S = (0.05, 3.0)  # until somebody edits, deletes or stops


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much happens.

    Attributes:
        questions: Messages in all.
        conversations: Over which they are spread.
        users: Who write them.
        duration_s: Within which they are written.
        edited: Share of questions that are edited.
        deleted: Share that are deleted.
        stopped: Share whose answers are stopped by a button.
        stop_words: Share of messages that only say stop.
    """

    questions: int
    conversations: int
    users: int
    duration_s: float
    edited: float = 0.06
    deleted: float = 0.04
    stopped: float = 0.03
    stop_words: float = 0.02


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where people write, and who does."""

    channel: str
    thread: str
    audience: Audience
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """An event and the second it happens at, from the beginning of the run."""

    at_s: float
    event: ChatEvent


def question_text(number: int, version: int) -> str:
    """Return the text of a version of a question, with its tag."""
    return f"{ASKED[(number + version) % len(ASKED)]} {tag_of(number, version)}"


def make_plan(sizes: Sizes, seed: int) -> list[Planned]:
    """Return all events in the order they happen."""
    chance = random.Random(seed)
    conversations = _conversations(sizes, chance)
    times = sorted(chance.uniform(0, sizes.duration_s) for _ in range(sizes.questions))
    planned: list[Planned] = []
    for number, at_s in enumerate(times):
        where = conversations[number % len(conversations)]
        user = chance.choice(where.members)
        stop_word = chance.random() < sizes.stop_words
        asked = ChatEvent(
            EventKind.MESSAGE,
            where.channel,
            f"m{number}",
            user,
            STOP_WORD if stop_word else question_text(number, 0),
            where.thread,
            order=float(number),
            audience=where.audience,
        )
        planned.append(Planned(at_s, asked))
        if not stop_word:
            planned += _changes(sizes, number, at_s, asked, chance)
    return sorted(planned, key=lambda one: one.at_s)


def _conversations(sizes: Sizes, chance: random.Random) -> list[Conversation]:
    users = [f"u{number}" for number in range(sizes.users)]
    made: list[Conversation] = []
    for number in range(sizes.conversations):
        if chance.random() < DIRECT_SHARE:
            made.append(Conversation(f"d{number}", "", Audience.DIRECT, (users[number % len(users)],)))
            continue
        members = tuple(chance.sample(users, chance.randint(1, min(MOST_MEMBERS, len(users)))))
        audience = chance.choice((Audience.PRIVATE, Audience.PUBLIC))
        channel = f"{audience.value}{number % 5}"
        made.append(Conversation(channel, f"t{number}", audience, members))
    return made


def _changes(sizes: Sizes, number: int, at_s: float, asked: ChatEvent, chance: random.Random) -> list[Planned]:
    """Edits, a deletion and a stop of one question, as chance has it."""
    changes: list[ChatEvent] = []
    if chance.random() < sizes.edited:
        for version in range(1, chance.randint(1, 2) + 1):
            text = question_text(number, version)
            changes.append(dataclasses.replace(asked, kind=EventKind.EDIT, text=text, version=str(version)))
    if chance.random() < sizes.deleted:
        changes.append(dataclasses.replace(asked, kind=EventKind.DELETE, text=""))
    if chance.random() < sizes.stopped:
        changes.append(dataclasses.replace(asked, kind=EventKind.STOP, text=""))
    times = sorted(at_s + chance.uniform(*SOON_S) for _ in changes)
    return [Planned(when, change) for when, change in zip(times, changes, strict=True)]
