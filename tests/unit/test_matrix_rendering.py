"""How replies look in Matrix."""

from __future__ import annotations

import struct

import pytest

from adapters.matrix.pictures import Uploaded, file_content, png_size
from adapters.matrix.relations import edit_of, in_thread, transaction_id
from adapters.matrix.rendering import render, render_sentence
from adapters.matrix.text import JOINER
from bot.evidence import Citation
from bot.replies import Attachment, Entry, Reply, Section, Stage

BXD = Citation(1, "BXD family", "bxd.md", "https://docs.org/bxd?a=1&b=2", "")
LAB = Citation(2, "Mouse rooms", "lab/rooms.md", None, "")
LINK = '<a href="https://docs.org/bxd?a=1&amp;b=2">[1]</a>'
HERE = LINK.replace("[1]", "here")
B = "<strong>{}</strong>".format
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 640, 480, 8, 2, 0, 0, 0) + b"\0" * 4


def shown(text: str) -> tuple[str, str]:
    """Body and HTML of an answer alone."""
    message = render(Reply(Stage.FINAL, text, (BXD, LAB))).first
    return message.body.partition("\n\nSources")[0], message.html.partition("<p><strong>Sources")[0]


@pytest.mark.parametrize(
    ("text", "body", "html"),
    [
        ("BXD [1] and [2], not [9].", "BXD [1] and [2], not [9].", f"<p>BXD {LINK} and [2], not [9].</p>"),
        ("# Strains\nof mice", "Strains\n\nof mice", "<h3>Strains</h3><p>of mice</p>"),
        ("**b** *i* ***x*** `c`", "b i x c", f"<p>{B('b')} <em>i</em> {B('<em>x</em>')} <code>c</code></p>"),
        ("in**side** w*or*d", "inside word", "<p>inside word</p>"),
        ("- a\n  - b\n- c", "• a\n    ◦ b\n• c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("3. a\n4. b", "3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("1. a\n   - b", "1. a\n    ◦ b", "<ol><li>a<ul><li>b</li></ul></li></ol>"),
        ("> a\n> b\n>\n> c", f"{JOINER}> a\n> b\n>\n> c", "<blockquote><p>a<br>b</p><p>c</p></blockquote>"),
        ("```R\nx <- 5 && y\n```", "x <- 5 && y", '<pre><code class="language-r">x &lt;- 5 &amp;&amp; y</code></pre>'),
        ("```<b>\nx\n```", "x", "<pre><code>x</code></pre>"),
        ("a\n\n---\n\nb", "a\n\n────────────\n\nb", "<p>a</p><p>────────────</p><p>b</p>"),
        ("x < 5 & y > \"3\"", 'x < 5 & y > "3"', "<p>x &lt; 5 &amp; y &gt; &quot;3&quot;</p>"),
        ("a&lt;b", f"a&{JOINER}lt;b", f"<p>a&amp;{JOINER}lt;b</p>"),
        ("HC_M2_0606_P, 2 * 3", "HC_M2_0606_P, 2 * 3", "<p>HC_M2_0606_P, 2 * 3</p>"),
        ("see https://docs.org/bxd?a=1&b=2.", "see [1].", f"<p>see {LINK}.</p>"),
        ("[here](https://docs.org/bxd?a=1&b=2)", "here (https://docs.org/bxd?a=1&b=2)", f"<p>{HERE}</p>"),
        ("[here](https://evil.com/a)", "here (https[:]//evil[.]com/a)", "<p>here (https[:]//evil[.]com/a)</p>"),
        ("![cat](http://evil.com/c.png)", "cat (http[:]//evil[.]com/c.png)", "<p>cat (http[:]//evil[.]com/c.png)</p>"),
        ("<b>x</b>", "<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("@room @bob:hs", f"@{JOINER}room @{JOINER}bob:hs", f"<p>@{JOINER}room @{JOINER}bob:hs</p>"),
        ("#lab:hs, #5, !x:hs", f"#{JOINER}lab:hs, #5, !{JOINER}x:hs", f"<p>#{JOINER}lab:hs, #5, !{JOINER}x:hs</p>"),
        ("!ban bob", f"{JOINER}!ban bob", "<p>!ban bob</p>"),
        ("`@prop a@b @bob:hs`", f"@prop a@b @{JOINER}bob:hs", f"<p><code>@prop a@b @{JOINER}bob:hs</code></p>"),
    ],
)  # fmt: skip
def test_an_answer_as_text_and_as_html(text: str, body: str, html: str) -> None:
    """Formatting is HTML's, links are the citations', everything else is text, and the body says the same."""
    assert (body, html) == shown(text)


def test_tables_are_columns_in_the_body() -> None:
    """Aligned where they are narrow; where they are wide, cells with bars between them."""
    narrow = "| Strain | LOD |\n|---|---|\n| BXD1 | 3.2 [1] |\n| 小鼠 | 1 |"
    wide = f"| Strain | Note |\n|---|---|\n| BXD1 | {'long ' * 12}[1] |"
    head = "<table><thead><tr><th>Strain</th>"

    assert "Strain  LOD\n──────  ───────\nBXD1    3.2 [1]\n小鼠    1" == shown(narrow)[0]
    assert f"{head}<th>LOD</th></tr></thead><tbody><tr><td>BXD1</td><td>3.2 {LINK}</td></tr>" in shown(narrow)[1]
    assert f"Strain | Note\nBXD1 | {'long ' * 12}[1]" == shown(wide)[0]


def test_sources_stand_below_the_answer() -> None:
    """Compact: title with link, or with the place of a document that has none; each document once."""
    again = Citation(3, BXD.title, BXD.source, BXD.url, "another quote")
    message = render(Reply(Stage.FINAL, "BXD [1] [3].", (BXD, LAB, again))).first
    title = LINK.replace("[1]", "BXD family")

    assert message.body.endswith(
        "\n\nSources\n[1] [3] BXD family (https://docs.org/bxd?a=1&b=2)\n[2] Mouse rooms lab/rooms.md"
    )
    assert message.html.endswith(
        f"<p><strong>Sources</strong><br>[1] [3] {title}<br>[2] Mouse rooms <code>lab/rooms.md</code></p>"
    )


def test_a_refusal_shows_the_closest_documents_and_its_reference() -> None:
    """Nothing rests on them, and the heading says so."""
    reply = Reply(Stage.FINAL, "The documents do not say.", (LAB,), answered=False, reference="4kd9", note="Ask Bo.")
    expected = (
        "The documents do not say.\n\nClosest documents\n[2] Mouse rooms lab/rooms.md\n\nAsk Bo.\n\nReference 4kd9"
    )

    assert expected == render(reply).first.body
    assert render(reply).first.html.endswith("<p><em>Ask Bo.</em></p><p>Reference <code>4kd9</code></p>")


def test_lists_stand_below_the_text() -> None:
    """Each under its heading, titles leading to their addresses."""
    sections = (
        Section("BXD", (Entry("Set **1**", "https://gn.org/1", "new, see https://evil.com"), Entry("Set 2", "x"))),
        Section("HXB"),
    )
    message = render(Reply(Stage.FINAL, "New this week:", sections=sections)).first

    assert (
        "New this week:\n\nBXD\n\n• Set **1** (https://gn.org/1) – new, see https[:]//evil[.]com\n• Set 2\n\nHXB"
        == message.body
    )
    assert '<li><a href="https://gn.org/1">Set **1**</a> – new' in message.html


def test_addresses_that_are_not_encrypted_or_become_mentions_are_text() -> None:
    """The first stands as it is, the second is broken; neither is a link of ours."""
    plain = Citation(1, "Wiki", "w", "http://wiki.lab/a", "")
    pill = Citation(2, "Bob", "b", "https://matrix.to/#/@bob:hs", "")
    message = render(Reply(Stage.FINAL, "See [1] [2].", (plain, pill))).first

    assert "href" not in message.html
    assert "[1] Wiki (http://wiki.lab/a)" in message.body
    assert "[1] Wiki (http://wiki.lab/a)" in message.html
    assert "matrix.to" not in message.body + message.html


def test_content_calls_nobody_but_the_one_who_asked() -> None:
    """And says so in every message, so that no server looks for names in its text."""
    message = render(Reply(Stage.FINAL, "Yes.")).first

    assert {
        "msgtype": "m.notice",
        "body": "Yes.",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p>Yes.</p>",
        "m.mentions": {},
    } == message.content()
    assert {"user_ids": ["@a:hs"]} == message.content("m.text", mention="@a:hs")["m.mentions"]
    assert "m.text" == message.content("m.text")["msgtype"]


def test_answers_stand_in_threads() -> None:
    """For clients without threads they reply to the newest event that is known."""
    content = in_thread(render(Reply(Stage.FINAL, "Yes.")).first.content(), "$root", "$last")

    assert {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$last"},
    } == content["m.relates_to"]
    assert {"event_id": "$root"} == in_thread({}, "$root")["m.relates_to"]["m.in_reply_to"]  # type: ignore[index, call-overload]


def test_edits_have_all_within_and_little_without() -> None:
    """The text for clients without edits is short and calls nobody a second time."""
    content = render(Reply(Stage.FINAL, "word " * 1000)).first.content(mention="@a:hs")
    edit = edit_of(content, "$first")

    assert content == edit["m.new_content"]
    assert {"rel_type": "m.replace", "event_id": "$first"} == edit["m.relates_to"]
    assert {} == edit["m.mentions"]
    assert str(edit["body"]).startswith("* word word")
    assert 210 > len(str(edit["body"]))
    assert "formatted_body" not in edit


def test_transactions_are_the_same_for_the_same_content_only() -> None:
    """Post, part and revision tell them apart."""
    ids = [transaction_id("k"), transaction_id("k", 1), transaction_id("k", 0, "2"), transaction_id("l")]

    assert 4 == len(set(ids))
    assert ids[0] == transaction_id("k", 0, "")


def test_errors_are_plain_text() -> None:
    """Nothing in a sentence is formatting."""
    message = render_sentence("Cannot *read* <file> of @room.\nAgain.")

    assert f"Cannot *read* <file> of @{JOINER}room.\nAgain." == message.body
    assert f"<p>Cannot *read* &lt;file&gt; of @{JOINER}room.<br>Again.</p>" == message.html


@pytest.mark.parametrize("stage", list(Stage))
def test_an_empty_reply_is_shown_as_something(stage: Stage) -> None:
    """A message without text would be invisible."""
    assert ("…", "<p>…</p>") == (lambda first: (first.body, first.html))(render(Reply(stage, " \n\u200b")).first)


def test_files_come_with_the_final_reply_under_safe_names() -> None:
    """No folders, no signs that mean something."""
    files = (Attachment("../a/<@room> b.csv", "text/csv", b"1"), Attachment("…", "text/csv", b"2"))

    assert ["_room_ b.csv", "_"] == [file.name for file in render(Reply(Stage.FINAL, "See.", attachments=files)).files]
    assert () == render(Reply(Stage.DRAFT, "See.", attachments=files)).files


def test_pictures_are_shown_with_their_size() -> None:
    """The body says what is on them; a small one is its own thumbnail."""
    picture = Attachment("plot.png", "image/png", PNG)
    content = file_content(picture, Uploaded("mxc://hs/abc"), alt="LOD scores of @room")
    info = {"mimetype": "image/png", "size": len(PNG), "w": 640, "h": 480}

    assert {
        "msgtype": "m.image",
        "body": f"LOD scores of @{JOINER}room",
        "filename": "plot.png",
        "url": "mxc://hs/abc",
        "m.mentions": {},
        "info": {**info, "thumbnail_url": "mxc://hs/abc", "thumbnail_info": info},
    } == content
    big = file_content(Attachment("plot.png", "image/png", PNG + b"\0" * 600_000), Uploaded("mxc://hs/abc"))
    assert "thumbnail_url" not in big["info"]  # type: ignore[operator]
    assert "plot.png" == big["body"]


def test_encrypted_files_carry_their_key() -> None:
    """Where they are stands beside it, for the thumbnail too."""
    secret: dict[str, str] = {"iv": "i", "v": "v2"}
    content = file_content(Attachment("plot.png", "image/png", PNG), Uploaded("mxc://hs/abc", dict(secret)))

    assert {**secret, "url": "mxc://hs/abc"} == content["file"] == content["info"]["thumbnail_file"]  # type: ignore[index, call-overload]
    assert "url" not in content


def test_what_is_no_picture_is_a_file() -> None:
    """Whatever it says of itself: no client should draw an SVG of ours."""
    for file in (Attachment("a.png", "image/png", b"<svg>"), Attachment("a.svg", "image/svg+xml", PNG)):
        assert "m.file" == file_content(file, Uploaded("mxc://hs/abc"))["msgtype"]
    assert png_size(PNG[:20]) is None
    assert (640, 480) == png_size(PNG)


def test_the_page_of_an_answer_is_linked_below_its_sources() -> None:
    """One that is not encrypted is shown as an address; one that is none of the web, not at all."""
    page = "https://locus.example/lab/answers/h4ndl3"
    linked = render(Reply(Stage.FINAL, "Yes [1].", (BXD,), page=page)).first
    plain = render(Reply(Stage.FINAL, "Yes.", page="http://locus.lab:8080/answers/h4ndl3")).first

    assert linked.html.endswith(f'<p><a href="{page}">Answer with its passages</a></p>')
    assert linked.body.endswith(f"Answer with its passages ({page})")
    assert plain.html.endswith("<p>Answer with its passages (http://locus.lab:8080/answers/h4ndl3)</p>")
    assert "Answer with" not in render(Reply(Stage.FINAL, "Yes.", page="javascript:alert(1)")).first.body
