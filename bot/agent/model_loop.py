"""Where a model lives: the one event loop its streams are bound to, reached from other loops and from plain threads.

What `ModelLoop` runs elsewhere runs in one task there, never in one task per step, so that a generator may hold
timeouts and cancel scopes across its `yield`s.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from bot.errors import InvalidRequestError, UnavailableError

T = TypeVar("T")

_CHECK_S = 0.5  # how soon a waiting call notices that the model's loop has ended
_JOIN_S = 10.0
_GONE = "The model was shut down before it had finished; start Locus again and repeat the question."
_STOPPED = "The event loop the model was opened in is not running; open the model in the loop that uses it."
_BLOCKS = (
    "A synchronous call here would block the event loop the model needs; use the asynchronous one (ainvoke, astream)."
)


class LoopThread:
    """An event loop in a thread of its own; ends when closed, when nothing refers to it, or with the process."""

    def __init__(self) -> None:
        started: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = queue.SimpleQueue()
        thread = threading.Thread(target=_serve, args=(started,), name="locus-model-loop", daemon=True)
        thread.start()
        self.loop, stop = started.get()
        self._finalizer = weakref.finalize(self, _stop, self.loop, stop, thread)

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run the coroutine on the loop and wait for its result; not to be called on the loop itself."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def close(self) -> None:
        """Cancel what still runs, close the loop and wait for the thread; safe to call twice."""
        self._finalizer()


class ModelLoop:
    """Remembers which event loop owns a model, and runs things there.

    The owner is the loop given, else the loop of the first asynchronous call, else a `LoopThread` started by the first
    synchronous one. A remembered loop that has been closed is forgotten, so that one object serves several
    `asyncio.run`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._given = loop is not None
        self._loop = loop
        self._thread: LoopThread | None = None
        self._lock = threading.Lock()

    async def stream(self, make: Callable[[], AsyncGenerator[T]]) -> AsyncGenerator[T]:
        """Yield what the generator made by `make` yields; closing this closes it and waits until it is closed.

        Raises:
            UnavailableError: If the owning loop does not run, or ends before the generator does.
        """
        here = asyncio.get_running_loop()
        owner = self._owner(here)
        if owner is here:
            async with aclosing(make()) as items:
                async for item in items:
                    yield item
            return
        arrived: asyncio.Queue[T | _End] = asyncio.Queue()

        def put(item: T | _End) -> None:
            here.call_soon_threadsafe(arrived.put_nowait, item)

        async def following() -> T | _End:
            while True:
                try:
                    return await asyncio.wait_for(arrived.get(), _CHECK_S)
                except TimeoutError:
                    if not owner.is_running():
                        return _End(UnavailableError(_GONE))

        pump = _Pump(owner, _generating(make, put), put)
        end: _End | None = None
        try:
            while end is None:
                received = await following()
                if isinstance(received, _End):
                    end = received
                else:
                    yield received
        finally:
            pump.cancel()
            while end is None:
                received = await following()
                end = received if isinstance(received, _End) else None
        if end.error is not None:
            raise end.error

    def iterate(self, make: Callable[[], AsyncGenerator[T]]) -> Generator[T]:
        """Yield what the generator made by `make` yields, from a thread; closing this closes it and waits for it.

        Raises:
            InvalidRequestError: If called on the owning loop, which it would block.
            UnavailableError: If the owning loop does not run, or ends before the generator does.
        """
        owner = self._owner_for_thread()
        arrived: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        pump = _Pump(owner, _generating(make, arrived.put), arrived.put)
        end: _End | None = None
        try:
            while end is None:
                received = _following(arrived, owner)
                if isinstance(received, _End):
                    end = received
                else:
                    yield received
        finally:
            pump.cancel()
            # A forgotten generator may be closed by the garbage collector on the very loop it would wait for.
            while end is None and _running_loop() is not owner:
                received = _following(arrived, owner)
                end = received if isinstance(received, _End) else None
        if end is not None and end.error is not None:
            raise end.error

    def run(self, make: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return the result of the coroutine made by `make`, from a thread; raises as `iterate`."""

        async def once() -> AsyncGenerator[T]:
            yield await make()

        (result,) = self.iterate(once)
        return result

    def _owner(self, here: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
        """The owning loop; where there is none yet, `here`, or a new `LoopThread` when there is no loop here."""
        with self._lock:
            if self._loop is not None and self._loop.is_closed() and not self._given:
                self._loop = self._thread = None
            if self._loop is None:
                if here is None:
                    self._thread = LoopThread()
                self._loop = here if self._thread is None else self._thread.loop
            elif not self._loop.is_running():
                raise UnavailableError(_STOPPED)
            if self._loop is None:
                raise UnavailableError(_STOPPED)
            return self._loop

    def _owner_for_thread(self) -> asyncio.AbstractEventLoop:
        here = _running_loop()
        owner = self._owner(here)
        if owner is here:
            raise InvalidRequestError(_BLOCKS)
        return owner


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing a pump hands over; `error` is what ended the work, if anything did."""

    error: BaseException | None


class _Pump:
    """One task on a loop that is not ours; whatever becomes of it, an `_End` is put last."""

    def __init__(
        self,
        owner: asyncio.AbstractEventLoop,
        work: Callable[[], Coroutine[object, object, None]],
        put: Callable[[_End], None],
    ) -> None:
        self._owner = owner
        self._work = work
        self._put = put
        self._task: asyncio.Task[None] | None = None
        try:
            owner.call_soon_threadsafe(self._start)
        except RuntimeError as error:
            raise UnavailableError(_STOPPED) from error

    def cancel(self) -> None:
        """Ask the task to end; nothing happens when it has ended."""
        with suppress(RuntimeError):  # the loop was closed, and the task with it
            self._owner.call_soon_threadsafe(self._cancel)

    def _start(self) -> None:
        self._task = self._owner.create_task(self._work())
        self._task.add_done_callback(self._ended)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        with suppress(RuntimeError):  # the loop that listened was closed
            self._put(_End(UnavailableError(_GONE) if task.cancelled() else task.exception()))


def _generating(
    make: Callable[[], AsyncGenerator[T]], put: Callable[[T], None]
) -> Callable[[], Coroutine[object, object, None]]:
    async def work() -> None:
        async with aclosing(make()) as items:
            async for item in items:
                put(item)

    return work


def _following(arrived: queue.SimpleQueue[T | _End], owner: asyncio.AbstractEventLoop) -> T | _End:
    while True:
        try:
            return arrived.get(timeout=_CHECK_S)
        except queue.Empty:
            if not owner.is_running():
                return _End(UnavailableError(_GONE))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _serve(started: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    async def wait() -> None:
        stop = asyncio.Event()
        started.put((asyncio.get_running_loop(), stop))
        await stop.wait()

    asyncio.run(wait())


def _stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, thread: threading.Thread) -> None:
    with suppress(RuntimeError):  # closed already
        loop.call_soon_threadsafe(stop.set)
    if threading.current_thread() is not thread:
        thread.join(_JOIN_S)
