"""Word documents (.docx), read with python-docx."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING

from knowledge.documents import ParsedDocument
from knowledge.parsing import errors
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.tables import Row
from knowledge.parsing.text import fold, is_bold_heading, is_sane_title

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import Table, _Cell
    from docx.text.paragraph import Paragraph

_MAX_UNPACKED_MB = 500
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_MAX_NESTING = 20


def parse_docx(data: bytes, name: str) -> ParsedDocument:
    """Read a Word document.

    Raises:
        UnreadableError: If the archive is no Word document, is damaged, or unpacks to more than 500 MB.
        SettingsError: If python-docx is not installed.
    """
    with errors.border(name, "Word document"):
        _check_archive(data, name)
        import docx

        document = docx.Document(io.BytesIO(data))
        title = fold(document.core_properties.title or "")
        builder = BlockBuilder(title=title if is_sane_title(title) else "", title_from_heading=False, leads=True)
        _add_content(builder, document)
    parsed = builder.document("docx")
    if not parsed.blocks:
        raise errors.textless(name)
    return parsed


def _check_archive(data: bytes, name: str) -> None:
    """Refuse an archive that is no Word document, or that would fill the memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise errors.damaged(name, "archive or Word document") from error
    names = {entry.filename for entry in entries}
    if "word/document.xml" not in names:
        what = "an Excel workbook" if "xl/workbook.xml" in names else "an archive"
        raise errors.binary(name, what)
    if sum(entry.file_size for entry in entries) > _MAX_UNPACKED_MB * 1_000_000:
        raise errors.oversized(name, _MAX_UNPACKED_MB)


def _add_content(builder: BlockBuilder, container: Document | _Cell, depth: int = 0) -> None:
    from docx.table import Table

    for content in container.iter_inner_content():
        if isinstance(content, Table):
            _add_table(builder, content, depth)
        else:
            _add_paragraph(builder, content)


def _add_paragraph(builder: BlockBuilder, paragraph: Paragraph) -> None:
    text = paragraph.text
    style = (paragraph.style.name or "").lower() if paragraph.style is not None else ""
    heading = _HEADING.fullmatch(style)
    if not text.strip():
        builder.end()
    elif heading:
        builder.heading(int(heading.group(1)), text)
    elif style == "title":
        if not builder.title:
            builder.title = fold(text)
        elif builder.title != fold(text):
            builder.paragraph(text)
    elif "code" in style or "preformatted" in style or style == "macro text":
        builder.code(text)
    elif style.startswith("list") or paragraph._p.xpath("./w:pPr/w:numPr"):
        builder.item(text)
    elif is_bold_heading(fold(text)) and all(run.bold for run in paragraph.runs if run.text.strip()):
        builder.presumed_heading(text)
    else:
        builder.paragraph(text)


def _add_table(builder: BlockBuilder, table: Table, depth: int) -> None:
    from docx.table import _Cell

    rows: list[Row] = []
    # The rows' own cells: python-docx would repeat merged ones, and look them up anew for every row.
    found = [[_Cell(element, table) for element in row._tr.tc_lst] for row in table.rows]
    if max((len(cells) for cells in found), default=0) <= 1 and depth < _MAX_NESTING:
        for cells in found:
            for cell in cells:
                _add_content(builder, cell, depth + 1)
        return
    for row, cells in zip(table.rows, found, strict=True):
        texts: list[str] = []
        for cell in cells:
            texts.append(fold(" ".join(paragraph.text for paragraph in cell.paragraphs)))
            texts.extend([""] * (min(cell.grid_span, 50) - 1))
        is_header = bool(row._tr.xpath("./w:trPr/w:tblHeader"))
        runs = [run for cell in cells for paragraph in cell.paragraphs for run in paragraph.runs if run.text.strip()]
        rows.append(Row(texts, is_header, bool(runs) and all(run.bold for run in runs)))
    builder.table(rows)
    for cells in found:
        for cell in cells:
            for inner in cell.tables if depth < _MAX_NESTING else ():
                _add_table(builder, inner, depth + 1)
