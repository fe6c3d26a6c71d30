"""A question on its way: from the moment it is accepted until its answer is visible."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.messages import IncomingMessage


class State(StrEnum):
    """Where a request is."""

    EARLY = "early"  # an edit or a deletion arrived before the message
    WAITING = "waiting"  # for its turn, or for the next attempt
    RUNNING = "running"  # a worker has it
    DONE = "done"  # its answer is visible; kept so that another delivery is known


class Kind(StrEnum):
    """What is to be done for a request."""

    QUESTION = "question"
    NOTICE = "notice"  # only a sentence is to be said: it was refused, or given up
    STOP = "stop"  # the person's open questions of the conversation are to be stopped


class Cancelled(StrEnum):
    """Why nobody waits for the answer any more."""

    NO = ""
    STOPPED = "stopped"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Request:
    """One accepted message and how far it is.

    Attributes:
        request_id: Handle, the same for every delivery of the message.
        message: What was asked; its text is emptied when the request is done.
        kind: What is to be done.
        notice: The sentence to be said, for a notice.
        seq: Position in the stream; grows with each accepted message.
        state: Where it is.
        owner: The worker that has it, or "".
        attempt: Grows each time a worker takes it: what an earlier owner still writes is refused by it.
        deaths: Times its worker died.
        failures: Times it failed with an error that no person can mend.
        revision: Grows when the message is edited or cancelled; an answer to an older revision is not final.
        cancelled: Whether and why nobody waits any more.
        posting: True from when a message may be posted; with an empty `post_id` its id may have been lost.
        post_id: Id of the visible message in the chat, or "".
        ready: The finished answer as JSON, from when it is complete until it is shown; "" before.
        accepted_at: Seconds since 1970, UTC.
        outcome: How it ended, for `locus inbox show`.
    """

    request_id: str
    message: IncomingMessage
    kind: Kind = Kind.QUESTION
    notice: str = ""
    seq: int = 0
    state: State = State.WAITING
    owner: str = ""
    attempt: int = 0
    deaths: int = 0
    failures: int = 0
    revision: int = 0
    cancelled: Cancelled = Cancelled.NO
    posting: bool = False
    post_id: str = ""
    ready: str = ""
    accepted_at: float = 0.0
    outcome: str = ""

    @property
    def entry(self) -> str:
        """Id of its entry in the stream."""
        return f"{self.seq}-0"

    @property
    def quick(self) -> bool:
        """True when it takes no turn: a sentence to say, something to tidy up, an answer that only has to be shown."""
        return self.kind is not Kind.QUESTION or self.cancelled is not Cancelled.NO or bool(self.ready)
