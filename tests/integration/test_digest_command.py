"""The command `digest` on a real Redis: what people type, and what they are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.access import Access
from bot.commands import find_command
from bot.commands.command import CommandContext
from bot.digest.declared import load_declared
from bot.digest.subscriptions import Subscription
from bot.errors import BotError, InvalidRequestError, RefusedError, SettingsError, UnavailableError
from bot.messages import IncomingMessage, Place, Sender
from bot.permissions import Permissions
from bot.replies import Reply
from bot.requests import Request
from bot.store.client import Store
from tests.digests import HXB, PLACE, DigestStage

ADA = Sender("memory", "w1", "ada")
EVE = Sender("memory", "w1", "eve")


class Room(DigestStage):
    """A stage on which people type; without the first look unless `looked`."""

    async def type(self, text: str, *, place: Place = PLACE, sender: Sender = ADA) -> Reply:
        """Type a command and return what is said."""
        command = find_command(text)
        assert command is not None
        message = IncomingMessage(place, sender, "m1", text, 1.0)
        context = CommandContext(place, sender, Request(message.request_id, message))
        return (await self.digests.handlers["digest"](context, command)).reply

    async def standings(self) -> list[Subscription]:
        """Return the channel's subscriptions."""
        return [one.subscription for one in await self.digests.subscriptions.of_channel(PLACE)]


@pytest.fixture
async def room(store: Store) -> Room:
    """A channel after the first look."""
    made = Room(store)
    made.catalogue.add("Old1")
    made.catalogue.add("Old2", key=HXB)
    await made.look()
    return made


async def test_subscribing_says_what_comes_and_when(room: Room) -> None:
    """With the names as GeneNetwork has them, and schedules it."""
    said = await room.type("digest subscribe weekly mon 9:00 group:bxd type:mrna zone:Europe/Berlin")
    (subscription,) = await room.standings()
    (schedule,) = await room.schedules()

    assert "BXD, mRNA, every Monday at 9:00 (Europe/Berlin). I say nothing when nothing is new." in said.text
    assert "Next: Mon 12 Jan 2026, 9:00." in said.text
    assert (subscription.schedule_id, "0 9 * * 1", "Europe/Berlin") == (
        schedule.schedule_id,
        schedule.cron,
        schedule.zone,
    )


async def test_subscribing_twice_is_one_digest(room: Room) -> None:
    """A command may be carried out twice; it says so."""
    await room.type("digest subscribe weekly mon 9:00 group:BXD")
    said = await room.type("digest subscribe every Monday 09:00 group:bxd")

    assert said.text.startswith("That digest is there already")
    assert 1 == len(await room.standings())


async def test_the_same_wish_with_quiet_changed_is_the_same_digest(room: Room) -> None:
    """It is changed, not doubled."""
    await room.type("digest subscribe daily 8:30")
    await room.type("digest subscribe daily 8:30 quiet:off")

    assert [False] == [one.quiet for one in await room.standings()]


async def test_a_digest_belongs_to_the_channel_also_when_it_is_typed_in_a_thread(room: Room) -> None:
    """It is posted to the channel."""
    await room.type("digest subscribe daily", place=replace(PLACE, thread="t1"))

    assert [""] == [one.place.thread for one in await room.standings()]


async def test_the_list_numbers_the_digests_of_the_channel(room: Room) -> None:
    """And of no other."""
    await room.type("digest subscribe daily 8:30 group:BXD")
    await room.type("digest subscribe daily 8:30", place=replace(PLACE, channel="c2"))
    room.clock.now += 60
    await room.type("digest subscribe first Monday of the month")
    said = (await room.type("digest list")).text.splitlines()

    assert [
        "1. BXD, every day at 8:30 (UTC)",
        "2. all of GeneNetwork, on the first Monday of the month at 9:00 (UTC)",
    ] == [line.partition(";")[0] for line in said]
    assert "next Mon 2 Feb 2026, 9:00" in said[1]


@pytest.mark.parametrize("text", ["digest", "digest help", "Digest help."])
async def test_help_explains_digests(room: Room, text: str) -> None:
    """With examples that work."""
    said = (await room.type(text)).text

    assert "digest subscribe weekly mon 9:00" in said


async def test_the_examples_of_the_help_work(room: Room) -> None:
    """Each of them begins a digest."""
    for when in ("weekly mon 9:00", "daily 8:30", "every Monday 09:00", "first Monday of the month", "cron 0 9 * * 1"):
        await room.type(f"digest subscribe {when} tissue:hippocampus")

    assert 3 == len(await room.standings())  # three of them say the same


