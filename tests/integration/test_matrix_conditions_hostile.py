"""Texts and events that mean harm, and names that are not true: the real service over a real homeserver."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from typing import Any

import httpx
import pytest

from bot.evidence import Citation
from tests.hostile_texts import BUILDING_BLOCKS
from tests.matrix_adapter import Asker, Stage, until
from tests.matrix_server.person import person
from tests.writing_answerer import WritingAnswerer

BOTH = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
TAGS = frozenset(
    "p br strong em del code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 table thead tbody tr th td a span".split()
)
_TAG = re.compile(r"<\s*/?\s*([a-zA-Z0-9!-]+)([^>]*)>")
_HREF = re.compile(r"href=\"([^\"]*)\"")
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*=")
SOURCE = "https://example.org/a"


async def ready(ada: Asker, *, encrypted: bool) -> None:
    """Wait until she may ask."""
    if encrypted:
        await ada.knows_locus()


def odd_contents() -> list[dict[str, Any]]:
    """Messages as broken or malicious clients send them; nearly all are taken by Synapse."""
    me = "BOT"
    odd: list[Any] = ["x", 7, None, [], {}, {"user_ids": me}, {"user_ids": {"a": me}}, {"user_ids": [[me], 3, None]}]
    text = {"msgtype": "m.text", "body": "What is it?"}
    found: list[dict[str, Any]] = [{**text, "m.mentions": one} for one in odd]
    relations: list[Any] = ["x", 7, None, [], {"rel_type": 4}, {"rel_type": "m.thread"}]
    found += [{**text, "m.relates_to": one} for one in relations]
    bodies: list[object] = [7, None, ["x"], {}]
    kinds: list[object] = ["x.y", 5, None]
    found += [{"msgtype": "m.text", "body": one, "m.mentions": {"user_ids": [me]}} for one in bodies]
    found += [{"msgtype": one, "body": "locus: what?", "m.mentions": {"user_ids": [me]}} for one in kinds]
    found += [
        {"m.mentions": {"user_ids": [me]}},
        {},
        {"msgtype": "m.text"},
        {**text, "m.mentions": {"room": True}},
        {**text, "msgtype": "m.notice", "m.mentions": {"user_ids": [me]}},
        {**text, "msgtype": "m.emote", "m.mentions": {"user_ids": [me]}},
        {"msgtype": "m.image", "body": "locus: x", "url": 5, "info": "x", "m.mentions": {"user_ids": [me]}},
        {"msgtype": "m.file", "body": "x", "file": {"url": ["mxc://a/b"], "key": 7}, "m.mentions": {"user_ids": [me]}},
        {**text, "m.new_content": "x", "m.relates_to": {"rel_type": "m.replace", "event_id": "$none"}},
        {"algorithm": 5, "ciphertext": {}},
    ]
    return found


async def test_m11_strange_events_stop_nothing_and_are_no_questions(stage: Stage) -> None:
    """Whatever a client gets past the homeserver; the question that comes after it is answered."""
    kinds = ("m.room.message", "m.reaction", "m.room.encrypted", "m.room.tombstone", "x.unknown", "m.poll.start")
    account = stage.synapse.register("ada")
    async with person(stage.synapse.url, account) as raw, stage.serving() as one:
        room = await raw.create_room(stage.bot.user_id, name="The lab")
        await until(lambda: room in one.client.rooms, "it is joined")
        taken = 0
        for kind in kinds:
            for content in odd_contents():
                with contextlib.suppress(httpx.HTTPStatusError):  # Synapse looks at a few fields itself
                    await raw.send(room, _with(content, stage.bot.user_id), kind)
                    taken += 1
        await raw.say(room, "What is BXD?", mention=[stage.bot.user_id])
        await raw.wait_for(lambda event: "About: What is BXD?" in str(event["content"].get("m.new_content")), room)
        await one.settled()

        assert 100 < taken
        assert ["What is BXD?"] == one.questions
        assert 0 == await one.dead_letters()
        assert one.service.health.ready()


def _with(value: Any, bot: str) -> Any:
    if isinstance(value, dict):
        return {key: _with(one, bot) for key, one in value.items()}
    if isinstance(value, list):
        return [_with(one, bot) for one in value]
    return bot if value == "BOT" else value


@pytest.mark.parametrize("msgtype", ["m.notice", "m.text"])
async def test_m11_another_bot_that_answers_everything_ends_the_talk(stage: Stage, msgtype: str) -> None:
    """A notice is never answered; a bot that writes like a person is answered so often and no more."""
    async with stage.asking() as ada, stage.serving() as one:
        root = await ada.ask("What is BXD?")
        for number in range(40):
            known = len(ada.answers(root))
            await ada.who.send(
                ada.room,
                {
                    "msgtype": msgtype,
                    "body": f"I do not understand answer {number}.",
                    "m.mentions": {"user_ids": [ada.bot]},
                    "m.relates_to": {"rel_type": "m.thread", "event_id": root},
                },
            )
            if known > len(ada.answers(root)):
                break
        elsewhere = await ada.ask("What is LOD?")
        await ada.answered(elsewhere)
        await one.settled()
        await ada.caught_up()

        assert (2 if msgtype == "m.notice" else 32) >= len(one.questions)
        assert one.service.health.ready()


HOSTILE = (
    " ".join(BUILDING_BLOCKS).encode("utf-8", "ignore").decode(),
    "@room @ada @everyone <a href='https://matrix.to/#/@ada:localhost'>ada</a> https://matrix.to/#/@ada:localhost",
    "<script>alert(1)</script><img src=x onerror=alert(1)><mx-reply>x</mx-reply><font color=red>x</font>",
    "&lt;img src=https://evil.example/a.png&gt; <a href='javascript:alert(1)'>x</a> <details open>",
    "![x](https://evil.example/a.png) [1](https://evil.example) <https://evil.example> https://evil.example/x",
    "`` ` ``` *bold _and ~open `code\n```\nfence </code></pre><b>x\n\u202egnol\u202c \u2066x\u2069 end\u200f",
)


@BOTH
@pytest.mark.parametrize("place", range(len(HOSTILE)))
async def test_m11_hostile_texts_of_person_document_and_model_do_nothing(
    stage: Stage, place: int, encrypted: bool
) -> None:
    """At no moment is anybody called, a picture or strange tag shown, or anything linked but the source."""
    text = HOSTILE[place]
    answerer = WritingAnswerer([Citation(1, text, f"{text}.md", SOURCE, text)])
    async with stage.asking(encrypted=encrypted) as ada, stage.serving(answerer) as one:
        await ready(ada, encrypted=encrypted)
        asked = await ada.ask(text)
        await one.begun()
        answerer.write("Beginning. ")
        await ada.sees(asked, "Beginning.")
        for start in range(0, len(text), 3):
            answerer.write(text[start : start + 3])
            await asyncio.sleep(0.002)
        answerer.write("\n\nEnd. [1]")
        answerer.finish()
        line = await ada.answered(asked)
        await one.settled()
        await ada.caught_up()

        assert [] == [content["m.mentions"] for content in ada.sent() if content.get("m.mentions")]
        assert {"m.notice"} == {content["msgtype"] for content in ada.sent()}
        shown = [content_now(content) for content in ada.sent()]
        pages = [str(content.get("formatted_body", "")) for content in (*ada.sent(), *shown)]
        assert set() == {tag.lower() for page in pages for tag, _ in _TAG.findall(page)} - TAGS
        assert set() == {
            name for page in pages for _, rest in _TAG.findall(page) for name in _ATTRIBUTE.findall(_values(rest))
        } - {"href", "class", "start"}
        assert {SOURCE} == {html.unescape(link) for page in pages for link in _HREF.findall(page)}
        assert [] == [content for content in shown if "@room" in str(content.get("body"))]
        assert 1 == line.body.count("End.")
        assert 0 == await highlights(stage, ada)


def content_now(content: dict[str, Any]) -> dict[str, Any]:
    """What a message or an edit shows."""
    new: dict[str, Any] = content.get("m.new_content", content)
    return new


def _values(attributes: str) -> str:
    """Attributes without their values."""
    return re.sub(r'"[^"]*"', '""', attributes)


async def highlights(stage: Stage, ada: Asker) -> int:
    """How often the homeserver has notified her loudly, by the push rules of her account."""
    async with person(stage.synapse.url, ada.who.account) as plain:
        answer = await plain.sync()
    counts = answer["rooms"]["join"][ada.room]["unread_notifications"]
    return int(counts["highlight_count"])


async def test_who_calls_themselves_locus_is_nobody_special(stage: Stage) -> None:
    """Neither the display name nor what a pill looks like counts: the user id does."""
    async with stage.asking() as ada, stage.serving() as one:
        async with person(stage.synapse.url, ada.who.account) as plain:
            await plain.call("PUT", f"/profile/{ada.who.user_id}/displayname", {"displayname": "Locus"})
        me = ada.who.user_id
        pill = f'<a href="https://matrix.to/#/{me}">Locus</a> what is this?'
        fake = f'<a href="https://matrix.to/#/{ada.bot}">Ada</a> what is this?'
        shown = {"msgtype": "m.text", "format": "org.matrix.custom.html"}
        await ada.who.send(ada.room, {**shown, "body": "Locus what is this?", "formatted_body": pill})
        await ada.who.send(
            ada.room,
            {**shown, "body": "Locus what is it?", "formatted_body": pill, "m.mentions": {"user_ids": [me]}},
        )
        await ada.who.send(ada.room, {**shown, "body": "Ada what is this?", "formatted_body": fake, "m.mentions": {}})
        asked = await ada.who.send(
            ada.room,
            {**shown, "body": "Ada what is that?", "formatted_body": fake, "m.mentions": {"user_ids": [ada.bot]}},
        )
        await ada.answered(asked)
        await one.settled()
        await ada.caught_up()

        assert ["what is that?"] == [question.removeprefix("Ada ") for question in one.questions]
        assert 1 == len(ada.lines())


async def test_nobody_acts_on_answers_by_forging_them(stage: Stage) -> None:
    """Who copies the unseen mark of an answer into a message of their own moves nothing with a reaction to it."""
    async with stage.asking() as ada, stage.serving() as one:
        asked = await ada.ask("What is BXD?")
        answer = await ada.answered(asked)
        await one.settled()
        mark = answer.content["org.genenetwork.locus"]
        forged = await ada.who.send(
            ada.room, {"msgtype": "m.text", "body": "I am an answer", "org.genenetwork.locus": mark}
        )
        await ada.who.react(ada.room, forged, "🔁")
        await ada.who.react(ada.room, forged, "🛑")
        following = await ada.ask("What is LOD?")
        await ada.answered(following)
        await one.settled()

        assert ["What is BXD?", "What is LOD?"] == one.questions
