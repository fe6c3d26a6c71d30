"""What people see: transcripts, whom messages have notified, what was fetched and shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.slack_server.bench import Bench, Ping
from tests.slack_server.looks import Button, Look, look_at_blocks
from tests.slack_server.texts import Link
from tests.slack_server.values import Message, View


@dataclass(frozen=True)
class Line:
    """One message as people see it.

    Attributes:
        author: Name of the account.
        text: Without markup.
        ts: Of the message.
        thread_ts: Of its thread's root, "" for a message of the channel.
        edits: How often it was changed, pieces of a stream counted.
        buttons: What can be pressed.
        only_for: Name of the only person who sees it, or "".
        streaming: True while it is being written.
        files: Names.
        reactions: Names.
        links: What can be followed.
        images: Pictures that are shown.
        notification: What a notification shows.
        is_bot: True for the messages of bots.
    """

    author: str
    text: str
    ts: str
    thread_ts: str = ""
    edits: int = 0
    buttons: tuple[Button, ...] = ()
    only_for: str = ""
    streaming: bool = False
    files: tuple[str, ...] = ()
    reactions: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    images: tuple[str, ...] = ()
    notification: str = ""
    is_bot: bool = False

    @property
    def button_labels(self) -> tuple[str, ...]:
        """Labels of the buttons."""
        return tuple(button.label for button in self.buttons)


@dataclass(frozen=True)
class Shown:
    """A modal or App Home as its person sees it."""

    title: str
    text: str
    buttons: tuple[Button, ...] = ()
    links: tuple[Link, ...] = ()
    images: tuple[str, ...] = ()
    pings: tuple[str, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)


class Observations(Bench):
    """What tests look at."""

    def transcript(self, channel: str, thread: str = "", *, viewer: str = "") -> list[Line]:
        """Return what is to be seen now, oldest first; each thread follows its root.

        Args:
            channel: Where.
            thread: Root of the thread wanted; "" for everything in the channel.
            viewer: Account whose ephemeral messages are seen; "" for everybody's.
        """
        world = self.world
        private = [m for m in world.ephemerals if m.channel == channel and not m.deleted]
        if viewer:
            private = [message for message in private if message.seen_only_by == viewer]
        if thread:
            root = world.message(channel, thread)
            messages = ([root] if root else []) + world.replies(channel, thread)
            messages += [message for message in private if message.root == thread]
            return [self.line(message) for message in sorted(messages, key=_age)]
        visible = (message for message in world.all_messages() if message.channel == channel and not message.deleted)
        messages = [message for message in visible if not message.seen_only_by] + private
        messages.sort(key=lambda message: (_number(message.root), _age(message)))
        return [self.line(message) for message in messages]

    def transcript_text(self, channel: str, thread: str = "") -> str:
        """Return a transcript to read, replies moved in."""
        lines: list[str] = []
        for line in self.transcript(channel, thread):
            margin = "    " if line.thread_ts and line.thread_ts != line.ts else ""
            only = f" (only for {line.only_for})" if line.only_for else ""
            lines.append(f"{margin}{line.author}{only}:")
            lines += [f"{margin}  {text}" for text in line.text.split("\n")]
            if line.files:
                lines.append(f"{margin}  files: {', '.join(line.files)}")
            if line.buttons:
                lines.append(margin + "  " + " ".join(f"[{label}]" for label in line.button_labels))
            if line.reactions:
                lines.append(margin + "  " + " ".join(f":{name}:" for name in line.reactions))
        return "\n".join(lines)

    def line(self, message: Message) -> Line:
        """Return how one message looks now."""
        users, look = self.world.users, self.look(message)
        author = users.get(message.user)
        viewer = users.get(message.seen_only_by)
        return Line(
            author=author.name if author else message.user,
            text=look.text,
            ts=message.ts,
            thread_ts=message.thread_ts,
            edits=message.edits,
            buttons=tuple(look.buttons),
            only_for=viewer.name if viewer else message.seen_only_by,
            streaming=bool(message.stream and message.stream.state == "streaming"),
            files=tuple(self.world.files[file].name for file in message.files),
            reactions=tuple(message.reactions),
            links=tuple(look.links),
            images=tuple(look.images),
            notification=look.notification,
            is_bot=bool(message.bot_id),
        )

    def pings(self, *, by: str = "") -> list[Ping]:
        """Return everybody who was notified by name, group or channel, by all messages ever shown.

        That a direct message or a reply notifies those who take part is not counted.

        Args:
            by: Account whose messages are looked at, or "" for all.
        """
        return [ping for ping in self.pings_seen if by in ("", ping.author)]

    def unfurled(self) -> list[tuple[str, str, str]]:
        """Return channel, `ts` and address of all links that were fetched to show what is behind them."""
        return list(self.unfurls)

    def images(self, *, by: str = "") -> list[str]:
        """Return the addresses of the pictures that messages show now."""
        messages = (m for m in self.world.all_messages() if by in ("", m.user) and not m.deleted)
        return [address for message in messages for address in self.look(message).images]

    def messages(self, *, by: str = "", channel: str = "") -> list[Message]:
        """Return what can be seen of somebody's messages, ephemeral ones too, oldest first; of the bot by default."""
        author = by or self.world.bot.id
        found = (m for m in self.world.all_messages() if m.user == author and not m.deleted)
        return sorted((m for m in found if channel in ("", m.channel)), key=_age)

    def shown(self, user: str) -> View | None:
        """Return the modal on top of all that a person has open, or None."""
        views = self.world.shown_views(user)
        return views[-1] if views else None

    def home(self, user: str) -> View | None:
        """Return a person's App Home, or None."""
        views = self.world.views.values()
        return next((view for view in views if view.user == user and view.content["type"] == "home"), None)

    def view_look(self, view: View) -> Shown:
        """Return how a modal or App Home looks."""
        look: Look = look_at_blocks(view.content["blocks"], self.reader)
        title = view.content.get("title", {}).get("text", "")
        return Shown(
            title,
            look.text,
            tuple(look.buttons),
            tuple(look.links),
            tuple(look.images),
            tuple(look.pings),
            dict(view.errors),
        )


def _number(ts: str) -> tuple[int, int]:
    seconds, _, micros = ts.partition(".")
    return int(seconds or 0), int(micros or 0)


def _age(message: Message) -> tuple[int, int]:
    return _number(message.ts)
