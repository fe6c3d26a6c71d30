"""What the core asks of the parts it does not know: retrieval, a language model, answering; each a few methods wide."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from bot.evidence import Answer, Evidence
from bot.generation import Finished, GenerationEvent, GenerationRequest, ModelFacts
from bot.messages import Turn

PUBLIC_SCOPE = "public"
MAX_QUESTION_CHARS = 2000  # what is read of a longer question


class Retriever(Protocol):
    """Finds the passages for a question."""

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        """Return at most `top_k` passages, best first, from the given scopes and no other.

        Args:
            question: Any text; control characters and excess length are the retriever's to handle.
            scopes: The scopes the asking conversation may see. Mandatory: there is no default.
            history: Earlier turns, oldest first.
            top_k: Number of passages, 1 to 100.

        Raises:
            StorageError: If the index is missing, damaged or made with other settings.
        """
        ...


@dataclass(frozen=True, slots=True)
class IndexedSource:
    """Where documents came from.

    Attributes:
        name: As the source calls itself: an address, a folder's path; not for people as it is.
        scope: Which its documents belong to.
        documents: Number of them.
        titles: Of a few of its largest documents; as untrusted as the documents.
    """

    name: str
    scope: str
    documents: int
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSync:
    """How a source stands, for whoever looks after the documents.

    Attributes:
        name: As of `IndexedSource`.
        scope: As of `IndexedSource`.
        documents: As of `IndexedSource`; 0 where it never came in.
        synced_at: When its documents were last brought in, in ISO 8601 and UTC, or "".
        tried_at: When that was last tried, or "" where it is not known.
        failed: Why it failed then, as one sentence, or "".
        problems: Files that were left out then.
        first: One sentence for each of the first few of these.
    """

    name: str
    scope: str
    documents: int
    synced_at: str
    tried_at: str = ""
    failed: str = ""
    problems: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What is indexed, for people.

    Attributes:
        revision: Number of the published revision; 0 before the first.
        published_at: When, in ISO 8601 and UTC, or "" before the first.
        documents: Documents in it.
        sources: Those that have documents, of all scopes.
        syncs: How each source stands, of all scopes.
    """

    revision: int
    published_at: str
    documents: int
    sources: tuple[IndexedSource, ...] = ()
    syncs: tuple[SourceSync, ...] = ()


class IndexStatus(Protocol):
    """Tells what is indexed."""

    async def has_documents(self) -> bool:
        """True once a document has been published."""
        ...

    async def revision(self) -> int:
        """Return the number of the published revision; it grows when documents change, and only then."""
        ...

    async def facts(self) -> IndexFacts:
        """Return what is indexed."""
        ...


class Embeds(Protocol):
    """Turns a question into a vector."""

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return a unit vector; called from several threads."""
        ...


class LanguageModel(Protocol):
    """Writes text: the local engine, an endpoint elsewhere, or a scripted one in tests."""

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """Yield the events of one generation; closing the generator, or cancelling its task, frees what it holds.

        Raises:
            BusyError: If too many requests wait.
            InvalidRequestError: If what must not be dropped does not fit the context, or a grammar is wrong.
            UnavailableError: If the model is down.
        """
        ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text; a remote model may estimate."""
        ...

    async def close(self) -> None:
        """Free everything; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model, as it was made.

    Attributes:
        purpose: What it was for.
        request: What was sent.
        text: What was written, thoughts left out.
        finished: How it ended; None where it broke off.
    """

    purpose: Literal["rewrite", "summary", "answer"]
    request: GenerationRequest
    text: str
    finished: Finished | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with all that belongs to it.

    Attributes:
        question: As the person wrote it.
        history: Earlier turns, oldest first.
        scopes: What the asking conversation may see; tools search these and no other.
        user: Whose turn this counts as, where a model serves many.
        conversation: Key of the conversation, or "" for none; its prompt stays cached.
        search_for: What is searched for: the question, or a follow-up made complete.
        calls: Calls of a model made for this question so far.
        begun: `time.monotonic()` when it was asked.
    """

    question: str
    history: tuple[Turn, ...] = ()
    scopes: tuple[str, ...] = ()
    user: str = ""
    conversation: str = ""
    search_for: str = ""
    calls: tuple[ModelCall, ...] = ()
    begun: float = field(default_factory=time.monotonic)


class Answerer(Protocol):
    """Turns evidence into an answer; the text may arrive in pieces."""

    async def rewrite(self, asked: Asked) -> Asked:
        """Return `asked` with `search_for` set; a follow-up may be made complete. Never fails for want of a model."""
        ...

    def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield pieces of text as they are written and, last, the finished `Answer`.

        The finished answer is authoritative: where it differs from the pieces, it replaces them.
        """
        ...
