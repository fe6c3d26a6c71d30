"""Puts the parts of a session together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from nio.responses import ProfileGetDisplayNameResponse

from adapters.matrix.errors import translated
from adapters.matrix.events_values import Bot
from adapters.matrix.looking import Looking
from adapters.matrix.pace import Pace
from adapters.matrix.parts import Parts
from adapters.matrix.places import Places
from adapters.matrix.posts import Posts
from adapters.matrix.presence import Receipts, TypingNotices
from adapters.matrix.room_book import RoomBook
from adapters.matrix.sending import Sender
from adapters.matrix.session import Session
from adapters.matrix.showing import Showing
from adapters.matrix.transfers import Transfers
from adapters.matrix.work import OwnedWork
from bot.chat import Reception
from bot.threads import Threads

ROOMS: Final = "rooms.json"

# What matrix-nio does not understand it logs with its content, which may be what people wrote.
for _name in ("nio.events", "nio.responses", "nio.rooms"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


async def make_parts(
    session: Session,
    reception: Reception,
    threads: Threads,
    pace: Pace,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Parts:
    """Return the parts that work on a session that is logged in.

    Args:
        session: Entered.
        reception: Where what people do goes.
        threads: Where Locus takes part.
        pace: Of the account.
        pause: Waits so many seconds.

    Raises:
        StorageError: If what is remembered of rooms is damaged.
        UnavailableError: If the homeserver is away.
    """
    client, options = session.client, session.options
    book = RoomBook(session.folder.path / ROOMS)
    await book.load()
    places = Places(client, options, book)
    await places.load()
    with translated():
        answer = await client.get_displayname()
    name = answer.displayname if isinstance(answer, ProfileGetDisplayNameResponse) else ""
    bot = Bot(client.user_id, frozenset({name} if name else ()), prefix=options.command_prefix)
    work = OwnedWork()
    looking, transfers = Looking(client), Transfers(client)
    posts = Posts(client, looking)
    sender = Sender(client, pace, book.joining, pause=pause)
    return Parts(
        reception,
        client,
        options,
        bot,
        book,
        places,
        looking,
        sender,
        posts,
        Showing(sender, posts, looking, transfers, work, msgtype=options.msgtype),
        transfers,
        TypingNotices(client, work, pause=pause),
        Receipts(client, work),
        threads,
        work,
    )
