"""Round robin over users, first come first served within one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.turns import TurnQueue


@dataclass(frozen=True)
class Item:
    """Somebody's question."""

    user: str
    number: int


def queue_of(users: str, limit: int = 100) -> TurnQueue[Item]:
    """A queue of one item for each letter, numbered in order."""
    made: TurnQueue[Item] = TurnQueue(limit)
    for number, user in enumerate(users):
        made.add(Item(user, number))
    return made


def served(queue: TurnQueue[Item]) -> list[Item]:
    """All items, each taken when it is first in the order."""
    taken = []
    while len(queue):
        first = next(iter(queue))
        queue.take(first)
        taken.append(first)
    return taken


def test_one_of_each_user_in_turn() -> None:
    """Three of the first user, two of the second, one of the third."""
    assert "abcaba" == "".join(item.user for item in served(queue_of("aaabbc")))


@given(st.text("abcd", max_size=30))
def test_the_order_foretold_is_the_order_served(users: str) -> None:
    """What the queue says of its order holds when nobody new comes."""
    assert list(queue_of(users)) == served(queue_of(users))


@given(st.text("abcd", max_size=30))
def test_nobody_waits_longer_than_everybody_else_once(users: str) -> None:
    """Between two turns of a user, no other has more than one; within a user the order is kept."""
    order = served(queue_of(users))
    for user in set(users):
        own = [index for index, item in enumerate(order) if item.user == user]
        assert [order[index].number for index in own] == sorted(order[index].number for index in own)
        for first, second in zip([-1, *own], own, strict=False):
            between = Counter(item.user for item in order[first + 1 : second])
            assert max(between.values(), default=0) <= 1


def test_somebody_new_comes_after_who_waits_already_but_before_their_second() -> None:
    """A newcomer is served at the end of the present round."""
    queue = queue_of("aab")
    queue.take(next(iter(queue)))
    queue.add(Item("c", 9))

    assert "bac" == "".join(item.user for item in served(queue))


def test_what_was_put_back_is_next_again() -> None:
    """An item that could not be served loses no time."""
    queue = queue_of("aabb")
    first = next(iter(queue))
    queue.take(first)
    queue.put_back(first)

    assert first == next(iter(queue))
    assert "abab" == "".join(item.user for item in served(queue))


def test_giving_up_changes_nobody_elses_turn() -> None:
    """A discarded item is gone, once; the round goes on as it was."""
    queue = queue_of("aabc")

    assert (True, False) == (queue.discard(Item("b", 2)), queue.discard(Item("b", 2)))
    assert "aca" == "".join(item.user for item in served(queue))


def test_the_queue_says_when_it_is_full() -> None:
    """At its limit, and not after one was taken or has given up."""
    queue = queue_of("ab", limit=2)
    full = queue.full
    queue.take(next(iter(queue)))

    assert (True, False, 1) == (full, queue.full, len(queue))


def test_taking_what_is_not_there_is_an_error() -> None:
    """A caller that takes twice has lost count."""
    queue = queue_of("aa")
    first = next(iter(queue))
    queue.take(first)

    with pytest.raises(ValueError, match="not in deque"):
        queue.take(first)
