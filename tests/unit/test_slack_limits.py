"""Slack's limits on calls, on a clock of its own."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from itertools import pairwise

import pytest

from adapters.slack.limits import MOST_CHANNELS, POST, RATES, WORKSPACE, Limits
from adapters.slack.limits_windows import Rate, Window
from bot.errors import UnavailableError
from tests.slack_server.methods import METHODS
from tests.slack_server.rates import PER_MINUTE


class Time:
    """A clock that is moved on to the next sleeper by `run`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, woken))
        await woken.wait()

    async def run(self, until: float) -> None:
        """Let time pass until then; whoever sleeps wakes up when it is time."""
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, woken = heapq.heappop(self._sleepers)
            self.now = max(self.now, at)
            woken.set()
            await self._settle()
        self.now = until

    async def _settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    """A clock that stands still."""
    return Time()


@pytest.fixture
def limits(time: Time) -> Limits:
    """Limits on that clock."""
    return Limits(clock=time, sleep=time.sleep)


async def many(limits: Limits, time: Time, method: str, number: int, channels: int = 1) -> list[tuple[float, str]]:
    """Make calls as fast as they are let through; returns when each began, and where."""
    begun: list[tuple[float, str]] = []

    async def one(channel: str) -> None:
        await limits.turn(method, channel=channel, longest_s=1e6)
        begun.append((time(), channel))

    tasks = [asyncio.create_task(one(f"C{index % channels}")) for index in range(number)]
    while not all(task.done() for task in tasks):
        await time.run(time() + 1.0)
    return begun


def most_within(times: list[float], span_s: float) -> int:
    """Return the largest number of times within any span."""
    return max(sum(1 for other in times if start <= other < start + span_s) for start in times)


@pytest.mark.parametrize("method", sorted(RATES))
async def test_no_minute_sees_more_calls_than_its_tier_allows(limits: Limits, time: Time, method: str) -> None:
    """Whichever minute is looked at, and however many calls wait."""
    begun = [at for at, _ in await many(limits, time, method, 230)]

    assert RATES[method].calls == most_within(begun, 60.0)


async def test_posts_keep_to_one_a_second_in_a_channel(limits: Limits, time: Time) -> None:
    """Channels do not hold up each other."""
    begun = await many(limits, time, POST, 60, channels=3)

    assert 1 == max(most_within([at for at, where in begun if where == f"C{n}"], 1.0) for n in range(3))
    assert begun[-1][0] - begun[0][0] < 25.0


async def test_posts_keep_to_the_limit_of_the_workspace(limits: Limits, time: Time) -> None:
    """Many channels together stay below the cap as well."""
    begun = [at for at, _ in await many(limits, time, POST, 450, channels=150)]

    assert WORKSPACE.calls == most_within(begun, 60.0)


async def test_those_who_wait_are_served_in_order(limits: Limits, time: Time) -> None:
    """Nobody who came later goes first."""
    order: list[int] = []

    async def one(number: int) -> None:
        await limits.turn("chat.stopStream", longest_s=1e6)
        order.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(45)]
    await time.run(time() + 1000)
    await asyncio.gather(*tasks)

    assert list(range(45)) == order


async def test_a_429_closes_the_window_for_as_long_as_slack_says(limits: Limits, time: Time) -> None:
    """Also for those who wait already."""
    waiting = asyncio.create_task(many_turns(limits, "chat.update", RATES["chat.update"].calls + 1))
    await time.run(time() + 30)
    limits.limited("chat.update", retry_after_s=100.0)
    await time.run(1000.0 + 129.9)
    assert not waiting.done()
    await time.run(1000.0 + 130.1)

    assert waiting.done()


async def many_turns(limits: Limits, method: str, number: int) -> None:
    """Take turns one after the other."""
    for _ in range(number):
        await limits.turn(method, longest_s=1e6)


async def test_a_429_to_a_post_closes_its_channel_only(limits: Limits, time: Time) -> None:
    """Other channels can be posted in."""
    limits.limited(POST, channel="C1", retry_after_s=30.0)

    assert 30.0 == limits.wait_s(POST, channel="C1")
    assert 0.0 == limits.wait_s(POST, channel="C2")


async def test_a_turn_that_would_come_too_late_is_refused_with_the_time_it_takes(limits: Limits, time: Time) -> None:
    """The core tries again by then."""
    limits.limited("chat.update", retry_after_s=300.0)
    with pytest.raises(UnavailableError) as raised:
        await limits.turn("chat.update")

    assert 300.0 == raised.value.retry_after_s


