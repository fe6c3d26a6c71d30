"""The step of Matrix: the homeserver, the account, and logging in as `locus matrix login` does."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from bot.checks import Level
from bot.cli.matrix import STANDINGS
from bot.cli.setup_work import Work
from bot.errors import InvalidRequestError, SettingsError
from bot.examination import examine_homeserver
from bot.extras import installing


def set_up_matrix(work: Work) -> None:
    """Ask for homeserver and account, log in, and write both; the password is used once and kept nowhere."""
    asker, settings = work.asker, work.settings()
    if not asker.yes("Connect Matrix?", default=settings.matrix_homeserver is not None):
        return
    homeserver = asker.until(lambda: _homeserver(work))
    asker.until(lambda: _log_in(work, homeserver))


def _homeserver(work: Work) -> str:
    """Return the address of a homeserver that answers.

    Raises:
        InvalidRequestError: If it does not.
        SettingsError: If it is no address.
    """
    known = work.settings().matrix_homeserver or ""
    answer = work.asker.text("Address of the homeserver, such as https://matrix.example.org", known)
    if not answer:
        raise InvalidRequestError("No address was given: type one.")
    findings = asyncio.run(examine_homeserver(work.settings(matrix_homeserver=answer)))
    for finding in findings:
        work.asker.tell(finding)
    if any(finding.level is Level.ERROR and finding.part == "matrix" for finding in findings):
        raise InvalidRequestError("The address was not taken: type another one.")
    return answer.rstrip("/")


def _log_in(work: Work, homeserver: str) -> None:
    """Raises as `MatrixAccount.log_in`, and SettingsError if the extra is missing."""
    asker = work.asker
    user = asker.text("Account, such as @locus:example.org", work.settings().matrix_user)
    if not user:
        raise InvalidRequestError("No account was given: make one on the homeserver and type its id.")
    try:
        from bot.serving import matrix_account
    except ImportError as error:
        raise SettingsError(
            f"Matrix needs the extra 'matrix' ({error.name} is missing): install it with `{installing('matrix')}`."
        ) from error
    account = matrix_account(work.settings(matrix_homeserver=homeserver, matrix_user=user))
    known = asyncio.run(account.valid_state())
    if known is None:
        password = asker.secret(f"Password of {user}") if account.needs_password else ""
        known = asyncio.run(account.log_in(SecretStr(password) if password else None))
    asker.say(f"  Locus is {known.user_id} on {known.homeserver}, device {known.device_id}.", "green")
    if known.standing is not None:
        asker.say(f"  The device is {STANDINGS[known.standing]}.")
    work.keep({"LOCUS_MATRIX_HOMESERVER": homeserver, "LOCUS_MATRIX_USER": user})
