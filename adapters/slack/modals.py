"""Modals: the comment after a bad vote, the passages of an answer, a question about a message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from pydantic import JsonValue

from adapters.slack import interactions_texts as texts
from adapters.slack.blocks import Block, json_length, section, small_print
from adapters.slack.interactions_payloads import Where
from adapters.slack.rendering_sources import source_line
from adapters.slack.splitting import parts_of
from adapters.slack.text import sentence
from bot.evidence import CitedPassage
from bot.markup.elements import Element, Line, Paragraph, Quotation, Run, settled
from bot.plain_text import clean, one_line, shortened

View = dict[str, JsonValue]
Name = Literal["locus_comment", "locus_passages", "locus_ask_about"]

COMMENT: Final[Name] = "locus_comment"
PASSAGES: Final[Name] = "locus_passages"
ASK_ABOUT: Final[Name] = "locus_ask_about"
COMMENT_INPUT: Final = "locus_comment_text"
QUESTION_INPUT: Final = "locus_question_text"

MAX_COMMENT: Final = 2000  # characters that can be typed
MAX_QUESTION: Final = 1500  # the same; with the message it is about it stays within what is read of a question
MAX_QUOTE: Final = 400  # characters of that message: a place's private_metadata holds 3,000 and the question 2,000
MAX_BLOCKS: Final = 100  # Slack's limit for blocks of a view
MAX_VIEW: Final = 60_000  # characters of all blocks as JSON; Slack's limit for a view is 250 kB, escaped

_MAX_HEADING = 300  # characters


def comment_view(handle: str, where: Where) -> View:
    """Return the modal that asks what was wrong with an answer."""
    field: JsonValue = {
        "type": "plain_text_input",
        "action_id": COMMENT_INPUT,
        "multiline": True,
        "max_length": MAX_COMMENT,
    }
    block: Block = {
        "type": "input",
        "optional": True,
        "label": _plain(texts.COMMENT_LABEL),
        "hint": _plain(texts.COMMENT_HINT),
        "element": field,
    }
    keep = {"handle": handle, "channel": where.channel, "thread": where.thread_ts}
    return _modal(COMMENT, texts.COMMENT_TITLE, [block], submit=texts.SEND, keep=keep)


def ask_view(*, author: str, message: str, where: Where) -> View:
    """Return the modal that asks for a question about a message.

    Args:
        author: Name of who wrote the message.
        message: Its text as people read it.
        where: The message, whose thread the answer goes to.
    """
    quote = shortened(clean(message).strip(), MAX_QUOTE)
    suggested = one_line(quote) if quote.endswith("?") else texts.ASK_DEFAULT
    field: JsonValue = {
        "type": "plain_text_input",
        "action_id": QUESTION_INPUT,
        "multiline": True,
        "max_length": MAX_QUESTION,
        "initial_value": suggested,
    }
    blocks = [section(line) for line in _quoted(quote)]
    if author:
        blocks.append(small_print(sentence(one_line(author))))
    blocks.append({"type": "input", "label": _plain(texts.ASK_LABEL), "hint": _plain(texts.ASK_HINT), "element": field})
    keep = {
        "channel": where.channel,
        "thread": where.thread_ts or where.message_ts,
        "author": shortened(one_line(author), 80),
        "quote": quote,
    }
    return _modal(ASK_ABOUT, texts.ASK_TITLE, blocks, submit=texts.ASK, keep=keep)


def passages_view(passages: Sequence[CitedPassage]) -> View:
    """Return the modal that shows passages in their surroundings; the quoted words are bold."""
    groups = _grouped(passages)
    blocks: list[Block] = []
    taken = 0
    for number, group in enumerate(groups):
        shown = _passage_blocks(group)
        size = sum(json_length(block) for block in shown)
        if len(blocks) + len(shown) > MAX_BLOCKS - 1 or taken + size > MAX_VIEW:
            blocks.append(small_print(texts.more_passages(len(groups) - number)))
            break
        blocks += shown
        taken += size
    return _modal(PASSAGES, texts.PASSAGES_TITLE, blocks)


def _grouped(passages: Iterable[CitedPassage]) -> list[list[CitedPassage]]:
    """Return the citations by the passage they rest on, in their order."""
    groups: dict[tuple[str, str, str], list[CitedPassage]] = {}
    for passage in passages:
        groups.setdefault((passage.citation.source, passage.heading, passage.text), []).append(passage)
    return list(groups.values())


def _passage_blocks(group: Sequence[CitedPassage]) -> list[Block]:
    first = group[0]
    blocks = [section(source_line(first.citation, "mrkdwn", [one.citation.n for one in group]))]
    if heading := shortened(one_line(first.heading), _MAX_HEADING):
        blocks.append(small_print(sentence(texts.heading_path(heading))))
    marked = _marked(first.text, [one.citation.quote for one in group])
    return [*blocks, *(section(part.mrkdwn) for part in parts_of(marked)), {"type": "divider"}]


def _marked(text: str, quotes: Sequence[str]) -> list[Element]:
    """Return a passage's paragraphs with the quoted words in bold, or as a quotation where bold would not be seen."""
    shown = clean(text)
    found = sorted(place for quote in quotes if (place := _find(shown, clean(quote))) is not None)
    elements: list[Element] = []
    begin = 0
    for paragraph in shown.split("\n\n"):
        end = begin + len(paragraph)
        inside = [(max(start, begin) - begin, min(stop, end) - begin) for start, stop in found]
        spans = [(start, stop) for start, stop in inside if start < stop]
        if paragraph.strip():
            elements.append(_paragraph(paragraph, spans))
        begin = end + 2
    return elements


def _paragraph(text: str, spans: Sequence[tuple[int, int]]) -> Element:
    lines: list[Line] = []
    begin = 0
    for line in text.split("\n"):
        end = begin + len(line)
        runs: list[Run] = []
        place = begin
        for start, stop in spans:
            start, stop = max(start, place), min(stop, end)
            if start < stop:
                runs += [Run(text[place:start]), Run(text[start:stop], bold=True)]
                place = stop
        runs.append(Run(text[place:end]))
        lines.append(settled(runs))
        begin = end + 1
    if spans and not any(run.bold for line in lines for run in line):
        return Quotation(tuple(lines))
    return Paragraph(tuple(lines))


def _find(text: str, quote: str) -> tuple[int, int] | None:
    """Return where a quote stands in a text, whatever white space is between its words; None where it does not."""
    squeezed, places = _squeezed(text)
    wanted, _ = _squeezed(quote)
    start = squeezed.find(wanted) if wanted else -1
    return None if start < 0 else (places[start], places[start + len(wanted) - 1] + 1)


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Return a text without white space, and where each of its characters stood."""
    kept = [(place, char) for place, char in enumerate(text) if not char.isspace()]
    return "".join(char for _, char in kept), [place for place, _ in kept]


def _quoted(text: str) -> list[str]:
    lines: list[Line] = [(Run(line),) for line in text.split("\n")]
    return [part.mrkdwn for part in parts_of([Quotation(tuple(lines))])] if text else []


def _modal(
    name: Name, title: str, blocks: Sequence[Block], *, submit: str = "", keep: Mapping[str, str] | None = None
) -> View:
    view: View = {
        "type": "modal",
        "callback_id": name,
        "title": _plain(title),
        "close": _plain(texts.CLOSE),
        "blocks": list(blocks),
    }
    if submit:
        view["submit"] = _plain(submit)
    if keep is not None:
        view["private_metadata"] = json.dumps(keep, ensure_ascii=False)
    return view


def _plain(text: str) -> JsonValue:
    return {"type": "plain_text", "text": text}
