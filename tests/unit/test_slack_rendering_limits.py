"""Long answers come in pieces that Slack takes, and that read as if they were one."""

from __future__ import annotations

import json
import re
import time

import pytest

from adapters.slack.blocks import MAX_JSON
from adapters.slack.rendering import MAX_MESSAGES, MAX_TEXT, Look, Rendered, SlackMessage, render
from bot.evidence import Citation
from bot.replies import Attachment, Reply, Stage
from tests.slack_server.blocks import check_blocks

NATIVE, SECTIONS = Look(native=True), Look(native=False, feedback=False)
LOOKS = [NATIVE, SECTIONS]

SENTENCE = "The BXD family comes from C57BL/6J and DBA/2J [1]. "
CITATIONS = (Citation(1, "BXD", "bxd.md", "https://docs.org/bxd", ""), Citation(2, "HXB", "hxb.md", None, ""))


def final(text: str, citations: tuple[Citation, ...] = CITATIONS) -> Reply:
    return Reply(Stage.FINAL, text, citations, handle="h4ndl3", note="A note.", reference="4kd9")


def messages_of(rendered: Rendered) -> tuple[SlackMessage, ...]:
    return (rendered.first, *rendered.continuation)


def written(rendered: Rendered, *, native: bool) -> str:
    """All text of all blocks but the small print."""
    kind = "markdown" if native else "section"
    blocks = [block for message in messages_of(rendered) for block in message.blocks if block["type"] == kind]
    return "\n\n".join(
        str(block["text"]) if native else str(block["text"]["text"])  # type: ignore[index, call-overload]
        for block in blocks
    )


def legal(rendered: Rendered) -> Rendered:
    """The same, after a check of every message by the local Slack and by our own margins."""
    assert len(messages_of(rendered)) <= MAX_MESSAGES
    for message in messages_of(rendered):
        check_blocks(list(message.blocks))
        assert len(json.dumps(list(message.blocks), ensure_ascii=False)) <= MAX_JSON
        assert 0 < len(message.text) <= MAX_TEXT
        assert 0 < len(message.markdown()) <= 12_000
        assert 0 == message.text.count("```") % 2 == message.markdown().count("```") % 2
    return rendered


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "text",
    [
        SENTENCE * 800,
        "\n\n".join([SENTENCE * 3] * 270),
        "x" * 12_001,
        "word " * 2401,
        "& < > " * 3000,
        "```\n" + "line of code & <x>\n" * 280 + "```",
        "```\n" + "x" * 5000 + "\n```",
        "- item [1]\n" * 1500,
        "- " + SENTENCE * 200,
        "> " + SENTENCE * 200,
        "# " + SENTENCE * 100,
        "**" + SENTENCE * 200 + "**",
        "`" + "code " * 2000 + "`",
        "| a | b |\n| --- | --- |\n" + "| BXD1 | 3.2 |\n" * 700,
        "| a | b |\n| --- | --- |\n" + f"| BXD1 | {'long ' * 50} |\n" * 100,
        f"| a | b |\n| --- | --- |\n| {'x ' * 3000} | {'y ' * 3000} |\n",
        "| " + "a | " * 300 + "\n| " + "--- | " * 300 + "\n",
        f"| {'x ' * 3000} |\n| --- |\n",
        "[" * 60_000,
        "\n\n".join(["a"] * 20_000),
        "[1]" * 14_000,
        f"[{'label ' * 2000}](https://docs.org/bxd)",
        f"[x](https://evil.com/{'y' * 9000})",
    ],
    ids=lambda text: str(text)[:12],
)
def test_whatever_its_length_every_message_is_legal(text: str, look: Look) -> None:
    """Blocks, sections, characters and fences stay within limits, in at most five messages, within a second or so."""
    begun = time.perf_counter()
    rendered = legal(render(final(text), look))

    assert time.perf_counter() - begun < 20  # on a machine that does much else; quadratic work takes minutes
    assert rendered.continuation == () or len(messages_of(rendered)) > 1


@pytest.mark.parametrize("look", LOOKS)
def test_many_sources_with_long_addresses_are_legal(look: Look) -> None:
    """What does not fit is counted."""
    citations = tuple(
        Citation(n, f"Document {n} " + "title " * 100, "s" * 500, f"https://docs.org/{'a&b=' * 100}{n}", "")
        for n in range(1, 300)
    )
    rendered = legal(render(final("Short. [1]", citations), look))

    last = messages_of(rendered)[-1].plain(40_000)

    assert re.search(r"… and 2\d\d more", last)


