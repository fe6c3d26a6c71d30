"""Continuous batching: many requests in one context, decided anew between any two decodes.

Every decode carries one token of each answer under way and, with what room is left, a piece of the prompts that wait to
be computed. One thread owns the loop and the context; others only put things into its inbox.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.engine.cache import SequenceCache
from bot.engine.jobs import Job, JobEvent, Load
from bot.engine.llama import LlamaContext
from bot.engine.pace import Pace
from bot.engine.sampler import Sampler
from bot.engine.turns import TurnQueue
from bot.errors import BusyError, InvalidRequestError, UnavailableError
from bot.generation import Finished, FinishReason, Usage, Waiting

logger = logging.getLogger(__name__)

Emit = Callable[[list[tuple[int, JobEvent]]], None]


@dataclass(slots=True)
class _Inbox:
    """What other threads ask of the loop."""

    items: queue.SimpleQueue[Job | int | None] = field(default_factory=queue.SimpleQueue)
    closed: threading.Event = field(default_factory=threading.Event)


class BatchingLoop:
    """Runs requests on a context; `run` is the owner thread's body."""

    def __init__(self, context: LlamaContext, *, parallel: int, queue_length: int, emit: Emit) -> None:
        """Make the loop.

        Args:
            context: Loaded; closed by its owner after `run` has returned.
            parallel: Most requests that run at once.
            queue_length: Most requests that wait beyond those that run.
            emit: Called in the owner thread with the events of one round.
        """
        self._context = context
        self._parallel = parallel
        self._emit = emit
        self._cache = SequenceCache(context)
        self._queue: TurnQueue[Job] = TurnQueue(queue_length)
        self._running: list[Job] = []
        self._events: list[tuple[int, JobEvent]] = []
        self._inbox = _Inbox()
        self._pace = Pace(context.batch.size)
        self._decodes = 0
        self.busy_since: float | None = None

    # From any thread

    def submit(self, job: Job) -> None:
        """Hand over a request; its events follow through `emit`."""
        self._inbox.items.put(job)

    def cancel(self, number: int) -> None:
        """Forget a request; it frees its cells before the next decode and emits nothing more."""
        self._inbox.items.put(number)

    def close(self) -> None:
        """Let `run` return after the current decode."""
        self._inbox.closed.set()
        self._inbox.items.put(None)

    @property
    def load(self) -> Load:
        """A snapshot, not exact while the loop runs."""
        return Load(
            len(self._running),
            len(self._queue),
            self._cache.used,
            self._context.cells,
            self._cache.idle,
            self._decodes,
        )

    # In the owner thread

    def run(self) -> None:
        """Serve until closed; an exception means that the context can no longer be trusted."""
        try:
            while not self._inbox.closed.is_set():
                self._receive(wait=not self._running and not self._queue)
                self._expire()
                self._admit()
                if self._running:
                    self._step()
                self._flush()
        finally:
            for job in self._running:
                if job.sampler is not None:
                    job.sampler.close()

    def _receive(self, *, wait: bool) -> None:
        while wait or not self._inbox.items.empty():
            item = self._inbox.items.get()
            wait = False
            if isinstance(item, Job):
                self._accept(item)
            elif item is not None:
                self._forget(item)

    def _accept(self, job: Job) -> None:
        # Requests that come together find the queue before they find the free places.
        if len(self._running) + len(self._queue) >= self._parallel + self._queue.limit:
            self._say(job, BusyError(f"{len(self._queue)} questions wait for the model: try again in a minute."))
        elif len(job.prompt) + job.sampling.max_tokens > self._context.cells:
            self._say(
                job,
                InvalidRequestError(
                    f"The prompt has {len(job.prompt):,} tokens and {job.sampling.max_tokens:,} may be written, but "
                    f"the cache holds {self._context.cells:,}: set a larger LOCUS_MODEL_CACHE_TOKENS."
                ),
            )
        else:
            self._queue.add(job)

    def _forget(self, number: int) -> None:
        for job in [one for one in self._queue if one.number == number]:
            self._queue.discard(job)
        for job in [one for one in self._running if one.number == number]:
            self._release(job)

    def _expire(self) -> None:
        now = time.monotonic()
        for job in [one for one in self._queue if one.deadline <= now]:
            self._queue.discard(job)
            self._say(job, UnavailableError("The model had no time for this question: try again when fewer ask."))
        for job in [one for one in self._running if one.deadline <= now]:
            self._finish(job, "deadline")

    def _admit(self) -> None:
        """Start waiting requests in turn; one whose beginning is being computed right now waits for it."""
        for job in list(self._queue):
            if len(self._running) >= self._parallel:
                break
            if self._cache.worth_waiting(job.prompt):
                continue
            sequence = self._cache.open(job.prompt, job.sampling.max_tokens, job.conversation)
            if sequence is None:
                break
            self._queue.take(job)
            job.sequence = sequence
            job.cached = sequence.computed
            job.admitted = time.monotonic()
            try:
                job.sampler = Sampler(self._context, job.sampling, job.grammar)
            except InvalidRequestError as error:
                self._cache.keep(sequence)
                self._say(job, error)
                continue
            self._running.append(job)
        for ahead, job in enumerate(self._queue):
            if job.told_ahead != ahead:
                job.told_ahead = ahead
                self._say(job, Waiting(ahead))

    def _step(self) -> None:
        batch = self._context.batch
        writing = [job for job in self._running if not job.missing]
        for job in writing:
            job.logits_at = self._put(job, 1)
        reading = sorted((job for job in self._running if job.missing), key=self._urgency)
        prompt_tokens = 0
        budget = self._pace.budget(alone=not writing and len(reading) == 1)
        for job in reading:
            # A prompt that is nearly read is finished, so that its answer begins with this decode.
            wanted = job.missing if job.missing <= budget * 2 else budget
            count = min(wanted, job.missing, batch.room)
            if count <= 0 or budget <= 0:
                break
            job.logits_at = self._put(job, count)
            budget -= count
            prompt_tokens += count
        self._flush()
        self.busy_since = begin = time.monotonic()
        code = self._context.decode()
        self.busy_since = None
        if code != 0:
            raise UnavailableError(f"llama.cpp could not compute a batch (code {code}): the model is started again.")
        self._decodes += 1
        self._pace.learn(prompt_tokens, len(writing), time.monotonic() - begin)
        for job in [*writing, *(one for one in reading if not one.missing)]:
            self._continue(job)

    def _put(self, job: Job, count: int) -> int:
        """Add the next `count` tokens of a request to the batch."""
        sequence = job.sequence
        assert sequence is not None  # noqa: S101 - running jobs have one
        begin = sequence.computed
        if begin >= len(job.prompt):
            sequence.tokens[begin] = job.next_token
        last = begin + count >= len(job.prompt)
        at = self._context.batch.add(sequence.number, sequence.tokens[begin : begin + count], begin, want_last=last)
        self._cache.extend(sequence, count)
        return at

    def _continue(self, job: Job) -> None:
        """Choose the token after the batch and write it."""
        assert job.sampler is not None  # noqa: S101 - and one of these
        token = job.sampler.sample(job.logits_at)
        if token is None or self._context.ends(token):
            self._finish(job, "stop")
            return
        job.new_tokens += 1
        job.next_token = token
        for event in job.writer.write(self._context.piece(token)):
            self._say(job, event)
        if job.writer.stopped:
            self._finish(job, "stop")
        elif job.new_tokens >= job.sampling.max_tokens:
            self._finish(job, "length")

    def _finish(self, job: Job, reason: FinishReason) -> None:
        try:
            events, calls = job.writer.finish()
        except InvalidRequestError as error:
            self._release(job)
            self._say(job, error)
            return
        for event in events:
            self._say(job, event)
        usage = Usage(len(job.prompt), job.cached, job.new_tokens)
        ended: FinishReason = "tool_calls" if calls else reason
        self._say(job, Finished(ended, tuple(calls), usage, job.dropped_turns, job.sampling))
        self._release(job)

    def _release(self, job: Job) -> None:
        """End a request; what it computed stays in the cache until the room is needed."""
        self._running.remove(job)
        if job.sampler is not None:
            job.sampler.close()
        if job.sequence is not None:
            self._cache.keep(job.sequence)

    def _urgency(self, job: Job) -> float:
        """Seconds of reading left, less half the seconds it has waited: short prompts first, long ones not for ever."""
        return job.missing / self._pace.tokens_per_s - (time.monotonic() - job.admitted) / 2

    def _say(self, job: Job, event: JobEvent) -> None:
        self._events.append((job.number, event))

    def _flush(self) -> None:
        if self._events:
            events, self._events = self._events, []
            self._emit(events)
