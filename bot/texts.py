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


def not_in_the_sources() -> str:
    """Behind a sentence of a model that the passages it cites do not support."""
    return "(not in the sources)"


def budget_spent() -> str:
    """The model used up its calls, tokens or seconds before it had written an answer."""
    return "The model used up what one question may cost: raise LOCUS_MODEL_TIMEOUT_S or LOCUS_QUESTION_TOKENS."


def unknown_answer(answer_id: str) -> str:
    """No card has this handle."""
    return f"There is no answer {answer_id[:40]!r}: `locus ask` prints the handle of each answer, and the oldest go."


def other_model(then: str, now: str) -> str:
    """Replaying with another model than the one that wrote."""
    return f"The answer was written by {then}, but the model set now is {now}: `--anyway` asks that one."


def replay_needs_model(name: str) -> str:
    """Replaying a written answer without a model."""
    return f"The answer was written by {name}: set LOCUS_MODEL to that file to write it again."


def quoting_only() -> str:
    """No model is set; said once, when a chat begins."""
    return "No model is set, so answers quote the documents; `locus model list` shows models that fit this machine."


def loading_model(share: float) -> str:
    """While a model's weights are read; `share` is 0 to 1."""
    return f"Loading the model, {share:.0%} …"


def forgotten_turns(count: int) -> str:
    """The conversation did not fit into what the model reads."""
    messages = "message was" if count == 1 else f"{count} messages were"
    return f"The conversation is longer than the model can read: its first {messages} left out."


def busy_sentence(open_questions: int) -> str:
    """The queue is full."""
    return f"I cannot take this question now: {open_questions:,} others are open. Please ask again in a few minutes."


def inbox_full() -> str:
    """Not even refusals can be queued; for the log, as nobody can be told."""
    return "The inbox is full: nothing more is accepted until some of it is answered."


def too_many_questions(wait_s: float) -> str:
    """A person or channel asked more often than LOCUS_RATE_PERSON or LOCUS_RATE_CHANNEL allow."""
    return f"That were many questions in a short time. Please ask again {in_words(wait_s)}."


def in_words(seconds: float) -> str:
    """Return a duration for people: "in 20 seconds", "in 3 minutes"."""
    if seconds < 90:
        rounded = max(1, round(seconds))
        return f"in {rounded} second{'s' if rounded > 1 else ''}"
    minutes = round(seconds / 60)
    return f"in {minutes} minutes" if minutes < 90 else f"in {round(minutes / 60)} hours"
