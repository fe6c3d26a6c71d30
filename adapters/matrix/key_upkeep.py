"""What encryption needs between two syncs: messages to devices, keys to be written to with, keys of other people."""

from __future__ import annotations

import logging

from nio.responses import ErrorResponse

from adapters.matrix.errors import SessionEndedError, checked_call, error_of, translated
from adapters.matrix.nio_gaps import CarefulClient
from bot.errors import BotError

logger = logging.getLogger(__name__)

KEYS_UPLOAD = "/_matrix/client/v3/keys/upload"


class KeyUpkeep:
    """Does what is due; what fails is due again after the next sync.

    Args:
        client: Whose keys they are.
    """

    def __init__(self, client: CarefulClient) -> None:
        self._client = client
        self._failing = False

    async def run(self) -> None:
        """Do what is due.

        Raises:
            SessionEndedError: If the homeserver has ended the session.
        """
        client = self._client
        if client.olm is None:
            return
        failed = False
        for step in (self._send, self._upload, self._upload_fallback, self._query, self._claim):
            try:
                with translated():
                    await step()
            except SessionEndedError:
                raise
            except BotError as error:
                failed = True
                if not self._failing:
                    logger.warning("keys are not kept up: %s", error)
        self._failing = failed

    async def _send(self) -> None:
        for answer in await self._client.send_to_device_messages():
            _check(answer)

    async def _upload(self) -> None:
        if self._client.should_upload_keys:
            _check(await self._client.keys_upload())

    async def _upload_fallback(self) -> None:
        # Whatever is uploaded counts as there afterwards: one-time keys that are due come first.
        if self._client.needs_fallback_key and not self._client.should_upload_keys:
            checked_call(*await self._client.call("POST", KEYS_UPLOAD, self._client.make_fallback_key()))
            self._client.fallback_key_is_there()

    async def _query(self) -> None:
        if self._client.should_query_keys:
            _check(await self._client.keys_query())

    async def _claim(self) -> None:
        if self._client.should_claim_keys:
            _check(await self._client.keys_claim(self._client.get_users_for_key_claiming()))


def _check(answer: object) -> None:
    if isinstance(answer, ErrorResponse):
        raise error_of(answer)
