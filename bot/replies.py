"""What the bot says in a chat: one visible message per question, shown in changing states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.attachments import Attachment as Attachment
from bot.evidence import Citation


class Stage(StrEnum):
    """How far a reply is."""

    WAITING = "waiting"  # a sentence on the queue, or that it is being worked on
    DRAFT = "draft"  # unchecked text that grows
    FINAL = "final"  # nothing follows


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a list: its title leads to `url`, the text stands behind or below it. Plain text, no markup."""

    title: str
    url: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the things below it."""

    heading: str
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The one visible message that belongs to a question, as it should look now.

    Attributes:
        stage: How far it is.
        text: Plain text with [n] markers, or the markdown subset of the agent.
        citations: Ordered by n.
        answered: False for a refusal, an apology or a notice; its citations are the closest documents.
        note: One sentence on how it came about, or "".
        reference: Handle that the log and `locus inbox show` know: shown with a final reply where a person may need it,
            and what a button to stop carries before.
        handle: Random handle that buttons and reactions carry, or "" where there is nothing to press.
        attachments: Files shown with a final reply.
        sections: Lists below the text, each entry with a link; a renderer may split them over several messages.
        page: Address of the page that shows an answer with its passages, or "".
        begins_stream: True where drafts follow at once, so that a chat may begin to stream.
    """

    stage: Stage
    text: str
    citations: tuple[Citation, ...] = ()
    answered: bool = True
    note: str = ""
    reference: str = ""
    handle: str = ""
    attachments: tuple[Attachment, ...] = ()
    sections: tuple[Section, ...] = ()
    begins_stream: bool = False
    page: str = ""

    @property
    def final(self) -> bool:
        """True when nothing follows."""
        return self.stage is Stage.FINAL
