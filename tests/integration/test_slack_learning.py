"""Files taught in Slack, from the upload to the answer: real parsers, index, Redis and service over the local Slack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.client import SlackClient
from adapters.slack.interactions import Interactions
from adapters.slack.options import Options
from bot.bootstrap import open_application
from bot.service import Role, Service
from bot.settings import Settings
from bot.store.client import Store
from bot.store.threads import JoinedThreads
from tests.slack_adapter import bot_lines
from tests.slack_sending import Fast
from tests.slack_server import APP_TOKEN, BOT_TOKEN, Clock, Fault, Line, LocalSlack, Message

C1 = "C1"
DEADLINE_S = 60.0
ROLES = frozenset({Role.ADAPTER, Role.WORKER})
QUESTION = "With how much zebrafinch buffer are mice perfused?"
PROTOCOL = (
    b"# Perfusion protocol\n\nMice are perfused with 20 ml of chilled zebrafinch buffer. The pump runs at 4 ml/min.\n"
)


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second, with a user group that ada is in."""
    async with LocalSlack(clock=Clock(speed=60.0)) as local:
        local.world.add_user_group("S1", "stewards", ["U1"])
        yield local


@asynccontextmanager
async def learning(slack: LocalSlack, store: Store, folder: Path, **chosen: object) -> AsyncIterator[Service]:
    """Run a service that can be taught, for the time of a test."""
    settings = Settings.model_validate(
        {"data_dir": folder, "rate_person": 0, "rate_channel": 0, "shutdown_grace_s": 5.0, **chosen}
    )
    async with AsyncExitStack() as stack:
        application = await stack.enter_async_context(open_application(settings))
        interactions = Interactions()
        adapter = await stack.enter_async_context(
            SlackAdapter(
                SecretStr(BOT_TOKEN),
                SecretStr(APP_TOKEN),
                None,
                Options(api_url=slack.api_base_url, ping_s=0.5, streaming=False),
                threads=JoinedThreads(store, days=1),
                register=[interactions.register],
                limits=Fast(slack.clock).limits(),
            )
        )
        service = Service(settings, application, store, [adapter], ROLES)
        stop = asyncio.Event()
        task = asyncio.create_task(service.run(stop))
        await stack.enter_async_context(interactions)
        try:
            await slack.connected(2, DEADLINE_S)
            yield service
        finally:
            stop.set()
            await task


async def answer(slack: LocalSlack, asked: Message) -> str:
    """Return the next final words of the bot in the thread of a message, after it."""
    return (await seen(slack, asked)).text


async def seen(slack: LocalSlack, asked: Message) -> Line:
    """Return the next final message of the bot in the thread of a message, after it."""

    def final() -> Line | None:
        lines = [line for line in bot_lines(slack, asked.channel, asked.root) if float(line.ts) > float(asked.ts)]
        done = [line for line in lines if not line.streaming and "Stop" not in line.button_labels and line.text]
        return done[0] if done else None

    found = await slack.until(final, timeout_s=DEADLINE_S)
    assert found is not None
    return found


async def permalink(slack: LocalSlack, message: Message) -> str:
    """Return where Slack says that people see a message."""
    client = SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url)
    async with client:
        reply = await client.call("chat.getPermalink", channel=message.channel, message_ts=message.ts)
    return reply.text("permalink")


async def test_a_file_dropped_with_learn_this_is_found_in_its_channel(
    slack: LocalSlack, store: Store, tmp_path: Path
) -> None:
    """The words of the upload are the command, "keep" in its thread needs no mention, and no other channel sees it."""
    other = slack.world.add_channel("other", "private", members=["UBOT", "U1", "U2"])
    async with learning(slack, store, tmp_path):
        dropped = slack.mention(C1, "U1", "learn this", files=[("Perfusion.md", PROTOCOL)])
        preview = await answer(slack, dropped)
        kept = await answer(slack, slack.say(C1, "U1", "keep", thread_ts=dropped.ts))
        here = await seen(slack, slack.mention(C1, "U2", QUESTION))
        elsewhere = await seen(slack, slack.mention(other.id, "U1", QUESTION))
        shared_at = await permalink(slack, dropped)

    assert "Perfusion protocol" in preview
    assert kept.startswith("Learnt: ")
    assert "20 ml of chilled zebrafinch buffer" in here.text
    assert {shared_at} == {link.url for link in here.links}
    assert "zebrafinch buffer" not in elsewhere.text.replace(QUESTION, "")
    assert shared_at not in [link.url for link in elsewhere.links]


async def test_a_link_to_elsewhere_is_not_taken_for_the_file_before_it(
    slack: LocalSlack, store: Store, tmp_path: Path
) -> None:
    """What came with the words is meant, also where Slack does not keep it and another file stands in the thread."""
    async with learning(slack, store, tmp_path):
        root = slack.say(C1, "U2", "our protocol", files=[("Perfusion.md", PROTOCOL)])
        elsewhere = slack.world.files[slack.upload(C1, "U1", "link.md", b"# Elsewhere").files[0]]
        elsewhere.mode = "external"
        asked = slack.share(elsewhere.id, C1, "U1", "<@UBOT> learn this", thread_ts=root.ts)
        said = await answer(slack, asked)

    assert "Perfusion" not in said


