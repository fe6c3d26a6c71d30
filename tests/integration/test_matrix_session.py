"""Locus's session on a real homeserver: logged in once, the same device and keys ever after."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from adapters.matrix.cross_signing import CrossSigning, Standing
from adapters.matrix.errors import SessionEndedError
from adapters.matrix.options import Credentials, Options
from adapters.matrix.session import Session
from bot.errors import SettingsError, StorageError, UnavailableError
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Account, Synapse

ROOT = Path(__file__).parents[2]


@pytest.fixture
def account(synapse: Synapse) -> Account:
    """Locus's account."""
    return synapse.register("locus")


@pytest.fixture
def options(synapse: Synapse, account: Account) -> Options:
    """What the lab has chosen."""
    return Options(synapse.url, account.user_id)


@pytest.fixture
def password(account: Account) -> Credentials:
    """What it logs in with the first time."""
    return Credentials(password=SecretStr(account.password))


def devices(synapse: Synapse, session: Session) -> list[str]:
    """The devices that the homeserver knows of the account."""
    answer = httpx.get(
        f"{synapse.url}/_matrix/client/v3/devices",
        headers={"Authorization": f"Bearer {session.client.access_token}"},
        trust_env=False,
    )
    return [device["device_id"] for device in answer.json()["devices"]]


def fingerprint(session: Session) -> str:
    """The public key of the device."""
    assert session.client.olm is not None
    return str(session.client.olm.account.identity_keys["ed25519"])


async def test_a_password_is_needed_once(
    options: Options, password: Credentials, tmp_path: Path, synapse: Synapse, account: Account
) -> None:
    """After the first login the stored session is used: the same device, the same keys, signed by the account."""
    async with Session(options, tmp_path / "m", password) as first:
        one = (first.user_id, first.device_id, fingerprint(first), first.standing)
    async with Session(options, tmp_path / "m") as second:
        two = (second.user_id, second.device_id, fingerprint(second), second.standing)
        known = devices(synapse, second)

    assert one == two
    assert Standing.SIGNED is one[3]
    assert sorted([account.device_id, one[1]]) == sorted(known)


async def test_everything_stored_is_for_its_owner_only(options: Options, password: Credentials, tmp_path: Path) -> None:
    """Files have mode 0600, folders 0700, also while the keys are in use; the keys are not stored in clear."""
    async with Session(options, tmp_path / "m", password) as session:
        token = session.client.access_token
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "m").rglob("*")}
        modes[tmp_path / "m"] = stat.S_IMODE((tmp_path / "m").stat().st_mode)
        kept = json.loads((tmp_path / "m" / "session.json").read_text())

    assert {0o700 if path.is_dir() else 0o600 for path in modes} == set(modes.values())
    assert all((0o700 if path.is_dir() else 0o600) == mode for path, mode in modes.items())
    assert token == kept["access_token"]
    assert "password" not in kept


async def test_a_token_from_elsewhere_is_taken(options: Options, account: Account, tmp_path: Path) -> None:
    """A session that somebody made with another program becomes Locus's, with the device it belongs to."""
    credentials = Credentials(access_token=SecretStr(account.access_token))
    async with Session(options, tmp_path / "m", credentials) as session:
        who = (session.user_id, session.device_id)

    assert (account.user_id, account.device_id) == who


async def test_without_session_and_password_one_sentence_says_what_to_do(options: Options, tmp_path: Path) -> None:
    """The command that logs in is named."""
    with pytest.raises(SettingsError, match="locus matrix login"):
        async with Session(options, tmp_path / "m"):
            pass


@pytest.mark.parametrize("wrong", ["password", "user"])
async def test_a_login_that_is_refused_is_a_wrong_setting(
    options: Options, password: Credentials, tmp_path: Path, wrong: str
) -> None:
    """A wrong password or user is no outage."""
    given = Credentials(password=SecretStr("wrong")) if wrong == "password" else password
    chosen = options if wrong == "password" else Options(options.homeserver, "@nobody:localhost")
    with pytest.raises(SettingsError, match="does not let"):
        async with Session(chosen, tmp_path / "m", given):
            pass

    assert not (tmp_path / "m" / "session.json").exists()


