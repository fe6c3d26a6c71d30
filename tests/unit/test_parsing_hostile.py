"""Input that is no document, or that was made to do harm."""

from __future__ import annotations

import io
import json
import time
import zipfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.errors import UnreadableError
from knowledge.documents import BlockKind
from knowledge.parsing import docx as docx_module
from knowledge.parsing import parse

_NAMES = ["a.md", "a.gmi", "a.org", "a.adoc", "a.rst", "a.txt", "a.rtf", "a.html", "a.pdf", "a"]
_PIECES = [
    "<p>", "</p>", "<table>", "<tr>", "<td>", "</table>", "<br>", "<li>", "<b>", "<sup>", "&amp;", "&#0;",
    "<!--", "# ", "* ", "=> ", "```", "|", "| a |", "|---|", "\n", "\n\n", " ", "::", ".. ", ".. note::",
    ":PROPERTIES:", "#+begin_src", "[[", "]]", "==", "===", "|===", "----", "---\n", "title: x", "{\\rtf1 ",
    "\\par", "\\'e9", "\\u300?", "{", "}", "%PDF-1.4", "{\"cells\": [", "\"nbformat\"", "word", "1. ", "\ud7ff",
    "\u0001", "\u00ad", "**", "`", "_", "http://x", "(a)", "<dt>", "<dd>", "<h1>",
]  # fmt: skip


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return buffer.getvalue()


def check(data: bytes, name: str) -> None:
    """Parse, and hold the result to what every document promises."""
    try:
        document = parse(data, name)
    except UnreadableError as error:
        if not str(error).startswith(f"{name} "):
            raise
        return
    for block in document.blocks:
        assert block.text.strip()
        assert block.kind is BlockKind.CODE or block.text == " ".join(block.text.split())
        block.text.encode()


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n", b"\xff\xfe"])
def test_empty_file_is_named(data: bytes) -> None:
    """A file without text is reported in one sentence."""
    with pytest.raises(UnreadableError) as caught:
        parse(data, "dir/note.md")

    assert "dir/note.md is empty; it was left out." == str(caught.value)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "an image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "an image"),
        (b"MZ\x90\x00\x03\x00\x00\x00", "a program"),
        (b"\x7fELF\x02\x01\x01\x00", "a program"),
        (b"\x1f\x8b\x08\x00\x00", "a compressed file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an old Word"),
        (bytes(range(256)) * 4, "binary data"),
        (zip_of(readme=b"x"), "an archive"),
        (zip_of(xl__workbook_xml=b"<x/>"), "an Excel workbook"),
    ],
)
def test_binary_file_is_named_for_what_it_is(data: bytes, what: str) -> None:
    """Bytes that are no document are refused with a word on what they are."""
    with pytest.raises(UnreadableError, match=rf"^notes\.md is {what}"):
        parse(data, "notes.md")


def test_stray_control_character_does_not_make_a_text_binary() -> None:
    """One odd byte in a short text is passed over."""
    assert "a b c" == parse(b"<p>a\x01 b c</p>", "a.rtf").blocks[0].text


def test_markup_without_text_is_refused() -> None:
    """A page that shows nothing is told apart from an empty file."""
    with pytest.raises(UnreadableError, match=r"^a\.rtf holds no text"):
        parse(b"<p>&nbsp;</p>", "a.rtf")


def test_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Word document is weighed before it is unpacked."""
    monkeypatch.setattr(docx_module, "_MAX_UNPACKED_MB", 1)

    with pytest.raises(UnreadableError, match=r"^bomb\.docx unpacks to more than 1 MB"):
        parse(zip_of(word__document_xml=b" " * 1_000_001), "bomb.docx")


def test_word_archive_without_a_document_in_it_is_damaged() -> None:
    """An archive that only pretends to be a Word document is refused."""
    with pytest.raises(UnreadableError, match=r"^a\.docx is a damaged"):
        parse(zip_of(word__document_xml=b"<x/>"), "a.docx")


@pytest.mark.parametrize("text", ['{"cells": [], "nbformat": 4', '{"cells": 1, "nbformat": ' + "[" * 5000])
def test_damaged_notebook_is_refused(text: str) -> None:
    """A notebook that is no JSON is reported as damaged."""
    with pytest.raises(UnreadableError, match=r"^a\.ipynb is a damaged or truncated Jupyter notebook"):
        parse(text.encode(), "a.ipynb")


def test_notebook_of_wrong_types_is_survived() -> None:
    """Cells that are no cells are passed over."""
    cells = [1, None, {"cell_type": "code", "source": 3, "outputs": {}}, {"cell_type": "markdown", "source": [1, "ok"]}]

    assert "ok" == parse(json.dumps({"cells": cells, "nbformat": 4}).encode(), "a.ipynb").blocks[0].text


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 50_000,
        "<table><tr><td>" * 20_000,
        "<b><i>" * 20_000,
        "<p><b>" * 20_000,
        "<ul><li>" * 20_000,
        "<dl><dd>" * 9_000,
    ],
)
def test_endless_nesting_is_survived(text: str) -> None:
    """Nesting without end neither overflows the stack nor takes for ever, and its text is kept."""
    started = time.perf_counter()
    document = parse((text + "word").encode(), "a.html")

    assert "word" == document.blocks[-1].text
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("piece", "name"),
    [
        ("<p>para <b>bold</b> text</p>\n", "a.html"),
        ("<tr><td>a</td><td>1</td></tr>", "a.html"),
        ("<a href='x'>y ", "a.html"),
        ("**a ", "a.gmi"),
        (":foo:\n", "a.org"),
        ("[[", "a.org"),
        ("https://", "a.adoc"),
        ("`a ", "a.rst"),
        ("word\n", "a.txt"),
        ("![", "a.md"),
        ("](", "a"),
        ("<!-- -->", "a"),
        ("{\\field{\\*\\fldinst{", "a.rtf"),
    ],
)
def test_time_grows_no_faster_than_size(piece: str, name: str) -> None:
    """Repetition that invites backtracking is read in a time that a large file can afford."""
    start = "{\\rtf1 " if name == "a.rtf" else ""
    data = (start + piece * (300_000 // len(piece))).encode()
    started = time.perf_counter()
    check(data, name)

    assert time.perf_counter() - started < 15


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(_NAMES))
@example(b"%PDF-1.4\n", "a.pdf")
@example(b"PK\x03\x04", "a.docx")
@example(b"{\\rtf1", "a.rtf")
@example(b'{"cells": "nbformat"', "a")
def test_random_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    """Whatever the bytes, the outcome is a document or a sentence that names the file."""
    check(data, name)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join), st.sampled_from(_NAMES))
def test_random_markup_is_read_or_refused(text: str, name: str) -> None:
    """Marks of all formats in any order give plain text or a refusal."""
    check(text.encode(), name)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([b"%PDF-1.7\n", b"PK\x03\x04", b"{\\rtf1 ", b"<html>", b"\xff\xfe"]))
def test_random_bytes_behind_a_signature_are_read_or_refused(data: bytes, start: bytes) -> None:
    """A true beginning with a false rest raises nothing of a library."""
    check(start + data, "a")
