"""Every format of documents, fed with whatever: a document comes out, or a sentence that names the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import UnreadableError
from knowledge.chunking import chunk_document
from knowledge.documents import BlockKind, ParsedDocument
from knowledge.embeddings import MiniLmEmbedder
from knowledge.parsing import parse
from knowledge.parsing.asciidoc import parse_asciidoc
from knowledge.parsing.detection import binary_format, decode, text_format
from knowledge.parsing.docx import parse_docx
from knowledge.parsing.gemtext import parse_gemtext
from knowledge.parsing.html import parse_html
from knowledge.parsing.markdown import parse_markdown, split_front_matter
from knowledge.parsing.notebook import parse_notebook
from knowledge.parsing.org import parse_org
from knowledge.parsing.pdf import count_pages, parse_pdf
from knowledge.parsing.plain import parse_plain
from knowledge.parsing.rst import parse_rst
from knowledge.parsing.rtf import parse_rtf
from knowledge.sentences import split_sentences
from tests.fuzzing import broken, damage, in_time, json_of, outcome, pieces_of, repeated
from tests.unit.test_parsing_binary import make_docx, make_pdf

Parser = Callable[[str, str], ParsedDocument]

_TEXT = (
    "word",
    "BXD1 | 2.5",
    ". ",
    "\n",
    "\n\n",
    "  ",
    "\t",
    "é",
    "\u3000",
    "\x0c",
    "\x00",
    "\ud83e",
    "https://e.org/a",
    "1. ",
)
FORMATS: dict[str, tuple[Parser, tuple[str, ...]]] = {
    "asciidoc": (
        parse_asciidoc,
        ("= ", "== ", "----\n", "|===\n", "|", "* ", ". ", "//", "////\n", "[source]\n", ":a: b\n", "include::x[]\n",
         "https://", "[", "]", "+\n", "a::\n", "<<x,y>>", "'''", "====\n", "++++\n", "{a}", "image::x[]"),
    ),
    "gemtext": (parse_gemtext, ("# ", "## ", "=> ", "* ", "> ", "```\n", "**", "|", "---\n", "\t")),
    "html": (
        parse_html,
        ("<p>", "</p>", "<table>", "<tr>", "<td colspan=9>", "<th>", "<h1>", "<li>", "<ul>", "<dl>", "<dt>", "<dd>",
         "<pre>", "<script>", "</script>", "<!--", "-->", "<![CDATA[", "&nbsp;", "&#0;", "&#xd800;", "&#99999999;",
         "<a href='x'>", "<br>", "<b", ">", "<template>", "<svg>", "<math>", "<title>", "<!doctype html>"),
    ),
    "markdown": (
        parse_markdown,
        ("# ", "- ", "* ", "1) ", "> ", "```\n", "~~~", "| a | b |\n", "|---|---|\n", "[x](y)", "![", "](", "[x]: y\n",
         "---\n", "title: x\n", "<b>", "<!--", "$$", "\\", "`", "**", "    "),
    ),
    "org": (
        parse_org,
        ("* ", "** ", "#+TITLE: x\n", "#+BEGIN_SRC\n", "#+END_SRC\n", "| a | b |\n", "|---+---|\n", "[[x][y]]", "[[",
         "]]", ":PROPERTIES:\n", ":END:\n", "- ", "# ", "<2020-01-01>", "=a=", "~b~", "\\\\"),
    ),
    "plain": (parse_plain, ("- ", "===\n", "1. ", "A:\n", "| ", "\t", "---\n")),
    "rst": (
        parse_rst,
        ("===\n", "---\n", ".. note::\n", ".. table:: x\n", "::\n\n", "+--+--+\n", "| a | b |\n", "`x <y>`_",
         ":ref:`x`",
         "- ", "#. ", ".. _a: b\n", "``", "   ", "=== ===\n", ".. include:: /etc/passwd\n", "|x|"),
    ),
    "rtf": (
        lambda text, name: parse_rtf("{\\rtf1 " + text, name),
        ("{", "}", "\\par ", "\\b ", "\\u8217 ", "\\u-1 ", "\\u55357 ", "\\'e9", "\\'zz",
         "{\\field{\\*\\fldinst{HYPERLINK \"x\"}}",
         "\\cell ", "\\row ", "\\trowd ", "\\bin9999999999 ", "{\\pict ", "\\", "\\*",
         "{\\fonttbl{\\f0 A;}}", "\\ansicpg0 "),
    ),
}  # fmt: skip


def check(document: object, name: str) -> None:
    """What every document promises; an error names its file."""
    if isinstance(document, UnreadableError):
        assert str(document).startswith(name)
        return
    assert isinstance(document, ParsedDocument)
    for block in document.blocks:
        assert block.text.strip()
        assert block.kind is BlockKind.CODE or block.text == " ".join(block.text.split())
        assert not re.search("[\x00-\x08\x1b]", block.text)
        block.text.encode()
    document.title.encode()


@pytest.mark.parametrize("kind", FORMATS)
@given(data=st.data())
def test_any_markup_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    """By the format's own reader, whatever detection would have said."""
    parser, pieces = FORMATS[kind]
    text = data.draw(pieces_of((*pieces, *_TEXT)))

    # As `parse` hands it on: what cannot be encoded was taken out while the bytes were decoded.
    check(outcome(lambda: parser(decode(text.encode("utf-8", "replace")), "a.x"), UnreadableError), "a.x")


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=12)
@given(data=st.data())
def test_markup_that_repeats_is_read_in_time(kind: str, data: st.DataObject) -> None:
    """No format takes time that grows with the square of a text's length."""
    parser, pieces = FORMATS[kind]
    text = data.draw(repeated((*pieces, *_TEXT[:8])))

    with in_time():
        check(outcome(lambda: parser(decode(text.encode()), "a.x"), UnreadableError), "a.x")


