"""`export`: give a person what is stored of them, as a file that only they can read."""

from __future__ import annotations

import asyncio
import json

from pydantic import JsonValue

from bot.commands.command import CommandContext, CommandResult, say
from bot.replies import Attachment
from bot.store.people import People
from bot.texts import export_elsewhere, exported


async def run(context: CommandContext, people: People) -> CommandResult:
    """Attach the file, in a direct conversation only."""
    if not context.direct:
        return CommandResult(say(export_elsewhere()))
    found = await people.export(context.sender.person_id, but=context.request.request_id)
    data = await asyncio.to_thread(_file, found)
    left_out = found["left_out"]
    sentence = exported(left_out if isinstance(left_out, int) else 0)
    return CommandResult(say(sentence, Attachment("export.json", "application/json", data)))


def _file(found: dict[str, JsonValue]) -> bytes:
    return (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
