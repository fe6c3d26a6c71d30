"""What happened on each day, in numbers that outlive processes: no names, no texts, no ids of people."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from bot.chat import Vote
from bot.daily import CitedDocument, Day, bucket, day_of
from bot.evidence import Citation
from bot.given import GivenAnswer
from bot.plain_text import without_controls
from bot.ports import PUBLIC_SCOPE
from bot.store.client import Command, Reply, Store, number, text, texts
from bot.store.keys import KeyKind

KEPT_DAYS = 400
MAX_CITED = 500  # documents a day; those that are cited least make room
MAX_TITLE = 200
DAY_MS = 86_400_000
_PRIVATE = "[]"  # all documents of channels' own together: their titles are nobody else's concern

TALLY_KEYS = (
    KeyKind("day:*", "hash", "400 days", "one per day, 30 fields", "how many questions, how they ended, opinions"),
    KeyKind("cited:*", "zset", "400 days", "one per day, 500 members", "public documents that answers of a day cite"),
)


class Tally:
    """Counts by day.

    Args:
        store: Where.
        zone: In which a day begins and ends.
        clock: Seconds since 1970, UTC.
    """

    def __init__(self, store: Store, *, zone: tzinfo = UTC, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._zone = zone
        self._clock = clock

    def given(self, given: GivenAnswer, *, accepted_at: float) -> list[Command]:
        """Return the commands that count a question that got an answer; of the transaction that finishes it.

        Args:
            given: The answer.
            accepted_at: When the question arrived, in seconds since 1970, UTC.
        """
        now = self._clock()
        answer = given.answer
        fields = ["answered" if answer.answered else "unanswered", f"wait{bucket(max(0.0, now - accepted_at))}"]
        commands = self._count(now, *fields)
        cited = _cited(given) if answer.answered else {}
        if cited:
            key = self._store.key("cited", self._date(now))
            commands += [("ZINCRBY", key, 1, member) for member in cited]
            commands += [("ZREMRANGEBYRANK", key, 0, -MAX_CITED - 1), ("PEXPIRE", key, KEPT_DAYS * DAY_MS)]
        return commands

    def cached(self) -> list[Command]:
        """Return the commands that count that an answer had been given before."""
        return self._count(self._clock(), "cached")

    def failed(self) -> list[Command]:
        """Return the commands that count a question that got no answer, because it failed or was turned away."""
        return self._count(self._clock(), "failed")

    def voted(self, given: GivenAnswer, vote: Vote, *, by: int = 1) -> list[Command]:
        """Return the commands that count an opinion on the day of its answer, or take it back with `by=-1`."""
        name = "up" if vote == "up" else "down" if given.answer.answered else "down_unanswered"
        return self._count(given.given_at, name, by=by)

    async def days(self, count: int) -> list[Day]:
        """Return the last days, oldest first and today last; a day without questions is there with zeros."""
        dates = self._last(count)
        replies = await self._store.batch(*(("HGETALL", self._store.key("day", date)) for date in dates))
        return [day_of(date, _fields(reply)) for date, reply in zip(dates, replies, strict=True)]

    async def cited_most(self, days: int, count: int) -> list[CitedDocument]:
        """Return the documents that most answers of the last days rest on."""
        keys = (self._store.key("cited", date) for date in self._last(days))
        replies = await self._store.batch(*(("ZREVRANGE", key, 0, MAX_CITED - 1, "WITHSCORES") for key in keys))
        sums: Counter[str] = Counter()
        for reply in replies:
            flat = texts(reply)
            for member, score in zip(flat[::2], flat[1::2], strict=True):
                sums[member] += int(float(score))
        documents = (_document(member, answers) for member, answers in sums.most_common())
        return [one for one in documents if one is not None][:count]

    def _count(self, at: float, *names: str, by: int = 1) -> list[Command]:
        key = self._store.key("day", self._date(at))
        return [*(("HINCRBY", key, name, by) for name in names), ("PEXPIRE", key, KEPT_DAYS * DAY_MS)]

    def _date(self, at: float) -> str:
        return datetime.fromtimestamp(at, self._zone).date().isoformat()

    def _last(self, count: int) -> list[str]:
        today = datetime.fromtimestamp(self._clock(), self._zone).date()
        return [(today - timedelta(days=back)).isoformat() for back in range(count - 1, -1, -1)]


def _cited(given: GivenAnswer) -> set[str]:
    """Return what stands for the documents that an answer cites, each once; of channels' own only that there are."""
    scopes = {passage.citation.n: passage.scope for passage in given.passages}
    # Of GeneNetwork's data nothing is shown that is not public.
    everybody = given.answer.mode == "live" or set(given.scopes) <= {PUBLIC_SCOPE}
    return {
        _member(citation) if everybody or scopes.get(citation.n) == PUBLIC_SCOPE else _PRIVATE
        for citation in given.answer.citations
    }


def _member(citation: Citation) -> str:
    title = without_controls(citation.title)[:MAX_TITLE].encode("utf-8", "replace").decode()
    return json.dumps([title, citation.url], ensure_ascii=False)


def _document(member: str, answers: int) -> CitedDocument | None:
    if member == _PRIVATE:
        return CitedDocument("", None, answers)
    try:
        title, url = json.loads(member)
    except (ValueError, TypeError):
        return None
    if not isinstance(title, str) or not (url is None or isinstance(url, str)):
        return None
    return CitedDocument(title, url, answers)


def _fields(reply: Reply) -> dict[str, int]:
    flat = reply if isinstance(reply, list) else []
    return {text(name): number(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
