"""What was said in a chat while nobody listened: from when on it has to be looked for, and by whom."""

from __future__ import annotations

from typing import Protocol


class Unheard(Protocol):
    """Knows until when somebody listened to a chat, for all processes and over restarts.

    For chats that tell what is said a few times and then no more. Times are seconds since 1970. Every method raises
    UnavailableError where that cannot be read or stored now.
    """

    async def listening(self, *, anew: bool) -> None:
        """Note that this process listens; if nobody did for a while before, what was said then has to be looked for.

        Args:
            anew: True where something may have been missed though others listened: after connecting, and after an event
                that could not be accepted.
        """
        ...

    async def take(self) -> float | None:
        """Begin to look, as the only one: return from when on, or None where nothing is due or another one looks."""
        ...

    async def go_on(self) -> bool:
        """Go on being the only one who looks; to be called more often than every 10 s. False where one has to stop."""
        ...

    async def done(self) -> None:
        """Note that everything was looked at that was due when it was begun."""
        ...

    async def leave(self) -> None:
        """Stop looking, done or not, so that another one can begin at once; nothing where this one does not look."""
        ...

    async def crowded(self) -> bool:
        """True while so many questions are open that older ones had better wait."""
        ...

    def oldest(self) -> float:
        """Return the time before which nothing is answered any more."""
        ...
