"""Buttons below answers: what each does. Who may press is the reception's to say, each time."""

from __future__ import annotations

from adapters.slack import interactions_texts as texts
from adapters.slack.blocks import Action, Press, read_press
from adapters.slack.handing_over import HandOver
from adapters.slack.interactions_payloads import (
    Payload,
    Where,
    entered,
    is_handle,
    kept,
    part,
    records,
    where_of_submission,
    word,
)
from adapters.slack.interactions_telling import person_of, place_of, stop, tell
from adapters.slack.modals import COMMENT_INPUT, MAX_COMMENT, View, comment_view, passages_view
from adapters.slack.parts import Parts
from bot.chat import Vote
from bot.errors import BotError
from bot.texts import nothing_to_stop

_NOTHING = {Action.STOP: nothing_to_stop(), Action.PASSAGES: texts.NO_PASSAGES}


def presses_of(body: Payload) -> list[Press]:
    """Return the buttons of Locus that were pressed; a value that can be no handle is ""."""
    found = (read_press(word(action, "action_id"), word(action, "value")) for action in records(body, "actions"))
    return [Press(one.action, one.handle if is_handle(one.handle) else "") for one in found if one is not None]


class Buttons:
    """Does what the buttons of messages ask for."""

    def __init__(self) -> None:
        self._hand_over = HandOver()

    async def pressed(self, parts: Parts, where: Where, press: Press) -> None:
        """Do what a button asks for. What is not possible is said to the person who pressed.

        Raises:
            BotError: If a part is away.
        """
        if not press.handle:
            await tell(parts, where, _NOTHING.get(press.action, texts.GONE))
            return
        match press.action:
            case Action.UP:
                await self._voted(parts, where, press.handle, "up")
            case Action.DOWN:
                await self._voted(parts, where, press.handle, "down")
            case Action.PASSAGES:
                await self._passages(parts, where, press.handle)
            case Action.AGAIN:
                await self._again(parts, where, press.handle)
            case Action.HAND_OVER:
                await self._hand_over.run(parts, where, press.handle)
            case Action.STOP:
                await self._stop(parts, where, press.handle)
            case _:
                pass

    async def commented(self, parts: Parts, body: Payload) -> None:
        """Store a comment; where it was asked for stands in the modal, and is checked like everything else."""
        where, view = where_of_submission(body), part(body, "view")
        if where is None:
            return
        handle, comment = word(kept(view), "handle"), entered(view, COMMENT_INPUT).strip()
        if not comment:
            return
        stored = False
        if where.channel and is_handle(handle):
            by = await person_of(parts, where)
            place = await place_of(parts, where)
            stored = await parts.reception.vote(place, by, handle, "down", comment[:MAX_COMMENT])
        await tell(parts, where, texts.NOTED if stored else texts.GONE)

    async def _voted(self, parts: Parts, where: Where, handle: str, vote: Vote) -> None:
        by = await person_of(parts, where)
        if not await parts.reception.vote(await place_of(parts, where), by, handle, vote):
            await tell(parts, where, texts.GONE)
        elif vote == "up":
            await tell(parts, where, texts.NOTED)
        else:
            await open_view(parts, where, comment_view(handle, where), otherwise=texts.NOTED)

    async def _passages(self, parts: Parts, where: Where, handle: str) -> None:
        by = await person_of(parts, where)
        passages = await parts.reception.passages(await place_of(parts, where), by, handle)
        if passages:
            await open_view(parts, where, passages_view(passages), otherwise=texts.PRESS_AGAIN)
        else:
            await tell(parts, where, texts.NO_PASSAGES)

    async def _again(self, parts: Parts, where: Where, handle: str) -> None:
        by = await person_of(parts, where)
        accepted = await parts.reception.again(await place_of(parts, where), by, handle)
        if accepted is None:
            await tell(parts, where, texts.GONE)
        elif not accepted.new:
            await tell(parts, where, texts.ASKED_AGAIN_ALREADY)

    async def _stop(self, parts: Parts, where: Where, request_id: str) -> None:
        if not await stop(parts, where, request_id):
            await tell(parts, where, nothing_to_stop())


async def open_view(parts: Parts, where: Where, view: View, *, otherwise: str) -> None:
    """Open a modal for who pressed something, or tell them something where Slack does not."""
    try:
        opened = await parts.calls.draft("views.open", trigger_id=where.trigger_id, view=view)
    except BotError:
        opened = None  # mostly too late: a trigger lives for three seconds
    if opened is None:
        await tell(parts, where, otherwise)
