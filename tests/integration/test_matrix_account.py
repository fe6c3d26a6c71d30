"""`locus matrix` as an operator types it, on a real homeserver."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bot.cli.app import main
from tests.matrix_server.synapse import Account, Synapse


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class Operator:
    """Somebody at a shell without a terminal; the commands run in this process, which has imported everything already.

    Args:
        settings: Variables of the environment.
        folder: Data folder.
        monkeypatch: Puts the words and variables there.
        capsys: Takes what is printed.
    """

    def __init__(
        self,
        settings: dict[str, str],
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self._settings = settings | {"LOCUS_DATA_DIR": str(folder)}
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def types(self, *words: str, **settings: str) -> Done:
        """Run a command with further settings."""
        with self._monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["locus", "matrix", *words])
            patched.setattr(sys, "stdin", io.StringIO())
            for name, value in (self._settings | settings).items():
                patched.setenv(name, value)
            self._capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        printed = self._capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    def state(self) -> dict[str, object]:
        """What `status --json` prints."""
        printed: dict[str, object] = json.loads(self.types("status", "--json").stdout)
        return printed


@pytest.fixture
def account(synapse: Synapse) -> Account:
    """Locus's account."""
    return synapse.register("locus")


@pytest.fixture
def operator(
    synapse: Synapse,
    account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Operator:
    """Somebody who looks after it."""
    settings = {"LOCUS_MATRIX_HOMESERVER": f"{synapse.url}/", "LOCUS_MATRIX_USER": account.user_id}
    return Operator(settings, tmp_path / "data", monkeypatch, capsys)


def test_an_operator_logs_in_once_looks_and_logs_out(operator: Operator, account: Account) -> None:
    """The password is needed for the first command only, and stands neither in a file nor in what is printed."""
    before = operator.types("status")
    login = operator.types("login", LOCUS_MATRIX_PASSWORD=account.password)
    again = operator.types("login")
    status = operator.types("status")
    state = operator.state()
    logout = operator.types("logout")
    after = operator.types("status")

    assert (4, 0, 0, 0, 0, 4) == tuple(done.returncode for done in (before, login, again, status, logout, after)), (
        login.stderr
    )
    assert "locus matrix login" in before.stderr
    assert account.user_id in login.stdout
    assert login.stdout == again.stdout
    assert "signed by the account" in status.stdout
    assert (account.user_id, True, "signed") == (state["user_id"], state["valid"], state["standing"])
    stored = b"".join(path.read_bytes() for path in operator.folder.rglob("*") if path.is_file())
    assert account.password.encode() not in stored
    assert account.password not in login.stdout + login.stderr


def test_a_password_that_nobody_can_type_is_asked_for_by_its_setting(operator: Operator) -> None:
    """Without a terminal the sentence names the variable."""
    done = operator.types("login")

    assert 3 == done.returncode
    assert "LOCUS_MATRIX_PASSWORD" in done.stderr


def test_without_a_homeserver_the_page_that_helps_is_named(operator: Operator) -> None:
    """One sentence and the exit code of a wrong setting."""
    done = operator.types("status", LOCUS_MATRIX_HOMESERVER="")

    assert 3 == done.returncode
    assert "docs/matrix.md" in done.stderr


def test_an_ended_session_is_renewed_with_the_same_device_and_keys(
    operator: Operator, account: Account, synapse: Synapse
) -> None:
    """After the homeserver has ended it, `login` goes on as the device that others know."""
    operator.types("login", LOCUS_MATRIX_PASSWORD=account.password)
    first = operator.state()
    token = json.loads((operator.folder / "matrix" / "session.json").read_text())["access_token"]
    httpx.post(
        f"{synapse.url}/_matrix/client/v3/logout", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ).raise_for_status()
    ended = operator.types("status")
    renewed = operator.types("login", LOCUS_MATRIX_PASSWORD=account.password)
    second = operator.state()

    assert 1 == ended.returncode
    assert "locus matrix login" in ended.stdout
    assert 0 == renewed.returncode, renewed.stderr
    assert first == second


def test_lost_keys_need_a_new_device_and_say_so(operator: Operator, account: Account, synapse: Synapse) -> None:
    """`login` does not make a second identity silently; `--new-device` does, and logs the old one out."""
    operator.types("login", LOCUS_MATRIX_PASSWORD=account.password)
    first = operator.state()
    for path in (operator.folder / "matrix" / "keys").iterdir():
        path.unlink()
    status = operator.types("status")
    refused = operator.types("login", LOCUS_MATRIX_PASSWORD=account.password)
    renewed = operator.types("login", "--new-device", LOCUS_MATRIX_PASSWORD=account.password)
    second = operator.state()
    devices = httpx.get(
        f"{synapse.url}/_matrix/client/v3/devices",
        headers={"Authorization": f"Bearer {account.access_token}"},
        trust_env=False,
    ).json()["devices"]

    assert (1, 9, 0) == (status.returncode, refused.returncode, renewed.returncode), renewed.stderr
    assert "--new-device" in status.stdout
    assert "--new-device" in refused.stderr
    assert first["device_id"] != second["device_id"]
    assert "signed" == second["standing"]
    assert first["device_id"] not in [device["device_id"] for device in devices]


def test_a_lost_identity_is_made_anew_on_request(operator: Operator, account: Account) -> None:
    """Without its seeds the device stays unsigned until `--new-identity` and the password."""
    operator.types("login", LOCUS_MATRIX_PASSWORD=account.password)
    (operator.folder / "matrix" / "cross-signing.json").unlink()
    operator.types("login", "--new-device", LOCUS_MATRIX_PASSWORD=account.password)
    lost = operator.types("status")
    found = operator.types("login", "--new-identity", LOCUS_MATRIX_PASSWORD=account.password)

    assert 1 == lost.returncode
    assert "--new-identity" in lost.stdout
    assert 0 == found.returncode, found.stderr
    assert "signed" == operator.state()["standing"]


def test_a_homeserver_that_is_away_is_an_outage(operator: Operator) -> None:
    """The exit code is the one of a part that does not answer."""
    done = operator.types("login", LOCUS_MATRIX_PASSWORD="x", LOCUS_MATRIX_HOMESERVER="http://127.0.0.1:9")

    assert 6 == done.returncode
    assert "does not answer" in done.stderr
