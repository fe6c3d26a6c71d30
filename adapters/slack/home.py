"""The app's Home tab: what it can do, what it has read, the digests of a person's channels, and their own data."""

from __future__ import annotations

import logging
from typing import Final

from pydantic import JsonValue

from adapters.slack import interactions_texts as texts
from adapters.slack.blocks import Block, buttons, section, small_print
from adapters.slack.home_digests import digests_of
from adapters.slack.interactions_payloads import Payload, Where, records, word
from adapters.slack.interactions_telling import person_of, place_of
from adapters.slack.parts import Parts
from adapters.slack.personal import EXPORT, FORGET, run_privately
from adapters.slack.rendering import Look, render
from adapters.slack.text import sentence
from bot.errors import BotError

logger = logging.getLogger(__name__)

EXPORT_ACTION: Final = "locus_home_export"
FORGET_ACTION: Final = "locus_home_forget"

_COMMANDS = {EXPORT_ACTION: EXPORT, FORGET_ACTION: FORGET}
_MRKDWN = Look(native=False)  # the blocks of standard Markdown belong to messages
_MOST_BLOCKS = 20  # of one reply in the tab


async def show_home(parts: Parts, where: Where) -> None:
    """Show a person their Home tab; what cannot be told now is left out.

    Raises:
        BotError: If Slack does not take it.
    """
    facts = [block for command in ("status", "sources") for block in await _told(parts, where, command)]
    facts += await digests_of(parts, where)
    await parts.calls.make("views.publish", user_id=where.user, view=home_view(facts))


def home_view(facts: list[Block]) -> dict[str, JsonValue]:
    """Return the tab.

    Args:
        facts: What is indexed, and which digests the person's channels get.
    """
    export = _button(texts.EXPORT, EXPORT_ACTION)
    forget = {**_button(texts.FORGET, FORGET_ACTION), "style": "danger", "confirm": _confirm()}
    divider: Block = {"type": "divider"}
    blocks: list[Block] = [
        {"type": "header", "text": _plain(texts.HOME_TITLE)},
        section(sentence(texts.HOME_ABOUT)),
        section(sentence(texts.HOME_MORE)),
        divider,
        *facts,
        *([divider] if facts else ()),
        section(sentence(texts.HOME_DATA)),
        buttons(export, forget),
    ]
    return {"type": "home", "blocks": list(blocks)}


def home_commands(body: Payload) -> list[str]:
    """Return the commands whose buttons were pressed in the tab."""
    names = (word(action, "action_id") for action in records(body, "actions"))
    return [_COMMANDS[name] for name in names if name in _COMMANDS]


async def pressed(parts: Parts, where: Where, command: str) -> None:
    """Carry out a command of the tab; whose data it is about is who pressed, whatever the button says.

    Raises:
        BotError: If a part is away.
    """
    await run_privately(parts, where, command)


async def _told(parts: Parts, where: Where, command: str) -> list[Block]:
    try:
        reply = await parts.reception.command(await place_of(parts, where), await person_of(parts, where), command)
    except BotError as error:
        logger.info("the Home tab is shown without its %s: %s", command, error)
        return []
    if reply is None:
        return []
    shown = render(reply, _MRKDWN).first.blocks[:_MOST_BLOCKS]
    return [block for block in shown if block.get("type") in ("section", "context")] or [small_print("…")]


def _button(label: str, action_id: str) -> dict[str, JsonValue]:
    return {"type": "button", "text": _plain(label), "action_id": action_id}


def _confirm() -> JsonValue:
    return {
        "title": _plain(texts.FORGET_TITLE),
        "text": _plain(texts.FORGET_TEXT),
        "confirm": _plain(texts.FORGET_YES),
        "deny": _plain(texts.FORGET_NO),
        "style": "danger",
    }


def _plain(text: str) -> JsonValue:
    return {"type": "plain_text", "text": text}
