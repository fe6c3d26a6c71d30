"""How replies look in Slack."""

from __future__ import annotations

import pytest

from adapters.slack.blocks import Action, Block, Press, read_press
from adapters.slack.rendering import POST_DEFAULTS, Look, SlackMessage, render, render_sentence
from bot.evidence import Citation
from bot.replies import Attachment, Reply, Stage
from tests.hostile_texts import JOINER

NATIVE = Look(native=True)
SECTIONS = Look(native=False, feedback=False)

BXD = Citation(1, "BXD family", "bxd.md", "https://docs.org/bxd?a=1&b=2", "")
LAB = Citation(2, "Mouse rooms", "lab/rooms.md", None, "")
LINK = "<https://docs.org/bxd?a=1&amp;b=2|[1]>"


def shown(text: str, look: Look, citations: tuple[Citation, ...] = (BXD, LAB)) -> str:
    """The text of an answer alone."""
    first = render(Reply(Stage.FINAL, text, citations), look).first.blocks[0]
    return str(first["text"] if look.native else first["text"]["text"])  # type: ignore[index, call-overload]


def labels(block: Block) -> list[str]:
    return [element["text"]["text"] for element in block["elements"]]  # type: ignore[index, call-overload, union-attr, misc]


def values(block: Block) -> list[str]:
    return [element["value"] for element in block["elements"]]  # type: ignore[index, call-overload, union-attr, misc]


def small(message: SlackMessage) -> list[str]:
    return [str(block["elements"][0]["text"]) for block in message.blocks if block["type"] == "context"]  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("text", "mrkdwn", "markdown"),
    [
        (
            "BXD [1] and [2], not [9].",
            f"BXD {LINK} and [2], not [9].",
            "BXD [[1]](https://docs.org/bxd?a=1&amp;b=2) and [2], not [9].",
        ),
        ("# Strains\nof mice", "*Strains*\n\nof mice", "## Strains\n\nof mice"),
        ("**b** *i* ***bi*** `c`", "*b* _i_ *_bi_* `c`", "**b** _i_ **_bi_** `c`"),
        ("in**side** w*or*d", "inside word", "inside word"),
        ("- a\n  - b\n- c", "• a\n    ◦ b\n• c", "- a\n    - b\n- c"),
        ("3. a\n4. b", "3. a\n4. b", "3. a\n4. b"),
        ("> a\n> b", "> a\n> b", "> a\n> b"),
        ("```r\nx <- 5 && y\n```", "```\nx &lt;- 5 &amp;&amp; y\n```", "```\nx <- 5 && y\n```"),
        ("a\n\n---\n\nb", "a\n\n────────────\n\nb", "a\n\n---\n\nb"),
        ("x < 5 & y > 3", "x &lt; 5 &amp; y &gt; 3", "x &lt; 5 &amp; y &gt; 3"),
        ("HC_M2_0606_P", "HC_M2_0606_P", "HC_M2_0606_P"),
        ("see https://docs.org/bxd?a=1&b=2.", f"see {LINK}.", "see [[1]](https://docs.org/bxd?a=1&amp;b=2)."),
        (
            "[here](https://docs.org/bxd?a=1&b=2)",
            LINK.replace("[1]", "here"),
            "[here](https://docs.org/bxd?a=1&amp;b=2)",
        ),
        ("[here](https://evil.com/a.b)", "here (https[:]//evil[.]com/a.b)", "here (https[:]//evil[.]com/a.b)"),
        ("![cat](http://evil.com/c.png)", "cat (http[:]//evil[.]com/c.png)", "cat (http[:]//evil[.]com/c.png)"),
        ("<https://evil.com>", "https[:]//evil[.]com", "https[:]//evil[.]com"),
        ("of mice.In rats, Dr. No, v2.5.1", "of mice. In rats, Dr. No, v2.5.1", "of mice. In rats, Dr. No, v2.5.1"),
        ("<!channel> @here", f"&lt;{JOINER}!channel&gt; @{JOINER}here", f"&lt;{JOINER}!channel&gt; @{JOINER}here"),
        ("2 * 3 * 4, ~5 cM", "2 ∗ 3 ∗ 4, ∼5 cM", "2 ∗ 3 ∗ 4, ∼5 cM"),
        ("a&lt;b&amp;lt;", f"a&amp;{JOINER}lt;b&amp;{JOINER}amp;lt;", f"a&amp;{JOINER}lt;b&amp;{JOINER}amp;lt;"),
    ],
)
def test_an_answer_in_both_markups(text: str, mrkdwn: str, markdown: str) -> None:
    """Formatting is Slack's, links are the citations', everything else is text."""
    assert mrkdwn == shown(text, SECTIONS)
    assert markdown == shown(text, NATIVE)


