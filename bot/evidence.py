"""What an answer rests on: passages, citations, answers. Frozen values without behaviour of any chat or store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.attachments import Attachment

Mode = Literal["quotes", "model", "live"]
SentenceKind = Literal["prose", "item", "row", "code"]


@dataclass(frozen=True, slots=True)
class Home:
    """A place where a text stands; one text may stand in many dataset folders.

    Attributes:
        source: Path relative to the ingested folder, or URL of a web page.
        title: The document's title.
        url: Public page of the document, or None.
    """

    source: str
    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table row of a passage, as a quote would show it.

    Attributes:
        text: Plain text.
        relevance: How well it answers the question, 0 (not at all) to 1; comparable within one search only.
        quotable: False for debris (bare links, table fragments, code) that would not read as an answer.
        position: Index within the passage, from 0.
        kind: What it is in its document.
    """

    text: str
    relevance: float
    quotable: bool
    position: int
    kind: SentenceKind = "prose"


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a question.

    Attributes:
        passage_id: Stable id of the stored text.
        text: Plain text of the chunk.
        heading: Heading path, outermost first, joined by " > "; "" at the top of a document.
        homes: All documents that hold this text, the best first; never empty.
        similarity: Fused relevance to the question, 0 to 1 (large is near); comparable within one search only.
        sentences: The passage cut into sentences, in order.
        scope: Of the documents that hold it; "" where that is not known.
    """

    passage_id: str
    text: str
    heading: str
    homes: tuple[Home, ...]
    similarity: float
    sentences: tuple[Sentence, ...] = ()
    scope: str = ""

    @property
    def home(self) -> Home:
        """The document shown first for this passage."""
        return self.homes[0]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The result of one retrieval.

    Attributes:
        question: The question as understood, follow-ups completed from history.
        passages: Best first.
        confidence: Calibrated probability, 0 to 1, that the passages hold the answer.
        timings_ms: Milliseconds by stage.
    """

    question: str
    passages: tuple[Passage, ...]
    confidence: float
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered link from a statement to the passage it rests on; `n` starts at 1."""

    n: int
    title: str
    source: str
    url: str | None
    quote: str


@dataclass(frozen=True, slots=True)
class CitedPassage:
    """The passage behind a citation: the quoted words in their surroundings.

    Attributes:
        citation: What rests on it.
        heading: As of `Passage`.
        text: As of `Passage`.
        scope: As of `Passage`.
        passage_id: As of `Passage`, or "" where it is not known.
    """

    citation: Citation
    heading: str
    text: str
    scope: str = ""
    passage_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person gets.

    Attributes:
        question: The question as asked.
        text: Plain text with [n] markers.
        mode: "quotes" (sentences of the documents), "model" (written by a language model) or "live" (from GeneNetwork's
            data, just fetched); the text of the last is the markdown subset of the agent.
        answered: False for a refusal ("The documents do not say ...").
        citations: Ordered by n; on a refusal the closest documents, which no statement rests on.
        confidence: As in `Evidence`.
        timings_ms: Milliseconds by stage, "total" among them.
        answer_id: Handle of the answer's card, or "" where none was kept.
        note: One sentence on how it came about that a person should know, or "".
        attachments: Pictures and tables that belong to it; kept no longer than it takes to show them.
        requests: Addresses that were asked for a "live" answer, to be asked again by whoever wants to check it.
    """

    question: str
    text: str
    mode: Mode
    answered: bool
    citations: tuple[Citation, ...]
    confidence: float
    timings_ms: dict[str, float] = field(default_factory=dict)
    answer_id: str = ""
    note: str = ""
    attachments: tuple[Attachment, ...] = ()
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """A sentence on what is being done, shown where the answer will stand until there is something of it."""

    sentence: str