@given(
    json_of(
        (
            "cells",
            "cell_type",
            "source",
            "outputs",
            "nbformat",
            "metadata",
            "text",
            "data",
            "text/plain",
            "language_info",
        )
    )
)
@example({"cells": [{"cell_type": "markdown", "source": {"a": 1}}], "nbformat": 4})
@example({"cells": [{"cell_type": "raw", "source": [None, ["x"]], "outputs": [{"data": {"text/plain": 1}}]}]})
def test_any_json_is_a_notebook_or_none(value: object) -> None:
    """Cells of odd types are left out."""
    cells = {"nbformat": 4, "cells": value}
    for one in (value, cells, {"nbformat": 4, "cells": [value]}):
        check(outcome(lambda one=one: parse_notebook(json.dumps(one), "a.ipynb"), UnreadableError), "a.ipynb")  # type: ignore[misc]


@settings(max_examples=60)
@given(damage())
def test_a_damaged_word_document_is_read_or_refused(harm: tuple[list[tuple[int, int]], int]) -> None:
    """Bytes changed anywhere, and cut off anywhere."""
    check(outcome(lambda: parse_docx(broken(make_docx(), *harm), "a.docx"), UnreadableError), "a.docx")


@settings(max_examples=60)
@given(damage())
def test_a_damaged_pdf_is_read_or_refused(harm: tuple[list[tuple[int, int]], int]) -> None:
    """Its pages are counted or refused likewise."""
    data = broken(make_pdf(pages=1), *harm)
    check(outcome(lambda: parse_pdf(data, "a.pdf"), UnreadableError), "a.pdf")

    assert count_pages(data) >= 0


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes_are_told(data: bytes, name: str) -> None:
    """What they are, and what they say, as text that can be written."""
    assert isinstance(outcome(lambda: binary_format(data, name), UnreadableError), str | UnreadableError | None)
    text = decode(data)
    text.encode()

    assert text_format(text, name)


@settings(max_examples=12)
@given(
    st.sampled_from(sorted({piece for _, pieces in FORMATS.values() for piece in pieces})), st.sampled_from(_TEXT[:8])
)
def test_any_long_text_is_told_in_time(first: str, second: str) -> None:
    """Of which format it is, and where its front matter ends."""
    text = (first + second) * (200_000 // len(first + second))

    with in_time():
        assert text_format(text, "a")
        assert isinstance(split_front_matter("---\n" + text)[1], str)


@settings(max_examples=25)
@given(st.data())
def test_any_document_is_cut_into_chunks(embedder: MiniLmEmbedder, data: st.DataObject) -> None:
    """Whatever a reader made of it; no chunk is empty, none has lone surrogates."""
    kind = data.draw(st.sampled_from(sorted(FORMATS)))
    text = data.draw(pieces_of((*FORMATS[kind][1], *_TEXT, "x" * 3000, "小鼠" * 400, "🧬" * 200)))
    document = outcome(lambda: parse(text.encode("utf-8", "replace"), f"a.{kind}"), UnreadableError)
    if isinstance(document, ParsedDocument):
        for chunk in chunk_document(document, "A title", embedder):
            assert chunk.text.strip()
            chunk.text.encode()


@settings(max_examples=12)
@given(repeated((". ", "e.g. ", "A. B. ", '"', "(", ")", "1.5", "?!", "...", " ", "A", "a", "Fig. 1")))
def test_sentences_are_told_apart_in_time(text: str) -> None:
    """However often signs repeat."""
    with in_time():
        sentences = split_sentences(text)

    assert "".join(text.split()) == "".join("".join(sentences).split())
