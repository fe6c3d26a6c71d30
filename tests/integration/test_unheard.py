"""Until when somebody listened to a chat, and what is owed to those who spoke meanwhile, on a real Redis."""

from __future__ import annotations

import pytest

from bot.messages import Audience, Place
from bot.store.client import Store
from bot.store.inbox import Inbox, InboxLimits
from bot.store.threads import JoinedThreads
from bot.store.unheard import GAP_S, HEARD, MARGIN_S, UnheardTimes

BEGIN = 1_000_000.0
HOUR_S = 3600.0


class Now:
    """A clock that tests set; begins at `BEGIN`."""

    def __init__(self) -> None:
        self.at = BEGIN

    def __call__(self) -> float:
        """Return the time."""
        return self.at


@pytest.fixture
def now() -> Now:
    """The time."""
    return Now()


def of(store: Store, now: Now, holder: str = "one", *, span_h: float = 24, duplicates_h: int = 48) -> UnheardTimes:
    """A process' view."""
    inbox = Inbox(store, InboxLimits(duplicates_h=duplicates_h, queue=2))
    return UnheardTimes(inbox, "slack", holder, span_s=span_h * HOUR_S, clock=now)


async def test_nothing_is_owed_before_anybody_ever_listened(store: Store, now: Now) -> None:
    """Nor as long as somebody does."""
    one = of(store, now)
    await one.listening(anew=True)
    first = await one.take()
    now.at += GAP_S
    await one.listening(anew=False)

    assert (None, None) == (first, await one.take())


async def test_after_a_time_without_anybody_all_of_it_is_owed(store: Store, now: Now) -> None:
    """And a margin, in which deliveries may have met a dying process."""
    one = of(store, now)
    await one.listening(anew=True)
    now.at += 2 * HOUR_S
    await one.listening(anew=False)
    await one.listening(anew=False)

    assert BEGIN - MARGIN_S == await one.take()


async def test_who_connects_looks_though_others_listened(store: Store, now: Now) -> None:
    """As far back as the margin goes."""
    one, two = of(store, now), of(store, now, "two")
    await one.listening(anew=True)
    now.at += 30
    await one.listening(anew=False)
    await two.listening(anew=True)

    assert now.at - MARGIN_S == await two.take()


async def test_only_one_looks_and_another_goes_on_for_it(store: Store, now: Now) -> None:
    """What is owed stays so until somebody has come to the end."""
    one, two = of(store, now), of(store, now, "two")
    await one.listening(anew=True)
    await one.listening(anew=True)
    assert BEGIN - MARGIN_S == await one.take()
    assert (None, True, False) == (await two.take(), await one.go_on(), await two.go_on())
    await one.leave()
    now.at += 10
    assert BEGIN - MARGIN_S == await two.take()
    await one.done()  # believes that it still looks
    assert HEARD.load(str(await store.call("GET", store.key("heard", "slack")))).taken == BEGIN - MARGIN_S
    await two.done()

    assert (None, None) == (await one.take(), await two.take())


async def test_what_is_owed_while_somebody_looks_is_looked_for_after_it(store: Store, now: Now) -> None:
    """Not with what was looked at already."""
    one = of(store, now)
    await one.listening(anew=True)
    await one.listening(anew=True)
    await one.take()
    now.at += 50
    await one.listening(anew=False)
    await one.listening(anew=True)
    await one.done()

    assert now.at - MARGIN_S == await one.take()


@pytest.mark.parametrize(
    ("span_h", "duplicates_h", "expected_s"), [(3, 24, 3 * HOUR_S), (24, 2, 2 * HOUR_S - MARGIN_S)]
)
async def test_nobody_looks_further_back_than_answers_are_remembered(
    store: Store, now: Now, span_h: float, duplicates_h: int, expected_s: float
) -> None:
    """Nor further than the lab wants."""
    one = of(store, now, span_h=span_h, duplicates_h=duplicates_h)
    await one.listening(anew=True)
    now.at += 100 * HOUR_S
    await one.listening(anew=True)

    assert now.at - expected_s == await one.take() == one.oldest()


async def test_a_clock_that_was_set_back_is_not_believed(store: Store, now: Now) -> None:
    """What was said since is looked for by the time as it is now."""
    one = of(store, now)
    now.at += 5 * HOUR_S
    await one.listening(anew=True)
    now.at = BEGIN
    await one.listening(anew=True)

    assert BEGIN - MARGIN_S == await one.take()


async def test_the_latest_threads_of_a_channel_are_listed(store: Store, now: Now) -> None:
    """The latest first, of no other channel, and none where they are not listed."""
    listed, other = JoinedThreads(store, days=1, listed=True, clock=now), JoinedThreads(store, days=1)
    for channel, thread in (("C1", "1.0"), ("C1", "2.0"), ("C2", "3.0"), ("C1", "1.0")):
        now.at += 1
        await listed.join(Place("slack", "T1", channel, thread, Audience.PUBLIC))
    await other.join(Place("slack", "T1", "C3", "4.0", Audience.PUBLIC))
    places = [Place("slack", "T1", channel) for channel in ("C1", "C2", "C3")]

    assert [["1.0", "2.0"], ["3.0"], []] == [await listed.recent(place) for place in places]
