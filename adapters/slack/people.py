"""Who writes: Slack's ids of people as senders."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from adapters.slack.client import Identity
from adapters.slack.errors import MissingScopeError
from adapters.slack.lookups import Lookup
from adapters.slack.sending_calls import Calls
from bot.errors import NotFoundError, RefusedError
from bot.messages import Sender

logger = logging.getLogger(__name__)

LIFETIME_S: Final = 900.0  # how long somebody who became a guest counts as a member
MOST_PEOPLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """An account as users.info describes it.

    Attributes:
        team: Its workspace, or "" where Slack does not say.
        name: What people see.
        external: True for guests, for people of other organisations, and where Slack does not say who it is.
        bot: True for an account that no person uses.
    """

    team: str = ""
    name: str = ""
    external: bool = True
    bot: bool = False


class People:
    """Looks accounts up and remembers them.

    Args:
        calls: Makes the calls.
        identity: Who the bot is; people of its workspace are no strangers.
        clock: Seconds that only grow.
    """

    def __init__(self, calls: Calls, identity: Identity, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._identity = identity
        self._people = Lookup(self._fetch, lifetime_s=LIFETIME_S, most=MOST_PEOPLE, clock=clock)

    async def person(self, user: str, *, patient: bool = False) -> Person:
        """Return an account.

        Args:
            user: Its id.
            patient: As of `Lookup.get`.

        Raises:
            UnavailableError: If Slack is away and the account is not known: who may be a guest is not guessed.
            SettingsError: If Slack does not accept the token.
        """
        try:
            return await self._people.get(user, patient=patient)
        except MissingScopeError as error:
            # Nobody is trusted with a channel's documents whom Slack does not vouch for.
            logger.warning("everybody counts as a guest: %s", error)
            return Person()

    async def sender(self, user: str, team: str = "") -> Sender:
        """Return who an account is. Raises as `person`.

        Args:
            user: Its id.
            team: Its workspace as an event says; counts where Slack does not describe the account.
        """
        return self.described(user, await self.person(user), team)

    def recent(self, user: str) -> Person | None:
        """Return an account without asking Slack, or None where what is known is not good enough any more."""
        return self._people.fresh(user)

    def described(self, user: str, person: Person | None, team: str = "") -> Sender:
        """Return an account as a sender.

        Args:
            user: Its id.
            person: What is known of it; None makes an external sender with nothing but the workspace.
            team: As of `sender`.
        """
        known = person or self._people.known(user) or Person()
        external = person.external if person is not None else True
        return Sender("slack", known.team or team or self._identity.team_id, user, known.name, external)

    def named(self, user: str, team: str = "") -> Sender:
        """Return an account by its id, for what asks for no rights: to stop what oneself has asked.

        Its workspace is "" where nothing tells it.
        """
        known = self._people.known(user)
        return Sender("slack", (known.team if known is not None else "") or team, user, external=True)

    def name(self, user: str) -> str:
        """Return what an account is called, as far as it is known already, or ""."""
        person = self._people.known(user)
        return person.name if person is not None else ""

    async def _fetch(self, user: str) -> Person:
        try:
            reply = await self._calls.make("users.info", user=user)
        except (NotFoundError, RefusedError):
            return Person()  # of another organisation, or gone
        found = reply.fields.get("user")
        return _read(found if isinstance(found, dict) else {}, self._identity.team_id)


def _read(user: Mapping[str, JsonValue], own_team: str) -> Person:
    team = _text(user, "team_id")
    profile = user.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    organisation = user.get("enterprise_user")
    teams = organisation.get("teams") if isinstance(organisation, dict) else None
    member = team == own_team or (isinstance(teams, list) and own_team in teams)
    guest = any(user.get(mark) is True for mark in ("is_restricted", "is_ultra_restricted", "is_stranger", "deleted"))
    name = _text(profile, "display_name") or _text(profile, "real_name") or _text(user, "real_name")
    return Person(team, name or _text(user, "name"), guest or not member, user.get("is_bot") is True)


def _text(record: Mapping[str, JsonValue], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""
