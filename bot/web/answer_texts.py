"""What the pages of answers say, where it depends on the answer."""

from __future__ import annotations

from bot.evidence import Mode

# Where the words change; the confidence is calibrated, so that of answers at 0.8 about four in five are right.
_PROBABLE = 0.8
_LIKELY = 0.6
_EVEN = 0.4


def not_kept() -> str:
    """Instead of an answer: it expired or was deleted, may not be seen any more, or never was."""
    return "There is no answer at this address, or it is not kept any more."


def passage_not_there() -> str:
    """Instead of a document of an answer."""
    return "This answer cites no such document, or the document is not among the public ones any more."


def mode_in_words(mode: Mode) -> str:
    """How an answer came about."""
    return {
        "quotes": "Quoted from the documents",
        "model": "Written by a language model from the cited passages",
        "live": "Looked up in GeneNetwork",
    }[mode]


def confidence_in_words(confidence: float, *, answered: bool) -> str:
    """Return how sure it is, 0 to 1, that the passages hold the answer."""
    if confidence >= _PROBABLE:
        words = "The passages very probably hold the answer"
    elif confidence >= _LIKELY:
        words = "The passages probably hold the answer"
    elif confidence >= _EVEN:
        words = "The passages may or may not hold the answer"
    else:
        words = "The passages probably do not hold the answer"
    return f"{words} ({confidence:.0%})" if answered else f"{words} ({confidence:.0%}), so none was given"


def passage_of_a_channel() -> str:
    """Below a passage of a document that is not for everybody."""
    return "From a document of the channel where this was asked: only what the answer cites is shown here."


def document_changed() -> str:
    """Above a passage that does not stand in its document any more."""
    return (
        "The document has changed since: this passage does not stand in it any more as it was cited. It is shown as it "
        "was."
    )


def document_gone() -> str:
    """Above a passage whose document was taken out."""
    return "The document is not among the public ones any more. The passage is shown as it was cited."


def passage_not_kept() -> str:
    """Instead of the passage behind a citation."""
    return "The words it rests on were not kept."


def parts_shown(first: int, last: int, total: int) -> str:
    """Which parts of a document are shown, counted from 1."""
    if first == 1 and last == total:
        return f"The whole document, {total:,} parts" if total > 1 else "The whole document, one part"
    return f"Parts {first:,} to {last:,} of {total:,}"
