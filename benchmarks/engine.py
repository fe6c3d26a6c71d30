"""The engine against llama.cpp's own programs and one `Llama` object, in the same run: `python -m benchmarks engine`.

Everybody has the same model, threads, sampling and token ids, and goes in turn, repetition by repetition, so that a
busy machine troubles all alike. llama-server and `Llama` are asked in the way that is best for them: token ids in place
of text, end tokens ignored, one connection per chat.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine_contenders import CELLS, FLASH, Flash, Locus, open_llama, open_server
from benchmarks.engine_fairness import fairness, follow_up
from benchmarks.engine_loads import Load, growing_chats, many_chats
from benchmarks.engine_model import PromptMaker, make_model
from benchmarks.engine_overhead import overhead
from benchmarks.engine_rates import Rates, batched_rates, one_chat
from benchmarks.peers import Peers, find_peers, try_amx
from benchmarks.report import Report
from bot.engine.options import EngineOptions
from bot.engine.supervisor import open_model


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        repetitions: Runs of each contender; medians are printed.
        many: The load of many chats.
        growing: The load with a long beginning, by number of chats.
        crowd: Questions that wait at once.
        singles: Of these, users with one question beside a busy one.
        crowd_load: Their tokens; `chats` is not used.
        history: Tokens of a conversation that comes back.
    """

    repetitions: int
    many: Load
    growing: tuple[Load, ...]
    crowd: int
    singles: int
    crowd_load: Load
    history: int


FULL = Sizes(
    3, Load(8, 512, 128, 48), tuple(Load(chats, 1500, 300, 64) for chats in (1, 2, 4, 8)), 32, 8,
    Load(32, 512, 128, 48), 2000,
)  # fmt: skip
QUICK = Sizes(1, Load(4, 128, 32, 8), (Load(1, 200, 50, 8), Load(2, 200, 50, 8)), 24, 4, Load(24, 64, 16, 4), 400)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only this benchmark knows."""
    group = parser.add_argument_group("engine")
    named = os.environ.get("LOCUS_BENCH_PEERS")
    group.add_argument(
        "--peers", type=Path, default=Path(named) if named else None,
        help="folder with llama-bench, llama-batched-bench and llama-server; they are built where none is named",
    )  # fmt: skip
    group.add_argument("--model-dir", type=Path, help="keep the random model here, or use the one that is")
    group.add_argument("--quick", action="store_true", help="small loads once, to see that everything runs")
    group.add_argument("--repetitions", type=int, help="runs of each contender; medians are printed")
    group.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of every contender; one per core")
    group.add_argument("--slots", type=_numbers, default=(1, 8), help="slots of llama-server to try, such as 1,4,8")


def run(report: Report, options: argparse.Namespace, temporary: Path) -> None:
    """Print every figure as a ratio to the peer in the same run, with its target."""
    peers = find_peers(report, options.peers)
    model = make_model(report, options.model_dir or temporary)
    peers = try_amx(report, peers, model, threads=options.threads)
    maker = PromptMaker(model)
    try:
        asyncio.run(_run(report, options, peers, model, maker))
    finally:
        maker.close()
    asyncio.run(overhead(report, temporary / "cards"))


async def _run(report: Report, options: argparse.Namespace, peers: Peers, model: Path, maker: PromptMaker) -> None:
    sizes = QUICK if options.quick else FULL
    repetitions = options.repetitions or sizes.repetitions
    threads: int = options.threads
    engine = EngineOptions(model, cache_tokens=CELLS, threads=threads, queue_length=sizes.crowd, amx=peers.amx)
    async with AsyncExitStack() as stack:
        opened = await open_model(engine)
        stack.push_async_callback(opened.close)
        locus = Locus(opened)
        gpu = opened.facts.details["gpu_layers"] != "0"
        report.line(
            f"Random model of 0.5B shape, Q4_K_M; threads: {threads}, {opened.facts.details['gpu_layers']} layers on a "
            f"GPU, caches of {CELLS:,} tokens; medians of {repetitions}, contenders alternating."
        )
        prefill = await one_chat(report, locus, maker, peers, model, threads=threads, repetitions=repetitions)
        many = sizes.many
        rates = Rates(prefill, await _batched(peers, model, [many], threads, repetitions))
        llama = await stack.enter_async_context(open_llama(peers, model, threads=threads))
        servers = [
            await stack.enter_async_context(open_server(peers, model, slots=slots, threads=threads, flash=flash))
            for slots in options.slots
            for flash in (FLASH if slots == 1 else FLASH[:1])  # with many slots "off" is far slower: not its best
        ]
        await many_chats(report, locus, servers, llama, maker, rates, many, gpu=gpu, repetitions=repetitions)
        rates = Rates(prefill, await _batched(peers, model, sizes.growing, threads, repetitions))
        await growing_chats(report, locus, llama, maker, rates, sizes.growing, repetitions=repetitions)
        crowd = sizes.crowd_load
        await fairness(
            report, locus, maker, singles=sizes.singles, crowd=sizes.crowd, own=crowd.own, new=crowd.new,
            shared=crowd.shared,
        )  # fmt: skip
        await follow_up(report, locus, maker, history=sizes.history, repetitions=max(repetitions, 3))


async def _batched(
    peers: Peers, model: Path, loads: list[Load] | tuple[Load, ...], threads: int, repetitions: int
) -> dict[Flash, dict[int, float]]:
    load = loads[0]
    return await batched_rates(
        peers, model, chats=[one.chats for one in loads], prompt=load.shared + load.own, new_tokens=load.new,
        threads=threads, repetitions=repetitions,
    )  # fmt: skip


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 1,8, smallest first.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError("write numbers with commas between them, such as 1,8") from None
    if not numbers or numbers[0] < 1:
        raise argparse.ArgumentTypeError("a server has 1 slot or more")
    return tuple(numbers)
