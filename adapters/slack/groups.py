"""User groups: who is in them, asked of Slack and remembered for some minutes."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Final

from adapters.slack.lookups import Lookup
from adapters.slack.sending_calls import Calls
from bot.errors import NotFoundError, RefusedError, SettingsError

logger = logging.getLogger(__name__)

LIFETIME_S: Final = 300.0  # how long somebody who was taken out of a group counts as a member
MOST_GROUPS: Final = 500

_GROUP = re.compile(r"S\w{1,40}", re.ASCII)


class Groups:
    """Looks user groups up.

    Args:
        calls: Makes the calls.
        clock: Seconds that only grow.
    """

    def __init__(self, calls: Calls, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._members = Lookup(self._fetch, lifetime_s=LIFETIME_S, most=MOST_GROUPS, clock=clock)

    async def has(self, group: str, user: str) -> bool:
        """Return whether a person is in a group; False for what is no id of a group, which costs no call.

        Where the app lacks the scope, or the workspace has no such group, nobody is in it and the log says why.

        Raises:
            UnavailableError: If Slack has to be asked and does not answer.
        """
        if not _GROUP.fullmatch(group):
            return False
        try:
            return user in await self._members.get(group)
        except SettingsError as error:
            logger.warning("nobody counts as member of the user group %s: %s", group, error)
            return False

    async def _fetch(self, group: str) -> frozenset[str]:
        try:
            reply = await self._calls.make("usergroups.users.list", usergroup=group)
        except (NotFoundError, RefusedError) as error:
            logger.warning("nobody counts as member of the user group %s: %s", group, error)
            return frozenset()
        users = reply.fields.get("users")
        return frozenset(one for one in users if isinstance(one, str)) if isinstance(users, list) else frozenset()