async def test_a_turn_that_is_cancelled_holds_up_nobody(limits: Limits, time: Time) -> None:
    """The next in line goes on."""
    limits.limited("chat.update", retry_after_s=10.0)
    first = asyncio.create_task(limits.turn("chat.update"))
    second = asyncio.create_task(limits.turn("chat.update"))
    await time.run(time() + 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await time.run(time() + 20)

    assert second.done()


async def test_drafts_leave_the_reserve_to_finished_texts(limits: Limits, time: Time) -> None:
    """After a minute of drafts, as many finished texts as are kept go out at once."""
    for _ in range(600):
        time.now += 0.1
        limits.draft("chat.update", message="a")
    begun = await many(limits, time, "chat.update", RATES["chat.update"].kept)

    assert begun[0][0] == begun[-1][0]


async def test_each_answer_that_is_being_written_has_a_call_kept_for_its_end(limits: Limits, time: Time) -> None:
    """When forty answers end in the same second, streamed ones among them, all final texts go out at once."""
    for index in range(600):
        time.now += 0.1
        limits.draft("chat.update" if index % 2 else "chat.appendStream", message=f"m{index % 40}")
    begun = await many(limits, time, "chat.update", 40)

    assert begun[0][0] == begun[-1][0]


async def test_no_draft_goes_out_while_a_finished_text_waits(limits: Limits, time: Time) -> None:
    """Final ones go first."""
    await many_turns(limits, "chat.update", RATES["chat.update"].calls)
    final = asyncio.create_task(limits.turn("chat.update"))
    await time.run(time() + 30)
    shown = [limits.draft("chat.update", message="a")]
    await time.run(time() + 40)
    await final

    assert [False] == shown


async def test_drafts_of_many_messages_share_evenly(limits: Limits, time: Time) -> None:
    """With fifty streams that ask each second, each is shown about 18 times in ten minutes."""
    shown: Counter[str] = Counter({f"m{number}": 0 for number in range(50)})
    for _ in range(600):
        for number in range(50):
            time.now += 1 / 50
            shown[f"m{number}"] += limits.draft("chat.appendStream", message=f"m{number}")

    assert 3 >= max(shown.values()) - min(shown.values())
    assert sum(shown.values()) > 0.9 * 10 * (100 - 10)


async def test_one_message_alone_has_all_drafts(limits: Limits, time: Time) -> None:
    """A single answer is shown about every second and a half, evenly."""
    at = []
    for _ in range(600):
        time.now += 0.1
        if limits.draft("chat.update", message="a"):
            at.append(time.now)
    pauses = [later - earlier for earlier, later in pairwise(at)]

    assert max(pauses) < 1.9


async def test_a_message_that_is_over_leaves_its_share_to_the_others(limits: Limits, time: Time) -> None:
    """The others do not wait for it."""
    for number in range(20):
        time.now += 0.01
        limits.draft("chat.update", message=f"m{number}")
    for number in range(1, 20):
        limits.over(f"m{number}")
    time.now += 2.0

    assert limits.draft("chat.update", message="m0")


async def test_what_is_done_once_goes_out_whenever_there_is_room(limits: Limits) -> None:
    """The begins of streams are not spread over the minute, but stop short of what is kept."""
    begun = [limits.draft("chat.startStream") for _ in range(25)]

    assert 18 == sum(begun)


async def test_a_method_that_is_not_in_the_table_is_called_with_care(limits: Limits, time: Time) -> None:
    """It is taken for one of Tier 2."""
    begun = [at for at, _ in await many(limits, time, "chat.somethingNew", 60)]

    assert 20 == most_within(begun, 60.0)


async def test_windows_of_channels_do_not_pile_up(limits: Limits, time: Time) -> None:
    """Those that are idle are dropped when there are many."""
    for number in range(5 * MOST_CHANNELS):
        time.now += 1.0
        await limits.turn(POST, channel=f"C{number}")

    assert len(limits._channels) <= MOST_CHANNELS


async def test_a_window_is_idle_when_a_new_one_would_do() -> None:
    """That is what may be dropped."""
    window = Window(Rate(2, span_s=1.0))
    assert window.idle(0.0)
    window.take(0.0)

    assert not window.idle(0.5)
    assert window.idle(2.0)


@pytest.mark.parametrize("method", ["chat.update", "conversations.replies"])
def test_what_many_long_answers_use_up_keeps_away_from_slacks_limit(method: str) -> None:
    """A minute of Slack's clock may be a little longer than ours, and 429 costs more than the calls left unused."""
    assert RATES[method].calls <= 0.9 * PER_MINUTE[METHODS[method].tier]


def test_no_limit_is_above_what_the_local_slack_bears() -> None:
    """Both were written from Slack's reference; the stricter one is ours."""
    borne = {name: PER_MINUTE[method.tier] for name, method in METHODS.items()}

    assert [] == [name for name, rate in RATES.items() if rate.calls * 60 / rate.span_s > borne[name]]
