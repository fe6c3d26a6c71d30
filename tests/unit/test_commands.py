"""Commands people type: which messages are one, and what each says and does."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from bot.commands import Command, CommandContext, CommandResult, Commands, find_command
from bot.messages import Audience, IncomingMessage
from bot.ports import IndexFacts
from bot.replies import Stage
from bot.requests import Request
from bot.store.answer_cache import AnswerCache
from bot.store.client import Store
from bot.store.conversations import Conversations
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox
from bot.store.people import People
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message

NOW = 1_793_700_000.0  # 2026-11-03, two days after the made-up index was published


class Typing:
    """A service in which commands are typed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.inbox = Inbox(store)
        self.conversations = Conversations(store, days=1, tokens=1000)
        people = People(self.inbox, self.conversations, AnswerCache(store, hours=1), GivenAnswers(store, days=1))
        self.application = held_application(HeldAnswerer())
        self.commands = Commands(self.application, self.inbox, self.conversations, people, clock=lambda: NOW)

    async def type(
        self, text: str, *, audience: Audience = Audience.DIRECT, thread: str = "", beside: bool = False
    ) -> CommandResult:
        """Run a command and what belongs to it; `beside` the conversation, as a slash command is typed."""
        command = find_command(text)
        assert command is not None
        asked = message(text, number=99, audience=audience, thread=thread)
        request, chat = Request(asked.request_id, asked), None if beside else MemoryChat()
        context = CommandContext(asked.place, asked.sender, request, chat=chat)
        result = await self.commands.run(command, context)
        if result.also:
            await self.store.transaction(*result.also)
        assert (Stage.FINAL, False) == (result.reply.stage, result.reply.answered)
        return result

    async def say(self, *asked: IncomingMessage) -> None:
        """Add questions and answers to conversations."""
        for one in asked:
            commands = self.conversations.append(
                Request(one.request_id, one), one.text, "An answer.", scopes=("public",)
            )
            await self.store.transaction(*commands)


@pytest.fixture
def typing(store: Store) -> Typing:
    """A service without questions."""
    return Typing(store)


@pytest.mark.parametrize(
    ("texts", "command"),
    [
        (["help", "Help", "/help", "!help", "locus help", "Locus, help", "/locus help", " HELP! ", "help."], "help"),
        (["new", "/new", "New conversation", "new  conversation."], "new"),
        (["forget", "forget me", "/forget me", "Forget me."], "forget"),
        (["export", "/export", "locus: export"], "export"),
        (["status", "!status"], "status"),
        (["scope", "/scope"], "scope"),
        (["sources", "Sources."], "sources"),
        (["stop", "Stop!", "STOP", "/stop", "locus stop", "stop..."], "stop"),
    ],
)
def test_whole_messages_are_commands(texts: Sequence[str], command: str) -> None:
    """However they are written, and never confirmed by chance."""
    assert {command} == {found.name for text in texts if (found := find_command(text))}
    assert all(find_command(text) == find_command(texts[0]) for text in texts)
    assert not any(found.confirmed for text in texts if (found := find_command(text)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "locus",
        "help me with QTL",
        "Where can I get help",
        "help?!?",
        "new datasets",
        "status of BXD",
        "stop codon",
        "What is a stop codon?",
        "export the BXD data",
        "forget me not",
        "do not forget me now",
        "forget me now?",
        "//help",
        "locus locus locus help",
        "the locus help",
        "he\u200blp",
        "help" + " " * 200,
        "help\x00",
    ],
)
def test_questions_are_no_commands(text: str) -> None:
    """A command within a longer message is part of the question."""
    assert find_command(text) is None


def test_only_the_full_words_confirm() -> None:
    """Deleting everything takes a sentence that nobody writes for another reason."""
    assert Command("forget", confirmed=True) == find_command("Forget me NOW.")


async def test_help_names_every_command(typing: Typing) -> None:
    """What is listed can be typed, and tells how conversations work in this place."""
    direct = (await typing.type("help")).reply.text
    channel = (await typing.type("help", audience=Audience.PUBLIC)).reply.text
    listed = [line[2:].partition(":")[0] for line in direct.splitlines() if line.startswith("- ")]

    about_files = {"learn this", "keep", "discard", "files", "forget this file", "forget file NAME"}
    others = {"help", "stop", "again", "new", "status", "sources", "scope", "export", "forget me"}
    assert others | about_files == set(listed)
    assert all(find_command(name) for name in listed if name != "again")
    assert ('until you write "new"' in direct, "Each thread is a conversation" in channel) == (True, True)


