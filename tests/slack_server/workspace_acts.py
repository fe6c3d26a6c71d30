"""What happens to the app and its channels: invited, kicked, archived, its tokens revoked."""

from __future__ import annotations

from typing import Literal

from tests.slack_server.bench import APP_TOKEN, BOT_TOKEN, Bench
from tests.slack_server.deliveries import Delivery
from tests.slack_server.values import Json


class WorkspaceActs(Bench):
    """Acts of administrators and members of channels."""

    def invite(self, channel: str, user: str = "", *, by: str = "U1") -> Delivery | None:
        """Bring somebody into a channel; the bot unless named."""
        place, user = self.world.channels[channel], user or self.world.bot.id
        place.members.add(user)
        self.changed()
        if self.world.bot.id not in place.members:
            return None
        event: Json = {"type": "member_joined_channel", "user": user, "channel": channel, "inviter": by}
        event |= {"channel_type": channel[0], "team": self.world.team.id}
        return self.emit(event, channel=channel)

    def kick(self, channel: str, user: str = "", *, by: str = "U1") -> Delivery | None:
        """Take somebody out of a channel; the bot unless named."""
        place, user = self.world.channels[channel], user or self.world.bot.id
        place.members.discard(user)
        self.changed()
        if user == self.world.bot.id:
            kind = "channel_left" if place.kind == "public" else "group_left"
            return self.emit({"type": kind, "channel": channel, "actor_id": by}, channel=channel)
        if self.world.bot.id not in place.members:
            return None
        event = {"type": "member_left_channel", "user": user, "channel": channel, "channel_type": channel[0]}
        return self.emit(event, channel=channel)

    def archive(self, channel: str, *, by: str = "U1") -> Delivery | None:
        """Archive a channel."""
        place = self.world.channels[channel]
        place.archived = True
        self.changed()
        kind = "channel_archive" if place.kind == "public" else "group_archive"
        return self.emit({"type": kind, "channel": channel, "user": by}, channel=channel)

    def unarchive(self, channel: str) -> None:
        """Open an archived channel again."""
        self.world.channels[channel].archived = False
        self.changed()

    def connect_channel(self, channel: str, team: str) -> None:
        """Share a channel with another organisation by Slack Connect."""
        self.world.channels[channel].connected.add(team)
        self.changed()

    def revoke(
        self,
        which: Literal["bot", "app", "both"] = "bot",
        error: Literal["token_revoked", "account_inactive", "invalid_auth"] = "token_revoked",
    ) -> Delivery | None:
        """Make tokens invalid; with the bot's, the app is told."""
        for name, token in (("bot", BOT_TOKEN), ("app", APP_TOKEN)):
            if which in (name, "both"):
                self.tokens[token] = error
        self.changed()
        if which == "app" or error != "token_revoked":
            return None
        return self.emit({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self.world.bot.id]}})

    def restore_tokens(self) -> None:
        """Make all tokens valid again."""
        for token in self.tokens:
            self.tokens[token] = ""
        self.changed()

    def event(self, event: Json, *, channel: str = "") -> Delivery | None:
        """Send any event as it is; None where the app is not subscribed to it."""
        return self.emit(dict(event), channel=channel)
