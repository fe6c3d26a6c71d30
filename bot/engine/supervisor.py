"""The local model as the rest of Locus sees it: always there, though the process behind it may die.

When the child aborts, hangs or is killed, a new one is started after a growing pause. Requests in flight are asked once
more; whoever had seen text is told that it is void. While the model stays down, requests fail at once, so that answers
can be quoted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bot.engine import frames
from bot.engine.frames import Frame
from bot.engine.link import ChildDiedError, ModelLink, start_child
from bot.engine.options import EngineOptions
from bot.engine.pending import Pending
from bot.engine.pins import check_pin
from bot.engine.sandbox import has_amx
from bot.errors import BotError, UnavailableError
from bot.generation import Finished, GenerationEvent, GenerationRequest, ModelFacts, Restarted, Text, Thought

logger = logging.getLogger(__name__)

PAUSES_S = (0.0, 1.0, 2.0, 5.0, 15.0, 60.0)  # before the first, second, ... restart in a row
STABLE_S = 120.0  # of life after which a death counts as the first again
PING_EVERY_S = 2.0
DEADLINE_GRACE_S = 10.0  # beyond a request's deadline before the child counts as hanging


class LocalModel:
    """A GGUF model in a supervised process; implements `bot.ports.LanguageModel`. Made by `open_model`."""

    def __init__(self, options: EngineOptions, *, pins_file: Path | None, hang_s: float) -> None:
        self._options = options
        self._pins_file = pins_file
        self._hang_s = hang_s
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._counts: dict[int, asyncio.Future[list[int]]] = {}
        self._link: ModelLink | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready_again = asyncio.Event()
        self._failures = 0
        self._closed = False
        self._facts = ModelFacts(options.path.stem, "", options.context)
        self._beat = 0.0
        self.load: dict[str, int] = {}

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._facts

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._link.pid if self._link else None

    async def start(self, progress: Callable[[float], None]) -> None:
        """Load the model; raises as `bot.engine.link.start_child` and `bot.engine.pins.check_pin`."""
        try:
            self._link = await self._spawn(progress)
        except ChildDiedError as error:
            if not (error.crashed and self._without_amx()):
                raise
            self._link = await self._spawn(progress)
        self._task = asyncio.create_task(self._supervise(self._link), name="model-supervisor")

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """Yield the events of one generation."""
        self._refuse_when_down()
        number = next(self._numbers)
        pending = Pending(request, time.monotonic() + request.deadline_s)
        self._pending[number] = pending
        self._ask(number, pending)
        try:
            while True:
                try:
                    async with asyncio.timeout(pending.deadline + DEADLINE_GRACE_S + PING_EVERY_S - time.monotonic()):
                        event = await pending.events.get()
                except TimeoutError:
                    raise UnavailableError("The model did not answer in time: try again.") from None
                if isinstance(event, BotError):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            if self._pending.pop(number, None) is not None and self._link is not None:
                self._link.send({"do": "cancel", "id": number})

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        self._refuse_when_down()
        number = next(self._numbers)
        try:
            async with asyncio.timeout(self._hang_s):
                if self._link is None:
                    await self._ready_again.wait()
                self._counts[number] = asyncio.get_running_loop().create_future()
                if self._link is not None:
                    self._link.send({"do": "count", "id": number, "texts": list(texts)})
                return await self._counts[number]
        except TimeoutError:
            raise UnavailableError("The model did not answer in time: try again.") from None
        finally:
            self._counts.pop(number, None)

    async def close(self) -> None:
        """End the child and everything that waits for it."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._link is not None:
            await self._link.close()
            self._link = None
        self._fail_all(UnavailableError("The model has been closed: start Locus again."))

    # Life of the child

    async def _spawn(self, progress: Callable[[float], None]) -> ModelLink:
        sha256 = ""
        if self._pins_file is not None:
            sha256 = await asyncio.to_thread(check_pin, self._options.path, self._pins_file)
            for adapter, _ in self._options.loras:
                await asyncio.to_thread(check_pin, adapter, self._pins_file, setting="LOCUS_LORA")
        link = await start_child(self._options, progress)
        facts = link.facts
        details = facts.get("details")
        self._facts = ModelFacts(
            str(facts["name"]),
            sha256,
            int(str(facts["context"])),
            {str(name): str(value) for name, value in details.items()} if isinstance(details, dict) else {},
        )
        self._beat = time.monotonic()
        return link

    async def _supervise(self, link: ModelLink) -> None:
        while True:
            born = time.monotonic()
            await self._serve(link)
            await link.close(grace_s=0)
            self._link = None
            self._ready_again.clear()
            if link.crashed:
                self._without_amx()
            self._failures = 1 if time.monotonic() - born > STABLE_S else self._failures + 1
            logger.error("the model's process %s and is started again", link.epitaph())
            self._give_up_on_the_twice_asked()
            link = await self._restart()
            self._link = link
            self._ready_again.set()
            logger.warning("the model is back")
            for number, pending in self._pending.items():
                if pending.spoke:
                    pending.spoke = False
                    pending.events.put_nowait(Restarted())
                self._ask(number, pending)

    async def _restart(self) -> ModelLink:
        while True:
            pause = PAUSES_S[min(self._failures - 1, len(PAUSES_S) - 1)]
            if self._failures > 2:
                self._fail_all(self._down())
            await asyncio.sleep(pause)
            try:
                return await self._spawn(lambda _share: None)
            except (BotError, OSError) as error:
                self._failures += 1
                logger.error("the model cannot be started again: %s", error)

    async def _serve(self, link: ModelLink) -> None:
        """Hand out what the child says until it is gone; kill it when it hangs."""
        self._beat = time.monotonic()
        watch = asyncio.create_task(self._watch(link), name="model-watch")
        try:
            while (frame := await link.receive()) is not None:
                self._beat = time.monotonic()
                self._hear(frame, link)
        except (BotError, ValueError, TypeError, LookupError) as error:
            # It reads files of strangers and may say anything; it is ended by who called.
            logger.error("the model's process said what cannot be understood: %s", error)
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            for waiting in self._counts.values():
                if not waiting.done():
                    waiting.set_exception(UnavailableError("The model was started again: try again."))

    async def _watch(self, link: ModelLink) -> None:
        while True:
            link.send({"do": "ping"})
            await asyncio.sleep(min(PING_EVERY_S, self._hang_s / 4))
            now = time.monotonic()
            late = any(now > pending.deadline + DEADLINE_GRACE_S for pending in self._pending.values() if pending.asked)
            if late or now - self._beat > self._hang_s:
                logger.error("the model's process hangs and is ended")
                link.kill()

    def _hear(self, frame: Frame, link: ModelLink) -> None:
        if frame["is"] == "events" and isinstance(frame["events"], list):
            for number, *event in frame["events"]:
                pending = self._pending.get(number)
                if pending is not None:
                    heard = frames.unpack_event(event)
                    pending.spoke = pending.spoke or isinstance(heard, Text | Thought)
                    pending.events.put_nowait(heard)
                    if isinstance(heard, Finished | BotError):
                        del self._pending[number]  # however slowly it is read, the process owes it nothing more
        elif frame["is"] == "pong":
            if isinstance(frame["load"], dict):
                self.load = frame["load"]
            if float(str(frame["busy_s"])) > self._hang_s:
                logger.error("the model's process hangs and is ended")
                link.kill()
        elif frame["is"] == "counts" and isinstance(frame["id"], int) and isinstance(frame["counts"], list):
            future = self._counts.get(frame["id"])
            if future is not None and not future.done():
                future.set_result(frame["counts"])

    def _ask(self, number: int, pending: Pending) -> None:
        if self._link is None:
            return  # asked when the child is back
        pending.asked += 1
        left = max(0.1, pending.deadline - time.monotonic())
        self._link.send(
            {"do": "generate", "id": number, "request": frames.pack_request(pending.request), "deadline_s": left}
        )

    def _give_up_on_the_twice_asked(self) -> None:
        for number in [number for number, pending in self._pending.items() if pending.asked >= 2]:
            failed = UnavailableError("The model failed twice with this question: ask it another way.")
            self._pending.pop(number).events.put_nowait(failed)

    def _refuse_when_down(self) -> None:
        if self._closed:
            raise UnavailableError("The model has been closed: start Locus again.")
        if self._link is None and self._failures > 2:
            raise self._down()

    def _down(self) -> UnavailableError:
        pause = PAUSES_S[min(self._failures - 1, len(PAUSES_S) - 1)]
        return UnavailableError(
            f"The model is down and is started again in {pause:.0f} s; the log says why.", retry_after_s=pause
        )

    def _fail_all(self, error: BotError) -> None:
        for pending in self._pending.values():
            pending.events.put_nowait(error)
        self._pending.clear()

    def _without_amx(self) -> bool:
        """Stop using the processor's matrix tiles; False where they are not used anyway."""
        if not self._options.amx or not has_amx():
            return False
        self._options = replace(self._options, amx=False)
        logger.warning("the model's process crashed; it is started again without the processor's matrix tiles (AMX)")
        return True


async def open_model(
    options: EngineOptions,
    *,
    pins_file: Path | None = None,
    hang_s: float = 120.0,
    progress: Callable[[float], None] = lambda _share: None,
) -> LocalModel:
    """Load a model into a process of its own and supervise it.

    Args:
        options: The model and how to run it.
        pins_file: Where the hashes of model files are pinned; None does not check.
        hang_s: Seconds without a sign of life, or in one decode, after which the process is ended.
        progress: Told the loaded share, 0 to 1.

    Raises:
        SettingsError: If the model cannot be loaded as it is set.
        UnavailableError: If its process died.
    """
    model = LocalModel(options, pins_file=pins_file, hang_s=hang_s)
    try:
        await model.start(progress)
    except BaseException:
        await model.close()
        raise
    return model
