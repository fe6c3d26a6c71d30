"""Messages whose keys come late: the real service in encrypted rooms of a real homeserver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from nio.responses import Response

from tests.matrix_adapter import Asker, Stage, until


class Held:
    """Keys of messages that are under way to Locus: calls that her client has made and the homeserver not yet had."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []


@contextmanager
def keys_held(ada: Asker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Let the keys that her client gives to devices stay under way, as between slow homeservers."""
    held = Held()
    client = ada.who.client
    send = client._send

    async def hold(
        kind: Any, method: str, path: str, data: Any = None, response_data: Any = (), **more: Any
    ) -> Response:
        if "/sendToDevice/" not in path:
            answer: Response = await send(kind, method, path, data, response_data, **more)
            return answer
        held.calls.append((method, path, data))
        response: Response = kind.from_dict({}, *response_data)
        await client.receive_response(response)
        return response

    with monkeypatch.context() as patch:
        patch.setattr(client, "_send", hold)
        yield held


async def deliver(ada: Asker, held: Held) -> None:
    """Let the keys arrive."""
    assert held.calls
    for method, path, data in held.calls:
        async with await ada.who.client.send(method, path, data, {"Content-Type": "application/json"}) as answer:
            answer.raise_for_status()
    held.calls.clear()


async def test_m7_a_message_is_answered_when_its_key_comes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One helpful reply for two messages, no more for a third; each is answered once as soon as its key is there."""
    async with stage.asking(encrypted=True) as ada, stage.serving() as one:
        await ada.knows_locus()
        with keys_held(ada, monkeypatch) as held:
            first, second = await ada.ask("What is BXD?"), await ada.ask("What is LOD?")
            await ada.sees(None, "cannot read your message")
            third = await ada.ask("What is QTL?")
            await until(lambda: third in one.waiting, "the third is waited for")
            before = list(one.questions)
        await deliver(ada, held)
        for asked in (first, second, third):
            await ada.answered(asked)
        await one.settled()
        await ada.caught_up()
        hints = [line for line in ada.lines() if "cannot read your message" in line.body]

        assert [] == before
        assert 1 == len(hints)
        assert {"What is BXD?", "What is LOD?", "What is QTL?"} == set(one.questions)
        assert 4 == len(ada.lines())
        assert 3 == len(one.questions)


async def test_m7_a_key_that_comes_after_a_restart_still_opens_the_question(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be read is remembered by the next process, which says nothing a second time."""
    async with stage.asking(encrypted=True) as ada:
        async with stage.serving():
            await ada.knows_locus()
            with keys_held(ada, monkeypatch) as held:
                asked = await ada.ask("What is BXD?")
                await ada.sees(None, "cannot read your message")
        async with stage.serving() as second:
            await deliver(ada, held)
            await ada.answered(asked)
            await second.settled()
            await ada.caught_up()

            assert ["What is BXD?"] == second.questions
            assert 2 == len(ada.lines())


async def test_m7_the_key_arrives_a_moment_after_its_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time of grace nobody is told anything; the answer comes."""
    async with stage.asking(encrypted=True) as ada, stage.serving() as one:
        await ada.knows_locus()
        with keys_held(ada, monkeypatch) as held:
            asked = await ada.ask("What is BXD?")
            await until(lambda: asked in one.waiting, "it is waited for")
        await deliver(ada, held)
        await ada.answered(asked)
        await one.settled()
        await ada.caught_up()

        assert 1 == len(ada.lines())


async def test_m7_a_question_that_was_deleted_before_locus_saw_it_gets_no_hint(stage: Stage) -> None:
    """Nothing of it is left to be read: no key is waited for, and nobody is told that one is missing."""
    async with stage.asking(encrypted=True) as ada:
        async with stage.serving():
            await ada.knows_locus()
        deleted = await ada.ask("What is BXD?")
        await ada.who.redact(ada.room, deleted)
        async with stage.serving() as locus:
            asked = await ada.ask("What is LOD?")
            await ada.answered(asked)
            await locus.settled()

            assert [] == list(locus.waiting)
            assert ["What is LOD?"] == locus.questions


async def test_m7_a_question_that_is_deleted_while_its_key_is_missing_gets_no_hint(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender has taken it back; there is nothing to wait for any more."""
    async with stage.asking(encrypted=True) as ada, stage.serving() as locus:
        await ada.knows_locus()
        with keys_held(ada, monkeypatch):
            asked = await ada.ask("What is BXD?")
            await until(lambda: asked in locus.waiting, "it is waited for")
            await ada.who.redact(ada.room, asked)
            await until(lambda: asked not in locus.waiting, "it is waited for no more")
        await ada.caught_up()

        assert [] == ada.lines()


async def test_m7_an_edit_counts_when_its_key_comes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has begun a new key between question and edit; nobody is told anything."""
    async with stage.asking(encrypted=True) as ada, stage.serving() as locus:
        await ada.knows_locus()
        asked = await ada.ask("What is slow?")
        await locus.begun()
        ada.who.client.invalidate_outbound_session(ada.room)
        with keys_held(ada, monkeypatch) as held:
            await ada.who.edit(ada.room, asked, "What is LOD?", mention=[ada.bot])
            await until(lambda: locus.waiting, "the edit is waited for")
        await deliver(ada, held)
        await ada.answered(asked)
        await locus.settled()

        assert ["What is slow?", "What is LOD?"] == locus.questions
        assert "About: What is LOD?" in ada.answers(asked)[0].body
        assert 1 == len(ada.lines())
