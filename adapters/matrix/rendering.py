"""From a reply of the core to what is sent to a room: messages within Matrix's limits, and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from adapters.matrix import rendering_texts as texts
from adapters.matrix.markup import Shown, write, write_line
from adapters.matrix.relations import Content
from adapters.matrix.rendering_drafts import settled_beginning
from adapters.matrix.rendering_sources import page_parts, section_parts, source_parts
from adapters.matrix.splitting import pages_of, parts_of, units
from adapters.matrix.text import not_a_command
from bot.file_names import name_of_whole_answer, safe_name
from bot.markup.elements import Paragraph, Run
from bot.markup.parsing import MAX_READ, Links, parse
from bot.plain_text import clean, one_line, shortened
from bot.replies import Attachment, Reply, Stage

MsgType = Literal["m.notice", "m.text"]

MAX_MESSAGES = 8  # of one answer; what does not fit comes as a file
MAX_DRAFT = 4000  # units, see `splitting.units`; each draft is sent whole again and again

_MAX_NOTE = 300  # characters
_MAX_SENTENCES = 2000  # characters of an error or another sentence
_NOBODY = Links({}, {})


@dataclass(frozen=True, slots=True)
class MatrixMessage:
    """One message as it is sent.

    Attributes:
        body: Plain text, with everything that `html` says and the addresses of its links.
        html: The same, formatted.
    """

    body: str
    html: str

    def content(self, msgtype: MsgType = "m.notice", *, mention: str = "") -> Content:
        """Return the content of an `m.room.message`, without relation.

        Args:
            msgtype: "m.notice", which no bot answers and which rings softer, or "m.text".
            mention: User id of the person who asked, to ring for them; nobody else can be called.
        """
        users: Content = {"user_ids": [mention]} if mention else {}
        return {
            "msgtype": msgtype,
            "body": self.body,
            "format": "org.matrix.custom.html",
            "formatted_body": self.html,
            "m.mentions": users,
        }


@dataclass(frozen=True, slots=True)
class Rendered:
    """A reply as it is shown.

    Attributes:
        first: The one visible message.
        continuation: Further messages of the thread, in order; of a long final answer only.
        files: To be shown in the thread, with names that are safe; the whole answer among them where it is too long.
    """

    first: MatrixMessage
    continuation: tuple[MatrixMessage, ...] = ()
    files: tuple[Attachment, ...] = ()


def render(reply: Reply) -> Rendered:
    """Return what to send for a reply. Whatever stands in it, it calls nobody and links to its own addresses only."""
    if not reply.final:
        return Rendered(
            _draft(settled_beginning(reply.text[: 2 * MAX_DRAFT]) if reply.stage is Stage.DRAFT else reply.text)
        )
    body = parts_of(parse(reply.text, Links.of(reply.citations))) + section_parts(reply.sections)
    sources = source_parts(reply.citations, answered=reply.answered)
    small = [*page_parts(reply.page), *_small_print(reply)]
    files = tuple(replace(file, name=safe_name(file.name)) for file in reply.attachments)
    pages = pages_of([*body, *sources, *small])
    if len(pages) > MAX_MESSAGES or len(reply.text) > MAX_READ:
        name = name_of_whole_answer({file.name for file in files})
        files = (_whole(reply, [*section_parts(reply.sections), *sources, *small], name), *files)
        # Sources and small print take less than a page, and may begin a new one.
        kept = [part for page in pages_of(body)[: MAX_MESSAGES - 2] for part in page]
        pages = pages_of([*kept, _sentence(texts.rest_in_file(name)), *sources, *small])
    first, *others = [_message(page) for page in pages] or [_message([_sentence("")])]
    return Rendered(first, tuple(others), files)


def render_sentence(text: str) -> MatrixMessage:
    """Return a message of plain text: an error, or another sentence; nothing in it is formatting."""
    return _message([_sentence(shortened(clean(text), _MAX_SENTENCES))])


def _draft(text: str) -> MatrixMessage:
    """Return a text after which more comes: one message, with no links."""
    kept: list[Shown] = []
    taken = 0
    for part in parts_of(parse(text[: 2 * MAX_DRAFT], _NOBODY)):
        taken += units(part) + 2
        if taken > MAX_DRAFT:
            kept.append(_sentence(texts.GOES_ON))
            break
        kept.append(part)
    return _message(kept or [_sentence("")])


def _message(parts: Sequence[Shown]) -> MatrixMessage:
    body = not_a_command("\n\n".join(part.plain for part in parts))
    return MatrixMessage(body, "".join(part.html for part in parts))


def _sentence(text: str) -> Shown:
    """Return untrusted text as a paragraph; its lines stay."""
    lines = [(Run(" ".join(line.split())),) for line in clean(text).strip().split("\n")]
    return write(Paragraph(tuple(lines if any(line[0].text for line in lines) else [(Run("…"),)])))


def _small_print(reply: Reply) -> list[Shown]:
    lines = []
    if note := shortened(one_line(reply.note), _MAX_NOTE):
        lines.append(Paragraph(((Run(note, italic=True),),)))
    if reference := shortened(one_line(reply.reference), 100):
        lines.append(Paragraph(((Run(f"{texts.REFERENCE} "), Run(reference, code=True)),)))
    return [write(line) for line in lines]


def _whole(reply: Reply, below: Sequence[Shown], name: str) -> Attachment:
    """Return all of an answer as a file of plain text; what is too long to be read as Markdown stands as it is."""
    if len(reply.text) > MAX_READ:
        text = "\n".join(write_line((Run(line),)).plain for line in clean(reply.text).split("\n"))
    else:
        text = "\n\n".join(part.plain for part in parts_of(parse(reply.text, Links.of(reply.citations))))
    whole = "\n\n".join([text, *(part.plain for part in below)])
    return Attachment(name, "text/plain", whole.encode() + b"\n")
