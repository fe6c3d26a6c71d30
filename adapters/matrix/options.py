"""What a lab has chosen for its Matrix, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import SecretStr

from adapters.matrix.trust import Trust


@dataclass(frozen=True, slots=True)
class Credentials:
    """What it logs in with, where no session is stored yet.

    Attributes:
        password: Used once; the session that it opens is stored.
        access_token: A session that somebody made elsewhere, instead.
        device_id: Of that session; asked of the homeserver when empty.
        store_passphrase: Encrypts the keys on the disk; a random one is made and kept beside them without it.
    """

    password: SecretStr | None = None
    access_token: SecretStr | None = None
    device_id: str = ""
    store_passphrase: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of LOCUS_MATRIX_…; docs/settings.md says what each means.

    Attributes:
        homeserver: Address of the client-server API, without a slash at the end.
        user: User id, or its local part.
        encryption: Whether encrypted rooms are taken part in; without it, nothing is ever sent there.
        trust: Which devices may read in encrypted rooms.
        allowed_users: Users whose invitations are accepted.
        allowed_servers: Server names; invitations of all their users are accepted. If both are empty, those of its own.
        rooms: Ids of the rooms it answers in; none means wherever it is a member. Direct ones always count.
        command_prefix: What a command begins with.
        msgtype: Type of what it writes; a notice is no occasion for other bots to answer.
        follow_threads: Whether follow-ups in a thread it takes part in need no mention.
        edit_interval_s: Shortest time between two edits of one message, in seconds.
        steward: Id of the room to which questions for a person are passed on; "" for none.
        offer_reactions: Whether Locus reacts to its own answers, so that others need only press.
        request_timeout_s: Longest time for one call, in seconds; waiting for events has its own.
    """

    homeserver: str
    user: str = ""
    encryption: bool = True
    trust: Trust = field(default_factory=Trust)
    allowed_users: frozenset[str] = frozenset()
    allowed_servers: frozenset[str] = frozenset()
    rooms: frozenset[str] = frozenset()
    command_prefix: str = "!locus"
    msgtype: Literal["notice", "text"] = "notice"
    follow_threads: bool = True
    edit_interval_s: float = 5.0
    steward: str = ""
    offer_reactions: bool = False
    request_timeout_s: float = 60.0
