"""The app's own tabs in Slack: what Home shows and does, and what the Messages tab suggests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from bot.digest.interests import Interest
from bot.digest.subscriptions import Subscription
from bot.errors import StorageError, UnavailableError
from bot.messages import Audience, Place
from bot.store.client import Store
from bot.store.digest_known import KnownDatasets
from bot.store.digest_subscriptions import Subscriptions
from tests.hostile_texts import BUILDING_BLOCKS
from tests.slack_adapter import DEADLINE_S
from tests.slack_interactions import Office, office
from tests.slack_server import MANIFEST, Clock, Fault, LocalSlack, Timing, View

EXPORT, FORGET = "locus_home_export", "locus_home_forget"


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second."""
    async with LocalSlack(clock=Clock(speed=60.0), timing=Timing(acknowledge_within_s=2.0)) as local:
        yield local


@pytest.fixture
async def one(slack: LocalSlack, store: Store) -> AsyncIterator[Office]:
    """A running service."""
    async with office(slack, store) as running:
        yield running


async def home(one: Office, user: str = "U1") -> View:
    """Open the Home tab."""
    one.slack.open_home(user)
    view = await one.slack.until(lambda: one.slack.home(user), timeout_s=DEADLINE_S)
    assert view is not None
    await one.idle()
    return view


def direct_texts(one: Office, user: str = "U1") -> list[str]:
    """Return what the bot has written to a person directly."""
    return [line.text for line in one.slack.transcript(one.slack.world.direct(user).id) if line.author == "locus"]


async def prompts(one: Office, user: str = "U1") -> list[tuple[str, str]]:
    """Open the Messages tab; returns what is suggested."""
    one.slack.open_home(user, "messages")
    await one.idle()
    shown = one.slack.agent.prompts.get((one.slack.world.direct(user).id, ""), [])
    return [(prompt["title"], prompt["message"]) for prompt in shown]


async def test_home_says_what_there_is(one: Office) -> None:
    """What it can do, what it has read and how old that is, and what one may do with one's data."""
    look = one.slack.view_look(await home(one))

    assert "I answer questions about GeneNetwork" in look.text
    assert "I have read 12 documents (revision 1," in look.text
    assert [EXPORT, FORGET] == [button.action_id for button in look.buttons]
    assert ((), ()) == (look.pings, look.images)


async def subscribe(one: Office, channel: str, when: str) -> None:
    """Subscribe a channel to a digest."""
    place = Place(
        "slack", one.slack.world.team.id, channel, "", Audience.DIRECT if channel[0] == "D" else Audience.PRIVATE
    )
    store = one.service.inbox.store
    made = Subscription(f"s-{channel}-{when}", place, Interest(groups=("BXD",)), when, "0 9 * * 1", "UTC")
    await Subscriptions(store, KnownDatasets(store).counter_key).add(made)


async def test_home_shows_the_digests_of_the_channels_one_is_in(one: Office) -> None:
    """And of no other, private ones and direct conversations of others among them."""
    world = one.slack.world
    theirs = world.add_channel("theirs", "private", members=[world.bot.id, "U2"])
    await subscribe(one, "C1", "every Monday")
    await subscribe(one, theirs.id, "every Tuesday")
    await subscribe(one, world.direct("U1").id, "every Wednesday")
    await subscribe(one, world.direct("U2").id, "every Thursday")
    looks = {user: one.slack.view_look(await home(one, user)) for user in ("U1", "U2")}
    shown = {
        user: [day for day in ("Monday", "Tuesday", "Wednesday", "Thursday") if day in look.text]
        for user, look in looks.items()
    }

    assert {"U1": ["Monday", "Wednesday"], "U2": ["Monday", "Tuesday", "Thursday"]} == shown
    assert [(), ()] == [look.pings for look in looks.values()]


async def test_home_says_how_a_digest_begins(one: Office) -> None:
    """Where there is none, also for who is in none of the channels that have one."""
    nobody = one.slack.world.add_channel("nobody", "private", members=[one.slack.world.bot.id, "U2"])
    await subscribe(one, nobody.id, "every Monday")
    look = one.slack.view_look(await home(one))

    assert "/locus digest subscribe weekly mon 9:00" in look.text
    assert "every Monday" not in look.text


