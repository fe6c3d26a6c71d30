"""Everything that people press, type and choose in Slack: registered here, acknowledged at once, then done."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Final, Self

from slack_bolt.async_app import AsyncAck, AsyncApp

from adapters.slack import home, interactions_texts, reactions, shortcut, slash
from adapters.slack.agent_view import AgentView, Titles
from adapters.slack.blocks import Press
from adapters.slack.buttons import Buttons, presses_of
from adapters.slack.interactions_payloads import (
    Payload,
    Where,
    part,
    records,
    where_of,
    where_of_event,
    where_of_submission,
    word,
)
from adapters.slack.interactions_telling import tell
from adapters.slack.interactions_work import OwnedWork, Work
from adapters.slack.modals import ASK_ABOUT, COMMENT
from adapters.slack.parts import Parts
from bot.messages import IncomingMessage

OURS: Final = re.compile("^locus_")


class Interactions:
    """Listens on every connection of an adapter, and owns what it has begun; an asynchronous context manager.

    To be left before the adapter is, which it works with.

    Args:
        titles: Returns titles of documents that everybody may see, the best first; None where nobody knows any.
    """

    def __init__(self, *, titles: Titles | None = None) -> None:
        self._work = OwnedWork()
        self._buttons = Buttons()
        self._agent = AgentView(titles)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._work.close()

    def register(self, app: AsyncApp, parts: Parts) -> None:
        """Listen to the app of a new connection; before anything that listens to all events."""
        listening = _Listening(parts, self._work, self._buttons, self._agent)
        app.action(OURS)(listening.pressed)
        app.view(COMMENT)(listening.commented)
        app.view(ASK_ABOUT)(listening.asked_about)
        app.shortcut(shortcut.CALLBACK)(listening.chosen)
        app.command(slash.COMMAND)(listening.typed)
        app.event("app_home_opened")(listening.opened)
        app.event("reaction_added")(listening.reacted)

    async def name_thread(self, parts: Parts, message: IncomingMessage) -> None:
        """Name the thread of a direct conversation after the question that begins it; others keep their names."""
        await self._agent.name_thread(parts, message)


class _Listening:
    """The listeners of one connection: each acknowledges, then begins the work.

    Args:
        parts: Of that connection.
        work: Where it is begun; the others do it.
    """

    def __init__(self, parts: Parts, work: OwnedWork, buttons: Buttons, agent: AgentView) -> None:
        self._parts = parts
        self._work = work
        self._buttons = buttons
        self._agent = agent

    async def pressed(self, ack: AsyncAck, body: Payload) -> None:
        """Buttons, of messages and of the Home tab."""
        await ack()
        where = where_of(body)
        if where is None:
            return
        at = ".".join(word(action, "action_ts") for action in records(body, "actions")) or where.trigger_id
        if where.channel:
            for press in presses_of(body):
                work = self._buttons.pressed(self._parts, where, press)
                self._begin(press.action.value, work, where, _key(press, where, at))
        else:
            for command in home.home_commands(body):
                work = home.pressed(self._parts, where, command)
                self._begin("the Home tab", work, where, f"{command}/{where.user}/{at}" if at else "")

    async def commented(self, ack: AsyncAck, body: Payload) -> None:
        """The modal after a bad vote."""
        await ack()
        where = where_of_submission(body)
        if where is not None:
            self._begin("a comment", self._buttons.commented(self._parts, body), where, where.trigger_id)

    async def asked_about(self, ack: AsyncAck, body: Payload) -> None:
        """The modal of "Ask Locus about this"."""
        await ack()
        where = where_of_submission(body)
        if where is not None:
            work = shortcut.submitted(self._parts, body)
            self._begin("a question about a message", work, where, where.trigger_id)

    async def chosen(self, ack: AsyncAck, body: Payload) -> None:
        """The shortcut of messages."""
        await ack()
        where = where_of(body)
        if where is not None:
            self._begin("a shortcut", shortcut.chosen(self._parts, where, body), where, where.trigger_id)

    async def typed(self, ack: AsyncAck, body: Payload) -> None:
        """The command /locus."""
        await ack()
        where = slash.where_typed(body)
        if where is None:
            return

        async def failed(sentence: str) -> None:
            address = word(body, "response_url")
            await slash.respond(self._parts, where, address, sentence or interactions_texts.FAILED)

        work = slash.typed(self._parts, where, body)
        self._work.begin("a command", work, key=where.trigger_id, failed=failed)

    async def opened(self, body: Payload) -> None:
        """A tab of the app."""
        where, tab = where_of_event(body), word(part(body, "event"), "tab")
        if where is None or not where.channel:
            return
        if tab == "home":
            self._begin_quietly("the Home tab", home.show_home(self._parts, where), body)
        elif tab == "messages":
            self._begin_quietly("the Messages tab", self._agent.opened(self._parts, where), body)

    async def reacted(self, body: Payload) -> None:
        """A reaction to a message."""
        if reactions.meaning_of(self._parts, body) is not None:
            self._begin_quietly("a reaction", reactions.reacted(self._parts, body), body)

    def _begin(self, name: str, work: Work, where: Where, key: str) -> None:
        async def failed(sentence: str) -> None:
            await tell(self._parts, where, sentence or interactions_texts.FAILED)

        self._work.begin(name, work, key=key, failed=failed)

    def _begin_quietly(self, name: str, work: Work, body: Payload) -> None:
        self._work.begin(name, work, key=word(body, "event_id"), failed=_say_nothing)


async def _say_nothing(_: str) -> None:
    """Nobody waits for a word about a tab or a reaction."""


def _key(press: Press, where: Where, at: str) -> str:
    return f"{press.action}/{press.handle}/{where.user}/{at}" if at else ""
