"""Markdown, with the front matter and the inline HTML that documentation carries."""

from __future__ import annotations

import re
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from knowledge.documents import ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.errors import border
from knowledge.parsing.html import add_html

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"([A-Za-z_][\w .-]{0,60}?)[ \t]*:(?:[ \t]+(.*))?")
_FOOTNOTE = re.compile(r"\[\^[\w.-]{1,40}\](?::[ \t]*)?")


def parse_markdown(text: str, name: str) -> ParsedDocument:
    """Read a markdown document.

    Raises:
        UnreadableError: If the markdown parser gives up.
    """
    metadata, text = split_front_matter(text)
    builder = BlockBuilder(title=metadata.get("title", ""), leads=True)
    add_markdown(builder, text, name)
    return builder.document("markdown", metadata.get("url") or None, metadata)


def add_markdown(builder: BlockBuilder, text: str, name: str) -> None:
    """Add the blocks of a piece of markdown to a document under way."""
    with border(name, "markdown document"):
        engine = _engine()
        tokens = engine.parse(text)
        for token in tokens:
            for child in token.children or ():
                _plain(child)
        rendered = str(engine.renderer.render(tokens, engine.options, {}))
    add_html(builder, rendered, name)


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """Split the YAML-like lines between `---` marks from the text.

    Only `key: value` lines at the margin are kept; lists and nested values are passed over. Text that merely starts
    with a rule is left alone.
    """
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    metadata: dict[str, str] = {}
    for line in match.group(1).split("\n"):
        if not line.strip() or line[0] in " \t#-[]{}":
            continue
        pair = _KEY.fullmatch(line.rstrip())
        if pair is None:
            return {}, text
        value = (pair.group(2) or "").strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if value and value[0] not in "[{|>&*!":
            metadata[pair.group(1).lower()] = value
    return metadata, text[match.end() :]


@cache
def _engine() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _plain(token: Token) -> None:
    """Remove footnote marks from text; everything else is left to the HTML that markdown stands for."""
    if token.type == "text":
        token.content = _FOOTNOTE.sub("", token.content)
