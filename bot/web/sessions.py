"""Signed cookies and form tokens. Who has no key can make neither; a changed token of the lab ends its sessions."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from itsdangerous import BadData, URLSafeSerializer

SESSION_S = 30 * 86_400
_ANONYMOUS = "anonymous"


class Role(IntEnum):
    """What a visitor may see; a larger one includes the smaller."""

    ANYBODY = 0
    READER = 1  # everybody in the lab: the pages of answers
    STEWARD = 2  # the data steward: everything


@dataclass(frozen=True, slots=True)
class Session:
    """One browser.

    Attributes:
        session_id: Random.
        role: What it signed in as, with a token.
        began: Seconds since 1970, UTC.
    """

    session_id: str
    role: Role
    began: float


class Sessions:
    """Makes and reads cookies and form tokens.

    Args:
        secret: Of this Locus, the same in all its processes and after a restart.
        tokens: What one signs in with, by role.
    """

    def __init__(self, secret: bytes, tokens: Mapping[Role, str]) -> None:
        # With the secret in it, nobody who has a cookie can try tokens against it.
        by_role = {role: f"{role.name} {token}" for role, token in sorted(tokens.items(), reverse=True)}
        self._cookies = {
            role: URLSafeSerializer(_key(secret, text), salt="cookie", signer_kwargs=_SIGNER)
            for role, text in {**by_role, Role.ANYBODY: _ANONYMOUS}.items()
        }
        self._forms = URLSafeSerializer(_key(secret, "forms"), salt="form", signer_kwargs=_SIGNER)

    def begin(self, role: Role, now: float) -> Session:
        """Return a session of a browser that is new here, or that signed in as something else."""
        return Session(secrets.token_urlsafe(16), role, now)

    def dump(self, session: Session) -> str:
        """Return the cookie of a session; only its role's key can have signed it."""
        return str(self._cookies[session.role].dumps([session.session_id, int(session.began)]))

    def load(self, cookie: str, now: float) -> Session | None:
        """Return the session of a cookie, or None where it is not ours, too old, or signed with a token of before."""
        for role, serializer in self._cookies.items():
            try:
                session_id, began = serializer.loads(cookie)
            except (BadData, ValueError, TypeError):
                continue
            if isinstance(session_id, str) and isinstance(began, int) and 0 <= now - began + 60 <= SESSION_S + 60:
                return Session(session_id, role, began)
        return None

    def form_token(self, session: Session, name: str) -> str:
        """Return what a form carries that is shown in this session to somebody of this name (or "")."""
        return str(self._forms.dumps([session.session_id, name]))

    def is_form_token(self, token: str, session: Session, name: str) -> bool:
        """True for the token of a form that this very session and name were shown."""
        try:
            found = self._forms.loads(token)
        except BadData:
            return False
        return isinstance(found, list) and found == [session.session_id, name]


_SIGNER = {"digest_method": hashlib.sha256}


def _key(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, purpose.encode(), "sha256")


def same_token(given: str, expected: str) -> bool:
    """Compare in constant time; digests are equally long whatever was typed."""
    digests = (hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest() for value in (given, expected))
    return hmac.compare_digest(*digests)
