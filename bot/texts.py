"""Every sentence the bot says to people."""

from __future__ import annotations

REFUSAL = "The documents do not say."


def refusal(closest: int) -> str:
    """The answer when the evidence is weak; the closest documents follow as sources."""
    if closest == 0:
        return f"{REFUSAL} Nothing in the index comes near this question."
    documents = "document" if closest == 1 else "documents"
    return f"{REFUSAL} The closest {documents}, which may help, are listed below."


def empty_index(command: str = "locus ingest starter") -> str:
    """No document has been indexed yet."""
    return f"No documents are indexed yet: run `{command}`, or `locus ingest PATH` for your own."


def empty_question() -> str:
    """The question holds no letters or digits."""
    return 'The question is empty: type a question, for example "What is the BXD family?"'


def shortened_question(limit: int) -> str:
    """Only the beginning of a very long question is read."""
    return f"The question is very long; its first {limit:,} characters were read."


def model_unavailable(reason: str) -> str:
    """Falling back to quotes because the model cannot answer."""
    return f"The model cannot be used, so the answer quotes the documents instead. {reason}"


def english_documents() -> str:
    """A refused question that does not look like English."""
    return "The documents are in English: a question in English finds more."


def unsupported() -> str:
    """The model wrote, but none of its statements stands in the passages it was given."""
    return (
        "The model wrote nothing that the documents support. The documents that should answer are listed below; "
        "without LOCUS_MODEL, Locus quotes them."
    )
