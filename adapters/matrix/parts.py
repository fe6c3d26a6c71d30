"""What everything that handles events of a session is given."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.matrix.events_values import Bot
from adapters.matrix.looking import Looking
from adapters.matrix.nio_gaps import CarefulClient
from adapters.matrix.options import Options
from adapters.matrix.places import Places
from adapters.matrix.posts import Posts
from adapters.matrix.presence import Receipts, TypingNotices
from adapters.matrix.room_book import RoomBook
from adapters.matrix.sending import Sender
from adapters.matrix.showing import Showing
from adapters.matrix.transfers import Transfers
from adapters.matrix.work import OwnedWork
from bot.chat import Reception
from bot.threads import Threads


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a session; new ones each time Locus connects.

    Attributes:
        reception: Where what people do goes.
        client: Logged in.
        options: What the lab has chosen.
        bot: Who Locus is.
        book: What is remembered of rooms.
        places: Turns rooms and users into places and senders.
        looking: Looks at events that rooms hold.
        sender: Sends events.
        posts: Knows Locus's own messages.
        showing: Shows replies.
        transfers: Moves files.
        typing: Shows that an answer is being written.
        receipts: Tell what was received.
        threads: Where Locus takes part.
        work: Owns what is done beside.
    """

    reception: Reception
    client: CarefulClient
    options: Options
    bot: Bot
    book: RoomBook
    places: Places
    looking: Looking
    sender: Sender
    posts: Posts
    showing: Showing
    transfers: Transfers
    typing: TypingNotices
    receipts: Receipts
    threads: Threads
    work: OwnedWork
