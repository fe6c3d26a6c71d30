"""What nobody asked for, such as a digest: it stands in the channel, once, and begins a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.errors import RefusedError, UnavailableError
from bot.messages import Audience, Place
from bot.replies import Attachment, Entry, Reply, Section, Stage
from bot.store.client import Store
from bot.store.threads import JoinedThreads
from bot.threads import RecentThreads
from tests.slack_adapter import bot_lines, make_adapter, serving
from tests.slack_server import Clock, Fault, Line, LocalSlack

C1 = "C1"
HERE = Place("slack", "T1", C1, audience=Audience.PUBLIC)
CSV = Attachment("new.csv", "text/csv", b"a,b\n1,2\n", caption="All of them")


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        yield local


@pytest.fixture
def threads() -> RecentThreads:
    """Where the bot takes part."""
    return RecentThreads()


@pytest.fixture
async def adapter(slack: LocalSlack, threads: RecentThreads) -> AsyncIterator[SlackAdapter]:
    """An adapter that is not connected."""
    async with make_adapter(slack, threads) as adapter:
        yield adapter


def digest(count: int = 3, *attachments: Attachment) -> Reply:
    """Return a digest."""
    entries = tuple(Entry(f"Liver {number}", f"https://genenetwork.org/{number}", "BXD") for number in range(count))
    return Reply(Stage.FINAL, f"{count} datasets are new", sections=(Section("BXD", entries),), attachments=attachments)


def in_channel(slack: LocalSlack) -> list[Line]:
    """Return what the bot has said in the channel itself."""
    return [line for line in slack.transcript(C1) if line.author == "locus" and line.thread_ts in ("", line.ts)]


async def test_a_digest_stands_in_the_channel(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """With a headline, and a link for each thing."""
    posted = await adapter.post(HERE, digest(), key="monday", answers="")
    (line,) = in_channel(slack)

    assert posted == line.ts
    assert line.text.startswith("3 datasets are new")
    assert [f"https://genenetwork.org/{number}" for number in range(3)] == [link.url for link in line.links]
    assert [] == slack.pings_seen
    assert [] == slack.unfurls


async def test_what_does_not_fit_goes_into_its_thread(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Files as well; the channel sees one message, however often all of it is shown."""
    posted = await adapter.post(HERE, digest(200, CSV), key="monday", answers="")
    await adapter.edit(HERE, posted, digest(200, CSV))
    thread = bot_lines(slack, C1, posted)
    whole = "\n".join(line.text for line in thread)

    assert [posted] == [line.ts for line in in_channel(slack)]
    assert [1] * 200 == [whole.count(f"Liver {number} –") for number in range(200)]
    assert ["new.csv"] == [name for line in thread for name in line.files]


async def test_a_digest_whose_answer_was_lost_is_found(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """It is not posted again, though others have written since."""
    slack.faults.add("chat.postMessage", Fault(drop="after"))
    slack.faults.add("conversations.history", Fault(status=500))
    with pytest.raises(UnavailableError):
        await adapter.post(HERE, digest(200), key="monday", answers="")
    for number in range(300):
        slack.say(C1, "U1", f"Message {number}")
    threads = RecentThreads()
    async with make_adapter(slack, threads) as another:
        found = await another.find(HERE, "monday", answers="")
        assert found is not None
        await another.edit(HERE, found, digest(200))
        assert await another.find(HERE, "tuesday", answers="") is None

    (line,) = in_channel(slack)
    assert found == line.ts
    assert await threads.joined(Place("slack", "T1", C1, found))
    whole = "\n".join(line.text for line in bot_lines(slack, C1, found))
    assert [1] * 200 == [whole.count(f"Liver {number} –") for number in range(200)]


async def test_a_digest_is_found_at_once_when_its_answer_is_lost(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Within the same call."""
    slack.faults.add("chat.postMessage", Fault(drop="after"))
    posted = await adapter.post(HERE, digest(), key="monday", answers="")

    assert [posted] == [line.ts for line in in_channel(slack)]


async def test_a_digest_that_is_removed_takes_its_thread_along(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Of what the bot has said there."""
    posted = await adapter.post(HERE, digest(200), key="monday", answers="")
    assert len(bot_lines(slack, C1, posted)) > 1
    await adapter.remove(HERE, posted)

    assert [] == bot_lines(slack, C1, posted)


async def test_a_digest_in_a_direct_conversation(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Where a person has subscribed to it."""
    direct = slack.world.direct("U1").id
    posted = await adapter.post(
        Place("slack", "T1", direct, audience=Audience.DIRECT), digest(), key="monday", answers=""
    )

    assert [posted] == [line.ts for line in slack.transcript(direct) if line.author == "locus"]


async def test_questions_below_a_digest_need_no_mention(slack: LocalSlack, store: Store) -> None:
    """In this process and in every other; what is said in the channel stays unheard."""
    async with serving(slack, store, threads=JoinedThreads(store, days=1)) as one:
        await slack.connected(2)
        async with make_adapter(slack, JoinedThreads(store, days=1)) as another:
            posted = await another.post(HERE, digest(), key="monday", answers="")
        slack.say(C1, "U1", "nothing for the bot")
        slack.say(C1, "U1", "What is BXD?", thread_ts=posted)
        answer = await one.answered(C1, posted)
        await one.settled()

        assert "What is BXD?" in answer.text
        assert [posted] == [line.ts for line in in_channel(slack)]


async def test_a_reply_to_a_person_joins_nothing_else(
    slack: LocalSlack, adapter: SlackAdapter, threads: RecentThreads
) -> None:
    """A post in a thread, or that answers somebody, begins none."""
    asked = slack.mention(C1, "U1", "help")
    answered = await adapter.post(HERE, digest(), key="a", answers=asked.ts)
    below = await adapter.post(Place("slack", "T1", C1, asked.ts), digest(), key="b", answers="")

    assert [False, False] == [await threads.joined(Place("slack", "T1", C1, ts)) for ts in (answered, below)]


async def test_threads_that_cannot_be_stored_cost_no_digest(
    slack: LocalSlack, caplog: pytest.LogCaptureFixture
) -> None:
    """It is shown, and its thread needs mentions."""

    class Away(RecentThreads):
        async def join(self, place: Place) -> None:
            raise UnavailableError("Redis is away.")

    async with make_adapter(slack, Away()) as adapter:
        posted = await adapter.post(HERE, digest(), key="monday", answers="")

    assert [posted] == [line.ts for line in in_channel(slack)]
    assert "will need a mention" in caplog.text


@pytest.mark.parametrize("trouble", ["archived", "kicked", "private", "gone", "read only"])
async def test_where_the_bot_may_not_post_is_refused_for_good(
    slack: LocalSlack, adapter: SlackAdapter, trouble: str
) -> None:
    """So that nobody tries it again for ever."""
    channel = slack.world.channels[C1]
    match trouble:
        case "archived":
            channel.archived = True
        case "kicked":
            channel.members.remove("UBOT")
        case "private":
            channel.kind = "private"
            channel.members.remove("UBOT")
        case "gone":
            del slack.world.channels[C1]
        case _:
            channel.posting = "restricted_action"
    with pytest.raises(RefusedError):
        await adapter.post(HERE, digest(), key="monday", answers="")
