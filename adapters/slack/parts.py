"""What everything that listens to Slack is given when it registers itself."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.slack.askers import Askers
from adapters.slack.client import Identity
from adapters.slack.files import Files
from adapters.slack.members import Members
from adapters.slack.options import Options
from adapters.slack.people import People
from adapters.slack.places import Places
from adapters.slack.rendering import Look
from adapters.slack.sending import Sender
from adapters.slack.sending_calls import Calls
from bot.chat import Reception
from bot.threads import Threads


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a connected adapter; a new one for each time it connects.

    Attributes:
        reception: Where what people do goes.
        sender: Shows messages.
        calls: Makes any other call of the Web API within its limits; `calls.client` makes one without waiting.
        identity: Who the bot is.
        places: Turns Slack's ids of channels and threads into places.
        people: Turns Slack's ids of people into senders.
        options: What the lab has chosen.
        threads: Where the bot takes part.
        askers: To be told who asked where the question is no message of that person, so that its answer is streamed.
        files: Tells of files that came with messages.
        members: Tells who is in which channel.
    """

    reception: Reception
    sender: Sender
    calls: Calls
    identity: Identity
    places: Places
    people: People
    options: Options
    threads: Threads
    askers: Askers
    files: Files
    members: Members

    @property
    def look(self) -> Look:
        """How messages are to look now."""
        return self.sender.look(self.options.look)
