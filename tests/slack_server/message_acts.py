"""What people do with messages: write, mention, edit, delete, react, share files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.slack_server.bench import Bench
from tests.slack_server.file_methods import media_type_of
from tests.slack_server.posting import message_json, publish, revise, withdraw
from tests.slack_server.values import Json, Message, StoredFile


class MessageActs(Bench):
    """Acts of people and of other bots; each takes effect at once, and the app is told of it in the background."""

    def say(
        self,
        channel: str,
        user: str,
        text: str,
        *,
        thread_ts: str = "",
        broadcast: bool = False,
        files: Sequence[tuple[str, bytes]] = (),
        subtype: str = "",
        blocks: Sequence[Json] = (),
    ) -> Message:
        """Write a message.

        Args:
            channel: Where.
            user: Who; has to be in the channel.
            text: In Slack's markup, as it reaches an app: `typed` makes it of what a person types.
            thread_ts: Root of the thread it answers, or "".
            broadcast: True shows a reply in the channel as well.
            files: Names and contents of files that are dropped with it.
            subtype: For messages that people do not write themselves, such as "huddle_thread" or "channel_topic".
            blocks: What the app gets beside the text.

        Raises:
            ValueError: If Slack would not let the person do this.
        """
        self._check_present(channel, user)
        if thread_ts and not self.world.has_thread(channel, thread_ts):
            raise ValueError(f"there is nothing to answer at {thread_ts}")
        stored = [self._store(channel, user, name, data) for name, data in files]
        kind = subtype or ("file_share" if stored else "thread_broadcast" if broadcast else "")
        message = Message(
            channel,
            self.world.new_ts(),
            user,
            text,
            subtype=kind,
            thread_ts=thread_ts,
            broadcast=broadcast,
            files=[file.id for file in stored],
            blocks=list(blocks),
            parse="links",
        )
        publish(self, message)
        for file in stored:
            event: Json = {"type": "file_shared", "file_id": file.id, "file": {"id": file.id}, "user_id": user}
            self.emit(event | {"channel_id": channel}, channel=channel)
        return message

    def mention(self, channel: str, user: str, text: str, **options: object) -> Message:
        """Write a message that begins with a mention of the bot; options as of `say`."""
        return self.say(channel, user, f"<@{self.world.bot.id}> {text}", **options)  # type: ignore[arg-type]

    def direct_message(self, user: str, text: str, **options: object) -> Message:
        """Write to the bot directly; options as of `say`."""
        return self.say(self.world.direct(user).id, user, text, **options)  # type: ignore[arg-type]

    def say_as_bot(
        self, channel: str, bot_user: str, text: str, *, thread_ts: str = "", blocks: Sequence[Json] = ()
    ) -> Message:
        """Let another bot write, as bots do today: without a subtype, with `bot_id` and `app_id`."""
        self._check_present(channel, bot_user)
        author = self.world.users[bot_user]
        if not author.bot_id:
            raise ValueError(f"{bot_user} is no bot")
        message = Message(
            channel,
            self.world.new_ts(),
            bot_user,
            text,
            bot_id=author.bot_id,
            app_id="A9",
            thread_ts=thread_ts,
            blocks=list(blocks),
        )
        return publish(self, message)

    def edit(self, message: Message, text: str) -> None:
        """Change the text of one's own message."""
        self._check_visible(message)
        before = message_json(self, message)
        message.text = text
        revise(self, message, message.user, before)

    def delete(self, message: Message) -> None:
        """Delete a message; that of a thread's root leaves its replies."""
        self._check_visible(message)
        withdraw(self, message)

    def unfurl(self, message: Message, attachments: Sequence[Mapping[str, object]]) -> None:
        """Add what Slack fetched for the links of a message; the app is told as of a change."""
        self._check_visible(message)
        before = message_json(self, message)
        message.attachments = [*message.attachments, *(dict(item) for item in attachments)]
        revise(self, message, message.user, before, mark=False)

    def react(self, message: Message, user: str, name: str) -> None:
        """Add a reaction."""
        self._check_visible(message)
        users = message.reactions.setdefault(name, [])
        if user in users:
            raise ValueError(f"{user} has reacted with {name} already")
        users.append(user)
        self._tell_reaction("reaction_added", message, user, name)

    def unreact(self, message: Message, user: str, name: str) -> None:
        """Take a reaction back."""
        message.reactions[name].remove(user)
        if not message.reactions[name]:
            del message.reactions[name]
        self._tell_reaction("reaction_removed", message, user, name)

    def upload(
        self, channel: str, user: str, name: str, data: bytes, *, text: str = "", thread_ts: str = ""
    ) -> Message:
        """Drop one file with a text."""
        return self.say(channel, user, text, thread_ts=thread_ts, files=[(name, data)])

    def share(self, file_id: str, channel: str, user: str, text: str = "", *, thread_ts: str = "") -> Message:
        """Show a file from elsewhere in a channel as well, or in a thread of it."""
        self._check_present(channel, user)
        self.world.files[file_id].channels.add(channel)
        ts = self.world.new_ts()
        message = Message(channel, ts, user, text, subtype="file_share", files=[file_id], thread_ts=thread_ts)
        return publish(self, message)

    def _tell_reaction(self, event_type: str, message: Message, user: str, name: str) -> None:
        channel = self.world.channels[message.channel]
        if self.world.bot.id in channel.members:
            item = {"type": "message", "channel": message.channel, "ts": message.ts}
            event = {"type": event_type, "user": user, "reaction": name, "item": item, "item_user": message.user}
            self.emit(event, channel=channel.id)
        self.changed()

    def _store(self, channel: str, user: str, name: str, data: bytes) -> StoredFile:
        file = StoredFile(self.world.new_id("F"), name, len(data), user, name, data, media_type_of(name), {channel})
        self.world.files[file.id] = file
        return file

    def _check_present(self, channel: str, user: str) -> None:
        place = self.world.channels[channel]
        if place.archived:
            raise ValueError(f"{channel} is archived")
        if user not in place.members:
            raise ValueError(f"{user} is not in {channel}")

    def _check_visible(self, message: Message) -> None:
        if message.deleted:
            raise ValueError(f"the message {message.ts} is deleted")
