"""The Messages tab as Slack's agent view: questions to begin with, titles of threads.

Nothing here is worth an error: an old workspace, or an app without the scope, simply shows less.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pydantic import JsonValue

from adapters.slack import interactions_texts as texts
from adapters.slack.errors import MissingScopeError, NoStreamsError
from adapters.slack.interactions_payloads import Where
from adapters.slack.parts import Parts
from bot.errors import BotError
from bot.messages import Audience, IncomingMessage
from bot.plain_text import clean, one_line, shortened

logger = logging.getLogger(__name__)

Titles = Callable[[], Awaitable[Sequence[str]]]

MOST_PROMPTS: Final = 4  # Slack's limit
MAX_PROMPT: Final = 60  # characters of a title that is suggested
MAX_TITLE: Final = 80  # characters of a thread's title
NOT_FOR_S: Final = 3600.0  # until it is tried again where Slack has refused


class AgentView:
    """Shows what belongs to the agent view.

    Args:
        titles: Returns titles of documents that everybody may see, the best first; None where nobody knows any.
    """

    def __init__(self, titles: Titles | None = None) -> None:
        self._titles = titles
        self._not_until = float("-inf")

    async def opened(self, parts: Parts, where: Where) -> None:
        """Suggest questions where a person opens the Messages tab."""
        arguments: dict[str, JsonValue] = {"channel_id": where.channel, "title": texts.PROMPTS_TITLE}
        if where.thread_ts:
            arguments["thread_ts"] = where.thread_ts
        await self._show(parts, "assistant.threads.setSuggestedPrompts", prompts=await self._prompts(), **arguments)

    async def name_thread(self, parts: Parts, message: IncomingMessage) -> None:
        """Name the thread of a direct conversation after the question that begins it."""
        place = message.place
        title = shortened(one_line(message.text), MAX_TITLE)
        if title and place.audience is Audience.DIRECT and place.thread == message.message_id:
            await self._show(
                parts,
                "assistant.threads.setTitle",
                channel_id=place.channel,
                thread_ts=place.thread,
                title=title,
            )

    async def _prompts(self) -> list[JsonValue]:
        found: Sequence[str] = ()
        if self._titles is not None:
            try:
                found = await self._titles()
            except BotError as error:
                logger.info("usual questions are suggested, since the titles of documents are not known: %s", error)
        shown = [shortened(one_line(clean(title)), MAX_PROMPT) for title in found]
        prompts = [(title, texts.prompt_about(title)) for title in dict.fromkeys(shown) if title]
        chosen = (prompts or texts.DEFAULT_PROMPTS)[:MOST_PROMPTS]
        return [{"title": title, "message": message} for title, message in chosen]

    async def _show(self, parts: Parts, method: str, **arguments: JsonValue) -> None:
        now = parts.calls.limits.now()
        if now < self._not_until:
            return
        try:
            await parts.calls.draft(method, message="", **arguments)
        except (MissingScopeError, NoStreamsError) as error:
            self._not_until = now + NOT_FOR_S
            logger.info("the agent view shows less for an hour: %s", error)
        except BotError as error:
            logger.debug("a part of the agent view was not shown: %s", error)
