"""Order and fairness: lines of conversations, turns of people, and the commands that move requests between them.

A conversation's open requests stand in a line, ordered as they were written; only its first can be answered. A person's
first ones are their turns; the ring gives each person who waits one turn in each round. What takes no turn is quick.
All functions return commands for a transaction, so that a process that dies leaves no half step behind.
"""

from __future__ import annotations

import math

from bot.requests import Request, State
from bot.store.client import Command, Reply, number, text, texts
from bot.store.keys import Keys
from bot.store.records import Record

REQUESTS = Record(Request)


def member(request: Request) -> str:
    """Return what stands in a person's turns: the request and its conversation."""
    return f"{request.request_id}/{request.message.place.conversation_id}"


def make_ready(keys: Keys, request: Request, turn: int, *, again: bool = False) -> list[Command]:
    """Let a request be taken: at once if it is quick, else in its person's turn."""
    if request.quick:
        return [("ZADD", keys.quick, request.seq, request.request_id), ("PUBLISH", keys.bell, "")]
    person = request.message.sender.person_id
    return [
        ("ZADD", keys.turns(person), request.seq, member(request)),
        # Who had their turn and was interrupted is next; everybody else comes after those who wait.
        ("ZADD", keys.ring, "LT", 0, person) if again else ("ZADD", keys.ring, "NX", turn, person),
        ("INCR", keys.round),  # never back, also when two processes read the same number
        ("PUBLISH", keys.bell, ""),
    ]


def unready(keys: Keys, request: Request) -> list[Command]:
    """Take a request out of all lanes but its line; the ring forgets a person without turns when it comes to them."""
    return [
        ("ZREM", keys.quick, request.request_id),
        ("ZREM", keys.delayed, request.request_id),
        ("ZREM", keys.turns(request.message.sender.person_id), member(request)),
    ]


def overtake(keys: Keys, former: Request | None, request: Request, turn: int) -> list[Command]:
    """Let a request that is first in its line be taken, instead of `former`, which was first and waits."""
    return [*(unready(keys, former) if former is not None else ()), *make_ready(keys, request, turn)]


def leave_line(keys: Keys, request: Request, following: Request | None, turn: int) -> list[Command]:
    """Take a request out of its conversation's line.

    Args:
        keys: Names.
        request: The one that leaves.
        following: The line's first after it, if `request` was first and that one waits; it becomes ready.
        turn: The next turn's number.
    """
    commands: list[Command] = [("ZREM", keys.line(request.message.place.conversation_id), request.request_id)]
    if following is not None and following.state is State.WAITING and not following.quick:
        commands += make_ready(keys, following, turn)
    return commands


def first_of(reply: Reply) -> tuple[float, str]:
    """Return order and handle of a line's first, as read with its score; beyond everything where the line is empty."""
    fields = texts(reply)
    return (float(fields[1]), fields[0]) if len(fields) == 2 else (math.inf, "")


def last_position(reply: Reply) -> int:
    """Return the position of the last entry that was ever in the stream, from what XINFO STREAM says."""
    fields = reply if isinstance(reply, list) else []
    last = dict(zip(map(str, fields[::2]), fields[1::2], strict=True)).get("last-generated-id", "")
    return number(text(last).partition("-")[0])