async def test_nothing_here_is_said_with_what_to_do(room: Room) -> None:
    """Also where a number is given."""
    said = await room.type("digest list")
    with pytest.raises(InvalidRequestError, match="This channel has no digest"):
        await room.type("digest unsubscribe 1")

    assert "digest subscribe" in said.text


async def test_pausing_resuming_and_ending_take_the_only_digest_or_its_number(room: Room) -> None:
    """A paused one is not scheduled, and an ended one is gone."""
    await room.type("digest subscribe daily 8:30")
    await room.type("digest pause")
    paused = [(one.enabled) for one in await room.schedules()]
    listed = (await room.type("digest list")).text
    await room.type("digest resume 1")
    resumed = [(one.enabled) for one in await room.schedules()]
    await room.type("digest unsubscribe #1")

    assert ([False], [True], []) == (paused, resumed, await room.standings())
    assert "PAUSED" in listed


async def test_of_several_digests_one_must_be_named(room: Room) -> None:
    """And one that there is."""
    await room.type("digest subscribe daily 8:30")
    await room.type("digest subscribe weekly")
    for text in ("digest pause", "digest pause 3", "digest unsubscribe all"):
        with pytest.raises(InvalidRequestError, match="say which, as a number from 1 to 2"):
            await room.type(text)


async def test_a_preview_shows_what_would_come_and_tells_nothing(room: Room) -> None:
    """The digest still comes."""
    await room.type("digest subscribe weekly")
    (subscription,) = await room.standings()
    empty = await room.type("digest preview")
    room.catalogue.add("New1")
    row = room.catalogue.add("Secret")
    await room.look()
    row.public = False
    shown = await room.type("digest preview 1")
    room.clock.now += 7200

    assert "No new datasets in GeneNetwork since the last digest." in empty.text
    assert "Preview of the digest of Mon 12 Jan 2026, 9:00" in shown.text
    assert ["Title of New1"] == [entry.title for section in shown.sections for entry in section.entries]
    assert 1 == await room.announce(subscription)


async def test_a_preview_looks_at_genenetwork(room: Room) -> None:
    """It shows what was added since the last look, and says when it looked; soon after it does not look again."""
    await room.type("digest subscribe daily 9:00")
    room.catalogue.add("New1")
    room.clock.now += 3600
    shown = await room.type("digest preview")
    looks = room.catalogue.looks
    await room.type("digest preview")

    assert "1 new dataset of BXD" in shown.text
    assert "As of the last look at GeneNetwork, Mon 5 Jan 2026, 10:00." in shown.text
    assert looks == room.catalogue.looks


async def test_a_preview_of_a_genenetwork_that_is_away_says_how_old_it_is(room: Room) -> None:
    """What was known is shown."""
    await room.type("digest subscribe daily 9:00")
    room.clock.now += 3600
    room.catalogue.away = True

    assert (
        "As of the last look at GeneNetwork, Mon 5 Jan 2026, 9:00, as it did not answer in time now."
        in (await room.type("digest preview")).text
    )


async def test_a_preview_needs_genenetwork(room: Room) -> None:
    """What cannot be checked is not shown."""
    await room.type("digest subscribe weekly")
    room.catalogue.add("New1")
    await room.look()
    room.catalogue.away = True

    with pytest.raises(UnavailableError):
        await room.type("digest preview")


async def test_before_the_first_look_it_says_so(store: Store) -> None:
    """A lab may subscribe at once."""
    room = Room(store)
    said = await room.type("digest subscribe weekly group:BXD")

    assert "I have not looked at GeneNetwork yet" in said.text
    assert "I have not looked at GeneNetwork yet" in (await room.type("digest preview")).text


@pytest.mark.parametrize(
    "text",
    [
        "digest subscribe",
        "digest subscribe weekly mun",
        "digest subscribe daily group:BDX",
        "digest subscribe daily zone:Mars/Olympus",
        "digest subscribe cron 0 9 31 2 *",
    ],
)
async def test_what_is_not_understood_changes_nothing(room: Room, text: str) -> None:
    """And is one sentence."""
    with pytest.raises(InvalidRequestError) as caught:
        await room.type(text)

    assert "\n" not in str(caught.value)
    assert [] == await room.standings()


async def test_only_those_who_may_change_digests(room: Room) -> None:
    """Others may look."""
    access = Access(room.store, administrators=(), answer_external=False)
    permissions = Permissions(access, lambda _: room.chat, {"subscribe": ("memory//ada",)})
    room.digests._command._permissions = permissions
    await room.type("digest subscribe weekly")
    for text in ("digest subscribe daily", "digest pause 1", "digest resume 1", "digest unsubscribe 1"):
        with pytest.raises(RefusedError, match="LOCUS_DIGEST_SUBSCRIBERS"):
            await room.type(text, sender=EVE)

    assert "1. all of GeneNetwork" in (await room.type("digest list", sender=EVE)).text
    assert 1 == len(await room.standings())