async def test_home_is_shown_without_what_is_away(one: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis or the index may be down: the rest is still there."""

    async def away(*_: object) -> None:
        raise UnavailableError("away")

    monkeypatch.setattr(one.service.reception, "command", away)
    monkeypatch.setattr(one.service.reception, "digests", away)
    look = one.slack.view_look(await home(one))

    assert ("I have read" in look.text, len(look.buttons)) == (False, 2)


async def test_a_home_that_slack_refuses_is_no_failure(one: Office) -> None:
    """It is acknowledged, nobody is bothered, and the next time it is shown."""
    one.slack.faults.add("views.publish", Fault(error="not_enabled"))
    delivery = one.slack.open_home("U1")
    assert delivery is not None
    await delivery.settled()
    await one.idle()

    assert delivery.acknowledged
    assert [] == direct_texts(one)
    assert (await home(one)).content["type"] == "home"


async def test_export_is_a_file_for_its_person(one: Office) -> None:
    """It stands in the direct conversation of who pressed, whatever the button says."""
    await one.ask("What is BXD?")
    view = await home(one)
    one.slack.press(view, "U1", EXPORT)
    one.slack.press(view, "U2", EXPORT, "U1", forged=True)
    await one.idle()
    files = [file for file in one.slack.world.files.values() if file.name == "export.json"]
    channels = {user: one.slack.world.direct(user).id for user in ("U1", "U2")}
    by_channel = {channel: file.data or b"" for file in files for channel in file.channels}

    assert set(channels.values()) == set(by_channel)
    assert [True, False] == [b"What is BXD?" in by_channel[channels[user]] for user in ("U1", "U2")]


async def test_forgetting_is_confirmed_by_slack_and_done_once(one: Office) -> None:
    """The button has a dialogue; pressed twice it deletes once, and a stranger deletes only their own."""
    _, handle = await one.ask("What is BXD?")
    view = await home(one)
    button = next(e for block in view.content["blocks"] for e in block.get("elements", ()) if e["action_id"] == FORGET)
    one.slack.press(view, "U2", FORGET, "U1", forged=True)
    await one.idle()
    kept = await one.service.given.find(handle)
    for _ in range(2):
        one.slack.press(view, "U1", FORGET)
        await one.idle()

    assert "It cannot be undone." in button["confirm"]["text"]["text"]
    assert (True, None) == (kept is not None, await one.service.given.find(handle))
    assert ["Done:", "There was nothing stored about you."] == [
        text.split(" ")[0] if "Done" in text else text for text in direct_texts(one)
    ]
    assert ["There was nothing stored about you."] == direct_texts(one, "U2")


async def test_buttons_of_home_do_nothing_in_messages(one: Office) -> None:
    """A forged press of them below an answer is no command."""
    answer, handle = await one.ask("What is BXD?")
    for action in (FORGET, EXPORT):
        one.slack.press(answer, "U1", action, "x", forged=True)
    await one.idle()

    assert await one.service.given.find(handle) is not None
    assert [] == direct_texts(one)


async def test_the_messages_tab_suggests_usual_questions(one: Office) -> None:
    """Where the titles of documents are not known."""
    found = await prompts(one)

    assert ["The BXD family", "QTL mapping", "LOD scores"] == [title for title, _ in found]


async def test_the_messages_tab_suggests_what_fits_the_documents(slack: LocalSlack, store: Store) -> None:
    """Titles become questions, at most four, and they are one harmless line each."""

    async def titles() -> Sequence[str]:
        return ["Heart rate in HXB", "", "  Two\nlines ", "Two lines", *BUILDING_BLOCKS[:2], "x" * 200]

    async with office(slack, store, titles=titles) as one:
        found = await prompts(one)

        assert ("Heart rate in HXB", "What do the documents say about Heart rate in HXB?") == found[0]
        assert ("Two lines", 4) == (found[1][0], len(found))
        assert all(len(title) <= 60 and "\n" not in title for title, _ in found)


async def test_an_index_that_fails_leaves_usual_questions(slack: LocalSlack, store: Store) -> None:
    """Nobody who opens a tab hears of a damaged index."""

    async def titles() -> Sequence[str]:
        raise StorageError("The index is damaged.")

    async with office(slack, store, titles=titles) as one:
        assert 3 == len(await prompts(one))


@pytest.mark.parametrize("error", ["missing_scope", "not_agent_app", "unknown_method"])
async def test_an_old_workspace_shows_less_and_is_not_asked_again(one: Office, error: str) -> None:
    """Neither suggestions nor titles are tried for an hour, and questions are answered as ever."""
    one.slack.faults.always("assistant.threads.setSuggestedPrompts", Fault(error=error))
    for _ in range(3):
        assert [] == await prompts(one)
    asked = one.slack.direct_message("U1", "What is BXD?")
    await one.answered(asked.channel, asked.ts)
    await one.idle()

    assert (1, 0) == (
        len(one.slack.calls("assistant.threads.setSuggestedPrompts")),
        len(one.slack.calls("assistant.threads.setTitle")),
    )


async def test_an_app_without_the_scope_answers_as_ever(store: Store) -> None:
    """The manifest of an old installation grants less."""
    scopes = [scope for scope in MANIFEST["oauth_config"]["scopes"]["bot"] if scope != "assistant:write"]
    manifest = {**MANIFEST, "oauth_config": {"scopes": {"bot": scopes}}}
    async with LocalSlack(manifest, clock=Clock(speed=60.0)) as slack, office(slack, store) as one:
        assert [] == await prompts(one)
        asked = slack.direct_message("U1", "What is BXD?")
        assert (await one.answered(asked.channel, asked.ts)).text.startswith("About: What is BXD?")


async def test_a_direct_thread_is_named_after_its_question(one: Office) -> None:
    """The first question names it; a follow-up, and a thread of a channel, change no name."""
    asked = one.slack.direct_message("U1", "What is  the\nBXD family? " + "word " * 50)
    await one.answered(asked.channel, asked.ts)
    await one.idle()
    one.slack.direct_message("U1", "And HXB?", thread_ts=asked.ts)
    await one.idle()
    await one.ask("In a channel?")
    (title,) = one.slack.agent.titles.values()

    assert title.startswith("What is the BXD family? word")
    assert (title.endswith(" …"), len(title) <= 80) == (True, True)


async def test_events_of_tabs_without_a_person_are_acknowledged(one: Office) -> None:
    """Payloads that lack what they should have do nothing."""
    for event in ({"type": "app_home_opened"}, {"type": "app_home_opened", "user": "U1", "tab": "home"}):
        delivery = one.slack.event(event)
        assert delivery is not None
        await delivery.settled()
        assert delivery.acknowledged
    await one.idle()

    assert [] == one.slack.calls("views.publish")
