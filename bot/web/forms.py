"""Forms that nobody else's page can send: each carries a signed token of the session that it was shown to."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bot.web.address import PublicAddress
from bot.web.visitor import Visitor

FIELD = "form_token"
MAX_FIELDS = 40
FOREIGN = "This form was sent from another page than one of Locus, so nothing was changed."
EXPIRED = "This form is out of date, so nothing was changed: open the page again and send it once more."


async def read_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form, without its token; files are left out, and of a field that comes twice the last.

    Raises:
        HTTPException: 400 if it is no form.
    """
    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str) and name != FIELD}


async def check_form(request: Request, visitor: Visitor, address: PublicAddress) -> None:
    """Refuse what does not come from a form of this session.

    Raises:
        HTTPException: 403 if it comes from another page, or the token is missing or another session's; 400 if it is no
            form.
    """
    site = request.headers.get("sec-fetch-site", "")
    if site not in ("", "same-origin", "none"):
        raise HTTPException(403, FOREIGN)
    origin = request.headers.get("origin", "")
    # Under `Referrer-Policy: no-referrer` browsers send "null" for a form of the page itself: then the token decides.
    if origin not in ("", "null") and origin.lower() not in _own_origins(request, address):
        raise HTTPException(403, FOREIGN)
    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    token = form.get(FIELD)
    if not isinstance(token, str) or not visitor.is_form_token(token):
        raise HTTPException(403, EXPIRED)


def _own_origins(request: Request, address: PublicAddress) -> set[str]:
    host = request.headers.get("host", "").lower()
    return {f"{request.url.scheme}://{host}", address.origin}
