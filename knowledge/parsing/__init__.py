"""Reading documents: bytes of any supported format become plain blocks of text.

`parse` tells the format from the content, so a `.rtf` that is really HTML is read as HTML. Errors of the libraries
behind it stop here: a caller sees `UnreadableError`, or `SettingsError` when an optional library is not installed.
"""

from __future__ import annotations

from collections.abc import Callable

from knowledge.documents import ParsedDocument
from knowledge.parsing import errors
from knowledge.parsing.asciidoc import parse_asciidoc
from knowledge.parsing.detection import binary_format, decode, text_format
from knowledge.parsing.docx import parse_docx
from knowledge.parsing.gemtext import parse_gemtext
from knowledge.parsing.html import parse_html
from knowledge.parsing.markdown import parse_markdown
from knowledge.parsing.notebook import parse_notebook
from knowledge.parsing.org import parse_org
from knowledge.parsing.pdf import parse_pdf
from knowledge.parsing.plain import parse_plain
from knowledge.parsing.rst import parse_rst
from knowledge.parsing.rtf import parse_rtf

__all__ = ["parse"]

_TEXT_PARSERS: dict[str, Callable[[str, str], ParsedDocument]] = {
    "html": parse_html,
    "markdown": parse_markdown,
    "gemtext": parse_gemtext,
    "org": parse_org,
    "asciidoc": parse_asciidoc,
    "rst": parse_rst,
    "rtf": parse_rtf,
    "notebook": parse_notebook,
    "text": parse_plain,
}
_BINARY_PARSERS: dict[str, Callable[[bytes, str], ParsedDocument]] = {"pdf": parse_pdf, "zip": parse_docx}


def parse(data: bytes, name: str) -> ParsedDocument:
    """Read one document.

    Args:
        data: The file's bytes.
        name: Its name or path, used in error sentences and to tell markdown, gemtext, org, ... from each other.

    Raises:
        UnreadableError: If no text can be had from the bytes; one sentence that names the file.
        SettingsError: If the format needs a library that is not installed.
    """
    if not data.strip():
        raise errors.empty(name)
    kind = binary_format(data, name)
    if kind is not None:
        return _BINARY_PARSERS[kind](data, name)
    text = decode(data)
    if not text.strip():
        raise errors.empty(name)
    document = _TEXT_PARSERS[text_format(text, name)](text, name)
    if not document.blocks and not document.title:
        raise errors.textless(name)
    return document
