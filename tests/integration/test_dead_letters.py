"""Requests that were given up: looked at, tried again once, or dropped."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from bot.cli.inbox import DEAD, Row, print_row, print_rows, row_json
from bot.messages import IncomingMessage
from bot.requests import Cancelled, Kind, Request, State
from bot.store.claims import Claims
from bot.store.client import Store
from bot.store.dead import DeadLetters
from bot.store.inbox import Inbox
from bot.store.overview import Overview
from tests.opinions import message


class Desk:
    """An inbox with one worker."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.inbox = Inbox(store)
        self.claims = Claims(self.inbox, "worker-1")
        self.dead = DeadLetters(self.inbox)
        self.overview = Overview(self.inbox, self.dead)

    async def accept(self, *messages: IncomingMessage) -> None:
        """Store messages."""
        await self.inbox.accept(messages)

    async def take(self) -> Request:
        """Take the next question, which must be there."""
        request = await self.claims.take()
        assert request is not None
        return request

    async def say_apology(self, post_id: str = "post-1") -> None:
        """Post the apology of what was given up."""
        notice = await self.claims.take_quick()
        assert notice is not None
        notice = await self.claims.update(notice, post_id=post_id)
        await self.claims.finish(notice, "given up")

    async def give_up(self, asked: IncomingMessage) -> str:
        """Accept a message and give it up, apology said; returns the reference."""
        await self.accept(asked)
        await self.claims.give_up(await self.take(), "I am sorry.", "the model is broken")
        await self.say_apology()
        return asked.request_id


@pytest.fixture
async def desk(store: Store) -> Desk:
    """An empty inbox."""
    made = Desk(store)
    await made.inbox.prepare()
    return made


async def test_a_given_up_request_is_listed_with_its_reason(desk: Desk) -> None:
    """The letter holds the question as it was, and why it was given up."""
    reference = await desk.give_up(message("1", "Why?"))

    (letter,) = await desk.dead.list()
    assert (reference, "Why?", "the model is broken") == (
        letter.request.request_id,
        letter.request.message.text,
        letter.request.outcome,
    )
    assert letter == await desk.dead.find(reference)
    assert await desk.dead.find("unknown") is None


async def test_a_retried_request_is_answered_in_place_of_its_apology(desk: Desk) -> None:
    """It comes back as a question without failures, in a new entry, and edits the message that is there."""
    reference = await desk.give_up(message("1", "Why?"))
    done = await desk.inbox.find(reference)
    assert await desk.dead.retry(reference)

    again = await desk.take()
    assert done is not None
    assert (reference, "Why?", Kind.QUESTION, "") == (
        again.request_id,
        again.message.text,
        again.kind,
        again.notice,
    )
    assert (0, 0, "post-1", True) == (again.failures, again.deaths, again.post_id, again.posting)
    assert again.seq > done.seq
    assert again.attempt > done.attempt
    await desk.claims.finish(again, "answered")
    assert [] == await desk.dead.list()
    assert [] == await desk.overview.open_requests()
    assert -1 != await desk.store.call("PTTL", desk.inbox.keys.request(reference))


async def test_a_request_is_retried_once(desk: Desk) -> None:
    """A second retry, also one at the same moment, finds nothing to do."""
    reference = await desk.give_up(message("1"))
    done = await asyncio.gather(*(desk.dead.retry(reference) for _ in range(5)))

    assert [False] * 4 + [True] == sorted(done)
    assert not await desk.dead.retry(reference)
    assert 1 == len(await desk.overview.open_requests())


async def test_retrying_waits_for_the_apology(desk: Desk) -> None:
    """While the apology is on its way, in a queue or in a worker's hands, nothing is changed."""
    asked = message("1")
    await desk.accept(asked)
    await desk.claims.give_up(await desk.take(), "I am sorry.", "broken")
    queued = await desk.dead.retry(asked.request_id)
    notice = await desk.claims.take_quick()
    taken = await desk.dead.retry(asked.request_id)
    assert notice is not None
    await desk.claims.finish(notice, "given up")

    assert (False, False) == (queued, taken)
    assert await desk.dead.retry(asked.request_id)


async def test_an_expired_apology_is_looked_for(desk: Desk) -> None:
    """Where nothing is known of the apology any more, the request says that there is a message whose id was lost."""
    reference = await desk.give_up(message("1"))
    await desk.store.call("DEL", desk.inbox.keys.request(reference))
    assert await desk.dead.retry(reference)

    again = await desk.take()
    assert (True, "") == (again.posting, again.post_id)


async def test_a_retried_request_stands_in_its_conversation_in_order(desk: Desk) -> None:
    """It waits for what is being answered there, and comes before what was written after it."""
    reference = await desk.give_up(message("1", order=1.0))
    running, later = message("2", order=2.0), message("3", order=3.0)
    await desk.accept(running, later)
    first = await desk.take()
    assert await desk.dead.retry(reference)
    blocked = await desk.claims.take()
    order = [first.request_id]
    await desk.claims.finish(first, "answered")
    for _ in range(2):
        request = await desk.take()
        order.append(request.request_id)
        await desk.claims.finish(request, "answered")

    assert blocked is None
    assert [running.request_id, reference, later.request_id] == order
    assert await desk.claims.take() is None


