"""Work that follows an acknowledgement: begun once, bounded, finished or cancelled at the end."""

from __future__ import annotations

import asyncio

import pytest

from adapters.slack import interactions_work
from adapters.slack.interactions_work import OwnedWork
from bot.errors import RefusedError


class Steps:
    """Work that notes what became of it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.told: list[str] = []
        self.go = asyncio.Event()

    async def step(self, name: str, error: Exception | None = None) -> None:
        """Wait for `go`, then note it or fail."""
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.done.append(f"{name} cancelled")
            raise
        if error is not None:
            raise error
        self.done.append(name)

    async def tell(self, sentence: str) -> None:
        """Note what a person is told."""
        self.told.append(sentence)


async def test_what_runs_is_finished_at_the_end() -> None:
    """Closing waits for it, and begins nothing more."""
    work, steps = OwnedWork(), Steps()
    work.begin("one", steps.step("one"), failed=steps.tell)
    closing = asyncio.create_task(work.close())
    await asyncio.sleep(0)
    work.begin("late", steps.step("late"), failed=steps.tell)
    steps.go.set()
    await closing

    assert (["one"], []) == (steps.done, steps.told)


async def test_what_never_ends_is_cancelled_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outlives the adapter."""
    monkeypatch.setattr(interactions_work, "PATIENCE_S", 0.01)
    work, steps = OwnedWork(), Steps()
    work.begin("one", steps.step("one"), failed=steps.tell)
    await asyncio.sleep(0)
    await work.close()

    assert ["one cancelled"] == steps.done


async def test_the_same_delivery_is_begun_once() -> None:
    """A second one with the key of the first is left out; without keys nothing is known to be the same."""
    work, steps = OwnedWork(), Steps()
    steps.go.set()
    for name, key in (("one", "k"), ("again", "k"), ("other", "l"), ("free", ""), ("free", "")):
        work.begin(name, steps.step(name), key=key, failed=steps.tell)
    await work.close()

    assert ["free", "free", "one", "other"] == sorted(steps.done)


async def test_no_more_than_so_many_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of presses is left out, and may be pressed again later."""
    monkeypatch.setattr(interactions_work, "MOST", 2)
    work, steps = OwnedWork(), Steps()
    for name in ("one", "two", "three"):
        work.begin(name, steps.step(name), key=name, failed=steps.tell)
    steps.go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    work.begin("three", steps.step("three"), key="three", failed=steps.tell)
    await work.close()

    assert ["one", "three", "two"] == sorted(steps.done)


async def test_failures_are_told_as_sentences(caplog: pytest.LogCaptureFixture) -> None:
    """An error of ours as it is, a defect as none; the log tells of both."""
    work, steps = OwnedWork(), Steps()
    steps.go.set()
    work.begin("one", steps.step("one", RefusedError("Not here.")), failed=steps.tell)
    work.begin("two", steps.step("two", ZeroDivisionError()), failed=steps.tell)
    await work.close()

    assert ["", "Not here."] == sorted(steps.told)
    assert ["one was not done: Not here.", "two failed"] == sorted(caplog.messages)
