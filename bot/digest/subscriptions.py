"""Subscriptions: which channel hears of which datasets, and when."""

from __future__ import annotations

from dataclasses import dataclass

from bot.digest.interests import Interest
from bot.messages import Audience, Place, digest

JOB = "digest"  # kind of the schedule that a subscription has


@dataclass(frozen=True, slots=True)
class Subscription:
    """A channel's wish to be told.

    Attributes:
        subscription_id: Handle.
        place: The channel, without a thread.
        interest: What it hears of.
        when: The schedule as people read it: "every Monday at 9:00".
        cron: The same as `bot.scheduling.dates.Dates` reads it.
        zone: Time zone of both.
        quiet: True for silence when nothing is new; False for one line.
        created_at: Seconds since 1970.
        name: Of one that is declared in a file; "" of one made in a chat.
        paused: Why it is paused, as one sentence, or "".
        refused: True when it was paused because the bot may not post there.
    """

    subscription_id: str
    place: Place
    interest: Interest
    when: str
    cron: str
    zone: str
    quiet: bool = True
    created_at: float = 0.0
    name: str = ""
    paused: str = ""
    refused: bool = False

    @property
    def declared(self) -> bool:
        """True for one that stands in the file of the operator, and is changed there only."""
        return bool(self.name)

    @property
    def schedule_id(self) -> str:
        """Handle of its schedule."""
        return f"digest-{self.subscription_id}"

    def same_wish(self, other: Subscription) -> bool:
        """True when both want the same at the same times in the same channel."""
        return (self.place.channel_id, self.interest, self.cron, self.zone, self.quiet) == (
            other.place.channel_id,
            other.interest,
            other.cron,
            other.zone,
            other.quiet,
        )


def channel_of(place: Place) -> Place:
    """Return the channel of a place: what is subscribed is never a thread."""
    return Place(place.chat, place.workspace, place.channel, "", place.audience)


def subscription_id(place: Place, interest: Interest, cron: str, zone: str, *, name: str = "") -> str:
    """Return the handle of a subscription: the same wish in the same channel is the same subscription."""
    if name:
        return digest("declared digest", name, place.channel_id)
    wish = (*interest.groups, "|", *interest.kinds, "|", *interest.tissues, "|", *interest.species)
    return digest("digest", place.channel_id, cron, zone, *wish)


def declared_place(channel: str) -> Place | None:
    """Return the channel that CHAT/WORKSPACE/CHANNEL names, or None where it is malformed."""
    chat, first, rest = channel.partition("/")
    workspace, second, name = rest.partition("/")
    if not (chat and first and second and name):
        return None
    return Place(chat, workspace, name, "", Audience.PRIVATE)
