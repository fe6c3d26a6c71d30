"""Who asks for a page, as far as the request tells."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from bot.web.sessions import Role, Session, Sessions

_VISITOR = "locus.visitor"


@dataclass(slots=True)
class Visitor:
    """Who asks for a page.

    Attributes:
        session: Of this browser.
        sessions: Made it, and makes the tokens of its forms.
        role: What this visitor may see, by the session or by the word of the lab's proxy.
        name: Who the lab's proxy says it is, or "".
        known: True where the browser sent this session's cookie.
        cookie: What is to be set with the response: the session's cookie, "" to delete it, None to leave it.
    """

    session: Session
    sessions: Sessions
    role: Role
    name: str = ""
    known: bool = True
    cookie: str | None = None

    def form_token(self) -> str:
        """Return what a form shown to this visitor carries; the session is kept from then on."""
        if self.cookie is None and not self.known:
            self.cookie = self.sessions.dump(self.session)
        return self.sessions.form_token(self.session, self.name)

    def is_form_token(self, token: str) -> bool:
        """True for the token of a form that this very visitor was shown."""
        return self.sessions.is_form_token(token, self.session, self.name)

    def sign_in(self, role: Role, now: float) -> None:
        """Begin a new session, so that one that somebody else may know is worth nothing."""
        self.session = self.sessions.begin(role, now)
        self.role = max(role, self.role)
        self.cookie = self.sessions.dump(self.session)


def put_visitor(request: Request, visitor: Visitor) -> None:
    """Make it known to the page."""
    request.scope[_VISITOR] = visitor


def find_visitor(request: Request) -> Visitor | None:
    """Return who asks; None on pages that ask nobody."""
    found = request.scope.get(_VISITOR)
    return found if isinstance(found, Visitor) else None


def visitor_of(request: Request) -> Visitor:
    """Return who asks, on a page that `needs` guards."""
    visitor = find_visitor(request)
    if visitor is None:
        raise LookupError("the page is not guarded by `needs`")
    return visitor
