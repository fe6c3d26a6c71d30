"""Several chats at once over a shared beginning: Locus against llama-server and one `Llama` object, and the floor."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.engine_contenders import Contender, Flash, Timing
from benchmarks.engine_model import PromptMaker
from benchmarks.engine_rates import Rates
from benchmarks.goals import FLOOR_SHARE, Goal
from benchmarks.report import Report

State = Literal["cold", "once", "each"]
LEGEND = (
    "Cold: nothing of the prompts is computed before. Warm: the shared beginning was computed before the clock starts, "
    "by one request, as for Locus. Warm in each slot: by one request in every slot of the server."
)
STATES: dict[State, str] = {
    "cold": "cold",
    "once": "warm",
    "each": "warm in each slot",
}
SLOTS_GOAL = Goal(at_most=0.45)
IN_TURN_GOAL = Goal(at_most=0.80)
IN_TURN_GPU_GOAL = Goal(at_most=0.25)
FIRST_WORD_GOAL = Goal(at_most=0.50)
FLOOR_GOAL = Goal(at_most=FLOOR_SHARE)
WARMING_TOKENS = 2  # behind the beginning, so that all of it is kept


@dataclass(frozen=True, slots=True)
class Load:
    """Chats asked at once.

    Attributes:
        chats: How many.
        shared: Tokens at the beginning of all prompts.
        own: Tokens of each prompt behind them.
        new: Tokens written for each.
    """

    chats: int
    shared: int
    own: int
    new: int

    def describe(self) -> str:
        """Return it in words."""
        return f"{self.shared:,} shared tokens, {self.own} own, {self.new} new"

    def floors_s(self, rates: Rates, state: State) -> dict[Flash, float]:
        """Return the seconds it takes at least, by the way the attention is computed."""
        prompt_tokens = self.chats * self.own + (self.shared if state == "cold" else 0)
        return rates.floors_s(prompt_tokens, self.chats * self.new, self.chats)

    def floor_s(self, rates: Rates, state: State) -> float:
        """Return the seconds it takes at least, the attention computed in the better of both ways."""
        return min(self.floors_s(rates, state).values())


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of a contender in a state, seconds."""

    total: float
    mean_first: float
    last_first: float


async def measure(
    contenders: Sequence[tuple[Contender, State]], maker: PromptMaker, load: Load, *, repetitions: int
) -> list[Measured]:
    """Run a load on each contender in turn, as often as asked, each time over a beginning never seen before."""
    runs: list[list[Timing]] = [[] for _ in contenders]
    for repetition in range(repetitions):
        for (contender, state), times in zip(contenders, runs, strict=True):
            prefix = maker.opening(load.shared)
            if state != "cold":
                await contender.warm(maker.chats(prefix, WARMING_TOKENS, contender.slots if state == "each" else 1))
            prompts = maker.chats(prefix, load.own, load.chats)
            times.append(await contender.answer(prompts, load.new, seed=repetition * load.chats))
    return [
        Measured(
            statistics.median(one.total for one in times),
            statistics.median(one.mean_first for one in times),
            statistics.median(max(one.first) for one in times),
        )
        for times in runs
    ]


async def many_chats(
    report: Report,
    locus: Contender,
    servers: Sequence[Contender],
    llama: Contender,
    maker: PromptMaker,
    rates: Rates,
    load: Load,
    *,
    gpu: bool,
    repetitions: int,
) -> None:
    """Print the load of many chats with its targets; the last of `servers` is the one with most slots."""
    compared: tuple[State, ...] = ("cold", "once")
    states: list[tuple[Contender, State]] = [(locus, "cold"), (locus, "once"), (llama, "cold"), (llama, "once")]
    for server in servers:
        states += [(server, "cold"), (server, "once")]
        if server.slots > 1:
            states.append((server, "each"))
    measured = dict(zip(states, await measure(states, maker, load, repetitions=repetitions), strict=True))
    report.line(LEGEND)
    report.table(
        f"{load.chats} chats at once: {load.describe()}; seconds",
        ["", "all done", "first word, mean", "first word, last"],
        [
            [f"{one.name}; {STATES[state]}", found.total, found.mean_first, found.last_first]
            for (one, state), found in measured.items()
        ]
        + [
            [f"floor, -fa {flash}; {STATES[state]}", floor, None, None]
            for state in compared
            for flash, floor in load.floors_s(rates, state).items()
        ],
    )
    rows: list[list[object]] = []
    for state in compared:
        ours, floor = measured[locus, state], load.floor_s(rates, state)
        for flash, one_floor in load.floors_s(rates, state).items():
            rows.append(_row(f"all done, floor, -fa {flash}; {STATES[state]}", ours.total, one_floor, FLOOR_GOAL))
        for many in [server for server in servers if server.slots == servers[-1].slots]:
            for theirs in STATES:
                if (theirs == "cold") == (state == "cold") and (many, theirs) in measured:
                    peer = measured[many, theirs].total
                    rows.append(_row(f"all done, {many.name}; {STATES[theirs]}", ours.total, peer, SLOTS_GOAL, floor))
        # "each" is as warm as "once", and may be the best.
        best, best_measured = min(
            (
                (server, found)
                for (server, theirs), found in measured.items()
                if server in servers and (theirs == "cold") == (state == "cold")
            ),
            key=lambda one: one[1].total,
        )
        in_turn = IN_TURN_GPU_GOAL if gpu else IN_TURN_GOAL
        for name, found in ((f"{best.name} (its best)", best_measured), (llama.name, measured[llama, state])):
            rows.append(_row(f"all done, {name}; {STATES[state]}", ours.total, found.total, in_turn, floor))
            rows.append(
                _row(f"first word, mean, {name}; {STATES[state]}", ours.mean_first, found.mean_first, FIRST_WORD_GOAL)
            )
    report.table("Against the peers; seconds", ["", "Locus", "peer", "ratio", "target", ""], rows)


async def growing_chats(
    report: Report,
    locus: Contender,
    llama: Contender,
    maker: PromptMaker,
    rates: Rates,
    loads: Sequence[Load],
    *,
    repetitions: int,
) -> None:
    """Print a load with a long beginning, computed once, as the number of chats grows."""
    rows: list[list[object]] = []
    for load in loads:
        ours, theirs = await measure([(locus, "once"), (llama, "once")], maker, load, repetitions=repetitions)
        floor = load.floor_s(rates, "once")
        ratio = ours.total / theirs.total
        first_ratio = ours.mean_first / theirs.mean_first
        rows.append(
            [load.chats, ours.total, theirs.total, ratio, floor, ours.mean_first, theirs.mean_first, first_ratio]
        )
    report.table(
        f"{loads[0].describe()}; {STATES['once']}; seconds; against {llama.name}",
        ["chats", "all done", "peer", "ratio", "floor", "first word, mean", "peer", "ratio"],
        rows,
    )


def _row(name: str, ours: float, peer: float, goal: Goal, floor_s: float = 0.0) -> list[object]:
    return [name, ours, peer, ours / peer, *goal.judged(ours / peer, floor_s / peer)]
