"""What the core asks of the parts it does not know: retrieval, a language model, answering; each a few methods wide."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from bot.evidence import Answer, Evidence
from bot.generation import GenerationEvent, GenerationRequest, ModelFacts
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


class IndexStatus(Protocol):
    """Tells what is indexed."""

    async def has_documents(self) -> bool:
        """True once a document has been published."""
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


class Answerer(Protocol):
    """Turns evidence into an answer; the text may arrive in pieces."""

    def stream(self, question: str, evidence: Evidence, history: Sequence[Turn]) -> AsyncGenerator[str | Answer]:
        """Yield pieces of text as they are written and, last, the finished `Answer`.

        The finished answer is authoritative: where it differs from the pieces, it replaces them.
        """
        ...