async def test_settings_of_another_account_are_refused(options: Options, password: Credentials, tmp_path: Path) -> None:
    """A stored session is not used for an account that the settings do not name."""
    async with Session(options, tmp_path / "m", password):
        pass
    with pytest.raises(SettingsError, match="locus matrix logout"):
        async with Session(Options(options.homeserver, "@other:localhost"), tmp_path / "m", password):
            pass


async def test_a_local_part_names_the_account_too(options: Options, password: Credentials, tmp_path: Path) -> None:
    """LOCUS_MATRIX_USER may be written without the server."""
    async with Session(options, tmp_path / "m", password) as session:
        user = session.user_id
    local = user[1:].partition(":")[0]
    async with Session(Options(options.homeserver, local), tmp_path / "m") as session:
        assert user == session.user_id


async def test_a_session_that_was_ended_says_so(
    options: Options, password: Credentials, tmp_path: Path, synapse: Synapse
) -> None:
    """A revoked token is a wrong setting with the way out, and no outage to wait for."""
    async with Session(options, tmp_path / "m", password) as session:
        revoked = Account(session.user_id, session.device_id, session.client.access_token, "")
    async with person(synapse.url, revoked) as somebody:
        await somebody.log_out()
    with pytest.raises(SessionEndedError, match="locus matrix login"):
        async with Session(options, tmp_path / "m", password):
            pass


async def test_a_homeserver_that_is_away_is_an_outage(options: Options, password: Credentials, tmp_path: Path) -> None:
    """Nobody has to change a setting because a homeserver does not answer."""
    async with Session(options, tmp_path / "m", password):
        pass
    kept = json.loads((tmp_path / "m" / "session.json").read_text())
    (tmp_path / "m" / "session.json").write_text(json.dumps(kept | {"homeserver": "http://127.0.0.1:9"}))
    with pytest.raises(UnavailableError, match="does not answer"):
        async with Session(Options("http://127.0.0.1:9", options.user), tmp_path / "m"):
            pass


async def test_two_processes_do_not_share_a_session(options: Options, password: Credentials, tmp_path: Path) -> None:
    """The second is told that the first runs: two would ruin each other's keys."""
    async with Session(options, tmp_path / "m", password):
        with pytest.raises(StorageError, match="Another Locus"):
            async with Session(options, tmp_path / "m"):
                pass


@pytest.mark.parametrize("damage", ["deleted", "empty", "garbage", "others"])
async def test_keys_that_are_gone_are_not_made_anew(
    options: Options, password: Credentials, tmp_path: Path, damage: str, synapse: Synapse
) -> None:
    """A broken or deleted store with a session that is still valid is refused, again and again, with the way out."""
    async with Session(options, tmp_path / "m", password) as session:
        path = session.folder.database(session.folder.load() or pytest.fail("no session"))
    if damage == "deleted":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "garbage":
        path.write_bytes(b"no database " * 1000)
    else:
        other = synapse.register("other")
        theirs = Credentials(password=SecretStr(other.password))
        async with Session(Options(options.homeserver, other.user_id), tmp_path / "o", theirs) as foreign:
            source = foreign.folder.database(foreign.folder.load() or pytest.fail("no session"))
        path.write_bytes(source.read_bytes())
    for _ in range(2):
        with pytest.raises(StorageError, match="locus matrix login --new-device"):
            async with Session(options, tmp_path / "m", password):
                pass


async def test_a_lost_folder_does_not_make_second_keys_for_a_device(
    options: Options, account: Account, tmp_path: Path
) -> None:
    """With a token from elsewhere the homeserver still knows the keys of the device: others are refused."""
    credentials = Credentials(access_token=SecretStr(account.access_token))
    async with Session(options, tmp_path / "m", credentials):
        pass
    with pytest.raises(StorageError, match="other keys"):
        async with Session(options, tmp_path / "lost", credentials):
            pass