def test_narrow_tables_are_columns_in_mrkdwn() -> None:
    """Of fixed width, aligned also where letters take two cells; in Markdown they are tables."""
    text = "| Strain | LOD |\n|---|---|\n| BXD1 | 3.2 [1] |\n| 小鼠 | 1 |"

    assert "```\nStrain  LOD\n──────  ───────\nBXD1    3.2 [1]\n小鼠    1\n```" == shown(text, SECTIONS)
    assert f"| Strain | LOD |\n| --- | --- |\n| BXD1 | 3.2 {native_link()} |\n| 小鼠 | 1 |" == shown(text, NATIVE)


def native_link() -> str:
    return "[[1]](https://docs.org/bxd?a=1&amp;b=2)"


def test_wide_tables_are_entries_in_mrkdwn() -> None:
    """Each row says what its columns mean, and keeps its links."""
    text = f"| Strain | LOD | Note |\n|---|---|---|\n| BXD1 | 3.2 | {'long ' * 12}[1] |\n| BXD2 | | no |"

    assert f"*BXD1*\nLOD: 3.2\nNote: {'long ' * 12}{LINK}\n\n*BXD2*\nNote: no" == shown(text, SECTIONS)


def test_sources_stand_below_the_answer() -> None:
    """Compact: title with link, or with the place of a document that has none; each document once."""
    again = Citation(3, BXD.title, BXD.source, BXD.url, "another quote")
    message = render(Reply(Stage.FINAL, "BXD [1] [3].", (BXD, LAB, again)), NATIVE).first
    expected = "*Sources*\n[1] [3] <https://docs.org/bxd?a=1&amp;b=2|BXD family>\n[2] Mouse rooms `lab/rooms.md`"

    assert [expected] == small(message)
    assert message.text.endswith(expected)
    assert message.markdown().endswith(
        "**Sources**  \n[1] [3] [BXD family](https://docs.org/bxd?a=1&amp;b=2)  \n[2] Mouse rooms `lab/rooms.md`"
    )


def test_a_refusal_shows_the_closest_documents_and_its_reference() -> None:
    """Nothing rests on them, and the heading says so."""
    reply = Reply(Stage.FINAL, "The documents do not say.", (LAB,), answered=False, reference="4kd9", note="Ask Bo.")

    assert ["*Closest documents*\n[2] Mouse rooms `lab/rooms.md`", "Ask Bo.", "Reference `4kd9`"] == small(
        render(reply, NATIVE).first
    )


