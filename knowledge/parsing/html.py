"""HTML pages, and the HTML fragments GeneNetwork keeps in files named .rtf."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from knowledge.documents import ParsedDocument
from knowledge.parsing.blocks import BlockBuilder
from knowledge.parsing.errors import border
from knowledge.parsing.inline import DROPPED_TAGS, InlineRun, Line, cell_text, joined
from knowledge.parsing.tables import Row
from knowledge.parsing.tags import BLOCK_TAGS, repair
from knowledge.parsing.text import ITEM_MARK, fold, is_bold_heading, looks_like_list

_PREFORMATTED = frozenset({"pre", "listing", "xmp", "plaintext"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PROSE_CELL_CHARS = 600
_MAX_COLUMN_SPAN = 50


def parse_html(text: str, name: str) -> ParsedDocument:
    """Read an HTML page or fragment.

    Raises:
        UnreadableError: If the HTML parser gives up.
    """
    builder = BlockBuilder(leads=True)
    add_html(builder, text, name)
    return builder.document("html")


def add_html(builder: BlockBuilder, text: str, name: str) -> None:
    """Add the blocks of a piece of HTML to a document under way; its <title> counts when no heading gave one."""
    with border(name, "HTML page"):
        tree = LexborHTMLParser(repair(text))
        body = tree.body
        if body is not None:
            _Walker(builder).walk(body)
        title = tree.css_first("head > title")
        if title is not None and not builder.title:
            builder.title = fold(title.text())


class _Walker:
    """Walks a tree without recursion into ordinary elements and hands blocks to the builder."""

    def __init__(self, builder: BlockBuilder) -> None:
        self._builder = builder
        self._run = InlineRun()
        self._bold = 0
        self._navigation = False  # inside a link to a place on the same page
        self._items = [0]  # open <li> per table level
        self._term = ""
        self._in_term = 0
        self._in_definition = 0

    def walk(self, root: LexborNode) -> None:
        """Add everything below `root`."""
        end = root.mem_id
        node = root.first_child
        while node is not None:
            if self._enter(node):
                child = node.first_child
                if child is not None:
                    node = child
                    continue
                self._leave(node.tag)
            following = node.next
            while following is None:
                node = node.parent
                if node is None or node.mem_id == end:
                    self._flush()
                    return
                self._leave(node.tag)
                following = node.next
            node = following
        self._flush()

    def _enter(self, node: LexborNode) -> bool:
        """Begin a node; tell whether its children are to be walked."""
        tag = node.tag
        if tag == "-text":
            self._run.add(node.text_content or "", bold=self._bold > 0, navigation=self._navigation)
            return False
        if tag in DROPPED_TAGS or tag is None:
            return False
        if tag == "br":
            self._run.break_line()
        elif tag in ("b", "strong"):
            self._bold += 1
        elif tag == "sup":
            self._run.open_superscript()
        elif tag == "a":
            self._run.open_link()
            self._navigation = (node.attributes.get("href") or "").startswith("#")
        elif tag == "q":
            self._run.add('"')
        elif tag in _PREFORMATTED:
            self._flush()
            self._builder.code(_preformatted(node))
            return False
        elif tag in BLOCK_TAGS:
            self._flush()
            if tag == "table":
                return self._enter_table(node)
            if tag == "li":
                self._items[-1] += 1
            elif tag == "dt":
                self._keep_term()
                self._in_term += 1
            elif tag == "dd":
                self._in_definition += 1
        return True

    def _leave(self, tag: str | None) -> None:
        if tag in ("b", "strong"):
            self._bold -= 1
        elif tag == "sup":
            self._run.close_superscript()
        elif tag == "q":
            self._run.add('"')
        elif tag == "a":
            self._run.close_link()
            self._navigation = False
        elif tag in _HEADINGS:
            self._builder.heading(_HEADINGS[tag], joined(self._run.take()))
        elif tag in BLOCK_TAGS:
            if tag == "dt":
                self._term = joined(self._run.take())
                self._in_term -= 1
                return
            self._flush()
            if tag == "li":
                self._items[-1] -= 1
            elif tag == "dd":
                self._in_definition -= 1
            elif tag == "dl":
                self._keep_term()
            elif tag == "table" and len(self._items) > 1:
                self._items.pop()

    def _keep_term(self) -> None:
        """Add a term that had no definition."""
        if self._term:
            self._builder.item(self._term)
            self._term = ""

    def _flush(self) -> None:
        """Hand the run under way to the builder; an empty line (<br><br>) parts paragraphs."""
        group: list[Line] = []
        for line in [*self._run.take(), Line()]:
            if line.text:
                group.append(line)
            elif group:
                self._flush_group(group)
                group = []

    def _flush_group(self, group: list[Line]) -> None:
        builder = self._builder
        if all(line.is_navigation for line in group):
            return
        if self._in_definition:
            term, self._term = self._term.rstrip(": "), ""
            builder.item(f"{term}: {joined(group)}" if term else joined(group))
            return
        if self._items[-1] or self._in_term:
            builder.item(joined(group))
            return
        if group[0].is_bold and is_bold_heading(group[0].text):
            builder.presumed_heading(group[0].text)
            group = group[1:]
        elif group[0].has_run_in_heading:
            builder.close_presumed()
        lines = [line.text for line in group]
        if looks_like_list(lines):
            for line in lines:
                builder.item(ITEM_MARK.sub("", line))
        elif lines:
            builder.paragraph(" ".join(lines))

    def _enter_table(self, table: LexborNode) -> bool:
        """Add a table of data; a table that only lays out prose is walked like any element."""
        rows = _rows(table)
        nests = table.css_first("table table") is not None or len(table.css("table")) > 1
        found: list[tuple[LexborNode, Row | None]] = []
        for row in rows:
            is_layout = nests and row.css_first("table") is not None
            found.append((row, None if is_layout else _read_row(row, is_first=not found)))
        data = [row for _, row in found if row is not None]
        width = max((row.filled() for row in data), default=0)
        is_prose = len(data) <= 3 and any(len(cell) > _PROSE_CELL_CHARS for row in data for cell in row.cells)
        if width <= 1 or is_prose:
            self._items.append(0)
            return True
        for caption in table.css("caption")[:1]:
            self._builder.paragraph(caption.text(separator=" "))
        pending: list[Row] = []
        for node, content in found:
            if content is not None:
                pending.append(content)
                continue
            self._builder.table(pending)
            pending = []
            self._items.append(0)
            self.walk(node)
            self._items.pop()
        self._builder.table(pending)
        return False


def _rows(table: LexborNode) -> list[LexborNode]:
    """Return the table's own rows, not those of tables inside it."""
    rows: list[LexborNode] = []
    for child in table.iter():
        if child.tag == "tr":
            rows.append(child)
        elif child.tag in ("thead", "tbody", "tfoot"):
            rows.extend(row for row in child.iter() if row.tag == "tr")
    return rows


def _read_row(row: LexborNode, *, is_first: bool) -> Row:
    cells: list[str] = []
    headers = strong = filled = 0
    for cell in row.iter():
        if cell.tag not in ("td", "th"):
            continue
        text = cell_text(cell)
        cells.append(text)
        if text:
            filled += 1
            headers += cell.tag == "th"
            strong += is_first and "".join(node.text() for node in cell.css("b, strong")).split() == text.split()
        span = cell.attributes.get("colspan") or ""
        if span.isdecimal() and len(span) < 4:
            cells.extend([""] * min(int(span) - 1, _MAX_COLUMN_SPAN))
    parent = row.parent
    in_head = parent is not None and parent.tag == "thead"
    return Row(cells, filled > 0 and (in_head or headers == filled), 0 < filled == strong)


def _preformatted(node: LexborNode) -> str:
    for line_break in node.css("br"):
        line_break.replace_with("\n")
    return node.text()