async def test_another_passphrase_is_refused(options: Options, account: Account, tmp_path: Path) -> None:
    """Keys open with the passphrase they were made with, and the sentence names the setting."""
    given = Credentials(password=SecretStr(account.password), store_passphrase=SecretStr("one"))
    async with Session(options, tmp_path / "m", given):
        pass
    async with Session(options, tmp_path / "m", given):
        pass
    with pytest.raises(StorageError, match="LOCUS_MATRIX_STORE_PASSPHRASE"):
        async with Session(options, tmp_path / "m", Credentials(store_passphrase=SecretStr("two"))):
            pass


async def test_a_damaged_session_file_is_refused(options: Options, password: Credentials, tmp_path: Path) -> None:
    """Half a file is no reason to log in anew."""
    async with Session(options, tmp_path / "m", password):
        pass
    (tmp_path / "m" / "session.json").write_text('{"version": 1, "user')
    with pytest.raises(StorageError, match="damaged"):
        async with Session(options, tmp_path / "m", password):
            pass


async def test_the_account_gets_one_identity_however_often_it_is_asked_for(
    options: Options, password: Credentials, tmp_path: Path
) -> None:
    """Cross-signing is set up once; doing it again changes neither seeds nor standing."""
    async with Session(options, tmp_path / "m", password) as session:
        seeds = session.folder.identity.read_text()
        again = await CrossSigning(session.client, session.folder.identity).ensure()

    assert Standing.SIGNED is again
    assert seeds == (tmp_path / "m" / "cross-signing.json").read_text()


async def test_an_identity_made_elsewhere_is_replaced_on_request_only(
    options: Options, password: Credentials, tmp_path: Path
) -> None:
    """Without the seeds the device stays unsigned; with the password, on request, a new identity takes its place."""
    async with Session(options, tmp_path / "m", password) as session:
        session.folder.identity.unlink()
    async with Session(options, tmp_path / "m", password) as session:
        assert Standing.FOREIGN is session.standing
        assert not session.folder.identity.exists()
        signing = CrossSigning(session.client, session.folder.identity, password.password)
        assert Standing.SIGNED is await signing.ensure(replace=True)
        assert Standing.SIGNED is await signing.standing()


async def test_replacing_an_identity_needs_the_right_password(
    options: Options, password: Credentials, tmp_path: Path
) -> None:
    """A wrong password is said to be wrong; none leaves things as they are."""
    async with Session(options, tmp_path / "m", password) as session:
        session.folder.identity.unlink()
        wrong = CrossSigning(session.client, session.folder.identity, SecretStr("wrong"))
        with pytest.raises(SettingsError, match="password"):
            await wrong.ensure(replace=True)
        session.folder.identity.unlink()

        assert Standing.UNSIGNED is await CrossSigning(session.client, session.folder.identity).ensure(replace=True)


async def test_without_encryption_there_are_no_keys(options: Options, password: Credentials, tmp_path: Path) -> None:
    """A lab may stay out of encrypted rooms: nothing is stored but the session."""
    plain = Options(options.homeserver, options.user, encryption=False)
    async with Session(plain, tmp_path / "m", password) as session:
        assert session.client.olm is None
        assert session.standing is None

    assert ["lock", "session.json"] == sorted(path.name for path in (tmp_path / "m").iterdir())


def test_encryption_without_its_packages_is_refused_at_the_start(tmp_path: Path) -> None:
    """matrix-nio without vodozemac would write in clear: it is a missing extra, said in one sentence."""
    program = f"""
import sys
sys.modules["vodozemac"] = None
import asyncio
from pathlib import Path
from adapters.matrix.options import Options
from adapters.matrix.session import Session
async def main():
    async with Session(Options("http://127.0.0.1:9"), Path({str(tmp_path / "m")!r})):
        pass
try:
    asyncio.run(main())
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )

    assert "SettingsError" in done.stdout, done.stderr
    assert "uv sync --extra matrix" in done.stdout
