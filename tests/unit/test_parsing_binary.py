"""PDF and Word documents, made here and read back."""

from __future__ import annotations

import contextlib
import io
import sys

import docx
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from bot.errors import SettingsError, UnreadableError
from knowledge.documents import BlockKind
from knowledge.parsing import parse


def prose(letter: str) -> str:
    return " ".join(
        f"Mice of group {letter} were bred at place {number} and their tissue was kept." for number in range(6)
    )


def make_pdf(*, password: str | None = None, pages: int = 4) -> bytes:
    styles = getSampleStyleSheet()
    story: list[object] = []
    for number in range(1, pages + 1):
        story += [Paragraph("Running head of the journal", styles["Normal"])]
        story += [
            Paragraph(f"Section {'ABCDEFG'[number - 1]}", styles["Heading1"]),
            Paragraph(prose("ABCDEFG"[number - 1]), styles["Normal"]),
        ]
        story += [Paragraph(str(number), styles["Normal"]), PageBreak()]
    buffer = io.BytesIO()
    encryption = StandardEncryption(password, canPrint=0) if password else None
    SimpleDocTemplate(buffer, title="A study of mice", encrypt=encryption).build(story)
    return buffer.getvalue()


def make_scan() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.rect(10, 10, 100, 100, fill=1)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_docx() -> bytes:
    document = docx.Document()
    document.core_properties.title = ""
    document.add_paragraph("A study of mice", style="Title")
    document.add_heading("Methods", 1)
    document.add_heading("Tissue", 2)
    document.add_paragraph("Livers were used.")
    document.add_paragraph("wash", style="List Bullet")
    table = document.add_table(3, 2)
    for row, values in zip(table.rows, [("Strain", "Age"), ("BXD1", "20"), ("BXD2", "30")], strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.add_paragraph().add_run("Results:").bold = True
    document.add_paragraph("None.")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_pdf_gives_title_headings_and_text() -> None:
    """Lines become paragraphs under their headings; running heads and page numbers are left out."""
    document = parse(make_pdf(), "study.pdf")

    assert ("pdf", "A study of mice") == (document.format, document.title)
    assert ["Section A", "Section B", "Section C", "Section D"] == [block.headings[0] for block in document.blocks]
    assert [prose(letter) for letter in "ABCD"] == [block.text for block in document.blocks]


def test_bookmarks_of_a_pdf_are_its_headings() -> None:
    """A line that a bookmark names is a heading of the bookmark's level."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for level, line in enumerate(["Methods", "Tissue"]):
        canvas.bookmarkPage(line)
        canvas.addOutlineEntry(line, line, level)
        canvas.drawString(50, 800 - 20 * level, line)
    canvas.drawString(50, 700, "Livers were used.")
    canvas.save()

    assert ("Methods", "Tissue") == parse(buffer.getvalue(), "a.pdf").blocks[0].headings


def test_word_broken_at_the_end_of_a_line_is_mended() -> None:
    """A hyphen at the end of a line goes, unless the document writes the word with it."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number, line in enumerate(["A well-known gene shows much expres-", "sion in a well-", "known tissue."]):
        canvas.drawString(50, 800 - 14 * number, line)
    canvas.save()

    assert (
        "A well-known gene shows much expression in a well-known tissue."
        == parse(buffer.getvalue(), "a.pdf").blocks[0].text
    )


def test_pdf_with_a_password_is_refused() -> None:
    """A locked PDF is told by its name."""
    with pytest.raises(UnreadableError, match=r"^locked\.pdf is protected by a password"):
        parse(make_pdf(password="secret"), "locked.pdf")


def test_pdf_without_text_is_refused() -> None:
    """A PDF of pictures says that it may be a scan."""
    with pytest.raises(UnreadableError, match=r"^scan\.pdf holds no text"):
        parse(make_scan(), "scan.pdf")


def test_docx_gives_headings_lists_and_tables() -> None:
    """A Word document keeps its structure, and bold paragraphs are headings."""
    document = parse(make_docx(), "study.docx")

    assert ("docx", "A study of mice") == (document.format, document.title)
    assert [
        (BlockKind.PARAGRAPH, ("Methods", "Tissue"), "Livers were used.", ""),
        (BlockKind.ITEM, ("Methods", "Tissue"), "wash", ""),
        (BlockKind.ROW, ("Methods", "Tissue"), "BXD1 | 20", "Strain | Age"),
        (BlockKind.ROW, ("Methods", "Tissue"), "BXD2 | 30", "Strain | Age"),
        (BlockKind.PARAGRAPH, ("Methods", "Tissue", "Results"), "None.", ""),
    ] == [(block.kind, block.headings, block.text, block.header) for block in document.blocks]


@pytest.mark.parametrize("make", [make_pdf, make_docx])
def test_truncated_document_never_raises_anything_else(make: object) -> None:
    """A document cut anywhere is read in part or refused, and nothing of a library gets out."""
    assert callable(make)
    data: bytes = make()
    for cut in range(1, len(data), max(1, len(data) // 150)):
        with contextlib.suppress(UnreadableError):
            parse(data[:cut], "cut.doc")


def test_truncated_docx_is_called_damaged() -> None:
    """Half a Word document is reported as damaged."""
    data = make_docx()

    with pytest.raises(UnreadableError, match=r"^half\.docx is a damaged or truncated"):
        parse(data[: len(data) // 2], "half.docx")


@pytest.mark.parametrize(
    ("module", "data"),
    [("pypdf", make_pdf(pages=1)), ("docx", make_docx()), ("striprtf.striprtf", b"{\\rtf1 hello}")],
)
def test_missing_library_names_the_extra(module: str, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says how to install it."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(SettingsError, match="uv sync --extra documents"):
        parse(data, "a")
