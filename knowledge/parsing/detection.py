"""Telling the format of a document from its bytes, and turning bytes into text."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath

from knowledge.parsing import errors
from knowledge.parsing.tags import is_tag

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"BM", "an image"),
    (b"II*\x00", "an image"),
    (b"MM\x00*", "an image"),
    (b"RIFF", "an image, a sound or a film"),
    (b"\x00\x00\x01\x00", "an image"),
    (b"PK\x05\x06", "an empty archive"),
    (b"\x1f\x8b", "a compressed file"),
    (b"BZh", "a compressed file"),
    (b"\xfd7zXZ\x00", "a compressed file"),
    (b"\x28\xb5\x2f\xfd", "a compressed file"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x89HDF", "a data file"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Word, Excel or PowerPoint file (save it as .docx or PDF)"),
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r\f\v\x1b\x08"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")

_EXTENSIONS = {
    ".md": "markdown", ".markdown": "markdown", ".mkd": "markdown", ".gmi": "gemtext", ".gemini": "gemtext",
    ".org": "org", ".adoc": "asciidoc", ".asciidoc": "asciidoc", ".rst": "rst", ".rest": "rst",
}  # fmt: skip
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_TAG_START = re.compile(r"\s*<([a-zA-Z][\w:-]*)[\s/>]")
_CLOSING = re.compile(
    r"</(?:p|div|td|tr|li|ul|ol|table|h[1-6]|blockquote|a|b|i|em|strong|span|font)\s*>|<br\s*/?>|<p>", re.IGNORECASE
)
_SAMPLE_CHARS = 100_000

_MARKS: dict[str, re.Pattern[str]] = {
    dialect: re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for dialect, pattern in {
        "org": r"^(?:#\+(?:title|begin_\w+|options|startup)\b|[ \t]*:PROPERTIES:|\*+ (?:TODO|DONE) )"
        r"|\[\[[^\[\]\n]{1,300}\]\[",
        "markdown": r"^(?:#{1,6} \S|```|~~~|\|[ :|-]{3,}\|?[ \t]*$|!\[)|\]\([^)\s]{1,500}\)|\*\*\S",
        "gemtext": r"^=>[ \t]*\S+",
        "asciidoc": r"^(?:={1,5} \S|\|===|\[(?:source|cols|NOTE|TIP)\b|:\w+: \S|(?:-{4}|\.{4})[ \t]*$)",
        "rst": r"^(?:\.\. [\w-]+::|\.\. _[\w -]+:|:\w+: \S)|`[^`\n]{1,300}`_\b|:\w+:`[^`\n]{1,300}`|::[ \t]*$",
    }.items()
}
_SURE_ORG = re.compile(r"\A\s*(?:#[^+\n]*\n\s*)*#\+(?:title|options|startup|author)\b", re.IGNORECASE)


def binary_format(data: bytes, name: str) -> str | None:
    """Return "pdf", "zip" or None for text.

    Raises:
        UnreadableError: If the bytes are a known format that holds no document, or no text at all.
    """
    if data.startswith(b"PK\x03\x04"):
        return "zip"
    if b"%PDF-" in data[:1024] and not data[:64].lstrip().startswith((b"<", b"#", b"{")):
        return "pdf"
    has_mark = any(data.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS)
    if has_mark:
        return None
    controls = len(data) - len(data.translate(None, _CONTROLS))
    looks_binary = b"\x00" in data[:2048] or controls * 10 > len(data) or (controls > 8 and controls * 200 > len(data))
    for signature, what in _SIGNATURES:
        if data.startswith(signature) and (looks_binary or not signature.isalnum()):
            raise errors.binary(name, what)
    if looks_binary:
        raise errors.binary(name, "binary data")
    return None


def decode(data: bytes) -> str:
    """Decode text: by its byte order mark, as UTF-8, by the charset an HTML page names, or as Windows-1252."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").lstrip("\ufeff")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    named = _META_CHARSET.search(data[:4096])
    if named is not None:
        text = _decode_as(data, named.group(1).decode("ascii", "replace"))
        if text is not None:
            return text
    # A UTF-8 file with a few damaged bytes still shows its multibyte characters; single bytes of Windows-1252 do not.
    repaired = data.decode("utf-8", "replace")
    if len(_MULTIBYTE.findall(data)) > 2 * repaired.count("\ufffd"):
        return repaired
    return _decode_as(data, "cp1252") or data.decode("latin-1")


def _decode_as(data: bytes, encoding: str) -> str | None:
    try:
        if not codecs.lookup(encoding)._is_text_encoding:
            return None
        return data.decode(encoding, "strict" if encoding == "cp1252" else "replace")
    except (LookupError, UnicodeError):
        return None


def text_format(text: str, name: str) -> str:
    """Return the format of decoded text: "rtf", "html", "notebook", "markdown", "gemtext", "org", ... or "text".

    The file name only decides between formats that are plain text to the eye.
    """
    start = text[:2000].lstrip()
    if start.startswith("{\\rtf"):
        return "rtf"
    if start.startswith("{") and '"cells"' in text and '"nbformat"' in text:
        return "notebook"
    sample = text[:_SAMPLE_CHARS]
    if _HTML_START.match(sample):
        return "html"
    suffix = PurePosixPath(name.split("?")[0].split("#")[0]).suffix.lower()
    dialect = _EXTENSIONS.get(suffix)
    scores = {name: len(mark.findall(sample)) for name, mark in _MARKS.items()}
    if _is_fragment(sample, scores, dialect):
        return "html"
    if _SURE_ORG.match(sample):
        return "org"
    if dialect is not None:
        return dialect
    best = max(scores, key=lambda candidate: scores[candidate])
    return best if scores[best] >= 2 else "text"


def _is_fragment(sample: str, scores: dict[str, int], dialect: str | None) -> bool:
    """Tell whether text is a piece of HTML rather than a plain-text dialect with some HTML in it."""
    tags = len(_CLOSING.findall(sample))
    marks = scores[dialect] if dialect else max(scores.values())
    first = _TAG_START.match(sample)
    begins = first is not None and is_tag(first.group(1))
    if dialect is not None:
        return begins and tags >= 3 and marks == 0
    if begins:
        return tags >= marks
    return tags > 2 * marks
