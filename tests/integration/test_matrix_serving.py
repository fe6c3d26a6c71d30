"""`locus run` with the settings of Matrix, and nothing else of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.service import ALL_ROLES
from bot.serving import open_service
from bot.settings import Settings
from tests.matrix_adapter import Asker
from tests.matrix_server.onlooker import onlooker
from tests.matrix_server.person import person
from tests.matrix_server.synapse import Synapse


async def test_settings_are_all_it_needs(synapse: Synapse, tmp_path: Path) -> None:
    """It logs in by password, comes when it is invited, and answers in a private room."""
    bot, ada = synapse.register("locus"), synapse.register("ada")
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path / "data",
            "matrix_homeserver": synapse.url,
            "matrix_user": bot.user_id,
            "matrix_password": bot.password,
            "matrix_command_prefix": "!gn",
            "health_port": 0,
            "shutdown_grace_s": 5.0,
        }
    )
    stop = asyncio.Event()
    async with (
        open_service(settings, ALL_ROLES, lambda _: None) as service,
        person(synapse.url, ada) as client,
        onlooker(synapse.url, ada, tmp_path / "ada") as who,
    ):
        running = asyncio.create_task(service.run(stop))
        try:
            room = await client.create_room(bot.user_id, encrypted=True, direct=True)
            asker = Asker(who, room, bot.user_id)
            await asker.sees("", "Here, just write.")
            await asker.knows_locus()
            asked = await asker.say("!gn sources")
            await asker.sees(asked, "no documents")
        finally:
            stop.set()
            await running
