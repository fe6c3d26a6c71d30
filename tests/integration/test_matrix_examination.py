"""What `locus doctor` says about Matrix."""

from __future__ import annotations

from pathlib import Path

from bot.checks import Level
from bot.examination import examine_matrix
from bot.settings import Settings
from tests.matrix_server.locus import locus_session
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Synapse


async def test_the_doctor_says_how_the_account_stands(synapse: Synapse, tmp_path: Path) -> None:
    """Not logged in, logged in, thrown out: each with what to do."""
    account = synapse.register("locus")
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "matrix_homeserver": synapse.url, "matrix_user": account.user_id}
    )
    before = await examine_matrix(settings)
    async with locus_session(synapse.url, account, tmp_path / "matrix") as session:
        fine = await examine_matrix(settings)
        token = session.client.access_token
    async with person(synapse.url, account) as client:
        client.account = type(account)(account.user_id, account.device_id, token, account.password)
        await client.log_out()
    after = await examine_matrix(settings)

    assert [Level.ERROR, Level.OK, Level.ERROR] == [before.level, fine.level, after.level]
    assert f"Logged in as {account.user_id} on {synapse.url}." == fine.text
    assert "locus matrix login" in before.text
    assert "locus matrix login" in after.fix
