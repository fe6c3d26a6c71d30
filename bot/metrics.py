"""What is counted while Locus runs: the port through which its parts tell, and the one that counts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot.evidence import Answer
from bot.generation import Usage


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at one moment; None is what could not be told.

    Attributes:
        queue_length: Requests that were accepted and have not ended.
        queue_oldest_s: Seconds since the first of them was accepted; 0 where there is none.
        index_age_s: Seconds since the published revision of the index.
        index_documents: Documents in it, of all scopes.
        index_revision: Its number; 0 before the first.
        parts: Each part of the service, and whether it is not down.
    """

    queue_length: int | None = None
    queue_oldest_s: float | None = None
    index_age_s: float | None = None
    index_documents: int | None = None
    index_revision: int | None = None
    parts: Mapping[str, bool] = field(default_factory=dict)


class Metrics(Protocol):
    """Takes what happens, in numbers and fixed words: never a text, a name or an id."""

    def handled(self, chat: str, outcome: str, *, seconds: float) -> None:
        """Take the end of a request.

        Args:
            chat: Name of the adapter.
            outcome: How it ended, one of a few words.
            seconds: From when it was accepted to now.
        """

    def answered(self, answer: Answer) -> None:
        """Take an answer that was made, with the time of each stage."""

    def looked_up(self, *, hit: bool) -> None:
        """Take a look into the cache of answers."""

    def generated(self, usage: Usage, *, writing_s: float) -> None:
        """Take one generation of the model.

        Args:
            usage: Its tokens.
            writing_s: Seconds from its first token to its last.
        """

    def voted(self, vote: str) -> None:
        """Take an opinion."""

    def failed(self, part: str, kind: str) -> None:
        """Take an error.

        Args:
            part: Where, one of a few words.
            kind: Name of its class.
        """

    def render(self, standing: Standing) -> bytes | None:
        """Return all of it as Prometheus reads it, or None where nothing is counted."""


class Unmeasured:
    """Counts nothing; implements `Metrics`."""

    def handled(self, chat: str, outcome: str, *, seconds: float) -> None: ...

    def answered(self, answer: Answer) -> None: ...

    def looked_up(self, *, hit: bool) -> None: ...

    def generated(self, usage: Usage, *, writing_s: float) -> None: ...

    def voted(self, vote: str) -> None: ...

    def failed(self, part: str, kind: str) -> None: ...

    def render(self, standing: Standing) -> bytes | None:
        return None


UNMEASURED = Unmeasured()
