"""From a reply of the core to what is posted in Slack: messages within Slack's limits, and files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from adapters.slack import rendering_texts as texts
from adapters.slack.blocks import MAX_SECTION, Action, Block, button, buttons, native, section, small_print, thumbs
from adapters.slack.markup_writing import write_code
from adapters.slack.rendering_files import safe_attachment, whole_answer
from adapters.slack.rendering_sections import section_parts
from adapters.slack.rendering_sources import page_parts, source_parts
from adapters.slack.splitting import Part, parts_of
from adapters.slack.text import sentence
from bot.markup.parsing import MAX_READ, Links, parse
from bot.plain_text import clean, one_line, shortened
from bot.replies import Attachment, Reply

MAX_MESSAGES = 5  # of one answer; what does not fit comes as a file
MAX_LISTS = 10  # the same of a reply with lists, which people subscribe to and the core bounds
MAX_TEXT = 4000  # characters; Slack's limit for `text` of chat.update

_MAX_PAGE = 7600  # characters of the parts of one message as JSON; leaves room for note, reference and buttons
_MAX_DRAFT = 3600  # characters, so that a draft is one part of every limit
_MAX_NOTE = 300  # characters, before they are escaped
_MAX_SENTENCES = 2000  # characters of an error or another sentence, before they are escaped

# Of every post and every edit; chat.update would fall back to its own defaults where they are left out.
POST_DEFAULTS: Mapping[str, JsonValue] = MappingProxyType(
    {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a workspace can show.

    Attributes:
        native: True to write `markdown` blocks, False for sections of mrkdwn.
        feedback: True for Slack's own thumbs, False for two plain buttons.
        hand_over: True to offer "Ask a person".
    """

    native: bool = True
    feedback: bool = True
    hand_over: bool = False


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """One message as it is posted.

    Attributes:
        blocks: What is shown; at most 50, and 10,000 characters as JSON.
        parts: The same content without buttons, for `plain` and `markdown`.
    """

    blocks: tuple[Block, ...]
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Its beginning in mrkdwn, for notifications and screen readers, and where blocks are refused."""
        return self.plain()

    def arguments(self) -> dict[str, JsonValue]:
        """Return `text`, `blocks` and the defaults, for chat.postMessage and chat.update."""
        return {"text": self.text, "blocks": list(self.blocks), **POST_DEFAULTS}

    def plain(self, limit: int = MAX_TEXT) -> str:
        """Return it as mrkdwn, for `text` without blocks; whole parts from the first on, as many as fit.

        Args:
            limit: Characters, at least 3,010.
        """
        return _joined([part.mrkdwn for part in self.parts], limit)

    def markdown(self, limit: int = 12_000) -> str:
        """Return it as standard Markdown, for `markdown_text`; whole parts from the first on, as many as fit.

        Args:
            limit: Characters, at least 3,010; 12,000 is Slack's limit for `markdown_text`.
        """
        return _joined([part.markdown for part in self.parts], limit)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A reply as it is shown.

    Attributes:
        first: The one visible message.
        continuation: Further messages of the thread, in order; of a long final answer only. Buttons are on the last.
        files: To be shown in the thread, with names that are safe; the whole answer among them where it is too long.
    """

    first: SlackMessage
    continuation: tuple[SlackMessage, ...] = ()
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shown:
    """A part, and whether it is small print."""

    part: Part
    small: bool = False


def render(reply: Reply, look: Look) -> Rendered:
    """Return what to post for a reply. Whatever stands in it, it calls nobody and links to its citations only."""
    text = reply.text if reply.final else reply.text[: 2 * _MAX_DRAFT]
    body = [_Shown(part) for part in parts_of(parse(text, Links.of(reply.citations)))]
    if not reply.final:
        return Rendered(_draft(reply, body, look))
    files = tuple(safe_attachment(attachment) for attachment in reply.attachments)
    body += [_Shown(part) for part in section_parts(reply.sections)]
    sources = [_Shown(part, small=True) for part in source_parts(reply.citations, answered=reply.answered)]
    below = [_Shown(part, small=True) for part in (*page_parts(reply.page), *_small_print(reply))]
    pages = _pages([*body, *sources], look)
    most = MAX_LISTS if reply.sections else MAX_MESSAGES
    if len(pages) > most or len(reply.text) > MAX_READ:
        file = whole_answer(reply, {attachment.name for attachment in files})
        files = (file, *files)
        kept = [shown for page in _pages(body, look)[: most - 1] for shown in page]
        pages = _pages([*kept, _plain(texts.rest_in_file(file.name)), *sources], look)
    *pages, last = pages or [[_plain("…")] if not below else []]
    messages = [_message(page, look) for page in pages] + [_message([*last, *below], look, _final_buttons(reply, look))]
    return Rendered(messages[0], tuple(messages[1:]), files)