async def test_a_file_is_learnt_from_its_thread_when_slack_is_back(
    slack: LocalSlack, store: Store, tmp_path: Path
) -> None:
    """What stands in the thread is asked of Slack after the words were accepted, as often as need be."""
    async with learning(slack, store, tmp_path):
        dropped = slack.say(C1, "U2", "our protocol", files=[("Perfusion.md", PROTOCOL)])
        slack.faults.add("conversations.replies", Fault(status=500), Fault(status=500))
        preview = await answer(slack, slack.mention(C1, "U1", "learn this", thread_ts=dropped.ts))

    assert "Perfusion protocol" in preview


async def test_files_are_taught_in_threads_and_directly(slack: LocalSlack, store: Store, tmp_path: Path) -> None:
    """As a reply in a thread the bot takes part in, and in direct messages."""
    async with learning(slack, store, tmp_path):
        root = slack.mention(C1, "U1", "help")
        await answer(slack, root)
        reply = slack.say(C1, "U1", "learn this", thread_ts=root.ts, files=[("Perfusion.md", PROTOCOL)])
        direct = slack.direct_message("U1", "learn this", files=[("Perfusion.md", PROTOCOL)])
        shown = [await answer(slack, message) for message in (reply, direct)]
        own = slack.say(direct.channel, "U1", "keep", thread_ts=direct.ts)
        kept = await answer(slack, own)

    assert [True, True] == ["Perfusion protocol" in text for text in shown]
    assert kept.startswith("Learnt: ")


async def test_a_file_that_somebody_else_dropped_is_learnt_from_its_thread(
    slack: LocalSlack, store: Store, tmp_path: Path
) -> None:
    """With a mention below it, though the bot had no part in the thread; its link leads to where it was dropped."""
    guest = slack.world.add_user("visitor", guest="restricted")
    slack.world.channels[C1].members.add(guest.id)
    async with learning(slack, store, tmp_path):
        dropped = slack.say(C1, "U2", "our protocol", files=[("Perfusion.md", PROTOCOL)])
        slack.say(C1, "U2", "please have a look", thread_ts=dropped.ts)
        preview = await answer(slack, slack.mention(C1, "U1", "learn this", thread_ts=dropped.ts))
        await answer(slack, slack.say(C1, "U1", "keep", thread_ts=dropped.ts))
        here = await seen(slack, slack.mention(C1, "U2", QUESTION))
        shared_at = await permalink(slack, dropped)
        empty = slack.say(C1, "U2", "nothing dropped here")
        without = await answer(slack, slack.mention(C1, "U1", "learn this", thread_ts=empty.ts))
        strange = slack.say(C1, guest.id, "from a guest", files=[("Other.md", PROTOCOL)])
        guests = await answer(slack, slack.mention(C1, "U1", "learn this", thread_ts=strange.ts))

    assert preview.startswith("Perfusion.md: Perfusion protocol, ")
    assert {shared_at} == {link.url for link in here.links}
    assert [True, True] == [text.startswith("There is no file with your message") for text in (without, guests)]


async def test_the_name_of_a_file_can_be_copied_into_the_command_that_forgets_it(
    slack: LocalSlack, store: Store, tmp_path: Path
) -> None:
    """With the marks around it, and with the link that Slack makes of a name that ends like a domain."""
    async with learning(slack, store, tmp_path):
        dropped = slack.mention(C1, "U1", "learn this", files=[("Perfusion.md", PROTOCOL), ("Notes.md", PROTOCOL)])
        await answer(slack, dropped)
        await answer(slack, slack.say(C1, "U1", "keep", thread_ts=dropped.ts))
        forgotten = [
            await answer(slack, slack.mention(C1, "U1", text))
            for text in ("forget file `Perfusion.md`", "forget file <http://Notes.md|Notes.md>")
        ]
        left = await answer(slack, slack.mention(C1, "U1", "“files”"))

    assert ["Forgotten: Perfusion.md.", "Forgotten: Notes.md."] == [text.partition(" No ")[0] for text in forgotten]
    assert left.startswith("I was taught no files here.")


async def test_who_may_not_teach_is_told_so(slack: LocalSlack, store: Store, tmp_path: Path) -> None:
    """Whose group is not named; nothing is fetched for them."""
    async with learning(slack, store, tmp_path, teachers=("slack/T1/S1",)):
        refused = await answer(slack, slack.mention(C1, "U2", "learn this", files=[("Perfusion.md", PROTOCOL)]))
        assert [] == slack.calls("files.info")
        allowed = await answer(slack, slack.mention(C1, "U1", "learn this", files=[("Perfusion.md", PROTOCOL)]))

    assert "LOCUS_TEACHERS" in refused
    assert "Perfusion protocol" in allowed


async def test_the_slash_command_says_how_files_are_taught(slack: LocalSlack, store: Store, tmp_path: Path) -> None:
    """A command of Slack's takes none."""
    async with learning(slack, store, tmp_path):
        slack.slash("/locus", "U1", C1, "learn")

        def told() -> str | None:
            return next((line.text for line in slack.transcript(C1, viewer="U1") if line.only_for), None)

        sentence = await slack.until(told, timeout_s=DEADLINE_S)

    assert "mentioning me or in a direct message" in str(sentence)
