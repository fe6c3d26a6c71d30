"""Long answers come in messages that homeservers take, and that read as if they were one."""

from __future__ import annotations

import re

import pytest

from adapters.matrix.markup import Shown
from adapters.matrix.relations import Content, edit_of, in_thread
from adapters.matrix.rendering import MAX_DRAFT, MAX_MESSAGES, MatrixMessage, Rendered, render
from adapters.matrix.sizes import ENVELOPE, MAX_EVENT, encrypted_size, plain_size
from adapters.matrix.splitting import MAX_PAGE, units
from bot.evidence import Citation
from bot.replies import Attachment, Entry, Reply, Section, Stage
from tests.matrix_texts import Look

SENTENCE = "The BXD family comes from C57BL/6J and DBA/2J [1]. "
CITATIONS = (Citation(1, "BXD", "bxd.md", "https://docs.org/bxd", ""), Citation(2, "HXB", "hxb.md", None, ""))
EVENT_ID = "$" + "x" * 43


def final(text: str, citations: tuple[Citation, ...] = CITATIONS) -> Reply:
    return Reply(Stage.FINAL, text, citations, note="A note.", reference="4kd9")


def messages_of(rendered: Rendered) -> tuple[MatrixMessage, ...]:
    return (rendered.first, *rendered.continuation)


def ways(message: MatrixMessage) -> list[Content]:
    """A message as it may be sent: new, and as an edit."""
    content = message.content(mention=f"@{'x' * 240}:localhost")
    return [in_thread(content, EVENT_ID, EVENT_ID), edit_of(content, EVENT_ID)]


def legal(rendered: Rendered) -> Rendered:
    """The same, after a check of every message: its size in each way, its HTML, its length."""
    assert len(messages_of(rendered)) <= MAX_MESSAGES
    for message in messages_of(rendered):
        assert message.body.strip()
        assert len(message.body) <= MAX_PAGE
        assert [] == Look(message.html).faults
        for content in ways(message):
            assert plain_size(content) + ENVELOPE <= MAX_EVENT
            assert encrypted_size(content) + ENVELOPE <= MAX_EVENT
    return rendered


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE * 800,
        "\n\n".join([SENTENCE * 3] * 270),
        "小鼠的品系来自两个亲本。" * 3400,
        "🧬" * 30_000,
        "é" * 40_000,
        "x" * 12_001,
        "word " * 2401,
        '& < > " ' * 3000,
        "@" * 20_000,
        "#" * 40_000,
        "!" * 40_000,
        "```\n" + "line of code & <x>\n" * 280 + "```",
        "```\n" + "x" * 25_000 + "\n```",
        "```\n" + "小" * 25_000 + "\n```",
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
        "[" * 60_000,
        "\n\n".join(["a"] * 20_000),
        "[1]" * 14_000,
        f"[{'label ' * 2000}](https://docs.org/bxd)",
        f"[x](https://evil.com/{'y' * 9000})",
        "  " * 20_000 + "- x",
        "".join("  " * depth + "- x\n" for depth in range(200)),
        "> " * 200 + "x",
    ],
    ids=lambda text: repr(str(text)[:12]),
)
def test_whatever_its_length_every_message_is_taken(text: str) -> None:
    """Plain and encrypted, new and as an edit, in every script."""
    legal(render(final(text)))
    legal(render(Reply(Stage.DRAFT, text)))


@pytest.mark.parametrize("paragraph", [SENTENCE * 5, SENTENCE * 60])
def test_an_answer_of_40_000_characters_goes_on_in_the_thread(paragraph: str) -> None:
    """No word is lost or doubled; sources, note and reference are at the very end, once."""
    count = 40_000 // len(paragraph)
    text = "\n\n".join(f"Paragraph {number}. {paragraph}" for number in range(count))
    rendered = legal(render(final(text)))
    bodies = [message.body for message in messages_of(rendered)]

    assert [str(number) for number in range(count)] == re.findall(r"Paragraph (\d+)\.", "\n".join(bodies))
    assert text.count("C57BL/6J") == "\n".join(bodies).count("C57BL/6J")
    assert 5 <= len(bodies) <= MAX_MESSAGES
    assert [0] * (len(bodies) - 1) + [1] == [body.count("Sources\n") for body in bodies]
    assert bodies[-1].endswith("A note.\n\nReference 4kd9")
    assert () == rendered.files