@pytest.mark.parametrize("look", LOOKS)
def test_a_long_answer_goes_on_in_the_thread(look: Look) -> None:
    """No word is lost or doubled; sources, note, reference and buttons are at the very end, once."""
    text = "\n\n".join(f"Paragraph {number}. " + SENTENCE * 4 for number in range(100))
    rendered = legal(render(final(text), look))
    shown = written(rendered, native=look.native)

    assert [str(number) for number in range(100)] == re.findall(r"Paragraph (\d+)\.", shown)
    assert 400 == shown.count("C57BL/6J")
    assert 1 < len(messages_of(rendered)) <= MAX_MESSAGES
    kinds = [[str(block["type"]) for block in message.blocks] for message in messages_of(rendered)]
    assert all({"markdown", "section"} >= set(kind) for kind in kinds[:-1])
    assert 3 == kinds[-1].count("context")
    assert "actions" == kinds[-1][-1]
    assert () == rendered.files


@pytest.mark.parametrize("look", LOOKS)
def test_beyond_five_messages_the_whole_answer_is_a_file(look: Look) -> None:
    """The thread has its beginning, the sources and the name of the file; the file has everything."""
    text = "\n\n".join(f"Paragraph {number}. " + SENTENCE * 4 for number in range(400))
    reply = Reply(Stage.FINAL, text, CITATIONS, handle="h", attachments=(Attachment("answer.txt", "text/plain", b"x"),))
    rendered = legal(render(reply, look))
    whole, other = rendered.files

    assert ["answer-2.txt", "answer.txt"] == [whole.name, other.name]
    assert 400 == whole.data.decode().count("Paragraph ")
    assert "[2] HXB hxb.md" in whole.data.decode()
    assert "all of it is in the file" in rendered.continuation[-1].text
    assert "Sources" in json.dumps(rendered.continuation[-1].blocks)


@pytest.mark.parametrize("look", LOOKS)
def test_a_fence_is_opened_again_where_it_was_cut(look: Look) -> None:
    """Every line of the code is there once, and between marks of code."""
    lines = [f"line_{number} <- read.csv('x') & more" for number in range(400)]
    shown = written(legal(render(final("```r\n" + "\n".join(lines) + "\n```"), look)), native=look.native)
    code = "\n".join(re.findall(r"```\n(.*?)\n```", shown, re.DOTALL))

    assert [str(number) for number in range(400)] == re.findall(r"line_(\d+) ", code)
    assert 1 < shown.count("```") // 2


@pytest.mark.parametrize("look", LOOKS)
def test_a_long_table_repeats_its_header(look: Look) -> None:
    """Each piece of it can be read alone."""
    table = "| Strain | LOD |\n| --- | --- |\n" + "".join(f"| BXD{number} | {number} |\n" for number in range(300))
    shown = written(legal(render(final(table), look)), native=look.native)

    assert [str(number) for number in range(300)] == re.findall(r"BXD(\d+)\b", shown)
    assert 1 < shown.count("Strain") == shown.count("LOD")


def test_long_paragraphs_are_cut_after_sentences() -> None:
    """Where one ends near the limit."""
    shown = [part.mrkdwn for part in render(final(SENTENCE * 100), SECTIONS).first.parts]

    assert all(part.endswith("|[1]>.") for part in shown[:2])


@pytest.mark.parametrize("look", LOOKS)
def test_a_draft_is_one_message_whatever_its_length(look: Look) -> None:
    """It says that there is more."""
    rendered = legal(render(Reply(Stage.DRAFT, SENTENCE * 1000, reference="4kd9"), look))

    assert ((), ()) == (rendered.continuation, rendered.files)
    assert rendered.first.text.endswith("The rest is shown when the answer is complete.")
    assert "actions" == rendered.first.blocks[-1]["type"]


def test_what_does_not_fit_without_blocks_ends_in_an_ellipsis() -> None:
    """Whole parts only, so that no markup is cut in two."""
    message = render(final(SENTENCE * 90), NATIVE).first

    assert message.text.endswith("\n\n…")
    assert len(message.plain(40_000)) > len(message.text)
    assert message.plain(40_000).endswith("Reference `4kd9`")
