"""What `parse` makes of each text format."""

from __future__ import annotations

import json

import pytest

from knowledge.documents import Block, BlockKind, ParsedDocument
from knowledge.parsing import parse


def read(text: str, name: str) -> ParsedDocument:
    return parse(text.encode(), name)


def texts(document: ParsedDocument) -> list[str]:
    return [block.text for block in document.blocks]


def outline(document: ParsedDocument) -> list[tuple[str, str, str]]:
    return [(block.kind.value, " > ".join(block.headings), block.text) for block in document.blocks]


# HTML


def test_fragment_named_rtf_is_read_as_html() -> None:
    """A file named .rtf that holds HTML is read as HTML, without tags, entities or links."""
    document = read(
        "<p>Made by <a href='http://x.org'>the <em>lab</em></a> &amp; kept at &ndash;80&deg;C.</p>", "a.rtf"
    )

    assert "html" == document.format
    assert ["Made by the lab & kept at –80°C."] == texts(document)


def test_entities_encoded_twice_are_decoded() -> None:
    """An entity that was encoded twice becomes the character it stands for."""
    assert ["one two <3"] == texts(read("<p>one&amp;nbsp;two &amp;lt;3</p>", "a.rtf"))


def test_invisible_characters_are_removed_and_text_is_composed() -> None:
    """Soft hyphens, zero-width and control characters go, and accents are composed."""
    assert ["hippocampus café"] == texts(read("<p>hippo&shy;cam\u200bpus\x02 cafe\u0301</p>", "a.html"))


def test_pieces_of_words_stay_together() -> None:
    """Inline tags do not part words, block tags do."""
    assert ["RNAlater", "F2"] == texts(read("<div>RNA<em>later</em></div>F<sub>2</sub>", "a.html"))


def test_exponents_do_not_melt_into_their_base() -> None:
    """A superscript number behind a number keeps a caret."""
    assert ["10^-6 M of the 5th"] == texts(read("<p>10<sup>-6</sup> M of the 5<sup>th</sup></p>", "a.html"))


@pytest.mark.parametrize("source", ["<p>GEO: <a>GPL1</a>Illumina</p>", "<p>GEO:<a>GPL1</a> Illumina</p>"])
def test_links_do_not_stick_to_their_neighbours(source: str) -> None:
    """A link written without a space before a word that begins anew is parted from it."""
    assert ["GEO: GPL1 Illumina"] == texts(read(source, "a.html"))


def test_headings_form_a_path_without_the_title() -> None:
    """The first <h1> is the title; deeper headings stack up and are left again."""
    document = read("<h1>T</h1><p>a</p><h2>B</h2><h3>C</h3><p>b</p><h2>D</h2><p>c</p>", "a.html")

    assert "T" == document.title
    assert [("paragraph", "", "a"), ("paragraph", "B > C", "b"), ("paragraph", "D", "c")] == outline(document)


def test_title_element_stands_in_for_a_missing_heading() -> None:
    """Without an <h1> the page's <title> is the title."""
    assert "Page" == read("<html><head><title>Page</title></head><body><p>a</p></body></html>", "a").title


@pytest.mark.parametrize(
    "source",
    [
        "<p><strong>Sample Processing:</strong></p><p>Text.</p>",
        "<p><b>Sample Processing</b><br/>Text.</p>",
        "<p>Sample Processing:</p><p>Text.</p>",
    ],
)
def test_paragraph_that_looks_like_a_heading_becomes_one(source: str) -> None:
    """A bold paragraph, or a short one that ends in a colon, is the heading of what follows."""
    assert [("paragraph", "Sample Processing", "Text.")] == outline(read(source, "a.rtf"))


def test_presumed_heading_with_nothing_under_it_stays_text() -> None:
    """Bold text at the end of a document is not lost."""
    assert [("paragraph", "", "Contact Rob")] == outline(read("<p><b>Contact Rob</b></p>", "a.rtf"))


def test_heading_with_nothing_under_it_is_kept_as_text() -> None:
    """A heading that says something is not lost when no text follows; a form left blank is."""
    document = read("# T\n\n## Description\n\n## Dropped old support\n\n## Part\n\n### Sub\n\nText.\n", "a.md")

    assert [("paragraph", "", "Dropped old support"), ("paragraph", "Part > Sub", "Text.")] == outline(document)


def test_lead_in_of_a_list_is_no_heading() -> None:
    """A sentence that announces a list stays a paragraph."""
    document = read("<p>Briefly we:</p><ul><li>washed</li></ul>", "a.rtf")

    assert [("paragraph", "", "Briefly we:"), ("item", "", "washed")] == outline(document)