def test_an_answer_too_long_for_a_room_is_a_file() -> None:
    """The room has its beginning, the sources and the name of the file; the file has everything."""
    text = "\n\n".join(f"第 {number} 段。" + "小鼠的品系来自两个亲本。" * 20 for number in range(150))
    reply = Reply(Stage.FINAL, text, CITATIONS, attachments=(Attachment("answer.txt", "text/plain", b"x"),))
    rendered = legal(render(reply))
    whole, other = rendered.files

    assert ["answer-2.txt", "answer.txt"] == [whole.name, other.name]
    assert [str(number) for number in range(150)] == re.findall(r"第 (\d+) 段", whole.data.decode())
    assert "Sources\n[1] BXD (https://docs.org/bxd)\n[2] HXB hxb.md" in whole.data.decode()
    last = "\n".join(message.body for message in messages_of(rendered)[-2:])
    assert "all of it is in the file answer-2.txt." in last
    assert "Sources" in last


def test_more_than_is_read_is_a_file_too() -> None:
    """Its text stands there without formatting, and whole."""
    whole = legal(render(final("line @room of text\n" * 4000))).files[0]

    assert 4000 == whole.data.decode().count("of text")
    assert "@room" not in whole.data.decode()


def test_many_sources_with_long_addresses_are_counted() -> None:
    """What does not fit is counted."""
    citations = tuple(
        Citation(n, f"Document {n} " + "title " * 100, "s" * 500, f"https://docs.org/{'a&b=' * 100}{n}", "")
        for n in range(1, 300)
    )
    rendered = legal(render(final("Short. [1]", citations)))

    assert re.search(r"… and 2\d\d more", messages_of(rendered)[-1].body)


def test_long_lists_go_on_in_further_messages() -> None:
    """Every entry once, with its address."""
    entries = tuple(Entry(f"Data set {n}", f"https://gn.org/{n}", "new " * 20) for n in range(300))
    rendered = legal(render(Reply(Stage.FINAL, "New:", sections=(Section("BXD", entries),))))
    links = [link for message in messages_of(rendered) for link in Look(message.html).links]

    assert [f"https://gn.org/{n}" for n in range(300)] == links


def test_a_program_and_a_table_stay_whole_where_a_message_can_hold_them() -> None:
    """They move to the next message rather than being cut."""
    lines = "\n".join(f"line_{number} <- 1" for number in range(400))
    rows = "".join(f"| BXD{number} | {number} |\n" for number in range(89))
    before = "\n\n".join([SENTENCE * 20] * 6)
    code = messages_of(legal(render(final(f"{before}\n\n```r\n{lines}\n```"))))
    table = messages_of(legal(render(final(f"{before}\n\n| Strain | LOD |\n| --- | --- |\n{rows}"))))

    assert [0, 1] == [message.html.count("<pre>") for message in code]
    assert 1 == sum(message.html.count("<table>") for message in table)


def test_a_program_is_opened_again_where_it_was_cut() -> None:
    """Every line is there once, and each piece names the language."""
    text = "\n".join(f"line_{number} <- read.csv('x') & more" for number in range(1000))
    rendered = legal(render(final(f"```r\n{text}\n```")))
    html = "".join(message.html for message in messages_of(rendered))
    pieces = re.findall(r'<pre><code class="language-r">(.*?)</code></pre>', html, re.DOTALL)

    assert len(pieces) > 1
    assert [str(number) for number in range(1000)] == re.findall(r"line_(\d+) ", "\n".join(pieces))


def test_a_long_table_repeats_its_header() -> None:
    """Each piece of it can be read alone."""
    table = "| Strain | LOD |\n| --- | --- |\n" + "".join(f"| BXD{number} | {number} |\n" for number in range(300))
    html = "".join(message.html for message in messages_of(legal(render(final(table)))))

    assert [str(number) for number in range(300)] == re.findall(r"<td>BXD(\d+)</td>", html)
    assert 1 < html.count("<table>") == html.count("<th>Strain</th>")


def test_a_draft_is_one_message_whatever_its_length() -> None:
    """It says that there is more."""
    rendered = legal(render(Reply(Stage.DRAFT, (SENTENCE * 9 + "\n\n") * 100)))

    assert ((), ()) == (rendered.continuation, rendered.files)
    assert rendered.first.body.endswith("The rest is shown when the answer is complete.")
    assert len(rendered.first.body) < MAX_DRAFT + 100


def test_letters_of_many_bytes_take_more_room() -> None:
    """A Chinese sign is six bytes within an encrypted event, a picture of two halves twelve."""
    assert 1000 == units(Shown("x" * 1000, "x" * 1000))
    assert 2400 == units(Shown("小" * 1000, "小" * 1000))
    assert 4800 == units(Shown("🧬" * 1000, "🧬" * 1000))
