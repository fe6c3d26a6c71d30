"""How often Locus writes to a homeserver that limits messages, by a clock that the tests move."""

from __future__ import annotations

from adapters.matrix.pace import REMEMBERED_S, Pace


class Clock:
    """Seconds that pass when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        """Wait, at once."""
        self.now += seconds


def make() -> tuple[Pace, Clock]:
    """A pace with a clock of its own."""
    clock = Clock()
    return Pace(clock=clock, pause=clock.pause), clock


async def test_nothing_is_held_back_until_the_homeserver_complains() -> None:
    """A lab's homeserver may have no limit for Locus."""
    pace, clock = make()
    turns = [await pace.turn(1.0) and pace.draft() for _ in range(100)]

    assert all(turns)
    assert 1000.0 == clock.now


async def test_drafts_wait_until_there_is_room_for_answers() -> None:
    """After a refusal no draft is shown for a while, and then one at a time."""
    pace, clock = make()
    pace.refused(5.0)
    refused_at = clock.now
    while not pace.draft():
        clock.now += 1.0

    assert clock.now - refused_at >= 5.0 * 4
    assert not pace.draft()


async def test_answers_take_turns_at_the_homeservers_pace() -> None:
    """Each waits for those before it, and none longer than it may."""
    pace, clock = make()
    pace.refused(5.0)
    begun = clock.now
    waited = []
    for _ in range(3):
        assert await pace.turn(60.0)
        waited.append(clock.now - begun)

    assert [5.0, 10.0, 15.0] == waited
    assert not await pace.turn(4.0)
    assert 15.0 == clock.now - begun


async def test_a_refusal_is_forgotten() -> None:
    """After ten minutes without another one nothing is held back any more."""
    pace, clock = make()
    pace.refused(5.0)
    clock.now += REMEMBERED_S

    assert not pace.limited
    assert all(pace.draft() for _ in range(100))


async def test_a_stricter_homeserver_is_believed() -> None:
    """Who asks for a minute gets one message a minute."""
    pace, clock = make()
    pace.refused(60.0)
    begun = clock.now
    await pace.turn(1000.0)
    await pace.turn(1000.0)

    assert 120.0 == clock.now - begun