def test_an_answer_has_buttons_that_carry_its_handle_only() -> None:
    """Slack's thumbs where there are some, plain ones elsewhere; a person to ask where the lab names one."""
    reply = Reply(Stage.FINAL, "Yes [1].", (BXD,), handle="h4ndl3", reference="4kd9")
    *_, thumbs, row = render(reply, Look(hand_over=True)).first.blocks
    *_, plain = render(reply, SECTIONS).first.blocks

    assert "context_actions" == thumbs["type"]
    assert ["Show passages", "Ask again", "Ask a person"] == labels(row)
    assert ["👍", "👎", "Show passages", "Ask again"] == labels(plain)
    assert {"h4ndl3"} == {*values(row), *values(plain)}
    assert "actions" not in [block["type"] for block in render(Reply(Stage.FINAL, "Hm."), NATIVE).first.blocks]


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.DRAFT])
def test_what_is_under_way_can_be_stopped(stage: Stage) -> None:
    """By the reference of the request; there is nothing to press where it is not known."""
    *_, row = render(Reply(stage, "Reading …", reference="4kd9"), NATIVE).first.blocks

    assert (["Stop"], "4kd9") == (labels(row), row["elements"][0]["value"])  # type: ignore[index, call-overload]
    assert 1 == len(render(Reply(stage, "Reading …"), NATIVE).first.blocks)


@pytest.mark.parametrize(
    ("action_id", "value", "press"),
    [
        ("locus_vote", "up:h", Press(Action.UP, "h")),
        ("locus_vote", "down:h", Press(Action.DOWN, "h")),
        ("locus_vote", "h", None),
        ("locus_up", "h", Press(Action.UP, "h")),
        ("locus_stop", "4kd9", Press(Action.STOP, "4kd9")),
        ("other", "h", None),
    ],
)
def test_presses_are_read_back(action_id: str, value: str, press: Press | None) -> None:
    """Both kinds of thumbs give the same; buttons of others give nothing."""
    assert press == read_press(action_id, value)


def test_every_post_and_edit_carries_the_defaults() -> None:
    """Nothing is parsed, no name is linked, nothing unfurls."""
    arguments = render(Reply(Stage.FINAL, "Yes."), NATIVE).first.arguments()

    assert {"text": "Yes.", "blocks": [{"type": "markdown", "text": "Yes."}], **POST_DEFAULTS} == arguments
    assert {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False} == dict(POST_DEFAULTS)


def test_the_notification_is_the_answer() -> None:
    """Its beginning, never a constant."""
    assert render(Reply(Stage.FINAL, "**BXD** mice [1].", (BXD,)), NATIVE).first.text.startswith(f"*BXD* mice {LINK}.")


def test_errors_are_plain_text() -> None:
    """Nothing in a sentence is formatting."""
    message = render_sentence("Cannot *read* <file> of @channel.", SECTIONS)

    assert f"Cannot ∗read∗ &lt;{JOINER}file&gt; of @{JOINER}channel." == message.text
    assert 1 == len(message.blocks)


def test_files_come_with_the_final_reply_under_safe_names() -> None:
    """No folders, no signs that mean something."""
    files = (Attachment("../a/<!here> b.csv", "text/csv", b"1"), Attachment("…", "text/csv", b"2"))

    assert ["_here_ b.csv", "_"] == [
        file.name for file in render(Reply(Stage.FINAL, "See.", attachments=files), NATIVE).files
    ]
    assert () == render(Reply(Stage.DRAFT, "See.", attachments=files), NATIVE).files


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("look", [NATIVE, SECTIONS])
def test_an_empty_reply_is_shown_as_something(stage: Stage, look: Look) -> None:
    """Slack refuses messages without text."""
    assert "…" == render(Reply(stage, " \n\u200b"), look).first.text


def test_the_page_of_an_answer_is_linked_in_small_print_below_its_sources() -> None:
    """An address that is none of the web is not linked, and nothing is said of it."""
    page = "https://locus.example/lab/answers/h4ndl3"
    message = render(Reply(Stage.FINAL, "Yes [1].", (BXD,), page=page), NATIVE).first

    assert f"<{page}|Answer with its passages>" == small(message)[-1]
    assert f"[Answer with its passages]({page})" in message.markdown()
    assert "Answer with" not in render(Reply(Stage.FINAL, "Yes.", page="javascript:alert(1)"), NATIVE).first.plain()
