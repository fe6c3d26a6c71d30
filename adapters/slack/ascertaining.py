"""What an event does not say of a message: asked of Slack after the acknowledgement, before anything is answered."""

from __future__ import annotations

from dataclasses import replace

from adapters.slack.parts import Parts
from adapters.slack.people import Person
from adapters.slack.sending_values import Recipient
from adapters.slack.thread_files import ThreadFiles
from bot.commands import find_command
from bot.errors import InvalidRequestError, RefusedError
from bot.messages import FileReference, IncomingMessage


async def ascertain(parts: Parts, message: IncomingMessage) -> IncomingMessage | None:
    """Return a message as Slack describes it now; see `bot.chat.ChatAdapter.ascertain`.

    Raises:
        UnavailableError: As long as Slack does not say.
        RefusedError: If the bot does not see the channel any more.
        SettingsError: If Slack does not accept the token.
    """
    known = await vouched(parts, message)
    if known is None or known.certain:
        return known
    return replace(known, files=await _files(parts, known), certain=True)


async def vouched(parts: Parts, message: IncomingMessage) -> IncomingMessage | None:
    """Return a message with sender and audience as Slack says, its files not looked into yet. Raises as `ascertain`."""
    if message.certain:
        return message
    place, user = message.place, message.sender.user
    person = await parts.people.person(user, patient=True)
    if person.bot:
        return None
    audience = parts.places.told(place.channel)
    try:
        place = replace(place, audience=audience or await parts.places.ask(place.channel, patient=True))
    except InvalidRequestError as error:
        raise RefusedError(str(error)) from error
    sender = parts.people.described(user, person, message.sender.workspace)
    parts.askers.note(place.channel, message.message_id, Recipient(sender.workspace, user))
    # What strangers share is not looked at, whatever they ask.
    return replace(message, place=place, sender=sender, files=() if sender.external else message.files)


def is_told(message: IncomingMessage, person: Person | None) -> bool:
    """Return whether nothing has to be asked about the files of a message.

    Args:
        message: As its event tells.
        person: Who wrote it; None where that is not known, and whose files count is not either.
    """
    if person is None:
        return False
    return person.external or not (learns_from_thread(message) or any(not file.name for file in message.files))


def learns_from_thread(message: IncomingMessage) -> bool:
    """Return whether "learn this" was said without a file: then it is meant of what its thread has seen."""
    if message.files or message.place.thread == message.message_id:
        return False
    command = find_command(message.text)
    return command is not None and command.name == "learn"


async def _files(parts: Parts, message: IncomingMessage) -> tuple[FileReference, ...]:
    """Return what came with a message; for "learn this" without a file, what its thread has seen last."""
    if message.sender.external:
        return ()
    if not learns_from_thread(message):
        return await parts.files.described(message.files)
    place = message.place
    thread_files = ThreadFiles(parts.calls, parts.identity, parts.people, parts.files)
    return await thread_files.before(place.channel, place.thread, message.message_id)