def render_sentence(text: str, look: Look) -> SlackMessage:
    """Return a message of plain text without buttons: an error, or what is shown to one person only."""
    return _message([_plain(shortened(clean(text), _MAX_SENTENCES))], look)


def _draft(reply: Reply, body: Sequence[_Shown], look: Look) -> SlackMessage:
    kept: list[_Shown] = []
    taken = 0
    for shown in body:
        taken += max(len(shown.part.mrkdwn), len(shown.part.markdown)) + 2
        if taken > _MAX_DRAFT:
            kept.append(_plain(texts.GOES_ON, small=True))
            break
        kept.append(shown)
    stop = [buttons(button(texts.STOP, Action.STOP, reply.reference))] if reply.reference else []
    return _message(kept or [_plain("…")], look, stop)


def _message(shown: Sequence[_Shown], look: Look, below: Iterable[Block] = ()) -> SlackMessage:
    return SlackMessage((*_blocks(shown, look), *below), tuple(one.part for one in shown))


def _blocks(shown: Sequence[_Shown], look: Look) -> list[Block]:
    """Return parts as blocks; neighbours share one as far as they fit."""
    blocks: list[Block] = []
    open_texts: list[str] = []

    def close() -> None:
        if open_texts:
            whole = "\n\n".join(open_texts)
            blocks.append(native(whole) if look.native else section(whole))
            open_texts.clear()

    for one in shown:
        if one.small:
            close()
            blocks.append(small_print(one.part.mrkdwn))
            continue
        text = one.part.markdown if look.native else one.part.mrkdwn
        if not look.native and sum(len(other) + 2 for other in open_texts) + len(text) > MAX_SECTION:
            close()
        open_texts.append(text)
    close()
    return blocks


def _pages(shown: Sequence[_Shown], look: Look) -> list[list[_Shown]]:
    """Return parts by the message they stand in."""
    pages: list[list[_Shown]] = []
    taken = 0
    for one in shown:
        text = one.part.markdown if look.native and not one.small else one.part.mrkdwn
        # Each way of showing has to fit into `markdown_text` too.
        size = max(len(json.dumps(text, ensure_ascii=False)), len(one.part.markdown)) + (100 if one.small else 30)
        if not pages or taken + size > _MAX_PAGE:
            pages.append([])
            taken = 0
        pages[-1].append(one)
        taken += size
    return pages


def _small_print(reply: Reply) -> list[Part]:
    lines = [sentence(shortened(one_line(reply.note), _MAX_NOTE))] if reply.note.strip() else []
    if reply.reference:
        lines.append(texts.reference(write_code(shortened(reply.reference, 100), "mrkdwn")))
    return [Part(line, line) for line in lines if line]


def _final_buttons(reply: Reply, look: Look) -> list[Block]:
    if not reply.handle:
        return []
    rows = [thumbs(reply.handle)] if look.feedback else []
    row: list[JsonValue] = []
    if not look.feedback:
        row += [button(texts.GOOD, Action.UP, reply.handle), button(texts.BAD, Action.DOWN, reply.handle)]
    if reply.citations:
        row.append(button(texts.PASSAGES, Action.PASSAGES, reply.handle))
    row.append(button(texts.AGAIN, Action.AGAIN, reply.handle))
    if look.hand_over:
        row.append(button(texts.HAND_OVER, Action.HAND_OVER, reply.handle))
    return [*rows, buttons(*row)]


def _plain(text: str, *, small: bool = False) -> _Shown:
    shown = sentence(text) or "…"
    return _Shown(Part(shown, shown), small)


def _joined(pieces: Sequence[str], limit: int) -> str:
    whole = "\n\n".join(pieces)
    if len(whole) <= limit:
        return whole
    kept: list[str] = []
    left = limit - len("\n\n…")
    for piece in pieces:
        left -= len(piece) + 2
        if left < -2:
            break
        kept.append(piece)
    return "\n\n".join([*kept, "…"])
