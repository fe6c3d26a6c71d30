"""Files that people share: what is known of them, and their content where they were shared."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from adapters.slack.downloading import TOO_LARGE, download
from adapters.slack.errors import FILE_GONE, MissingScopeError
from adapters.slack.events_files import SharedFile, read_file
from adapters.slack.lookups import Lookup
from adapters.slack.sending_calls import Calls
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, SettingsError
from bot.messages import FileReference, Place

logger = logging.getLogger(__name__)

LIFETIME_S: Final = 60.0
MOST_KNOWN: Final = 500
NOT_HERE: Final = "The file was not shared in this channel, so it is not fetched: upload it here."
NO_FILE: Final = "Slack does not keep this file itself, so it cannot be fetched: upload it here as a file."

Fields = Mapping[str, JsonValue]
_GONE = SharedFile("")
# Among the files of a message that was not looked into yet: something that Slack does not keep itself.
ELSEWHERE: Final = FileReference("", "")


class Files:
    """The files of a workspace.

    Args:
        calls: Makes the calls.
        clock: Seconds that only grow.
    """

    def __init__(self, calls: Calls, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._known = Lookup(self._ask, lifetime_s=LIFETIME_S, most=MOST_KNOWN, clock=clock)

    async def references(self, shared: Iterable[SharedFile], url: str = "") -> tuple[FileReference, ...]:
        """Return the files of a message; of those that Slack tells only the id of, it is asked for the rest.

        Args:
            shared: The files.
            url: Of the message.

        Raises:
            UnavailableError: If Slack has to be asked and does not answer.
        """
        return await self.described(references(shared, url))

    async def described(self, found: Iterable[FileReference]) -> tuple[FileReference, ...]:
        """Return references with what Slack says of those that have no name yet; what it does not keep is left out.

        Raises as `references`.
        """
        asked = [one if one.name else await self._told(one) for one in found if one.file_id]
        return tuple(one for one in asked if one.file_id)

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        """Return the content of a file, see `bot.chat.ChatAdapter.fetch`.

        Raises:
            NotFoundError: If it is gone, is no file of Slack's, or was not shared in the channel of `place`: a file
                of elsewhere is none of that channel's business, whoever names it.
            InvalidRequestError: If it is larger than `max_bytes`.
            RefusedError: If the app lacks the scope; questions go on being answered, so this ends no connection.
            UnavailableError: If Slack is away.
        """
        try:
            info = await self._info(file.file_id)
        except MissingScopeError as error:
            raise RefusedError(str(error)) from error
        if place.channel not in _channels(info):
            raise NotFoundError(NOT_HERE)
        described = read_file(info)
        url = info.get("url_private_download") or info.get("url_private")
        if described is None or not described.told or not isinstance(url, str):
            raise NotFoundError(NO_FILE)
        if described.size_bytes > max_bytes:
            raise InvalidRequestError(TOO_LARGE.format(limit=max_bytes))
        return await download(
            self._calls.client,
            url,
            size_bytes=described.size_bytes,
            media_type=described.media_type,
            max_bytes=max_bytes,
        )

    async def _told(self, file: FileReference) -> FileReference:
        try:
            told = await self._known.get(file.file_id)
        except SettingsError as error:
            # The message counts; whoever fetches its file is told what is missing.
            logger.warning("a file cannot be looked at: %s", error)
            return replace(file, name=file.file_id)
        return _reference(told, file.url)

    async def _ask(self, file_id: str) -> SharedFile:
        try:
            found = read_file(await self._info(file_id))
        except (NotFoundError, RefusedError):
            return _GONE
        return found if found is not None and found.told else _GONE

    async def _info(self, file_id: str) -> Fields:
        reply = await self._calls.make("files.info", file=file_id)
        found = reply.fields.get("file")
        if not isinstance(found, dict):
            raise NotFoundError(FILE_GONE)
        return found


def references(shared: Iterable[SharedFile], url: str = "") -> tuple[FileReference, ...]:
    """Return the files of a message without asking Slack: one of which it tells only the id has no name."""
    return tuple(_reference(file, url) for file in shared if file.file_id)


def _reference(file: SharedFile, url: str) -> FileReference:
    name = file.name if file.told else ""
    return FileReference(file.file_id, name, file.size_bytes, file.media_type, url)


def _channels(info: Fields) -> set[str]:
    """Return the ids of the channels, groups and direct conversations in which a file was shared."""
    found: set[str] = set()
    for name in ("channels", "groups", "ims"):
        listed = info.get(name)
        found |= {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
    shares = info.get("shares")
    for kind in ("public", "private"):
        by_channel = shares.get(kind) if isinstance(shares, dict) else None
        found |= set(by_channel) if isinstance(by_channel, dict) else set()
    return found
