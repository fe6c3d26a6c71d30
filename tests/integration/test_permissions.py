"""Who may teach, subscribe and see the status: people, channels and groups by id, administrators always."""

from __future__ import annotations

import pytest

from bot.access import Access
from bot.commands import CommandContext, Commands, find_command
from bot.errors import RefusedError, SettingsError, UnavailableError
from bot.messages import Audience, Place, Sender
from bot.permissions import Action, Permissions
from bot.requests import Request
from bot.service import Service
from bot.settings import Settings
from bot.store.client import Store
from tests.fakes import HeldAnswerer, MemoryChat, held_application, message

HERE = Place("slack", "T1", "C1")
ADA = Sender("slack", "T1", "U1")
BEN = Sender("slack", "T1", "U2")
BOSS = Sender("slack", "T1", "UBOSS")
GUEST = Sender("slack", "T9", "U1", external=True)


class Groups(MemoryChat):
    """A chat that keeps groups, and is away at will."""

    away: frozenset[str] = frozenset()

    async def belongs(self, sender: Sender, group: str) -> bool:
        self.calls.append(group)
        if group in self.away:
            raise UnavailableError("The chat is away.")
        return await super().belongs(sender, group)


@pytest.fixture
def chat() -> Groups:
    """A chat in whose group S1 ada is."""
    chat = Groups("slack")
    chat.groups["S1"] = {"U1"}
    return chat


def permissions(store: Store, chat: MemoryChat, *entries: str, action: Action = "teach") -> Permissions:
    """Return the rule of one action."""
    access = Access(store, administrators=["slack/T1/UBOSS"], answer_external=True)
    return Permissions(access, {"slack": chat}.__getitem__, {action: entries})


async def test_without_a_rule_all_members_of_the_channel_may(store: Store, chat: Groups) -> None:
    """And people of other organisations may not."""
    rule = permissions(store, chat)

    assert [True, True, False] == [await rule.allows("teach", HERE, who) for who in (ADA, BEN, GUEST)]


@pytest.mark.parametrize(
    ("entry", "ada", "ben"),
    [
        ("slack//U1", True, False),
        ("slack/T1/U1", True, False),
        ("slack/T2/U1", False, False),
        ("matrix//U1", False, False),
        ("slack//C1", True, True),
        ("slack/T1/C1", True, True),
        ("slack/T2/C1", False, False),
        ("slack//C2", False, False),
        ("slack//S1", True, False),
        ("slack/T1/S1", True, False),
        ("slack/T2/S1", False, False),
        ("matrix//S1", False, False),
        ("slack//S2", False, False),
    ],
)
async def test_a_rule_names_people_channels_and_groups(
    store: Store, chat: Groups, entry: str, ada: bool, ben: bool
) -> None:
    """Each of its chat, and of its workspace where it names one."""
    rule = permissions(store, chat, entry)

    assert [ada, ben] == [await rule.allows("teach", HERE, who) for who in (ADA, BEN)]


async def test_a_rule_holds_for_its_action_alone(store: Store, chat: Groups) -> None:
    """Who may not subscribe may still teach."""
    rule = permissions(store, chat, "slack//U1", action="subscribe")

    assert [False, True, True] == [await rule.allows(one, HERE, BEN) for one in ("subscribe", "teach", "status")]


async def test_a_channel_counts_in_all_its_threads(store: Store, chat: Groups) -> None:
    """And in no other channel."""
    rule = permissions(store, chat, "slack//C1")

    assert await rule.allows("teach", Place("slack", "T1", "C1", "1.0"), BEN)
    assert not await rule.allows("teach", Place("slack", "T1", "D1", "1.0", Audience.DIRECT), BEN)


async def test_ids_may_hold_slashes_and_colons(store: Store) -> None:
    """As those of Matrix do."""
    rule = permissions(store, MemoryChat("slack"), "matrix/localhost/@ada/x:localhost", "matrix//!room:localhost")
    ada = Sender("matrix", "localhost", "@ada/x:localhost")

    assert await rule.allows("teach", Place("matrix", "localhost", "!other:localhost"), ada)
    assert await rule.allows("teach", Place("matrix", "localhost", "!room:localhost"), Sender("matrix", "h", "@b:h"))


async def test_administrators_always_may(store: Store, chat: Groups) -> None:
    """Whatever the rule says, and without asking the platform."""
    rule = permissions(store, chat, "slack//S2")

    assert await rule.allows("teach", HERE, BOSS)
    assert [] == chat.calls


async def test_people_of_other_organisations_never_may(store: Store, chat: Groups) -> None:
    """Not even in a channel that is named, nor with the id of somebody who is."""
    rule = permissions(store, chat, "slack//C1", "slack//U1", "slack//S1")

    assert not await rule.allows("teach", HERE, GUEST)
    assert [] == chat.calls


async def test_a_group_that_cannot_be_asked_does_not_hide_another(store: Store, chat: Groups) -> None:
    """Who is in one of them may; who may be in the other is told to try again."""
    chat.away = frozenset({"S0"})
    rule = permissions(store, chat, "slack//S0", "slack//S1")

    assert await rule.allows("teach", HERE, ADA)
    with pytest.raises(UnavailableError):
        await rule.allows("teach", HERE, BEN)


@pytest.mark.parametrize("entry", ["U1", "slack/U1", "slack//", "/T1/U1", "//"])
def test_a_malformed_entry_stops_the_start(store: Store, chat: Groups, entry: str) -> None:
    """With a sentence that names the setting and shows how it is written."""
    for action, setting in (
        ("teach", "LOCUS_TEACHERS"),
        ("subscribe", "LOCUS_DIGEST_SUBSCRIBERS"),
        ("status", "LOCUS_STATUS_READERS"),
    ):
        with pytest.raises(SettingsError, match=f"{setting} names .*write CHAT/WORKSPACE/ID"):
            permissions(store, chat, entry, action=action)  # type: ignore[arg-type]


def test_the_service_reads_the_settings(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are separated by spaces in the environment, and a malformed entry of any of them stops the start."""
    monkeypatch.setenv("LOCUS_TEACHERS", "slack//U1 slack//S1")
    Service(Settings(), None, store, [], frozenset())
    for name in ("LOCUS_TEACHERS", "LOCUS_DIGEST_SUBSCRIBERS", "LOCUS_STATUS_READERS"):
        monkeypatch.setenv(name, "slack//U1 U2")
        with pytest.raises(SettingsError, match=f"{name} names 'U2'"):
            Service(Settings(), None, store, [], frozenset())
        monkeypatch.delenv(name)


async def _status(commands: Commands, user: str) -> str:
    """Return what the command says to somebody."""
    asked = message("status", user=user)
    command = find_command("status")
    assert command is not None
    context = CommandContext(asked.place, asked.sender, Request(asked.request_id, asked))
    try:
        result = await commands.run(command, context)
    except RefusedError as error:
        return str(error)
    return result.reply.text


async def test_the_status_is_for_its_readers(store: Store) -> None:
    """Others are told which setting says so."""
    chat = message("x").place.chat
    settings = Settings(status_readers=(f"{chat}//reader",))
    service = Service(settings, held_application(HeldAnswerer()), store, [MemoryChat(chat)])
    assert service.commands is not None
    await service.inbox.prepare()

    assert "LOCUS_STATUS_READERS" not in await _status(service.commands, "reader")
    assert "You may not see the status here: the person who runs Locus decides who may, with LOCUS_STATUS_READERS." == (
        await _status(service.commands, "somebody")
    )
