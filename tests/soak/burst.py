"""The soak's second part: many questions within a second to one replica with its default limits."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.messages import Audience
from tests.chat_records import ChatEvent, EventKind, Faults, Snapshot
from tests.soak.checker import Ending, Question, Violation, acknowledged, check, questions_of
from tests.soak.plan import question_text
from tests.soak.replicas import Replicas
from tests.soak.scripted_chat import ScriptedSoakChat
from tests.soak.stage import set_stage

SINGLE = 7  # questions asked one after the other before the burst
PIECES = 20  # a second's questions arrive in so many parts
PACE = ("--shortest-s", "0.5", "--longest-s", "0.5")
# The limits are those a lab gets without setting any.
DEFAULTS = {"LOCUS_RATE_PERSON": "", "LOCUS_RATE_CHANNEL": "", "LOCUS_QUEUE_LIMIT": "", "LOCUS_LEASE_S": ""}


@dataclass(frozen=True, slots=True)
class BurstOutcome:
    """What a burst has shown.

    Attributes:
        questions: Of the burst.
        endings: What they got.
        violations: Broken promises.
        accepted_s: From the first question to the last acknowledgement.
        alone_s: Time from one question to its final answer, asked alone; the median.
        first_s: Time from the first question of the burst to the first final answer of one of them.
        tenth_s: Time until the tenth: it shows whether refusals keep questions waiting.
        told_s: Time until the last refused person was told, from the question.
        done_s: Time until the last question had its end.
        before_mib: Peak of the replica's resident memory before the burst.
        peak_mib: And after.
    """

    questions: int
    endings: Counter[Ending]
    violations: Sequence[Violation]
    accepted_s: float
    alone_s: float
    first_s: float
    tenth_s: float
    told_s: float
    done_s: float
    before_mib: float
    peak_mib: float

    @property
    def failed(self) -> bool:
        """True if a promise was broken, or a question got neither an answer nor a polite refusal."""
        return bool(self.violations) or {Ending.ANSWER, Ending.REFUSED} < set(self.endings)


def burst_event(number: int, users: int, channels: int) -> ChatEvent:
    """Return a question of the burst: each person asks in a thread of their own."""
    user = number % users
    return ChatEvent(
        EventKind.MESSAGE,
        f"c{user % channels}",
        f"m{number}",
        f"u{user}",
        question_text(number, 0),
        f"t{user}",
        order=float(number),
        audience=Audience.PUBLIC,
    )


async def run_burst(
    folder: Path,
    index: Path,
    *,
    questions: int,
    users: int,
    channels: int,
    seed: int,
    settings: Mapping[str, str] | None = None,
) -> BurstOutcome:
    """Ask a few questions alone, then all at once, and wait until each has its end.

    Args:
        folder: As in `set_stage`.
        index: Likewise.
        questions: How many within a second.
        users: Who ask them.
        channels: Where.
        seed: Of the chat server's chances.
        settings: Beyond or instead of the default limits.
    """
    async with set_stage(folder, index, ScriptedSoakChat(seed), {**DEFAULTS, **(settings or {})}) as stage:
        chat = stage.chat.process
        await chat.misbehave(Faults(redeliver_s=10.0))
        replicas = Replicas(1, [*stage.chat.arguments, *PACE], stage.environment, stage.folder)
        async with replicas:
            for number in range(questions, questions + SINGLE):
                await chat.send(burst_event(number, users, channels))
                await chat.until(_all_ended, timeout_s=120)
            before_mib = replicas.measure()
            for piece in range(PIECES):
                numbers = range(piece * questions // PIECES, (piece + 1) * questions // PIECES)
                await chat.send(*(burst_event(number, users, channels) for number in numbers))
                await asyncio.sleep(1.0 / PIECES)
            snapshot = await chat.until(_all_ended, timeout_s=600)
            peak_mib = replicas.measure()
    alone, asked = _split(questions_of(snapshot)[0])
    begun = min(one.record.sent_at for one in asked)
    refused = [one for one in asked if one.ending is Ending.REFUSED]
    first_at, tenth_at = _first_and_tenth(asked)
    return BurstOutcome(
        questions,
        Counter(one.ending for one in asked),
        check(snapshot),
        max(acknowledged(one.record) for one in asked) - begun,
        statistics.median(_answered_at(one) - one.record.sent_at for one in alone[1:]),  # the first one warms it up
        first_at - begun,
        tenth_at - begun,
        max(((one.final_at or float("inf")) - one.record.sent_at for one in refused), default=0.0),
        max(one.final_at or float("inf") for one in asked) - begun,
        before_mib,
        peak_mib,
    )


def _split(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Return the questions that were asked one after the other, and those of the burst."""
    return list(questions[:SINGLE]), list(questions[SINGLE:])


def _answered_at(question: Question) -> float:
    return question.answered_at or float("inf")


def _first_and_tenth(questions: Sequence[Question]) -> tuple[float, float]:
    """Return when the first and the tenth final answer were shown."""
    times = sorted(_answered_at(question) for question in questions)
    return times[0], times[9]


def _all_ended(snapshot: Snapshot) -> bool:
    return all(one.ended for one in questions_of(snapshot)[0])
