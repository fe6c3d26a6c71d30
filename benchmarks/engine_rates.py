"""Speeds in tokens per second: llama-bench's and llama-batched-bench's, and Locus' with one chat."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine_contenders import CELLS, FLASH, Flash, Locus
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
    """llama.cpp's own speeds here, tokens/s, by the way the attention is computed.

    Attributes:
        prefill: Reading one prompt (llama-bench).
        batched: Writing, by the number of chats at once, all chats together (llama-batched-bench).
    """

    prefill: dict[Flash, float]
    batched: dict[Flash, dict[int, float]]

    def floors_s(self, prompt_tokens: int, new_tokens: int, chats: int) -> dict[Flash, float]:
        """Return the seconds a load takes at least, by the way the attention is computed.

        Args:
            prompt_tokens: Tokens to be read, of all chats together, a shared beginning once.
            new_tokens: Tokens to be written, of all chats together.
            chats: That are written at once.
        """
        return {flash: prompt_tokens / self.prefill[flash] + new_tokens / self.batched[flash][chats] for flash in FLASH}


async def one_chat(
    report: Report, locus: Locus, maker: PromptMaker, peers: Peers, model: Path, *, threads: int, repetitions: int
) -> dict[Flash, float]:
    """Print reading and writing speed with one chat; returns llama-bench's reading speeds in tokens/s."""
    ours: list[tuple[float, float]] = []
    theirs: dict[Flash, list[tuple[float, float]]] = {flash: [] for flash in FLASH}
    for _ in range(repetitions):
        ours.append(await _our_rates(locus, maker))
        for flash in FLASH:
            theirs[flash].append(await asyncio.to_thread(_bench, peers, model, threads, flash))
    rows: list[list[object]] = []
    for kind, name in enumerate((f"reading {PREFILL} tokens", f"writing {DECODE} tokens")):
        rate = statistics.median(one[kind] for one in ours)
        for flash in FLASH:
            peer = statistics.median(one[kind] for one in theirs[flash])
            rows.append([f"{name}; -fa {flash}", rate, peer, rate / peer, *GOAL.judged(rate / peer)])
    report.table("One chat, tokens per second", ["", "Locus", "llama-bench", "ratio", "target", ""], rows)
    return {flash: statistics.median(one[0] for one in runs) for flash, runs in theirs.items()}


async def batched_rates(
    peers: Peers, model: Path, *, chats: Sequence[int], prompt: int, new_tokens: int, threads: int, repetitions: int
) -> dict[Flash, dict[int, float]]:
    """Return llama-batched-bench's writing speed by number of chats, behind one shared prompt in one unified cache."""
    speeds: dict[Flash, dict[int, float]] = {}
    for flash in FLASH:
        command = peers.command(
            "llama-batched-bench", "-m", str(model), "-t", str(threads), "-c", str(CELLS), "-kvu", "-pps", "-npp",
            str(prompt), "-ntg", str(new_tokens), "-npl", ",".join(map(str, chats)), "-fa", flash,
            "--output-format", "jsonl",
        )  # fmt: skip
        found: dict[int, list[float]] = {}
        for _ in range(repetitions):
            for row in _rows(await asyncio.to_thread(_output, command)):
                found.setdefault(int(row["pl"]), []).append(row["speed_tg"])
        speeds[flash] = {count: statistics.median(one) for count, one in found.items()}
    return speeds


async def _our_rates(locus: Locus, maker: PromptMaker) -> tuple[float, float]:
    """Return tokens/s of reading and of writing, the first token being the end of the reading."""
    read = await locus.answer([maker.prompt(maker.opening(PREFILL))], 1)
    written = await locus.answer([maker.prompt(maker.opening(LEAST_PROMPT))], DECODE + 1)
    return PREFILL / read.first[0], DECODE / (written.last[0] - written.first[0])


def _bench(peers: Peers, model: Path, threads: int, flash: Flash) -> tuple[float, float]:
    """Return llama-bench's tokens/s of reading and of writing."""
    command = peers.command(
        "llama-bench", "-m", str(model), "-t", str(threads), "-p", str(PREFILL), "-n", str(DECODE), "-r", "1", "-fa",
        flash, "-o", "jsonl",
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
