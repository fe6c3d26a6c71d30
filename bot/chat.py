"""The port between a chat and the core: what an adapter must do, and what it may call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.evidence import CitedPassage
from bot.given import GivenAnswer
from bot.messages import FileReference, IncomingMessage, Place, Sender
from bot.replies import Reply

Vote = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class ChannelDigest:
    """A digest that a channel gets.

    Attributes:
        place: The channel.
        number: By which it is named there, from 1.
        words: Of what and when: "BXD, mRNA, every Monday at 9:00 (Europe/Berlin)".
        paused: True while nothing comes.
    """

    place: Place
    number: int
    words: str
    paused: bool = False


class Accepted(Protocol):
    """What became of an event; an adapter may acknowledge it to its platform as soon as it has this."""

    @property
    def request_id(self) -> str:
        """Handle of the request."""
        ...

    @property
    def new(self) -> bool:
        """False when it had been accepted before."""
        ...


class Reception(Protocol):
    """Takes what a chat delivers. A call that returns has stored the event durably; one that raises has not.

    Every method may be called again with the same event: it then changes nothing.
    """

    async def message(self, message: IncomingMessage) -> Accepted:
        """Accept a message.

        Raises:
            InvalidRequestError: If it is malformed; delivering it again would not help, so acknowledge it.
            BusyError: If even refusals cannot be queued any more: do not acknowledge.
            UnavailableError: If nothing can be stored now: do not acknowledge.
        """
        ...

    async def edit(self, message: IncomingMessage) -> bool:
        """Replace the text of a message by a newer version; False when it is answered already or not known.

        While it is being answered, its answer starts again.
        """
        ...

    async def delete(self, place: Place, message_id: str) -> bool:
        """Withdraw a message: its answer is cancelled and what is shown of it removed; False when it is answered."""
        ...

    async def stop(self, place: Place, by: Sender, *, request_id: str = "") -> bool:
        """Stop an answer that is waiting or being written, by its request, or all of the person in a conversation.

        Only the person who asked, in the same channel, or an administrator may; False when there was nothing to stop.
        """
        ...

    async def vote(self, place: Place, by: Sender, handle: str, vote: Vote, comment: str = "") -> bool:
        """Store an opinion on an answer; a second one of the same person replaces the first.

        Returns False when the handle is unknown, too old, or of another channel.
        """
        ...

    async def withdraw(self, place: Place, by: Sender, handle: str, vote: Vote) -> bool:
        """Delete the person's opinion on an answer if it is this one; False where it is not, and as for `vote`."""
        ...

    async def passages(self, place: Place, by: Sender, handle: str) -> Sequence[CitedPassage]:
        """Return the cited passages of an answer, if its channel is `place` and may still see them; else none."""
        ...

    async def given(self, place: Place, by: Sender, handle: str) -> GivenAnswer | None:
        """Return an answer by its handle, under the same conditions as its passages; else None."""
        ...

    async def again(self, place: Place, by: Sender, handle: str) -> Accepted | None:
        """Ask the question of an answer anew, past the cache; None under the conditions of `given`.

        Raises as `message`.
        """
        ...

    async def command(self, place: Place, by: Sender, text: str) -> Reply | None:
        """Carry out a command at once, for a reply that only its sender sees; None when `text` is no command.

        Raises:
            UnavailableError: If Redis is away, or this process cannot carry out commands.
        """
        ...

    async def digests(self, chat: str) -> Sequence[ChannelDigest]:
        """Return the digests of all channels of a chat; an adapter shows people only those of channels they are in.

        Raises:
            UnavailableError: If Redis is away.
        """
        ...


class ChatAdapter(Protocol):
    """A chat. It translates; what is answered, when and to whom is not its business.

    Attributes:
        name: "slack", "matrix", "terminal"; `Place.chat` of everything it delivers.
        draft_interval_s: Shortest time between two edits of one message that the platform bears.
    """

    name: str
    draft_interval_s: float

    async def run(self, reception: Reception) -> None:
        """Connect and deliver until cancelled. Returning means that the chat has ended for good."""
        ...

    async def ascertain(self, message: IncomingMessage) -> IncomingMessage | None:
        """Return a message that was accepted without certainty as the platform describes it now; None for one that is
        not for the bot after all, such as another bot's.

        A chat that must not ask its platform before it says "received" accepts what the event itself tells, with the
        widest audience and an external sender, and is asked here before anything is answered or shown. A chat whose
        messages are all certain returns them as they are.

        Raises:
            UnavailableError: As long as the platform does not say; nothing is guessed, the question waits.
            RefusedError: If the bot does not see that place any more.
        """
        ...

    async def post(self, place: Place, reply: Reply, *, key: str, answers: str) -> str:
        """Show a reply as a new message and return its id.

        Args:
            place: Where.
            reply: What.
            key: The same whenever this post is tried again; an adapter uses it to make the second try harmless (a
                transaction id) or to find the first (metadata in the thread).
            answers: Id of the message it answers, or "" for one that nobody asked for: without a thread in `place` it
                stands in the channel itself, and its id is the root of a thread in which people may ask about it.

        Raises:
            UnavailableError: If the platform is away; whether it was posted may be unknown.
            RefusedError: If the bot may not post there and never will.
        """
        ...

    async def edit(self, place: Place, post_id: str, reply: Reply) -> None:
        """Show a reply in place of an earlier one; the same reply twice changes nothing. Raises as `post`.

        Raises:
            NotFoundError: If the message is gone.
        """
        ...

    async def remove(self, place: Place, post_id: str) -> None:
        """Delete a message of the bot; one that is gone already is no error. Raises as `post`."""
        ...

    async def find(self, place: Place, key: str, *, answers: str) -> str | None:
        """Return the id of the message posted with this key, or None. Raises as `post`.

        Called when a process died between posting and storing the id. An adapter whose `post` is idempotent by key may
        always return None.
        """
        ...

    async def fetch(self, place: Place, file: FileReference, *, max_bytes: int) -> bytes:
        """Return a file that was sent in `place`. Raises as `post`.

        Raises:
            NotFoundError: If it is gone, or does not belong to that place.
            InvalidRequestError: If it is larger than `max_bytes`.
        """
        ...

    async def direct(self, user: str) -> Place:
        """Return the direct conversation with a person of the chat, opened if need be: for what only they should read.

        Args:
            user: Id of the person, as in `Sender`.

        Raises:
            NotFoundError: If there is no such person, or the chat has no direct conversations.
            RefusedError: If the person or the platform does not let the bot write to them.
            UnavailableError: If the platform is away.
        """
        ...

    async def belongs(self, sender: Sender, group: str) -> bool:
        """Return whether a person is in a group of people that the platform keeps; False where it keeps none.

        Raises:
            UnavailableError: If the platform is away.
        """
        ...