def test_run_in_heading_ends_the_section_before_it() -> None:
    """A paragraph that opens with bold words and a stop no longer belongs to the bold heading above."""
    document = read("<p><b>Cases:</b></p><p>a.</p><p><b>Tissue</b>. Livers.</p>", "a.rtf")

    assert [("paragraph", "Cases", "a."), ("paragraph", "", "Tissue. Livers.")] == outline(document)


def test_double_break_parts_paragraphs_and_single_break_is_a_space() -> None:
    """<br><br> ends a paragraph, <br> alone does not."""
    assert ["one two", "three"] == texts(read("<p>one<br>two<br><br>three</p>", "a.html"))


def test_lines_that_look_like_a_list_become_items() -> None:
    """Numbered lines set apart by <br> are entries of a list."""
    document = read("<p>1. wash<br>2. spin<br>3. freeze</p>", "a.html")

    assert [("item", "", "wash"), ("item", "", "spin"), ("item", "", "freeze")] == outline(document)


def test_nested_lists_are_flat_items() -> None:
    """An entry and the entries below it are items of their own."""
    assert ["a", "b", "c"] == texts(read("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "a.html"))


def test_definition_list_joins_term_and_definition() -> None:
    """A definition list gives "term: definition", and a term alone is kept."""
    document = read("<dl><dt>LRS</dt><dd>a ratio</dd><dt>LOD</dt></dl>", "a.html")

    assert [("item", "", "LRS: a ratio"), ("item", "", "LOD")] == outline(document)


def test_navigation_scripts_comments_and_images_are_dropped() -> None:
    """Only text meant for reading is kept."""
    source = (
        "<nav>Menu</nav><script>x()</script><style>p{}</style><!-- no --><img alt='no'><p>yes</p>"
        "<p><a href='#top'>Go back to index</a></p>"
    )

    assert ["yes"] == texts(read(source, "a.html"))


def test_preformatted_text_keeps_its_lines() -> None:
    """<pre> is code with its line breaks."""
    document = read("<p>Run</p><pre>a  b\n  c</pre>", "a.html")

    assert Block(BlockKind.CODE, "a  b\n  c") == document.blocks[1]


def test_placeholder_in_angle_brackets_is_text() -> None:
    """A word in angle brackets that is no HTML tag is kept."""
    assert ["Use Gnb5<KO> mice."] == texts(read("<p>Use Gnb5<KO> mice.</p>", "a.html"))


def test_meta_charset_is_honoured() -> None:
    """A page that is no UTF-8 is decoded as it says."""
    page = '<html><meta charset="iso-8859-2"><p>Nov\xfd \xb3</p></html>'.encode("latin-1")

    assert ["Nový ł"] == texts(parse(page, "a.html"))


# Tables


def test_marked_header_row_goes_with_every_row() -> None:
    """Rows carry the header of <th> cells, which is no row itself."""
    document = read(
        "<table><tr><th>Strain</th><th>Age</th></tr><tr><td>BXD1</td><td>20</td></tr>"
        "<tr><td>BXD2</td><td></td></tr><tr><td>&nbsp;</td><td></td></tr></table>",
        "a.rtf",
    )

    assert (
        Block(BlockKind.ROW, "BXD1 | 20", (), "Strain | Age"),
        Block(BlockKind.ROW, "BXD2", (), "Strain | Age"),
    ) == document.blocks


def test_unmarked_header_is_found_by_the_numbers_below_it() -> None:
    """A first row of names above a column of numbers is the header."""
    rows = "".join(f"<tr><td>{a}</td><td></td><td>{b}</td></tr>" for a, b in [("Mouse", "Weight"), ("x", 1), ("y", 2)])
    document = read(f"<table>{rows}</table>", "a.rtf")

    assert [("x | | 1", "Mouse | | Weight"), ("y | | 2", "Mouse | | Weight")] == [
        (block.text, block.header) for block in document.blocks
    ]


def test_table_of_equals_has_no_header() -> None:
    """Without a sign of a header every row is a row."""
    document = read("<table><tr><td>a b</td><td>c d</td></tr><tr><td>e f</td><td>g h</td></tr></table>", "a.rtf")

    assert [("a b | c d", ""), ("e f | g h", "")] == [(block.text, block.header) for block in document.blocks]


def test_table_that_wraps_prose_is_prose() -> None:
    """A table of one column gives paragraphs and items."""
    document = read("<table><tr><td><p>a</p><ul><li>b</li></ul></td></tr></table>", "a.rtf")

    assert [("paragraph", "", "a"), ("item", "", "b")] == outline(document)


def test_table_inside_a_table_is_read_once() -> None:
    """A table that only frames another leaves no trace."""
    inner = "<table><tr><td>a</td><td>1</td></tr></table>"

    assert [("row", "", "a | 1")] == outline(read(f"<table><tr><td>{inner}</td></tr></table>", "a.rtf"))


# Markdown


def test_markdown_is_freed_of_its_marks() -> None:
    """Emphasis, code ticks, links, images, footnotes and inline HTML leave plain text."""
    source = (
        '# Title\n\n<a id="x"></a>**Bold** _it_ `a_b <name>` [label](http://x.org "t") ![alt](i.png) <https://x.org>'
        "[^1] and <dataset>.\n"
    )
    document = read(source, "a.md")

    assert "Title" == document.title
    assert ["Bold it a_b <name> label https://x.org and <dataset>."] == texts(document)


def test_front_matter_gives_title_and_url_and_is_not_shown() -> None:
    """The lines between dashes are metadata; lists in them are tolerated."""
    document = read(
        '---\ntitle: "A title"\nurl: https://x.org/a\ntags:\n  - b\nc: [d]\n---\n# A title\n\nText.\n', "a.md"
    )

    assert ("A title", "https://x.org/a") == (document.title, document.url)
    assert [("paragraph", "", "Text.")] == outline(document)


def test_rule_at_the_start_is_no_front_matter() -> None:
    """A document that begins with a rule keeps its text."""
    assert ["Just text, no key.", "More."] == texts(read("---\nJust text, no key.\n\n---\n\nMore.\n", "a.md"))


def test_markdown_blocks_keep_their_kind() -> None:
    """Lists, fenced code and pipe tables become items, code and rows under their headings."""
    document = read("# T\n\n## S\n\n- a\n  - b\n\n```py\nx = <1>\n```\n\n| A | B |\n|---|---|\n| 1 | 2 |\n", "a.md")

    assert [("item", "S", "a"), ("item", "S", "b"), ("code", "S", "x = <1>"), ("row", "S", "1 | 2")] == outline(
        document
    )
    assert "A | B" == document.blocks[3].header


# Gemtext, org, AsciiDoc, reStructuredText, plain text


def test_gemtext_lines_become_blocks() -> None:
    """Links give their label, or their address when they have none; tags are items."""
    source = (
        "# Issue\n\n## Tags\n\n* status: open\n\n## Notes\n\nSome\nprose.\n=> https://x.org a label\n=> https://y.org\n"
        "> said\n```\ncode  here\n```\n"
    )
    document = read(source, "a.gmi")

    assert "Issue" == document.title
    assert [
        ("item", "Tags", "status: open"),
        ("paragraph", "Notes", "Some prose."),
        ("item", "Notes", "a label"),
        ("item", "Notes", "https://y.org"),
        ("paragraph", "Notes", "said"),
        ("code", "Notes", "code  here"),
    ] == outline(document)


def test_org_lines_become_blocks() -> None:
    """Drawers, keywords and comments go; headings lose their state and tags; regions are code."""
    source = (
        "#+TITLE: Doc\n#+OPTIONS: toc:nil\n# hidden\n* TODO [#A] First   :tag:\n:PROPERTIES:\n:ID: 1\n:END:\n"
        "See [[https://x.org][the page]], *bold* and =code=.[fn:1]\n** Sub\n - LOD :: a score\n#+begin_src sh\nls *a*\n"
        "#+end_src\n: fixed\n| a | b |\n|---+---|\n| 1 | 2 |\n"
    )
    document = read(source, "a.org")

    assert "Doc" == document.title
    assert [
        ("paragraph", "First", "See the page, bold and code."),
        ("item", "First > Sub", "LOD: a score"),
        ("code", "First > Sub", "ls *a*"),
        ("code", "First > Sub", "fixed"),
        ("row", "First > Sub", "1 | 2"),
    ] == outline(document)


def test_asciidoc_lines_become_blocks() -> None:
    """Attributes and comments go; fences are code; tables have their header."""
    source = (
        "= Doc\n:toc:\n\n== Part\n// hidden\nSome *bold* https://x.org[label].\n\n----\ncode *x*\n----\n\n* item\n\n"
        '[cols="1,1",options="header"]\n|===\n| A | B\n\n| 1\n| 2 of\n  two\n|===\n'
    )
    document = read(source, "a.adoc")

    assert "Doc" == document.title
    assert [
        ("paragraph", "Part", "Some bold label."),
        ("code", "Part", "code *x*"),
        ("item", "Part", "item"),
        ("row", "Part", "1 | 2 of two"),
    ] == outline(document)
    assert "A | B" == document.blocks[3].header


def test_rst_lines_become_blocks() -> None:
    """Adornments give levels; roles, links and directives give their text."""
    source = (
        "Doc\n===\n\nPart\n----\n\nSee :ref:`label <x>`, ``code`` and `page <http://x.org>`_::\n\n    run it\n\n"
        ".. note:: Mind\n   this.\n\n.. image:: a.png\n   :alt: no\n\n"
        "- item\n  more\n\n=== ===\nA   B\n=== ===\n1   2\n=== ===\n"
    )
    document = read(source, "a.rst")

    assert "Doc" == document.title
    assert [
        ("paragraph", "Part", "See label, code and page:"),
        ("code", "Part", "run it"),
        ("paragraph", "Part", "Mind this."),
        ("item", "Part", "item more"),
        ("row", "Part", "1 | 2"),
    ] == outline(document)


def test_plain_text_has_paragraphs_items_and_underlined_headings() -> None:
    """An empty line parts paragraphs; initials and wrapped numbers are no list marks."""
    document = read("Notes\n=====\n\nR. Williams wrote\nin room\n12. It was.\n\n1. wash\n2. spin\n", "a.txt")

    assert "Notes" == document.title
    assert [
        ("paragraph", "", "R. Williams wrote in room 12. It was."),
        ("item", "", "wash"),
        ("item", "", "spin"),
    ] == outline(document)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<!DOCTYPE html><p>x</p>", "html"),
        ("{\\rtf1 hello}", "rtf"),
        ("#+TITLE: x\n* y\nz", "org"),
        ("# x\n\n[a](http://b)", "markdown"),
        ("=> https://x.org a\n=> https://y.org b", "gemtext"),
        ("Only words.", "text"),
    ],
)
def test_format_is_told_from_the_content(source: str, expected: str) -> None:
    """A name that says nothing does not hide the format."""
    assert expected == read(source, "document.bin").format


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(encoding: str) -> None:
    """UTF-8, UTF-16 with its mark and Windows-1252 give the same text."""
    assert ["naïve – café"] == texts(parse("naïve – café".encode(encoding), "a.txt"))


