"""The model in its own process: what it sees, what becomes of requests when it dies, and what is left of it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from bot.engine import frames, link, supervisor
from bot.engine.options import EngineOptions
from bot.engine.supervisor import LocalModel, open_model
from bot.errors import BotError, BusyError, InvalidRequestError, SettingsError, UnavailableError
from bot.generation import (
    ChatMessage,
    Finished,
    GenerationEvent,
    GenerationRequest,
    Grammar,
    Restarted,
    Sampling,
    Text,
    Waiting,
)
from tests.engines import text_of, write_chain_gguf
from tests.gguf_models import write_random_gguf
from tests.kernel import needs_seccomp

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")
GREEDY = Sampling(temperature=0.0, max_tokens=8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that goes on for ever: it writes one "y" after the other."""
    return write_chain_gguf(tmp_path_factory.mktemp("model") / "endless.gguf", [">", "y"], end=False)


@pytest.fixture
async def model(path: Path) -> AsyncIterator[LocalModel]:
    """That model in a process."""
    opened = await open_model(options(path))
    yield opened
    await opened.close()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that died is started again at once, however often."""
    monkeypatch.setattr(supervisor, "PAUSES_S", (0.0,))


def options(path: Path, **more: object) -> EngineOptions:
    """A small engine with one thread."""
    given = {"context": 2048, "threads": 1, "parallel": 8, "gpu_layers": 0} | more
    return EngineOptions(path, **given)  # type: ignore[arg-type]


def ask(max_tokens: int = 8, **more: object) -> GenerationRequest:
    """A request of one question."""
    sampling = Sampling(temperature=0.0, max_tokens=max_tokens)
    return GenerationRequest((ChatMessage("user", "hi"),), sampling, **more)  # type: ignore[arg-type]


async def whole(model: LocalModel, request: GenerationRequest) -> list[GenerationEvent]:
    """All events of a request."""
    return [event async for event in model.generate(request)]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # a process sets no event
            await asyncio.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# What the process is given


@needs_proc
async def test_the_process_gets_no_secrets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens and settings of the chats are not in its environment."""
    for name in ("LOCUS_SLACK__BOT_TOKEN", "SLACK_APP_TOKEN", "MATRIX_PASSWORD", "HTTPS_PROXY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "s3cret-value")
    model = await open_model(options(path))
    environment = Path(f"/proc/{model.pid}/environ").read_bytes()
    await model.close()

    assert b"PATH=" in environment
    assert b"s3cret-value" not in environment


@needs_seccomp
@needs_proc
async def test_every_thread_of_the_process_is_confined(model: LocalModel) -> None:
    """Those of numpy and of llama.cpp too: each has a filter of system calls and gets no new powers."""
    await whole(model, ask())
    states = [task.joinpath("status").read_text() for task in Path(f"/proc/{model.pid}/task").iterdir()]

    assert len(states) >= 2
    assert all("Seccomp:\t2" in state and "NoNewPrivs:\t1" in state for state in states)


async def test_a_changed_file_is_refused_before_it_is_parsed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is compared before any process opens the file."""
    copy, pins = tmp_path / "m.gguf", tmp_path / "pins.json"
    copy.write_bytes(path.read_bytes())
    first = await open_model(options(copy), pins_file=pins)
    sha256 = first.facts.sha256
    await first.close()
    copy.write_bytes(path.read_bytes()[:-1] + b"x")
    started: list[object] = []

    async def spy(*arguments: object) -> link.ModelLink:
        started.append(arguments)
        raise AssertionError("a process was started")

    monkeypatch.setattr(supervisor, "start_child", spy)
    with pytest.raises(SettingsError, match=r"m.gguf has changed .* `locus model confirm"):
        await open_model(options(copy), pins_file=pins)

    assert 64 == len(sha256)
    assert [] == started


async def test_too_little_memory_is_said_with_numbers(path: Path) -> None:
    """The process ends, and the sentence is the one it wrote."""
    with pytest.raises(SettingsError, match=r"\d (GiB|TiB)"):
        await open_model(options(path, cache_tokens=2**40))


async def test_an_abort_while_loading_is_said_in_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A model with heads of 15 values breaks an assertion in llama.cpp, which ends its process and not this one."""
    odd = write_random_gguf(tmp_path / "odd.gguf", width=60)
    with pytest.raises(UnavailableError, match=r"odd.gguf was ended by SIGABRT \(.*GGML_ASSERT.*\): ") as caught:
        await open_model(options(odd))

    assert "\n" not in str(caught.value)


async def test_progress_of_loading_is_told(path: Path) -> None:
    """Up to the whole, never backwards."""
    shares: list[float] = []
    model = await open_model(options(path), progress=shares.append)
    await model.close()

    assert shares == sorted(shares)
    assert 1.0 == shares[-1]


# What it does


async def test_answers_stream_and_end_with_what_they_cost(model: LocalModel) -> None:
    """Text in pieces, then the end; the facts name the model and how it runs."""
    events = await whole(model, ask(12))
    end = events[-1]

    assert isinstance(end, Finished)
    assert ("y" * 12, "length", 12) == (text_of(events), end.reason, end.usage.new_tokens)
    assert len(events) > 6
    assert ("random", 2048) == (model.facts.name, model.facts.context)


async def test_tokens_are_counted(model: LocalModel) -> None:
    """One number for each text."""
    assert [0, 2, 4] == [max(0, count) for count in await model.count_tokens(["", "a", "abc"])]


async def test_a_message_may_hold_what_is_no_character(model: LocalModel) -> None:
    """Half of a surrogate pair, as chats send it, ends nothing."""
    request = GenerationRequest((ChatMessage("user", "hi \ud83d"),), GREEDY)

    assert isinstance((await whole(model, request))[-1], Finished)


async def test_the_place_in_the_queue_and_a_full_queue_reach_the_asker(path: Path) -> None:
    """One runs, one waits and knows it, one is refused."""
    model = await open_model(options(path, parallel=1, queue_length=1))
    async with aclosing(model.generate(ask(1900))) as running:
        first = await anext(running)
        waiting = model.generate(ask(4))
        place = await anext(waiting)
        with pytest.raises(BusyError, match="wait for the model"):
            await whole(model, ask(4))
    rest = [event async for event in waiting]
    await model.close()

    assert isinstance(first, Text)
    assert Waiting(0) == place
    assert "yyyy" == text_of(rest)


async def test_cancelling_the_task_frees_its_place(path: Path) -> None:
    """With one place, the next request is answered although the first would write 1,900 tokens more."""
    model = await open_model(options(path, parallel=1))
    counts = [0]
    task = asyncio.create_task(consumer(model, ask(1900), counts, 0))
    await until(lambda: counts[0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    events = await whole(model, ask(4))
    written_by_both = counts[0] + 4
    await model.close()

    assert "yyyy" == text_of(events)
    assert written_by_both < 1900


async def consumer(model: LocalModel, request: GenerationRequest, seen: list[int], place: int) -> list[GenerationEvent]:
    """Read a generation and count its pieces of text."""
    events: list[GenerationEvent] = []
    async for event in model.generate(request):
        events.append(event)
        seen[place] += isinstance(event, Text)
    return events


async def test_a_deadline_reaches_the_process(model: LocalModel) -> None:
    """The text ends where it is; the process is the same and answers the next."""
    pid = model.pid
    events = await whole(model, ask(1900, deadline_s=0.15))
    end = events[-1]

    assert isinstance(end, Finished)
    assert "deadline" == end.reason
    assert 0 < end.usage.new_tokens < 1900
    assert pid == model.pid


async def test_a_wrong_grammar_is_the_askers_error(model: LocalModel) -> None:
    """The process lives."""
    pid = model.pid
    with pytest.raises(InvalidRequestError, match="grammar of the request cannot be read"):
        await whole(model, ask(grammar=Grammar("gbnf", "root ::= (")))

    assert pid == model.pid


async def test_the_event_loop_stays_responsive_while_the_model_writes(model: LocalModel) -> None:
    """While eight answers are written, a sleep of 2 ms is late by less than 20 ms.

    The 95th percentile is taken, and not the longest: on a busy machine the system itself may take the processor from
    this process for longer, which says nothing of the loop. A decode in the loop would delay every one of the sleeps.
    """
    seen = [0] * 8
    tasks = [asyncio.create_task(consumer(model, ask(250), seen, place)) for place in range(8)]
    lags: list[float] = []
    while not all(task.done() for task in tasks):
        begin = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append(time.perf_counter() - begin - 0.002)
    await asyncio.gather(*tasks)

    assert len(lags) > 20
    assert statistics.quantiles(lags, n=20)[-1] < 0.020


# When it dies


@pytest.mark.parametrize("how", [signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV], ids=lambda one: one.name)
async def test_eight_answers_survive_the_death_of_the_process(model: LocalModel, how: signal.Signals) -> None:
    """Killed in the middle, all eight are asked again and finish; who had seen text is told that it is void."""
    seen = [0] * 8
    tasks = [asyncio.create_task(consumer(model, ask(400), seen, place)) for place in range(8)]
    await until(lambda: all(seen))
    pid = model.pid
    assert pid is not None
    os.kill(pid, how)
    answers = await asyncio.gather(*tasks)

    assert pid != model.pid
    for events in answers:
        again = events.index(Restarted())
        assert "y" * 400 == text_of(events[again:])
        assert 0 < len(text_of(events[:again])) < 400
        assert isinstance(events[-1], Finished)


async def test_who_saw_no_text_hears_nothing_of_a_restart(path: Path) -> None:
    """A waiting request is asked again in silence."""
    model = await open_model(options(path, parallel=1))
    seen = [0]
    running = asyncio.create_task(consumer(model, ask(300), seen, 0))
    await until(lambda: seen[0])
    waiting = asyncio.create_task(whole(model, ask(5, user="other")))
    await asyncio.sleep(0)
    assert model.pid is not None
    os.kill(model.pid, signal.SIGKILL)
    first, second = await asyncio.gather(running, waiting)
    await model.close()

    assert (True, False) == (Restarted() in first, Restarted() in second)
    assert "yyyyy" == text_of(second)


async def test_a_process_that_hangs_is_ended_and_started_again(path: Path) -> None:
    """Stopped in the middle of an answer, it gives no sign of life; the answer finishes in a new one."""
    model = await open_model(options(path), hang_s=0.6)
    seen = [0]
    task = asyncio.create_task(consumer(model, ask(100), seen, 0))
    await until(lambda: seen[0])
    pid = model.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    events = await task
    new_pid = model.pid
    await model.close()

    assert pid != new_pid
    assert not alive(pid)
    assert "y" * 100 == text_of(events[events.index(Restarted()) :])


async def test_a_request_past_its_deadline_in_a_hanging_process_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The asker is not left waiting, and the process is replaced long before `hang_s`."""
    monkeypatch.setattr(supervisor, "DEADLINE_GRACE_S", 0.2)
    monkeypatch.setattr(supervisor, "PING_EVERY_S", 0.1)
    model = await open_model(options(path))
    pid = model.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        events: list[GenerationEvent] = await whole(model, ask(100, deadline_s=0.3))
    except UnavailableError:
        events = []
    answered = text_of(await whole(model, ask(3)))
    await model.close()

    assert all(not isinstance(event, Finished) or event.reason == "deadline" for event in events)
    assert not alive(pid)
    assert "yyy" == answered


async def test_what_kills_the_process_twice_fails_alone_at_the_end(model: LocalModel, no_pauses: None) -> None:
    """A grammar nested too deep for llama.cpp's parser crashes it; the asker gets a sentence, the next an answer."""
    poison = Grammar("gbnf", "root ::= " + "(" * 300_000)
    with pytest.raises(UnavailableError, match="failed twice with this question"):
        await whole(model, ask(grammar=poison))

    assert "yyy" == text_of(await whole(model, ask(3)))


async def test_a_model_that_stays_down_fails_at_once(path: Path, tmp_path: Path) -> None:
    """After three deaths nobody waits any more: they are told when another attempt makes sense."""
    copy = tmp_path / "m.gguf"
    copy.write_bytes(path.read_bytes())
    model = await open_model(options(copy))
    seen = [0]
    task = asyncio.create_task(consumer(model, ask(1900), seen, 0))
    await until(lambda: seen[0])
    copy.write_bytes(b"no model any more")
    assert model.pid is not None
    os.kill(model.pid, signal.SIGKILL)
    with pytest.raises(UnavailableError, match="The model is down"):
        await task
    with pytest.raises(UnavailableError, match="The model is down") as caught:
        await whole(model, ask())
    await model.close()

    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 2.0


async def test_pauses_grow_and_begin_anew_after_a_long_life(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each death in a row waits for the next pause; a process that lived long enough starts the row again."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        if sys._getframe(1).f_code.co_name == "_restart":
            pauses.append(seconds)
            seconds = 0
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", noted)
    model = await open_model(options(path))
    for death in range(4):
        monkeypatch.setattr(supervisor, "STABLE_S", 0.0 if death == 3 else 120.0)
        pid = model.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda old=pid: model.pid not in (old, None))  # type: ignore[misc]
    await model.close()

    assert [0.0, 1.0, 2.0, 0.0] == pauses
    assert list(supervisor.PAUSES_S) == sorted(supervisor.PAUSES_S)


async def test_who_reads_slowly_does_not_end_a_healthy_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is finished but not read past its deadline is no sign that the process hangs."""
    monkeypatch.setattr(supervisor, "DEADLINE_GRACE_S", 0.05)
    monkeypatch.setattr(supervisor, "PING_EVERY_S", 0.05)
    model = await open_model(options(path))
    pid = model.pid
    events: list[GenerationEvent] = []
    async for event in model.generate(ask(8, deadline_s=0.3)):
        if not events:
            await asyncio.sleep(0.6)
        events.append(event)
    same = model.pid == pid
    await model.close()

    assert "y" * 8 == text_of(events)
    assert same


async def test_a_process_that_talks_nonsense_is_replaced(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be understood is not trusted: a new process answers."""
    pid, unpack = model.pid, frames.unpack_event
    nonsense = iter([ValueError("nonsense")])

    def once(value: list[object]) -> GenerationEvent | BotError:
        for error in nonsense:
            raise error
        return unpack(value)

    monkeypatch.setattr(frames, "unpack_event", once)

    assert "y" * 8 == text_of(await whole(model, ask()))
    assert pid != model.pid


async def test_after_a_crash_the_matrix_tiles_are_left_out(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a processor that has them: the new process is told not to use them, once, and answers."""
    told: list[bool] = []
    start = link.start_child

    async def spy(given: EngineOptions, progress: Callable[[float], None]) -> link.ModelLink:
        told.append(given.amx)
        return await start(given, progress)

    monkeypatch.setattr(supervisor, "has_amx", lambda: True)
    monkeypatch.setattr(supervisor, "start_child", spy)
    caplog.set_level(logging.WARNING)
    for how in (signal.SIGILL, signal.SIGKILL):
        pid = model.pid
        assert pid is not None
        os.kill(pid, how)
        await until(lambda old=pid: model.pid not in (old, None))  # type: ignore[misc]

    assert [False, False] == told
    assert 1 == sum("without the processor's matrix tiles" in record.message for record in caplog.records)
    assert "yyy" == text_of(await whole(model, ask(3)))


# What is left


async def test_closing_ends_everything_and_everybody(path: Path) -> None:
    """The process is gone; who waits is told; a second close and a late question do no harm."""
    model = await open_model(options(path))
    pid, seen = model.pid, [0]
    assert pid is not None
    task = asyncio.create_task(consumer(model, ask(1900), seen, 0))
    await until(lambda: seen[0])
    await model.close()
    await model.close()
    with pytest.raises(UnavailableError, match="has been closed"):
        await task
    with pytest.raises(UnavailableError, match="has been closed"):
        await whole(model, ask())

    assert not alive(pid)


@needs_proc
async def test_opening_and_closing_leaves_no_files_tasks_or_processes(path: Path) -> None:
    """After several models this process is as before."""

    def left() -> tuple[int, int, list[str]]:
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), children.read_text().split()

    first = await open_model(options(path))
    await first.close()
    before = left()
    for _ in range(4):
        model = await open_model(options(path))
        await whole(model, ask(2))
        await model.close()

    assert before == left()


@needs_proc
async def test_the_process_ends_with_the_one_that_started_it(path: Path) -> None:
    """Also when that one is killed and cannot close anything."""
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from bot.engine.options import EngineOptions; from bot.engine.supervisor import open_model\n"
        "async def main():\n"
        f"    model = await open_model(EngineOptions(Path({str(path)!r}), threads=1, parallel=1))\n"
        "    print(model.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    was_alive = alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid))

    assert was_alive
