"""`sources`: what was read, as far as it is seen in this place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.access import Access
from bot.application import Application
from bot.commands.command import CommandContext, CommandResult, say
from bot.commands.scope import visible_scopes
from bot.errors import RefusedError
from bot.plain_text import without_controls
from bot.ports import PUBLIC_SCOPE, IndexedSource
from bot.texts import sources_text

MAX_NAME_CHARS = 100
_MOST = 20  # sources that are listed

_WEB = re.compile(r"https?://(?:[^/@\s]*@)?", re.IGNORECASE)


async def run(context: CommandContext, application: Application, access: Access | None) -> CommandResult:
    """List the sources whose documents are searched here, those with most documents first."""
    try:
        scopes = await visible_scopes(context, access)
    except RefusedError as error:
        return CommandResult(say(str(error)))
    facts = await application.facts()
    seen = sorted((one for one in facts.sources if one.scope in scopes), key=lambda one: -one.documents)
    listed = [(shown_name(one.name), one.documents, one.scope != PUBLIC_SCOPE) for one in seen[:_MOST]]
    return CommandResult(say(sources_text(listed, more=len(seen) - len(listed))))


def shown_name(name: str) -> str:
    """Return a source's name for people: of a folder and of a file its last part, since others are the operator's."""
    shown = " ".join(without_controls(name).split())
    if _WEB.match(shown):
        shown = _WEB.sub("", shown, count=1).partition("?")[0]
    else:
        shown = re.split(r"[/\\]", shown.rstrip("/\\"))[-1]
    return shown[:MAX_NAME_CHARS] or "…"


def public_titles(sources: Sequence[IndexedSource], limit: int = 3) -> tuple[str, ...]:
    """Return titles of documents that everybody may see, from the largest sources."""
    public = sorted((one for one in sources if one.scope == PUBLIC_SCOPE), key=lambda one: -one.documents)
    return tuple(dict.fromkeys(title for one in public for title in one.titles))[:limit]
