"""Getting a session on a homeserver, by password or by a token that somebody made elsewhere."""

from __future__ import annotations

from nio.client.async_client import AsyncClientConfig
from nio.crypto import ENCRYPTION_ENABLED
from nio.responses import ErrorResponse, LoginResponse, LogoutResponse, WhoamiResponse

from adapters.matrix.errors import SessionEndedError, checked, error_of, translated
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.options import Credentials, Options
from adapters.matrix.stored_session import StoredSession
from bot.errors import BotError, InvalidRequestError, RefusedError, SettingsError

DEVICE_NAME = "Locus"
NOT_LOGGED_IN = "Locus is not logged in to Matrix: run `locus matrix login`."


def make_client(options: Options, *, keys: str = "", database: str = "", passphrase: str = "") -> CarefulClient:
    """Return a client that is not logged in; without `keys` it cannot encrypt.

    Args:
        options: What the lab has chosen.
        keys: Folder of the encryption keys.
        database: Name of their file.
        passphrase: What they are encrypted with.
    """
    store = None
    if ENCRYPTION_ENABLED:
        from nio.store.database import SqliteStore

        store = SqliteStore
    config = AsyncClientConfig(
        store=store,
        store_name=database,
        encryption_enabled=bool(keys),
        pickle_key=passphrase,
        # Waiting is decided here: matrix-nio would do so for ever.
        max_limit_exceeded=0,
        max_timeouts=0,
        request_timeout=options.request_timeout_s,
    )
    return CarefulClient(options.homeserver, config, keys, options.trust)


def is_account(user: str, user_id: str) -> bool:
    """Tell whether LOCUS_MATRIX_USER, a user id or its local part, means this user; nothing means any."""
    return user in ("", user_id) or (not user.startswith("@") and user == user_id[1:].partition(":")[0])


async def log_in(options: Options, credentials: Credentials, *, device_id: str = "") -> StoredSession:
    """Return a new session.

    Args:
        options: The homeserver and the user.
        credentials: A token is taken before a password.
        device_id: An earlier device, to be the same one again; empty makes a new one. A token is of its own device.

    Raises:
        SettingsError: If nothing to log in with is given, or the homeserver does not accept it.
        UnavailableError: If the homeserver does not answer, or wants fewer logins.
    """
    if credentials.access_token is not None:
        return await _adopt(options, credentials, credentials.access_token.get_secret_value())
    if credentials.password is None:
        raise SettingsError(NOT_LOGGED_IN)
    if not options.user:
        raise SettingsError("LOCUS_MATRIX_USER is not set: it names the account, such as @locus:example.org.")
    client = make_client(options)
    try:
        client.user = options.user
        client.device_id = device_id
        with translated():
            answer = await client.login(credentials.password.get_secret_value(), DEVICE_NAME)
            if isinstance(answer, ErrorResponse):
                raise _login_error(answer, options.user)
            done = checked(answer, LoginResponse)
    finally:
        await client.close()
    return StoredSession(options.homeserver, done.user_id, done.device_id, done.access_token)


def _login_error(answer: ErrorResponse, user: str) -> BotError:
    meant = error_of(answer)
    if isinstance(meant, (RefusedError, SessionEndedError, InvalidRequestError)):
        return SettingsError(f"The homeserver does not let {user} log in: check LOCUS_MATRIX_USER and the password.")
    return meant


async def _adopt(options: Options, credentials: Credentials, token: str) -> StoredSession:
    user_id, device_id = await whoami(options, token)
    if not is_account(options.user, user_id):
        raise SettingsError(f"LOCUS_MATRIX_ACCESS_TOKEN belongs to {user_id}, and LOCUS_MATRIX_USER is {options.user}.")
    if credentials.device_id and device_id and credentials.device_id != device_id:
        raise SettingsError(
            f"LOCUS_MATRIX_ACCESS_TOKEN belongs to the device {device_id}: correct LOCUS_MATRIX_DEVICE_ID."
        )
    device_id = device_id or credentials.device_id
    if not device_id:
        raise SettingsError("The homeserver does not name the device of the access token: set LOCUS_MATRIX_DEVICE_ID.")
    return StoredSession(options.homeserver, user_id, device_id, token)


async def whoami(options: Options, token: str) -> tuple[str, str]:
    """Return the user and the device, or "" where there is none, of an access token.

    Raises:
        SessionEndedError: If it is good for nothing.
        UnavailableError: If the homeserver does not answer.
    """
    client = make_client(options)
    try:
        client.access_token = token
        with translated():
            done = checked(await client.whoami(), WhoamiResponse)
    finally:
        await client.close()
    return done.user_id, done.device_id or ""


async def log_out(options: Options, token: str) -> None:
    """End a session on the homeserver, which deletes its device; one that is ended already is no error.

    Raises:
        UnavailableError: If the homeserver does not answer.
    """
    client = make_client(options)
    try:
        client.access_token = token
        with translated():
            checked(await client.logout(), LogoutResponse)
    except SessionEndedError:
        return
    finally:
        await client.close()
