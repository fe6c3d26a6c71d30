"""Speeds in tokens per second: llama-bench's and llama-batched-bench's, and Locus' with one chat."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine_contenders import CELLS, Locus
from benchmarks.engine_model import PromptMaker
from benchmarks.goals import Goal
from benchmarks.peers import ROOT, Peers
from benchmarks.report import Report

GOAL = Goal(at_least=0.95)
PREFILL = 512  # tokens of llama-bench's usual reading test
DECODE = 128  # and of its writing test
LEAST_PROMPT = 8


@dataclass(frozen=True, slots=True)
class Rates:
    """llama.cpp's own speeds here, tokens/s.

    Attributes:
        prefill: Reading one prompt (llama-bench).
        batched: Writing, by the number of chats at once, all chats together (llama-batched-bench).
    """

    prefill: float
    batched: dict[int, float]

    def floor_s(self, prompt_tokens: int, new_tokens: int, chats: int) -> float:
        """Return the seconds a load takes at least.

        Args:
            prompt_tokens: Tokens to be read, of all chats together, a shared beginning once.
            new_tokens: Tokens to be written, of all chats together.
            chats: That are written at once.
        """
        return prompt_tokens / self.prefill + new_tokens / self.batched[chats]


async def one_chat(
    report: Report, locus: Locus, maker: PromptMaker, peers: Peers, model: Path, *, threads: int, repetitions: int
) -> float:
    """Print reading and writing speed with one chat; returns llama-bench's reading speed in tokens/s."""
    reading: list[tuple[float, float]] = []
    writing: list[tuple[float, float]] = []
    for _ in range(repetitions):
        ours = await _our_rates(locus, maker)
        theirs = await asyncio.to_thread(_bench, peers, model, threads)
        reading.append((ours[0], theirs[0]))
        writing.append((ours[1], theirs[1]))
    rows: list[list[object]] = []
    for name, pairs in ((f"writing {DECODE} tokens", writing), (f"reading {PREFILL} tokens", reading)):
        ours_rate = statistics.median(pair[0] for pair in pairs)
        peer_rate = statistics.median(pair[1] for pair in pairs)
        rows.append([name, ours_rate, peer_rate, ours_rate / peer_rate, *GOAL.judged(ours_rate / peer_rate)])
    report.table("One chat, tokens per second", ["", "Locus", "llama-bench", "ratio", "target", ""], rows)
    return statistics.median(pair[1] for pair in reading)


async def batched_rates(
    peers: Peers, model: Path, *, chats: Sequence[int], prompt: int, new_tokens: int, threads: int, repetitions: int
) -> dict[int, float]:
    """Return llama-batched-bench's writing speed by number of chats, behind one shared prompt in one unified cache."""
    command = peers.command(
        "llama-batched-bench", "-m", str(model), "-t", str(threads), "-c", str(CELLS), "-kvu", "-pps", "-npp",
        str(prompt), "-ntg", str(new_tokens), "-npl", ",".join(map(str, chats)), "--output-format", "jsonl",
    )  # fmt: skip
    found: dict[int, list[float]] = {}
    for _ in range(repetitions):
        for row in _rows(await asyncio.to_thread(_output, command)):
            found.setdefault(int(row["pl"]), []).append(row["speed_tg"])
    return {count: statistics.median(speeds) for count, speeds in found.items()}


async def _our_rates(locus: Locus, maker: PromptMaker) -> tuple[float, float]:
    """Return tokens/s of reading and of writing, the first token being the end of the reading."""
    read = await locus.answer([maker.prompt(maker.opening(PREFILL))], 1)
    written = await locus.answer([maker.prompt(maker.opening(LEAST_PROMPT))], DECODE + 1)
    return PREFILL / read.first[0], DECODE / (written.last[0] - written.first[0])


def _bench(peers: Peers, model: Path, threads: int) -> tuple[float, float]:
    """Return llama-bench's tokens/s of reading and of writing."""
    command = peers.command(
        "llama-bench", "-m", str(model), "-t", str(threads), "-p", str(PREFILL), "-n", str(DECODE), "-r", "1", "-fa",
        "auto", "-o", "jsonl",
    )  # fmt: skip
    rows = _rows(_output(command))
    reading = next(row["avg_ts"] for row in rows if row["n_prompt"])
    writing = next(row["avg_ts"] for row in rows if row["n_gen"])
    return reading, writing


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def _rows(output: str) -> list[dict[str, float]]:
    """Return the figures of lines of JSON; other lines are llama.cpp's log."""
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [{name: value for name, value in row.items() if isinstance(value, int | float)} for row in rows]
