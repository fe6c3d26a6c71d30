"""Files: uploaded for a room, encrypted where it is, and downloaded within bounds."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Final
from urllib.parse import quote

from nio.crypto.attachments import decrypt_attachment, encrypt_attachment
from nio.exceptions import EncryptionError
from nio.responses import UploadResponse
from pydantic import JsonValue

from adapters.matrix.errors import checked, error_for, translated
from adapters.matrix.files import StoredFile
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.pictures import Uploaded
from bot.errors import InvalidRequestError, NotFoundError
from bot.messages import FileReference
from bot.replies import Attachment

logger = logging.getLogger(__name__)

DOWNLOAD_S: Final = 120.0
UPLOAD_S: Final = 120.0
_PIECE: Final = 1 << 16


class Transfers:
    """Moves files.

    Args:
        client: Logged in.
    """

    def __init__(self, client: CarefulClient) -> None:
        self._client = client

    async def upload(self, room: str, file: Attachment) -> Uploaded:
        """Store a file on the homeserver for a room.

        Raises:
            UnavailableError: If the homeserver is away.
            InvalidRequestError: If it is larger than the homeserver takes.
        """
        known = self._client.rooms.get(room)
        encrypted = known is not None and known.encrypted
        data, keys = file.data, None
        if encrypted:
            data, keys = await asyncio.to_thread(encrypt_attachment, file.data)
        media_type = "application/octet-stream" if encrypted else file.media_type
        with translated():
            async with asyncio.timeout(UPLOAD_S):
                response, _ = await self._client.upload(
                    lambda *_: io.BytesIO(data),
                    content_type=media_type,
                    # The name would stand in clear.
                    filename=None if encrypted else file.name,
                    filesize=len(data),
                )
        return Uploaded(checked(response, UploadResponse).content_uri, _described(keys) if keys is not None else None)

    async def fetch(self, file: FileReference, *, max_bytes: int) -> bytes:
        """Return a file that came with a message; see `bot.chat.ChatAdapter`."""
        stored = StoredFile.unpack(file.file_id)
        if stored is None:
            raise NotFoundError("This file cannot be fetched from Matrix: send it once more.")
        with translated():
            async with asyncio.timeout(DOWNLOAD_S):
                data = await self._download(stored.url, max_bytes)
        if not stored.encrypted:
            return data
        try:
            return await asyncio.to_thread(decrypt_attachment, data, stored.key, stored.sha256, stored.iv)
        except (EncryptionError, ValueError) as error:
            raise InvalidRequestError("The file is damaged or its keys do not fit: send it once more.") from error

    async def _download(self, url: str, max_bytes: int) -> bytes:
        server, _, media_id = url.removeprefix("mxc://").partition("/")
        path = f"/_matrix/client/v1/media/download/{quote(server)}/{quote(media_id)}"
        headers = {"Authorization": f"Bearer {self._client.access_token}"}
        response = await self._client.send("GET", path, None, headers)
        async with response:
            if response.status != 200:
                body = await self._client.parse_body(response)
                raise error_for(response.status, str(body.get("errcode", "")), headers=response.headers)
            data = bytearray()
            async for piece in response.content.iter_chunked(_PIECE):
                data += piece
                if len(data) > max_bytes:
                    raise InvalidRequestError("The file is larger than files may be here.")
            return bytes(data)


def _described(keys: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what content says of an encrypted file beside its address."""
    return {"v": "v2", **{name: keys[name] for name in ("key", "iv", "hashes")}}
