"""How a complete answer is shown."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from bot.given import GivenAnswer
from bot.replies import Entry, Reply, Section, Stage
from bot.teaching_texts import file_not_read
from bot.telling_texts import how_to_be_told
from bot.texts import run_again


def reply_of(given: GivenAnswer, page: str = "", *, files: int = 0, tells: bool = False) -> Reply:
    """Return the final reply that shows an answer.

    Args:
        given: The answer.
        page: Address of its page, or "".
        files: How many files came with the question; they are not read unless somebody teaches them.
        tells: Whether who asked can be told when the documents answer it.
    """
    answer = given.answer
    notes = [answer.note]
    if files:
        notes.append(file_not_read(files))
    if tells and not answer.answered and answer.mode != "live":
        notes.append(how_to_be_told())
    return Reply(
        Stage.FINAL,
        answer.text,
        citations=answer.citations,
        answered=answer.answered,
        note=" ".join(filter(None, notes)),
        reference="" if answer.answered else given.request_id,
        handle=given.handle,
        attachments=answer.attachments,
        sections=_requests(answer.requests),
        page=page if answer.answered or answer.citations else "",
    )


def _requests(addresses: Sequence[str]) -> tuple[Section, ...]:
    """Return what was asked for an answer, each named by its path."""
    entries = [Entry(urlsplit(address)._replace(scheme="", netloc="").geturl(), address) for address in addresses]
    return (Section(run_again(), tuple(entries)),) if entries else ()
