"""What matrix-nio 0.26 leaves open about the one-time keys of a device; the rest stands in `nio_gaps`.

1. A message between devices that cannot be opened because of its one-time key, or is no such message at all, ends the
   handling of the whole sync, for ever: it is left out, and a new channel to its sender is made.
2. One-time keys whose upload was not confirmed are replaced by others before the next one, though the homeserver may
   have them and give them away, and are not stored before they are uploaded: the same ones are uploaded again.
3. What a message between devices changes is stored in steps: a process that dies between them cannot open the message
   when it comes again, and what it carried, such as the key of a room, is lost. It is stored in one step.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from typing import cast

from nio.api import Api
from nio.client.async_client import AsyncClient
from nio.events import OlmEvent
from nio.events.to_device import ToDeviceEvent
from nio.exceptions import LocalProtocolError
from nio.responses import KeysUploadError, KeysUploadResponse

logger = logging.getLogger(__name__)


class KeyKeepingClient(AsyncClient):
    """An `AsyncClient` without those gaps."""

    def _handle_decrypt_to_device(self, to_device_event: ToDeviceEvent) -> ToDeviceEvent | None:
        # The homeserver sends it again until a later sync is asked for.
        with self.store.database.atomic() if self.store is not None else nullcontext():
            return self._opened(to_device_event)

    def _opened(self, to_device_event: ToDeviceEvent) -> ToDeviceEvent | None:
        try:
            return super()._handle_decrypt_to_device(to_device_event)
        except Exception as error:
            # Anybody may send anything; vodozemac raises kinds of ValueError, others come from what is missing.
            logger.warning("a message between devices could not be opened (%s)", type(error).__name__)
        if isinstance(to_device_event, OlmEvent) and self.olm is not None:
            with suppress(Exception):  # a device that is not known cannot be written to
                self.olm._mark_device_for_unwedging(to_device_event.sender, to_device_event.sender_key)  # type: ignore[no-untyped-call]
        return None

    async def keys_upload(self) -> KeysUploadResponse | KeysUploadError:
        """Upload what the homeserver needs of this device's keys.

        Raises:
            LocalProtocolError: If that is nothing, or nobody is logged in.
        """
        machine = self.olm
        if machine is None or not self.should_upload_keys:
            raise LocalProtocolError("There are no keys to upload.")
        account = machine.account
        unconfirmed = len(account.one_time_keys["curve25519"])
        make = account.generate_one_time_keys
        account.generate_one_time_keys = lambda count: make(max(0, count - unconfirmed))  # type: ignore[method-assign]
        try:
            keys = machine.share_keys()
        finally:
            del account.generate_one_time_keys
        machine.save_account()
        answer = await self._send(KeysUploadResponse, *Api.keys_upload(self.access_token, keys))
        return cast("KeysUploadResponse | KeysUploadError", answer)
