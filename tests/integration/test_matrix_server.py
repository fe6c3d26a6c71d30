"""The bench that Matrix is tested on: a real Synapse, people who write through it, and a proxy that makes it fail."""

from __future__ import annotations

from tests.matrix_server.person import person
from tests.matrix_server.synapse import Synapse


async def test_two_people_write_to_each_other(synapse: Synapse) -> None:
    """What one person says in a room the other one sees."""
    ada, ben = synapse.register("ada"), synapse.register("ben")
    async with person(synapse.url, ada) as one, person(synapse.url, ben) as two:
        room = await one.create_room(two.user_id)
        await two.join(room)
        said = await one.say(room, "hello")

        seen = await two.wait_for(lambda event: event.get("type") == "m.room.message", room)

    assert said == seen["event_id"]
