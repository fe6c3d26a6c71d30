"""A worker: takes requests, several at a time, and answers for what becomes of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing

from bot.errors import BotError, BusyError, RefusedError, UnavailableError
from bot.health import Health, State
from bot.log_context import logged_as
from bot.metrics import UNMEASURED, Metrics
from bot.pipeline import Pipeline
from bot.requests import Kind, Request
from bot.store.claims import Claims, LostError
from bot.store.succession import Succession
from bot.texts import given_up
from bot.tracing import UNTRACED, Traces, since, span, traced, whole

logger = logging.getLogger(__name__)

QUICK_AT_ONCE = 8  # sentences said at the same time, beside the answers
BUSY_PAUSE_S = 3.0  # until a question is tried again that found the model's queue full
LONGEST_PAUSE_S = 60.0
AWAY_PAUSE_S = 1.0  # until the inbox is looked at again when Redis was away
GIVE_UP_AFTER_S = 86_400.0  # for a chat that is away


class Worker:
    """Takes and processes requests until it is stopped.

    Args:
        claims: Its view of the inbox.
        pipeline: What is done with a request.
        health: Told when Redis goes and comes back.
        answers_at_once: Questions answered at the same time.
        lease_s: The lease of `claims`; it is renewed three times as often.
        max_failures: Failures after which a question is given up.
        max_deaths: Deaths of its worker after which it is.
        metrics: Told of errors.
        traces: Take the stages of requests.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        claims: Claims,
        pipeline: Pipeline,
        health: Health,
        *,
        answers_at_once: int,
        lease_s: float,
        max_failures: int,
        max_deaths: int,
        metrics: Metrics = UNMEASURED,
        traces: Traces = UNTRACED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claims = claims
        self._succession = Succession(claims)
        self._pipeline = pipeline
        self._health = health
        self._answers_at_once = answers_at_once
        self._lease_s = lease_s
        self._max_failures = max_failures
        self._max_deaths = max_deaths
        self._metrics = metrics
        self._traces = traces
        self._clock = clock
        self._running: dict[str, tuple[asyncio.Task[None], bool]] = {}
        self._wake = asyncio.Event()
        self._taking = asyncio.Lock()
        self._stopping = False

    async def inherit(self) -> None:
        """Take over what an earlier process owned, without waiting for the end of its lease."""
        await self._succession.take_over(everybody=True)

    async def run(self) -> None:
        """Work until cancelled; `stop` first lets what runs come to an end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="signals")
            tasks.create_task(self._keep_house(), name="lease")
            tasks.create_task(self._take_all(), name="taking")

    async def stop(self, grace_s: float) -> None:
        """Take no more, let what runs finish within the time, hand back the rest, and resign."""
        self._stopping = True
        async with self._taking:
            tasks = [task for task, _ in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(BotError):
            await self._claims.resign()

    async def _listen(self) -> None:
        """Wake up when there is something to do, and tell the pipeline of edits."""
        store, keys = self._claims.inbox.store, self._claims.inbox.keys
        while True:
            try:
                async with aclosing(store.listen(keys.bell, keys.signal)) as listening:
                    async for news in listening:
                        if news is not None and news[0] == keys.signal:
                            self._pipeline.changed(news[1])
                        else:
                            self._wake.set()
            except UnavailableError as error:
                self._away(error)
                await asyncio.sleep(AWAY_PAUSE_S)

    async def _take_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                async with self._taking:
                    await self._take_some()
            except UnavailableError as error:
                self._away(error)
                await asyncio.sleep(AWAY_PAUSE_S)
                self._wake.set()
            except BotError:
                logger.exception("the inbox cannot be read as it is")
                await asyncio.sleep(AWAY_PAUSE_S)
                self._wake.set()

    async def _take_some(self) -> None:
        """Take as much as there are free places."""
        quick, turns = await self._claims.ready()
        # Questions first: hundreds of refusals, said one after the other, must not hold up an answer.
        while turns and not self._stopping and self._count(quick=False) < self._answers_at_once:
            request = await self._claims.take()
            if request is None:
                break
            self._begin(request)
        while quick and not self._stopping and self._count(quick=True) < QUICK_AT_ONCE:
            request = await self._claims.take_quick()
            if request is None:
                break
            self._begin(request)
            if self._count(quick=False) < self._answers_at_once:
                self._wake.set()  # look for questions again after each, as they arrive meanwhile
                break

    def _count(self, *, quick: bool) -> int:
        return sum(1 for _, is_quick in self._running.values() if is_quick is quick)

    def _begin(self, request: Request) -> None:
        task = asyncio.create_task(self._handle(request), name=f"request {request.request_id}")
        self._running[request.request_id] = (task, request.quick)

    async def _handle(self, request: Request) -> None:
        """Process a request and decide what becomes of it when that fails."""
        try:
            with logged_as(request.request_id), traced(self._traces, request.request_id):
                if request.attempt == 1:
                    since("wait", request.accepted_at)
                with span("attempt", attempt=request.attempt, deaths=request.deaths, failures=request.failures):
                    await self._try(request)
        except LostError as error:
            logger.info("%s", error, extra={"request": request.request_id})
        except UnavailableError as error:
            # What is still owned and not running is handed back when Redis answers again, see `_hand_back_orphans`.
            self._away(error)
        except asyncio.CancelledError:
            with contextlib.suppress(BotError):
                await self._claims.hand_back(request)
            raise
        finally:
            self._running.pop(request.request_id, None)
            self._wake.set()

    async def _try(self, request: Request) -> None:
        if request.kind is Kind.QUESTION and request.deaths >= self._max_deaths:
            reason = f"its worker died {request.deaths} times"
            await self._give_up(request, reason, reason)
            return
        try:
            try:
                await self._pipeline.process(request)
            except Exception as error:
                if not isinstance(error, LostError):
                    self._metrics.failed("request", type(error).__name__)
                raise
        except LostError:
            raise
        except RefusedError as error:
            await self._end_untold(request, error)
        except BusyError:
            await self._claims.hand_back(request, after_s=BUSY_PAUSE_S * random.uniform(0.7, 1.3))  # noqa: S311 - spreads
        except UnavailableError as error:
            if self._clock() - request.accepted_at > GIVE_UP_AFTER_S:
                await self._end_untold(request, error)
                return
            pause_s = max(error.retry_after_s or 0.0, min(LONGEST_PAUSE_S, 0.25 * 2 ** min(request.attempt, 10)))
            logger.info("tried again later: %s", error, extra={"request": request.request_id})
            await self._claims.hand_back(request, after_s=pause_s * random.uniform(0.7, 1.0))  # noqa: S311 - spreads
        except Exception as error:
            logger.exception("a question failed", extra={"request": request.request_id})
            if request.kind is not Kind.QUESTION:
                await self._claims.hand_back(request, failed=True, after_s=LONGEST_PAUSE_S)
            elif request.failures + 1 >= self._max_failures:
                await self._give_up(request, f"{type(error).__name__}: {error}", type(error).__name__)
            else:
                await self._claims.hand_back(request, failed=True, after_s=float(2**request.failures))

    async def _give_up(self, request: Request, reason: str, logged: str) -> None:
        """Give up a request; the reason may quote its question, what is logged does not."""
        logger.error("a question was given up", extra={"request": request.request_id, "reason": logged})
        self._metrics.failed("request", "GivenUp")
        await self._claims.give_up(request, given_up(request.request_id), reason)

    async def _end_untold(self, request: Request, error: BotError) -> None:
        """The chat takes no message for this request: it goes to the dead letters, and nobody can be told."""
        logger.error("nobody can be told: %s", error, extra={"request": request.request_id})
        await self._claims.bury(request, str(error))
        whole(request.accepted_at, chat=request.message.place.chat, outcome="untold", attempts=request.attempt)

    async def _keep_house(self) -> None:
        """Renew the lease, take over from the dead, and wake up what is due."""
        while True:
            try:
                await self._claims.renew()
                self._health.report("redis", State.OK)
                async with self._taking:
                    await self._hand_back_orphans()
                if await self._succession.take_over() + await self._claims.wake_due():
                    self._wake.set()
            except UnavailableError as error:
                self._away(error)
            except BotError:
                logger.exception("the inbox cannot be kept in order")
            await asyncio.sleep(min(1.0, self._lease_s / 3))

    async def _hand_back_orphans(self) -> None:
        """Hand back what counts as this worker's and is not being processed, such as after an outage of Redis."""
        for request in await self._claims.owned():
            if request.request_id not in self._running:
                with contextlib.suppress(LostError):
                    await self._claims.hand_back(request)
                self._wake.set()

    def _away(self, error: UnavailableError) -> None:
        self._health.report("redis", State.DOWN, str(error))
