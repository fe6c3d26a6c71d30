"""The commands that look after a service, as processes of their own beside a real Redis server."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.claims import Claims
from bot.store.client import Store
from bot.store.gaps import Unanswered
from bot.store.inbox import Inbox
from tests.e2e.test_command_line import locus
from tests.opinions import AnsweredFeedback, FakeClock, answer, given, message, request
from tests.redis_servers import RedisServer

SECRET = "a question that nobody else should read"


class Service:
    """A store as a running Locus leaves it, and the command on it."""

    def __init__(self, store: Store, server: RedisServer, folder: Path) -> None:
        self.store = store
        self.inbox = Inbox(store)
        self.claims = Claims(self.inbox, "worker-1")
        self._environment = {"LOCUS_REDIS_URL": server.url, "LOCUS_REDIS_PREFIX": store.prefix}
        self._folder = folder

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, output and errors of `locus`."""
        done = locus(*arguments, "--data-dir", "data", cwd=self._folder, **self._environment)
        return done.returncode, done.stdout, done.stderr

    async def give_up(self) -> str:
        """Leave a dead letter whose apology was said; return its reference."""
        asked = message("1", SECRET)
        await self.inbox.accept([asked])
        taken = await self.claims.take()
        assert taken is not None
        await self.claims.give_up(taken, "I am sorry.", "the model is broken")
        notice = await self.claims.take_quick()
        assert notice is not None
        await self.claims.finish(await self.claims.update(notice, post_id="post-1"), "given up")
        return asked.request_id


@pytest.fixture
async def service(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Service]:
    """An inbox without messages."""
    store = Store(redis_server.url, prefix=f"t{secrets.token_hex(4)}")
    made = Service(store, redis_server, tmp_path)
    await made.inbox.prepare()
    yield made
    await store.close()


async def test_a_given_up_request_is_listed_shown_and_retried(service: Service) -> None:
    """What a person has from a chat, the reference, is enough; no text is shown unless asked for."""
    reference = await service.give_up()
    listed = service.run("inbox", "list")
    shown = service.run("inbox", "show", reference[:11], "--json", "--text")
    retried = service.run("inbox", "retry", reference)
    again = service.run("inbox", "retry", reference)
    waiting = service.run("inbox", "list", "--state", "waiting", "--json")

    assert 0 == listed[0], listed[2]
    assert reference in listed[1]
    assert "the model is broken" in " ".join(listed[1].split())
    assert SECRET not in listed[1]
    assert ("dead", SECRET) == (json.loads(shown[1])["state"], json.loads(shown[1])["text"])
    assert 0 == retried[0], retried[2]
    assert 4 == again[0]
    assert "was not given up" in again[2]
    assert [reference] == [one["reference"] for one in json.loads(waiting[1])["requests"]]
    taken = await service.claims.take()
    assert taken is not None
    assert (reference, "post-1") == (taken.request_id, taken.post_id)


async def test_dropping_asks_first(service: Service) -> None:
    """Without a terminal --yes is needed; then a dead request is deleted and an open one stopped."""
    dead = await service.give_up()
    asked = message("2", user="U2")
    await service.inbox.accept([asked])
    refused = service.run("inbox", "drop", dead)
    dropped = service.run("inbox", "drop", dead, "--yes")
    stopped = service.run("inbox", "drop", asked.request_id, "--yes")
    twice = service.run("inbox", "drop", asked.request_id, "--yes")

    assert 2 == refused[0]
    assert "--yes" in refused[2]
    assert (0, f"Dropped the given-up request {dead}.\n") == dropped[:2]
    assert 0 == stopped[0], stopped[2]
    assert 4 == twice[0]
    notice = await service.claims.take_quick()
    assert notice is not None
    assert asked.request_id == notice.request_id


async def test_unknown_and_ambiguous_references_are_errors(service: Service) -> None:
    """The codes are those of docs/command-line.md."""
    await service.inbox.accept([message(str(number), user=f"U{number}") for number in range(1, 40)])
    handles = [one["reference"] for one in json.loads(service.run("inbox", "list", "--json")[1])["requests"]]
    first = next(handle[0] for handle in handles if sum(other[0] == handle[0] for other in handles) > 1)

    assert 4 == service.run("inbox", "show", "unknown")[0]
    code, _, error = service.run("inbox", "show", first)
    assert 2 == code
    assert "write more of the reference" in error


async def test_feedback_is_listed_and_exported(service: Service, tmp_path: Path) -> None:
    """The file appears complete, and only its owner can read it."""
    clock = FakeClock(time.time())
    feedback = AnsweredFeedback(service.store, days=90, limit=100, clock=clock)
    await feedback.vote(given("h1"), "reader", "up")
    clock.now += 1
    await feedback.vote(given("h2", "Is it so?"), "reader", "down", "No.")
    listed = service.run("feedback", "list", "--down")
    exported = service.run("feedback", "export", "--out", "out.jsonl")
    none = service.run("feedback", "list", "--since", "2999-01-01")

    assert 0 == listed[0], listed[2]
    assert "request-h2" in listed[1]
    assert "request-h1" not in listed[1]
    assert 0 == exported[0], exported[2]
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert ["Is it so?", "What is a QTL?"] == [line["question"] for line in lines]
    assert 0o600 == (tmp_path / "out.jsonl").stat().st_mode & 0o777
    assert ["out.jsonl"] == [path.name for path in tmp_path.glob("*out.jsonl*")]
    assert "No feedback.\n" == none[1]
    assert 2 == service.run("feedback", "list", "--since", "yesterday")[0]


async def test_gaps_are_grouped_by_the_real_model(service: Service) -> None:
    """Two wordings of one question are one gap with a count."""
    unanswered = Unanswered(service.store, days=90)
    questions = ("How do I cite the GeneNetwork database?", "how to cite the genenetwork database in a paper")
    for number, question in enumerate((*questions, "Who won the football match?"), start=1):
        asked = request(str(number), question)
        commands = await unanswered.keep(asked, answer(question, answered=False), ("public",))
        await service.store.transaction(*commands)
    code, out, error = service.run("feedback", "gaps", "--json")

    assert 0 == code, error
    assert [2, 1] == [gap["count"] for gap in json.loads(out)["gaps"]]


async def test_a_person_is_exported_and_forgotten(service: Service) -> None:
    """An account given by its ids stands for what is stored of the person."""
    await service.give_up()
    exported = service.run("person", "export", "test/W/U1")
    refused = service.run("person", "forget", "test/W/U1")
    forgotten = service.run("person", "forget", "test/W/U1", "--yes")
    after = service.run("person", "export", "test/W/U1")

    assert SECRET in exported[1], exported[2]
    assert 2 == refused[0]
    assert 0 == forgotten[0], forgotten[2]
    assert SECRET not in after[1]
    assert 2 == service.run("person", "export", "U1")[0]


async def test_a_server_that_is_away_is_said(service: Service, tmp_path: Path) -> None:
    """Exit code 6 and one sentence."""
    done = locus("inbox", "list", "--data-dir", "data", cwd=tmp_path, LOCUS_REDIS_URL=f"unix://{tmp_path}/nobody")

    assert 6 == done.returncode
    assert 1 == len(done.stderr.splitlines()), done.stderr


def test_without_a_server_the_private_one_is_used(tmp_path: Path) -> None:
    """On a fresh data folder nothing is open, and no server is left running."""
    done = locus("inbox", "list", "--data-dir", "data", cwd=tmp_path)

    assert (0, "No request is open, and none was given up.\n") == (done.returncode, done.stdout), done.stderr