async def test_new_begins_a_direct_conversation_anew(typing: Typing) -> None:
    """In the transaction that finishes the command; in a channel it says what to do instead."""
    asked = message("What is BXD?")
    shared = message("What is BXD?", channel="c2", audience=Audience.PUBLIC)
    await typing.say(asked, shared)

    assert [] == (await typing.type("new", audience=Audience.PUBLIC)).also
    assert () != (await typing.conversations.load(asked.place, scopes=("public",))).turns
    assert "begin anew" in (await typing.type("new")).reply.text
    assert () == (await typing.conversations.load(asked.place, scopes=("public",))).turns
    assert () != (await typing.conversations.load(shared.place, scopes=("public",))).turns


async def test_new_where_each_message_begins_a_thread_says_so(typing: Typing) -> None:
    """A new message or a slash command begins nothing that could be begun anew; in a thread its turns are forgotten."""
    asked = message("What is BXD?", thread="1")
    await typing.say(asked)

    for told in (await typing.type("new", thread="m99"), await typing.type("new", beside=True)):
        assert (True, []) == ("begins a conversation of its own" in told.reply.text, told.also)
    assert () != (await typing.conversations.load(asked.place, scopes=("public",))).turns
    assert "begin anew" in (await typing.type("new", thread="1")).reply.text
    assert () == (await typing.conversations.load(asked.place, scopes=("public",))).turns


async def test_forget_explains_before_it_deletes(typing: Typing) -> None:
    """Nothing is deleted until it is confirmed; then everything, and a second time it says that there was nothing."""
    asked = message("What is BXD?")
    await typing.say(asked)

    assert '"forget me now"' in (await typing.type("forget me")).reply.text
    assert () != (await typing.conversations.load(asked.place, scopes=("public",))).turns
    assert "1 thing stored about you was deleted" in (await typing.type("forget me now")).reply.text
    assert () == (await typing.conversations.load(asked.place, scopes=("public",))).turns
    assert "nothing stored" in (await typing.type("forget me now")).reply.text


async def test_forget_leaves_the_command_that_asks_for_it(typing: Typing) -> None:
    """It is answered like any other, and no other question of the person is."""
    await typing.inbox.prepare()
    asking, other = message("forget me now", number=99), message("What is BXD?", channel="c2")
    await typing.inbox.accept([asking, other])
    await typing.type("forget me now")

    kept, withdrawn = [await typing.inbox.find(one.request_id) for one in (asking, other)]
    assert kept is not None
    assert withdrawn is not None
    assert ("forget me now", "") == (kept.message.text, withdrawn.message.text)


@pytest.mark.parametrize("audience", [Audience.PRIVATE, Audience.PUBLIC, Audience.SHARED])
async def test_export_in_a_channel_gives_nothing_away(typing: Typing, audience: Audience) -> None:
    """It asks for a direct message, where only the person reads it."""
    await typing.say(message("What is BXD?"))
    reply = (await typing.type("export", audience=audience)).reply

    assert () == reply.attachments
    assert "direct message" in reply.text
    assert "BXD" not in reply.text


async def test_export_in_a_direct_conversation_is_a_file(typing: Typing) -> None:
    """JSON in UTF-8 with what the person asked, wherever that was, and nobody else's words."""
    await typing.say(
        message("Où est Café ?", channel="c2"),
        message("Not mine?", user="u2", channel="c2"),
    )
    (attachment,) = (await typing.type("export")).reply.attachments
    exported = json.loads(attachment.data)

    assert ("export.json", "application/json") == (attachment.name, attachment.media_type)
    assert "Où est Café ?" == exported["conversations"][0]["turns"][0]["text"]
    assert "Not mine?" not in attachment.data.decode()


async def test_status_says_counts_only(typing: Typing) -> None:
    """Documents, their age, what answers, and how many other questions are open."""
    await typing.inbox.prepare()
    await typing.inbox.accept([message("status", number=99), message("Secret one?", user="u2", channel="c2")])
    text = (await typing.type("status")).reply.text

    assert (
        "I have read 12 documents (revision 1, 2 days old). Answers quote the documents; no model is set. "
        "1 other question is open."
    ) == text


async def test_status_beside_a_conversation_counts_every_open_question(typing: Typing) -> None:
    """A slash command never waited among the questions, so none of these is it."""
    await typing.inbox.prepare()
    await typing.inbox.accept([message("Secret one?", user="u2", channel="c2")])

    assert "1 other question is open." in (await typing.type("status", beside=True)).reply.text


async def test_status_before_the_first_ingest(typing: Typing, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty index is said to be empty."""

    async def nothing() -> IndexFacts:
        return IndexFacts(0, "", 0)

    monkeypatch.setattr(typing.application, "facts", nothing)
    text = (await typing.type("status")).reply.text

    assert (
        "No documents are indexed yet. Answers quote the documents; no model is set. No other question is open." == text
    )


async def test_stop_that_was_no_stop_when_it_came(typing: Typing) -> None:
    """A question edited to "stop" has ended its own answer; there is nothing more to do."""
    assert "nothing of yours to stop" in (await typing.type("stop")).reply.text
