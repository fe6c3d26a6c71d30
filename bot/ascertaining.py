"""What was accepted before the chat could be asked about it: looked up before anything is answered or shown."""

from __future__ import annotations

from bot.access import Access
from bot.bounds import checked
from bot.chat import ChatAdapter
from bot.requests import Request
from bot.store.claims import Claims


async def ascertain(chat: ChatAdapter, access: Access, claims: Claims, request: Request) -> Request | None:
    """Return a request that this worker owns with a certain message, stored so; None where it is nothing for the bot.

    Raises:
        UnavailableError: If the chat or Redis is away: the request waits, whatever it asks.
        RefusedError: If the bot does not see the place any more.
        ChangedError: If the message was edited or cancelled meanwhile; what was looked up is stored.
        LostError: If it belongs to another worker now.
    """
    if request.message.certain:
        return request
    told = await chat.ascertain(request.message)
    if told is None:
        return None
    message = checked(request.message.ascertained(told))
    # The audience is that of now, not of when the message was accepted.
    await access.saw(message.place)
    return await claims.update(request, certain=message)
