"""The step of the page in the browser: its port, and the token that the data steward signs in with."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

from bot.cli.setup_work import Work
from bot.errors import InvalidRequestError
from bot.settings import Settings

PORT = 8080  # what deploy/ and docs/monitoring.md use
TOKEN_BYTES = 24


def set_up_web(work: Work) -> None:
    """Ask whether the dashboard is wanted and on which port, make a token where there is none, and write both."""
    asker, settings = work.asker, work.settings()
    asker.say("The dashboard shows what was asked, what could not be answered, and whether all parts are well.")
    if not asker.yes("Open a page in the browser for it?", default=settings.health_port != 0):
        return
    port = asker.until(lambda: _port(work, settings))
    given = {"LOCUS_HEALTH_PORT": str(port)}
    if settings.dashboard_token is None and not settings.proxy_user_header:
        given["LOCUS_DASHBOARD_TOKEN"] = secrets.token_urlsafe(TOKEN_BYTES)
    work.keep(given)
    asker.say(f"  Once `locus run` has started: http://{settings.health_host}:{port}/, to this machine only.")
    if "LOCUS_DASHBOARD_TOKEN" in given:
        asker.say(f"  Sign in with the token that is LOCUS_DASHBOARD_TOKEN in {work.file.path}.")
    asker.say("  docs/dashboard.md shows how others of the lab reach it.")


def _port(work: Work, settings: Settings) -> int:
    """Return a port.

    Raises:
        InvalidRequestError: If it is none, or another program listens on it.
    """
    known = settings.health_port
    answer = work.asker.text("On which port of this machine", str(known or PORT))
    if not (answer.isascii() and answer.isdigit() and 1 <= int(answer[:6]) <= 65_535):
        raise InvalidRequestError(f"{answer[:20]!r} is no port: type a number from 1024 to 65535.")
    port = int(answer)
    if port != known and _taken(settings.health_host, port):
        raise InvalidRequestError(f"Port {port} is in use or not for this account: type another one.")
    return port


def _taken(host: str, port: int) -> bool:
    """Whether nobody may listen there now; an address that is not of this machine is left to `locus run`."""
    with suppress(socket.gaierror), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