async def test_a_retried_request_can_be_given_up_again(desk: Desk) -> None:
    """Its second letter is like the first, and the same message says so."""
    reference = await desk.give_up(message("1"))
    assert await desk.dead.retry(reference)
    await desk.claims.give_up(await desk.take(), "I am sorry.", "still broken")
    notice = await desk.claims.take_quick()

    assert notice is not None
    assert "post-1" == notice.post_id
    assert ["still broken"] == [letter.request.outcome for letter in await desk.dead.list()]


async def test_retrying_works_on_an_empty_server(desk: Desk) -> None:
    """The stream and its group are made where they are missing, so that workers can read what was put back."""
    reference = await desk.give_up(message("1"))
    await desk.store.call("DEL", desk.inbox.keys.inbox)
    assert await desk.dead.retry(reference)

    assert reference == (await desk.take()).request_id


async def test_a_dropped_letter_is_gone(desk: Desk) -> None:
    """It can be neither listed nor retried; a second drop finds nothing."""
    reference = await desk.give_up(message("1"))
    kept = await desk.give_up(message("2"))

    assert await desk.dead.drop(reference)
    assert not await desk.dead.drop(reference)
    assert not await desk.dead.retry(reference)
    assert [kept] == [letter.request.request_id for letter in await desk.dead.list()]


async def test_letters_beyond_the_retention_are_not_shown(desk: Desk) -> None:
    """What is older than LOCUS_RETENTION_DAYS can be neither seen nor retried."""
    reference = await desk.give_up(message("1"))
    (letter,) = await desk.dead.list()
    later = DeadLetters(desk.inbox, retention_days=1, clock=lambda: letter.at + 86_400 + 1)

    assert [] == await later.list()
    assert not await later.retry(reference)


async def test_a_damaged_letter_is_passed_over(desk: Desk) -> None:
    """One entry that cannot be read hides no other."""
    await desk.store.call("XADD", desk.inbox.keys.dead, "*", "request", "{broken")
    reference = await desk.give_up(message("1"))

    assert [reference] == [letter.request.request_id for letter in await desk.dead.list()]


async def test_references_are_completed(desk: Desk) -> None:
    """The beginning of an open or dead one is enough; a finished one is known by the whole."""
    dead = await desk.give_up(message("1"))
    waiting, finished = message("2"), message("3", user="U2")
    await desk.accept(waiting, finished)
    for _ in range(2):
        request = await desk.take()
        if request.request_id == finished.request_id:
            await desk.claims.finish(request, "answered")

    assert [dead] == await desk.overview.references(dead[:12])
    assert [waiting.request_id] == await desk.overview.references(waiting.request_id)
    assert [finished.request_id] == await desk.overview.references(finished.request_id)
    assert [] == await desk.overview.references(finished.request_id[:12])
    assert {dead, waiting.request_id} == set(await desk.overview.references(""))


async def test_many_open_requests_are_listed_in_order(desk: Desk) -> None:
    """More than one page, in the order they were accepted."""
    asked = [message(str(number), user=f"U{number}") for number in range(1, 451)]
    for start in range(0, len(asked), 50):
        await Inbox(desk.store).accept(asked[start : start + 50])

    listed = [request.request_id for request in await desk.overview.open_requests()]
    assert [one.request_id for one in asked] == listed


def test_tables_hold_whole_references_and_no_texts() -> None:
    """In a narrow terminal the reference stays in one piece; texts are shown only where asked for."""
    asked = message("1", "A \x1b[31msecret question?")
    request = Request(asked.request_id, asked, state=State.RUNNING, owner="host-with-a-long-name-12345", attempt=2)
    dead = Request("deadreference", asked, outcome="[red]broken[/red] because of everything that can break at once")
    rows = [Row(request, "running"), Row(dead, DEAD, 20.0)]
    quiet, loud = io.StringIO(), io.StringIO()
    print_rows(Console(file=quiet, width=80), rows, 100.0, with_text=False)
    print_rows(Console(file=loud, width=120), rows, 100.0, with_text=True)

    assert asked.request_id in quiet.getvalue()
    assert "deadreference" in quiet.getvalue()
    assert "secret" not in quiet.getvalue()
    assert "[red]" in quiet.getvalue()
    assert "secret" in loud.getvalue()
    assert "\x1b" not in loud.getvalue()


def test_one_request_is_shown_without_its_text() -> None:
    """For reading and as JSON, a text only where asked for."""
    asked = message("1", "A secret question?")
    row = Row(Request(asked.request_id, asked, cancelled=Cancelled.STOPPED), "waiting")
    out = io.StringIO()
    print_row(Console(file=out, width=60), row, 100.0, with_text=False)

    assert asked.request_id in out.getvalue()
    assert "being stopped" in out.getvalue()
    assert not any(secret in out.getvalue() for secret in ("secret", "Ada"))
    assert "text" not in row_json(row, 100.0, with_text=False)
    assert "A secret question?" == row_json(row, 100.0, with_text=True)["text"]
