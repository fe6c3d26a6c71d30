"""One call of the Web API: its arguments, and what all methods check in the same way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.slack_server.bench import Bench
from tests.slack_server.values import Channel, Json, Message, SlackError, User

# Arguments that a form carries as JSON.
_STRUCTURED = {"blocks", "attachments", "metadata", "view", "files", "prompts", "chunks", "loading_messages", "unfurls"}


@dataclass
class Call:
    """A call by the bot.

    Attributes:
        bench: The server's state.
        method: Its name.
        arguments: As sent; structured ones are decoded.
        warnings: Codes that the answer carries.
    """

    bench: Bench
    method: str
    arguments: Json
    warnings: list[str]

    def text(self, name: str, default: str = "") -> str:
        """Return an argument as a string."""
        value = self.arguments.get(name)
        return default if value is None else str(value)

    def required(self, *names: str) -> list[str]:
        """Return arguments that must be there.

        Raises:
            SlackError: `invalid_arguments` if one is missing or empty.
        """
        missing = [name for name in names if self.arguments.get(name) in (None, "")]
        if missing:
            raise SlackError(
                "invalid_arguments",
                response_metadata={"messages": [f"[ERROR] missing required field: {name}" for name in missing]},
            )
        return [str(self.arguments[name]) for name in names]

    def flag(self, name: str, default: bool = False) -> bool:
        """Return an argument as a truth value."""
        value = self.arguments.get(name)
        return default if value is None else str(value).lower() in ("true", "1")

    def number(self, name: str, default: int) -> int:
        """Return an argument as a whole number.

        Raises:
            SlackError: `invalid_arguments` if it is none.
        """
        try:
            return int(self.arguments.get(name) or default)
        except ValueError as error:
            raise SlackError("invalid_arguments") from error

    def items(self, name: str, error: str) -> list[Any] | None:
        """Return an argument that is a list, or None when it is absent.

        Raises:
            SlackError: `error` if it is something else.
        """
        value = self.arguments.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise SlackError(error)
        return value

    def mapping(self, name: str, error: str) -> Json | None:
        """Return an argument that is an object, or None when it is absent. Raises as `items`."""
        value = self.arguments.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise SlackError(error)
        return value

    def channel(self, name: str = "channel") -> Channel:
        """Return the channel that the call names, if the bot may know of it.

        Raises:
            SlackError: `channel_not_found`, also for private channels that the bot is not in.
        """
        world = self.bench.world
        channel = world.channels.get(self.required(name)[0])
        if channel is None or (channel.kind != "public" and world.bot.id not in channel.members):
            raise SlackError("channel_not_found")
        return channel

    def member_of(self, channel: Channel) -> None:
        """Check that the bot is in a channel.

        Raises:
            SlackError: `not_in_channel`.
        """
        if self.bench.world.bot.id not in channel.members:
            raise SlackError("not_in_channel")

    def message(self, channel: Channel, ts: str) -> Message:
        """Return a message that can be seen.

        Raises:
            SlackError: `message_not_found`.
        """
        message = self.bench.world.message(channel.id, ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def user(self, name: str = "user") -> User:
        """Return the account that the call names.

        Raises:
            SlackError: `user_not_found`, also for strangers of whom nothing is told.
        """
        user = self.bench.world.users.get(self.required(name)[0])
        if user is None or user.hidden:
            raise SlackError("user_not_found")
        return user


def decoded(arguments: Json) -> Json:
    """Decode the structured arguments of a form; what is no JSON stays a string and is refused by its method."""
    result: Json = {}
    for name, value in arguments.items():
        if name in _STRUCTURED and isinstance(value, str):
            try:
                result[name] = json.loads(value)
            except ValueError:
                result[name] = value
        else:
            result[name] = value
    return result
