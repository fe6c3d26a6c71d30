"""Who may see what: the rule of docs/access.md, by id and never by name; what it does not allow is denied.

The chat says who wrote and who reads along. A channel's own documents can be seen in that channel alone, and there only
as long as no more people read it than somebody vouched for, see `bot.store.places`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bot.errors import RefusedError, SettingsError
from bot.given import GivenAnswer
from bot.messages import Audience, Place, Sender
from bot.ports import PUBLIC_SCOPE
from bot.requests import Request
from bot.store.client import Store
from bot.store.places import SEEN_EVERY_S, KnownPlace, Places
from bot.texts import malformed_administrator, not_allowed_here

FRESH_S = 2 * SEEN_EVERY_S  # when a channel was seen is known to the hour


class Access:
    """Decides; it remembers nothing but the audiences of channels.

    Args:
        store: Where those stand.
        administrators: Accounts as CHAT/WORKSPACE/USER, by id.
        answer_external: Whether guests and people of other organisations are answered, from public documents.
        clock: Seconds since 1970.

    Raises:
        SettingsError: If an account is not written so.

    Attributes:
        administrators: The same accounts.
    """

    def __init__(
        self,
        store: Store,
        *,
        administrators: Sequence[str],
        answer_external: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places = Places(store, clock=clock)
        self._clock = clock
        self.administrators = tuple(_account(account) for account in administrators)
        self._administrators = frozenset(one.person_id for one in self.administrators)
        self._answer_external = answer_external

    async def saw(self, place: Place) -> None:
        """Note a channel's audience when the chat tells it, before what was asked there is answered."""
        await self._places.see(place)

    async def scopes(self, place: Place, sender: Sender, *, at: float | None = None) -> tuple[str, ...]:
        """Return the scopes that may be searched for a question of `sender` asked in `place`.

        Args:
            place: Where the answer will stand.
            sender: Who asks.
            at: When the chat told `place`'s audience, if that was not now; what was seen later counts.

        Raises:
            RefusedError: If they may not ask here; the sentence is for them.
        """
        return self._visible(await self._places.see(place, at), place, sender)

    async def scopes_now(self, place: Place, sender: Sender) -> tuple[str, ...]:
        """Return what `scopes` would, for an answer that nobody asks for at this moment.

        The channel is taken as it was seen last, and nothing is noted. Its own documents are left out where that was
        more than two hours ago, as nobody has told since who reads along.

        Raises:
            RefusedError: As `scopes`.
        """
        known = await self._places.find(place.channel_id)
        if known is None:
            if sender.external and not self._answer_external:
                raise RefusedError(not_allowed_here())
            return (PUBLIC_SCOPE,)
        visible = self._visible(known, place, sender)
        fresh = known.seen is Audience.DIRECT or abs(self._clock() - known.at) <= FRESH_S
        return visible if fresh else (PUBLIC_SCOPE,)

    def _visible(self, known: KnownPlace, place: Place, sender: Sender) -> tuple[str, ...]:
        external = sender.external or (known.seen is Audience.SHARED and not known.open)
        if external and not self._answer_external:
            raise RefusedError(not_allowed_here())
        if external or not known.open:
            return (PUBLIC_SCOPE,)
        return (PUBLIC_SCOPE, own_scope(place))

    def is_administrator(self, sender: Sender) -> bool:
        """True for the accounts of LOCUS_ADMINISTRATORS."""
        return sender.person_id in self._administrators

    def may_stop(self, request: Request, place: Place, by: Sender) -> bool:
        """True when somebody in `place` may stop an answer: who asked, or an administrator, in the same channel."""
        asked = request.message
        return asked.place.channel_id == place.channel_id and (asked.is_from(by) or self.is_administrator(by))

    async def may_see(self, given: GivenAnswer, place: Place, by: Sender) -> bool:
        """True when somebody in `place` may see an answer, its passages, and say what they think of it.

        It must stand in that channel, and everything that was searched for it must be visible to them there now.
        """
        if given.place.channel_id != place.channel_id:
            return False
        try:
            return set(given.scopes) <= set(await self.scopes(place, by))
        except RefusedError:
            return False

    async def may_show(self, given: GivenAnswer) -> bool:
        """True when an answer may be shown where its question was asked, as that channel was seen last.

        To be asked when the answer is ready: the channel may have become wider while it was written.
        """
        known = await self._places.find(given.place.channel_id)
        visible = {PUBLIC_SCOPE, own_scope(given.place)} if known is not None and known.open else {PUBLIC_SCOPE}
        return set(given.scopes) <= visible


def own_scope(place: Place) -> str:
    """Return the scope of the documents that belong to a channel."""
    return f"channel-{place.channel_id}"


def _account(account: str) -> Sender:
    """Return the account written as CHAT/WORKSPACE/USER; the user's id may hold slashes."""
    chat, _, rest = account.partition("/")
    workspace, separator, user = rest.partition("/")
    if not chat or not separator or not user:
        raise SettingsError(malformed_administrator(account))
    return Sender(chat, workspace, user)