DECLARED = """
[[digest]]
name = "lab"
channel = "memory/w1/c1"
when = "weekly mon 9:00"
zone = "America/Chicago"
group = ["BXD"]
type = "mrna, phenotype"
quiet = false

[[digest]]
name = "all"
channel = "memory/w1/c1"
when = "first Monday of the month"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with two digests."""
    path = tmp_path / "digests.toml"
    path.write_text(DECLARED)
    return path


async def test_declared_digests_begin_and_end_with_the_file(room: Room, file: Path) -> None:
    """What has vanished from it ends; what people typed stays."""
    await room.type("digest subscribe daily 8:30")
    began = await room.digests.roster.declare(load_declared(file, "UTC", clock=room.clock))
    again = await room.digests.roster.declare(load_declared(file, "UTC", clock=room.clock))
    names = [one.name for one in await room.standings()]
    file.write_text(DECLARED.partition('[[digest]]\nname = "all"')[0])
    ended = await room.digests.roster.declare(load_declared(file, "UTC", clock=room.clock))

    assert [(2, 0), (0, 0), (0, 1)] == [(one.changed, one.ended) for one in (began, again, ended)]
    assert ["", "all", "lab"] == sorted(names)
    assert ["", "lab"] == sorted(one.name for one in await room.standings())


async def test_a_declared_digest_is_not_changed_by_command(room: Room, file: Path) -> None:
    """The sentence says where."""
    await room.digests.roster.declare(load_declared(file, "UTC", clock=room.clock)[:1])
    for text in ("digest pause 1", "digest unsubscribe 1"):
        with pytest.raises(RefusedError, match="declared as 'lab' in the operator's file"):
            await room.type(text)


async def test_a_changed_declaration_keeps_what_was_told(room: Room, file: Path) -> None:
    """Another hour is no reason to tell everything again."""
    (lab,) = load_declared(file, "UTC", clock=room.clock)[:1]
    await room.digests.roster.declare([lab])
    room.catalogue.add("New1")
    room.clock.now += 7200
    await room.announce(lab)
    file.write_text(DECLARED.replace("9:00", "10:00"))
    (later,) = load_declared(file, "UTC", clock=room.clock)[:1]
    await room.digests.roster.declare([later])
    standing = await room.digests.subscriptions.find(later.subscription_id)

    assert lab.subscription_id == later.subscription_id
    assert standing is not None
    assert ("0 10 * * 1", 1) == (standing.subscription.cron, standing.progress.told)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("x = ", "is no TOML file"),
        ("[digests]", "every entry begins with"),
        ("digest = 3", "every entry begins with"),
        ('[[digest]]\nname = "a"', "entry 1: channel is missing"),
        ('[[digest]]\nname = "a"\nchannel = "c1"\nwhen = "daily"', "channel is CHAT/WORKSPACE/CHANNEL"),
        ('[[digest]]\nname = "a"\nchannel = "slack/T/C"\nwhen = "sometimes"', "entry 1: 'sometimes' is no day"),
        ('[[digest]]\nname = "a"\nchannel = "slack/T/C"\nwhen = "daily"\ncolour = "red"', "'colour' is no part"),
        ('[[digest]]\nname = "a"\nchannel = "slack/T/C"\nwhen = "daily"\ntype = ["rna2"]', "'rna2' is no type"),
        ('[[digest]]\nname = "a"\nchannel = "slack/T/C"\nwhen = "daily"\ngroup = 3', "group is a list of names"),
        ('[[digest]]\nname = "a"\nchannel = "slack/T/C"\nwhen = "daily"\nquiet = "hm"', "quiet: is on"),
        (
            '[[digest]]\nname="a"\nchannel="s/T/C"\nwhen="daily"\n[[digest]]\nname="a"\nchannel="s/T/D"\nwhen="daily"',
            "twice",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_the_entry(tmp_path: Path, content: str, sentence: str) -> None:
    """So that a start does not end in a riddle."""
    path = tmp_path / "digests.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=sentence):
        load_declared(path, "UTC")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With its setting."""
    with pytest.raises(SettingsError, match="LOCUS_DIGEST_FILE names .*No such file"):
        load_declared(tmp_path / "none.toml", "UTC")


async def test_every_refusal_is_an_error_of_ours(room: Room) -> None:
    """Whatever follows the command."""
    for rest in ("subscribe \ud800", "subscribe " + "x" * 400, "preview 99999", "list 1 2 3", "pause -1"):
        try:
            await room.type(f"digest {rest}")
        except BotError:
            continue
