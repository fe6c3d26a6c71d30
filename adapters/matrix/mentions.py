"""Whom a message says it calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.matrix.fields import Fields, record, user_id

MAX_MENTIONS: Final = 100  # people of one message that are looked at


@dataclass(frozen=True, slots=True)
class Mentions:
    """Whom a message says it calls (`m.mentions`), which is all that counts: what stands in its text may be forged.

    Attributes:
        users: Ids, in the message's order.
        everybody: True where the whole room is called.
    """

    users: tuple[str, ...] = ()
    everybody: bool = False


NO_MENTIONS: Final = Mentions()


def read_mentions(content: Fields) -> Mentions:
    """Return whom the content of a message calls; what is malformed calls nobody."""
    mentions = record(content, "m.mentions")
    users = mentions.get("user_ids")
    found = [user_id(one) for one in users[:MAX_MENTIONS]] if isinstance(users, list) else []
    return Mentions(tuple(dict.fromkeys(user for user in found if user)), mentions.get("room") is True)
