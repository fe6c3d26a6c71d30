"""Many people waiting for one engine, and a conversation that comes back."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.engine_contenders import CHAIN, PATIENCE_S, Locus, ask, request
from benchmarks.engine_loads import WARMING_TOKENS
from benchmarks.engine_model import Prompt, PromptMaker
from benchmarks.goals import Goal
from benchmarks.report import Report
from bot.generation import ChatMessage, GenerationRequest

WAIT_GOAL = Goal(at_most=1.5)
FOLLOW_UP_GOAL = Goal(at_most=0.2)
TURN = 64  # tokens of the answer before and of the follow-up


async def fairness(
    report: Report, locus: Locus, maker: PromptMaker, *, singles: int, crowd: int, own: int, new: int, shared: int
) -> None:
    """Print how long users with one question wait, alone and beside one who asks much.

    Args:
        report: Where to.
        locus: Asked.
        maker: Of the prompts.
        singles: Users with one question who wait beside the busy one.
        crowd: Questions in all, of which the busy user has the rest; and users in the even case.
        own: Tokens of each prompt behind the shared ones.
        new: Tokens written for each.
        shared: Tokens at the beginning of all prompts, computed before.
    """
    busy = ["busy"] * (crowd - singles) + [f"user {number}" for number in range(singles)]
    even = [f"user {number}" for number in range(crowd)]
    rows: list[list[object]] = []
    for name, users in (
        (f"{crowd - singles} of one user, then {singles} users", busy),
        (f"{crowd} users", even),
    ):
        prefix = maker.opening(shared)
        await locus.warm(maker.chats(prefix, WARMING_TOKENS, 1))
        first, last = await _waits(locus, maker.chats(prefix, own, len(users)), users, new)
        for what, waits in (("first word", first), ("whole answer", last)):
            mean = statistics.mean(waits)
            longest = max(wait for wait, user in zip(waits, users, strict=True) if user != "busy")
            rows.append([f"{name}: {what}", longest, mean, longest / mean, *WAIT_GOAL.judged(longest / mean)])
    report.table(
        f"{crowd} chats waiting; seconds",
        ["", "longest, one question", "mean of all", "ratio", "target", ""],
        rows,
    )


async def follow_up(report: Report, locus: Locus, maker: PromptMaker, *, history: int, repetitions: int) -> None:
    """Print the time to the first token of a follow-up, its conversation cached and not.

    Args:
        report: Where to.
        locus: Asked.
        maker: Of the prompts.
        history: Tokens of the conversation before the last answer.
        repetitions: Of both, alternating.
    """
    cached: list[float] = []
    uncached: list[float] = []
    for number in range(repetitions):
        known = maker.opening(history)
        await ask(locus.model, request(maker.prompt(known), 1, user="known", conversation=f"known {number}"))
        cached.append(await _first_word(locus, maker, known, f"known {number}"))
        uncached.append(await _first_word(locus, maker, maker.opening(history), f"new {number}"))
    ours, without = statistics.median(cached), statistics.median(uncached)
    report.table(
        f"Follow-up after {history:,} tokens of conversation: seconds to the first token",
        ["", "cached", "not cached", "ratio", "target", ""],
        [["Locus", ours, without, ours / without, *FOLLOW_UP_GOAL.judged(ours / without)]],
    )


async def _waits(
    locus: Locus, prompts: Sequence[Prompt], users: Sequence[str], new: int
) -> tuple[list[float], list[float]]:
    replies = await asyncio.gather(
        *(
            ask(locus.model, request(prompt, new, seed=number, user=user))
            for number, (prompt, user) in enumerate(zip(prompts, users, strict=True))
        )
    )
    return [reply.first for reply in replies], [reply.last for reply in replies]


async def _first_word(locus: Locus, maker: PromptMaker, history: str, conversation: str) -> float:
    messages = (
        ChatMessage("user", history),
        ChatMessage("assistant", maker.letters(TURN)),
        ChatMessage("user", maker.letters(TURN)),
    )
    sampling = replace(CHAIN, max_tokens=1)
    asked = GenerationRequest(messages, sampling, "known", conversation, deadline_s=PATIENCE_S)
    return (await ask(locus.model, asked)).first