def test_damaged_byte_does_not_spoil_the_other_characters() -> None:
    """UTF-8 cut off within a character is still UTF-8."""
    assert "µ µ µ µ" == texts(parse("µ µ µ µ µ".encode()[:-1], "a.txt"))[0][:7]


# RTF and notebooks


def test_rtf_gives_headings_text_and_rows() -> None:
    """Real RTF is read by its styles; links show their label only."""
    source = (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl\f0\fswiss\fcharset0 Helvetica;}{\info{\title Caf\'e9 notes}}"
        r"{\stylesheet{\s0 Normal;}{\s1\b heading 1;}}\pard\s1 Methods\par\pard\s0 Mice {\b were} bred.\par "
        r"\trowd Strain\cell Age\cell\row\trowd BXD1\cell 20\cell\row\trowd BXD2\cell 30\cell\row "
        r'\pard{\field{\*\fldinst HYPERLINK "http://x.org"}{\fldrslt the page}}\par}'
    )
    document = read(source, "a.rtf")

    assert ("rtf", "Café notes") == (document.format, document.title)
    assert [
        ("paragraph", "Methods", "Mice were bred."),
        ("row", "Methods", "BXD1 | 20"),
        ("row", "Methods", "BXD2 | 30"),
        ("paragraph", "Methods", "the page"),
    ] == outline(document)


def test_notebook_gives_text_code_and_short_output() -> None:
    """Markdown cells are text, code cells code; images and long output are left out."""
    outputs = [
        {"output_type": "stream", "text": ["42\n"]},
        {"output_type": "stream", "text": "x" * 3000},
        {"output_type": "display_data", "data": {"image/png": "AAAA"}},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Book\n", "\n", "Some *text*."]},
        {"cell_type": "code", "source": "print(42)", "outputs": outputs},
    ]
    document = read(json.dumps({"cells": cells, "nbformat": 4}), "a.ipynb")

    assert ("notebook", "Book") == (document.format, document.title)
    assert [("paragraph", "", "Some text."), ("code", "", "print(42)"), ("code", "", "42")] == outline(document)
