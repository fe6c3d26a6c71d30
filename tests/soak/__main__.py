"""`python -m tests.soak`: runs the soak and prints what it has shown; exit status 1 if a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tests.soak.burst import BurstOutcome, run_burst
from tests.soak.chat import Chat
from tests.soak.checker import STOP_WORD, Ending, Fault, acknowledged
from tests.soak.matrix_chat import MatrixSoakChat
from tests.soak.matrix_figures import FigureSizes, beside_rows, figure_rows, measure
from tests.soak.plan import Sizes
from tests.soak.run import Hardships, Outcome, run_soak
from tests.soak.scripted_chat import ScriptedSoakChat
from tests.soak.slack_chat import SlackSoakChat
from tests.soak.stage import make_index

CHATS: Mapping[str, Callable[[int], Chat]] = {
    one.name: one for one in (ScriptedSoakChat, SlackSoakChat, MatrixSoakChat)
}

PARTS: Mapping[str, Sequence[str]] = {
    ScriptedSoakChat.name: ("soak", "burst"),
    SlackSoakChat.name: ("soak",),
    MatrixSoakChat.name: ("soak", "figures"),
}

Row = tuple[str, str]
Target = tuple[str, str, str, bool]  # name, figure, target, whether it is met


def soak_rows(outcome: Outcome) -> Iterable[Row]:
    """Yield the lines of the table of the first part."""
    events, questions = outcome.snapshot.events, outcome.questions
    faults = Counter(violation.fault for violation in outcome.violations)
    endings = outcome.endings
    deliveries = sum(len(record.deliveries) for record in events)
    repeated = sum(max(0, len(record.acknowledged) - 1) for record in events)
    waits = [question.final_at - question.record.sent_at for question in questions if question.final_at is not None]
    accepting_ms = [
        (acknowledged(record) - max(at for at in record.deliveries if at <= acknowledged(record))) * 1000
        for record in events
        if record.acknowledged
    ]
    yield "questions", f"{len(questions)}"
    yield "edits, deletions, stops", f"{len(events) - len(questions)}"
    yield "kills of replicas at work", f"{sum(one.killed for one in outcome.exits)}"
    yield "answers interrupted by them", f"{outcome.leftovers.interrupted}"
    yield "restarts of Redis", f"{outcome.redis_restarts}"
    yield "deliveries of events", f"{deliveries}"
    yield "duplicates dropped", f"{repeated}"
    yield "given up by the chat", f"{sum(record.given_up for record in events)}"
    found = [one for one in questions if one.record.given_up and not one.record.acknowledged and one.visible]
    yield "questions of these answered", f"{len(found)}"
    yield "final answers", f"{endings[Ending.ANSWER]}"
    yield "stopped, or nothing to stop", f"{endings[Ending.STOPPED]}"
    yield "only stopped another", f"{sum(one.record.event.text == STOP_WORD and not one.visible for one in questions)}"
    yield "deleted in time", f"{sum(question.withdrawn for question in questions)}"
    yield "refused politely", f"{endings[Ending.REFUSED]}"
    yield "apologies", f"{endings[Ending.APOLOGY]}"
    yield "missing", f"{faults[Fault.MISSING] + faults[Fault.UNFINISHED] + faults[Fault.UNACCEPTED]}"
    yield "doubled", f"{faults[Fault.DOUBLED] + faults[Fault.CHANGED] + faults[Fault.STRAY]}"
    yield "of another question or version", f"{faults[Fault.FOREIGN] + faults[Fault.OUTDATED]}"
    yield "visible though deleted", f"{faults[Fault.DELETED]}"
    yield "out of order", f"{faults[Fault.DISORDER]}"
    yield "leaked keys", f"{len(outcome.leftovers.leaked)}"
    yield "texts in logs", f"{outcome.texts_in_logs}"
    yield "errors in logs", f"{outcome.errors.total()}"
    yield "replicas that crashed", f"{len(outcome.crashes)}"
    yield from outcome.particulars
    yield "time to accept p50, p95", f"{_percentiles(accepting_ms, 0)} ms"
    yield "time to final p50, p95", f"{_percentiles(waits, 1)} s"
    yield "wall time", f"{outcome.wall_s:.0f} s"


def promise_rows(outcome: Outcome) -> Iterable[Target]:
    """Yield what a soak promises, as rows of the table of targets."""
    faults = Counter(violation.fault for violation in outcome.violations)
    lost = faults[Fault.MISSING] + faults[Fault.UNFINISHED] + faults[Fault.UNACCEPTED]
    doubled = faults[Fault.DOUBLED] + faults[Fault.CHANGED]
    stray = faults[Fault.STRAY]
    rest = len(outcome.violations) - lost - doubled - stray
    kills = sum(one.killed for one in outcome.exits)
    yield f"questions lost of {len(outcome.questions)}, {kills} kills", f"{lost}", "0", not lost
    yield "answered twice", f"{doubled}", "0", not doubled
    yield "messages that answer no question", f"{stray}", "0", not stray
    yield "other promises broken", f"{rest}", "0", not rest
    kept = not outcome.texts_in_logs and not outcome.crashes
    yield "texts in logs, crashes", f"{outcome.texts_in_logs}, {len(outcome.crashes)}", "0, 0", kept


def burst_rows(outcome: BurstOutcome) -> Iterable[Row]:
    """Yield the lines of the table of the second part."""
    yield "questions in one second", f"{outcome.questions}"
    yield "answered", f"{outcome.endings[Ending.ANSWER]}"
    yield "refused politely", f"{outcome.endings[Ending.REFUSED]}"
    yield "neither", f"{outcome.questions - outcome.endings[Ending.ANSWER] - outcome.endings[Ending.REFUSED]}"
    yield "all accepted after", f"{outcome.accepted_s:.2f} s"
    yield "last refusal told after", f"{outcome.told_s:.2f} s"
    yield "one question alone, to final", f"{outcome.alone_s:.2f} s"
    yield "first final answer of the burst", f"{outcome.first_s:.2f} s"
    yield "tenth final answer", f"{outcome.tenth_s:.2f} s"
    yield "last final answer", f"{outcome.done_s:.1f} s"
    yield "memory before, peak", f"{outcome.before_mib:.0f}, {outcome.peak_mib:.0f} MiB"


def main() -> int:
    """Read the options, run both parts and print their tables."""
    options = _options()
    logging.getLogger("nio").setLevel(logging.CRITICAL)  # what people's clients miss shows in the figures
    folder = options.keep or Path(tempfile.mkdtemp(prefix="locus-soak-"))
    sizes = Sizes(options.questions, options.conversations, options.users, options.duration_s)
    hardships = Hardships(options.replicas, options.kills, options.redis_restarts, patience_s=options.patience_s)
    index = folder / "data"
    make_index(index)
    failed = False
    parts = options.parts or PARTS[options.chat]
    targets: list[Target] = []
    if "soak" in parts:
        chat = CHATS[options.chat](options.seed)
        outcome = asyncio.run(run_soak(folder / "soak", index, chat, sizes, hardships, seed=options.seed))
        _print("soak", soak_rows(outcome))
        _print_list(
            "key kinds",
            [
                f"{name}: {outcome.leftovers.open[name]} open, {outcome.leftovers.kept[name]} kept"
                for name in sorted(outcome.leftovers.open)
            ],
        )
        _print_list("violations", [f"{one.message_id}: {one.fault}; {one.detail[:100]}" for one in outcome.violations])
        _print_list("leaked keys", outcome.leftovers.leaked)
        _print_list("errors in logs", [f"{count} x {line}" for line, count in outcome.errors.most_common()])
        _print_list("crashes", [f"status {one.status} after {one.at - one.begun:.1f} s" for one in outcome.crashes])
        failed |= outcome.failed
        targets += promise_rows(outcome)
    if "burst" in parts:
        burst = asyncio.run(
            run_burst(folder / "burst", index, questions=1000, users=200, channels=50, seed=options.seed)
        )
        _print("burst", burst_rows(burst))
        _print_list("violations", [f"{one.message_id}: {one.fault}; {one.detail[:100]}" for one in burst.violations])
        failed |= burst.failed
    if "figures" in parts:
        measured = FigureSizes(asked=options.asked, rooms=options.rooms, active_s=options.active_s)
        figures = asyncio.run(measure(folder / "figures", index, measured, seed=options.seed))
        _print("figures", beside_rows(figures))
        _print_targets([*targets, *figure_rows(figures)])
    if options.keep is None and not failed:
        shutil.rmtree(folder)
    else:
        sys.stdout.write(f"logs: {folder}\n")
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chances but those of timing")
    parser.add_argument("--questions", type=int, default=500, help="messages in all")
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--duration-s", type=float, default=240.0, help="seconds within which they are written")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--redis-restarts", type=int, default=5)
    parser.add_argument("--patience-s", type=float, default=240.0, help="seconds after the last event")
    parser.add_argument("--chat", choices=CHATS, default=ScriptedSoakChat.name, help="in which people ask")
    parser.add_argument(
        "--parts", nargs="+", choices=("soak", "burst", "figures"), help="by default those that the chat has"
    )
    parser.add_argument("--asked", type=int, default=40, help="questions for the time to the first word, each kind")
    parser.add_argument("--rooms", type=int, default=200, help="active at once, where figures are measured")
    parser.add_argument("--active-s", type=float, default=40.0, help="seconds for which they are")
    parser.add_argument("--keep", type=Path, help="folder for data and logs, which stays")
    return parser.parse_args()


def _percentiles(values: Sequence[float], digits: int) -> str:
    if len(values) < 2:
        return "-"
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return f"{cuts[9]:.{digits}f}, {cuts[18]:.{digits}f}"


def _print(title: str, rows: Iterable[Row]) -> None:
    sys.stdout.write(f"\n{title}\n")
    for name, value in rows:
        sys.stdout.write(f"  {name:<34}{value:>14}\n")
    sys.stdout.flush()


def _print_targets(rows: Iterable[Target]) -> None:
    sys.stdout.write("\ntargets\n")
    for name, figure, target, met in rows:
        sys.stdout.write(f"  {name:<42}{figure:>10}   {target:<26}{'met' if met else 'NOT MET'}\n")
    sys.stdout.flush()


def _print_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        sys.stdout.write(f"  {title}:\n")
        sys.stdout.writelines(f"    {line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
