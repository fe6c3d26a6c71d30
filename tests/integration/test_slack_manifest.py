"""The app's manifest asks for exactly what the code uses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.slack import shortcut, slash
from adapters.slack.events import READERS
from bot.store.client import Store
from tests.slack_adapter import bot_lines, serving
from tests.slack_server import LocalSlack
from tests.slack_server.manifest import EVENT_SCOPES, Grants
from tests.slack_server.methods import METHODS

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "deploy" / "slack-manifest.yaml"
KINDS = ("channels", "groups", "im", "mpim")
# Methods whose scope depends on the channel, with the scopes of all channels they are called for. A direct
# conversation is known by its id and never asked about.
BY_CHANNEL = {
    "conversations.replies": {f"{kind}:history" for kind in KINDS},
    "conversations.history": {f"{kind}:history" for kind in KINDS},
    "conversations.info": {"channels:read", "groups:read", "mpim:read"},
    "conversations.members": {"channels:read", "groups:read", "mpim:read"},
    "conversations.open": {"im:write"},
    "users.conversations": {f"{kind}:read" for kind in KINDS},
}
LISTED = ("limits.py",)  # names methods without calling them


@pytest.fixture
def manifest() -> dict[str, Any]:
    """What Slack is given."""
    loaded: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    return loaded


def sources() -> str:
    """All of the adapter but its table of limits."""
    folder = ROOT / "adapters" / "slack"
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.py")) if path.name not in LISTED)


def used_methods() -> set[str]:
    """The methods that the adapter names."""
    return {name for name in re.findall(r'"([a-z]+\.[a-zA-Z.]+)"', sources()) if name in METHODS}


def used_events() -> set[str]:
    """The events it reads or listens to, as a manifest names them."""
    names = {*READERS, *re.findall(r'app\.event\("(\w+)"\)', sources())}
    return {f"message.{kind}" for kind in KINDS} | (names - {"message"})


def test_the_scopes_are_those_of_the_methods_and_events_in_use(manifest: dict[str, Any]) -> None:
    """Not one more, not one less."""
    needed = {"commands"}
    for method in used_methods():
        scopes = METHODS[method].scopes
        needed |= BY_CHANNEL[method] if callable(scopes) else set(scopes[:1])
    for event in used_events():
        needed |= set(EVENT_SCOPES.get(event, ())[:1])

    assert needed == set(manifest["oauth_config"]["scopes"]["bot"])


def test_the_events_are_those_that_are_read(manifest: dict[str, Any]) -> None:
    """What nobody listens to is not sent."""
    assert used_events() == set(manifest["settings"]["event_subscriptions"]["bot_events"])


def test_commands_and_shortcuts_are_those_that_are_listened_to(manifest: dict[str, Any]) -> None:
    """Under the names by which they arrive."""
    features = manifest["features"]

    assert [slash.COMMAND] == [command["command"] for command in features["slash_commands"]]
    assert [shortcut.CALLBACK] == [one["callback_id"] for one in features["shortcuts"]]
    assert 300 >= len(features["agent_view"]["agent_description"])


async def test_an_app_made_of_it_answers(manifest: dict[str, Any], store: Store) -> None:
    """In public and private channels, in groups and directly, no call lacks a scope."""
    assert Grants.of(manifest).agent
    async with LocalSlack(manifest) as slack, serving(slack, store) as one:
        people = ["UBOT", "U1", "U2"]
        private = slack.world.add_channel("secret", "private", members=people)
        group = slack.world.add_channel("group", "mpim", members=people)
        await slack.connected(2)
        for channel in ("C1", private.id, group.id):
            asked = slack.mention(channel, "U1", "What is BXD?")
            await one.answered(channel, asked.ts)
        direct = slack.direct_message("U1", "What is a QTL?")
        await one.answered(direct.channel, direct.ts)
        await one.settled()

        assert [] == slack.calls(outcome="missing_scope")
        assert 1 == len(bot_lines(slack, direct.channel, direct.ts))
