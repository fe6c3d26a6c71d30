"""Whatever stands in a reply, what is posted calls nobody, leads nowhere but to its citations, and is legal."""

from __future__ import annotations

import html
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.blocks import MAX_BLOCKS, MAX_JSON, MAX_NATIVE, MAX_SECTION, Block
from adapters.slack.rendering import MAX_TEXT, Look, Rendered, SlackMessage, render, render_sentence
from adapters.slack.rendering_sources import source_line
from adapters.slack.splitting import parts_of
from adapters.slack.text import sentence
from bot.addresses import safe_url
from bot.evidence import Citation
from bot.file_names import safe_name
from bot.markup.elements import Fence, Paragraph
from bot.markup.parsing import Links, parse
from bot.replies import Attachment, Reply, Stage
from tests.hostile_texts import faults_of_markdown, faults_of_mrkdwn, faults_of_text, hostile_texts, is_only_text
from tests.slack_server.blocks import check_blocks
from tests.slack_server.clock import Clock
from tests.slack_server.looks import look_at_blocks
from tests.slack_server.texts import Reader
from tests.slack_server.world import World

LOOKS = [Look(native, feedback, hand_over=True) for native in (True, False) for feedback in (True, False)]

READER = Reader(World(Clock()))

urls = st.sampled_from(
    [
        None,
        "https://docs.org/one",
        "https://docs.org/one?a=1&b=(2)#part|x",
        "http://docs.org:8080/~user/a_b_c/*x*",
        "https://docs.org/<!channel>",
        "https://docs.org/)](http://evil.com)",
        "https://docs.org/x|<!here>",
        "https://gn@evil.com/",
        "https://evil.com\n.docs.org/",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.com",
        "https://[::1]/",
        "https://dócs.org/é",
    ]
) | hostile_texts.map(lambda text: "https://docs.org/" + text)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply whose every part is hostile."""
    citations = tuple(
        Citation(n + 1, draw(hostile_texts), draw(hostile_texts), draw(urls), draw(hostile_texts))
        for n in range(draw(st.integers(0, 3)))
    )
    text = draw(hostile_texts)
    return Reply(
        draw(st.sampled_from(list(Stage))),
        text[: draw(st.integers(0, len(text)))],  # a stream is cut anywhere
        citations,
        answered=draw(st.booleans()),
        note=draw(hostile_texts),
        reference=draw(st.sampled_from(["", "4kd9"])),
        handle=draw(st.sampled_from(["", "h4ndl3"])),
        attachments=(Attachment(draw(hostile_texts), "text/csv", b"1"),) if draw(st.booleans()) else (),
        page=draw(urls) or "",
    )


def addresses_of(reply: Reply) -> set[str]:
    return {url for url in map(safe_url, (*(one.url for one in reply.citations), reply.page)) if url}


def messages_of(rendered: Rendered) -> tuple[SlackMessage, ...]:
    return (rendered.first, *rendered.continuation)


def faults_of_blocks(blocks: tuple[Block, ...], addresses: set[str]) -> list[str]:
    faults: list[str] = []
    for block in blocks:
        kind = block["type"]
        if kind == "markdown":
            faults += faults_of_markdown(str(block["text"]), addresses)
        elif kind in ("section", "context"):
            texts = [block["text"]] if kind == "section" else block["elements"]
            assert isinstance(texts, list)
            for text in texts:
                assert isinstance(text, dict)
                assert text["verbatim"] is True
                faults += faults_of_mrkdwn(str(text["text"]), addresses)
        else:
            assert kind in ("actions", "context_actions")
    return faults


def assert_legal(message: SlackMessage) -> None:
    """Within Slack's limits, by the local Slack's checks and by our own margin."""
    blocks = list(message.blocks)
    check_blocks(blocks)
    native = [len(str(block["text"])) for block in blocks if block["type"] == "markdown"]

    assert len(blocks) <= MAX_BLOCKS
    assert len(json.dumps(blocks, ensure_ascii=False)) <= MAX_JSON
    assert sum(native) <= MAX_NATIVE
    assert all(0 < len(part.mrkdwn) <= MAX_SECTION >= len(part.markdown) > 0 for part in message.parts)
    assert 0 < len(message.text) <= MAX_TEXT
    assert 0 < len(message.markdown()) <= MAX_NATIVE
    json.dumps(message.arguments(), ensure_ascii=False).encode()  # no lone surrogate is left


@settings(max_examples=400, deadline=None)
@given(replies(), st.sampled_from(LOOKS))
def test_no_reply_calls_anybody_or_leads_elsewhere(reply: Reply, look: Look) -> None:
    """Text, titles, sources, notes and file names hold neither mention, image, strange address nor own markup."""
    rendered = render(reply, look)
    addresses = addresses_of(reply)

    for message in messages_of(rendered):
        assert_legal(message)
        assert [] == faults_of_blocks(message.blocks, addresses)
        assert [] == faults_of_mrkdwn(message.text, addresses)
        assert [] == faults_of_markdown(message.markdown(), addresses)
        for seen in (
            look_at_blocks(message.blocks, READER),
            READER.mrkdwn(message.text, parse="full", link_names=True),
            READER.markdown(message.markdown()),
        ):
            assert [] == seen.pings
            assert {html.unescape(link.url) for link in seen.links} <= {html.unescape(url) for url in addresses}
    for file in rendered.files:
        assert not set("/\\<>@&|*`\n") & set(file.name)


@settings(max_examples=400, deadline=None)
@given(hostile_texts, st.sampled_from(LOOKS))
def test_plain_sentences_hold_no_markup(text: str, look: Look) -> None:
    """Error texts, titles of windows and what else is shown as it is: text in both markups."""
    shown = sentence(text)
    message = render_sentence(text, look)

    assert is_only_text(shown)
    assert [] == faults_of_mrkdwn(shown, set())
    assert [] == faults_of_markdown(shown, set())
    assert [] == faults_of_blocks(message.blocks, set())
    assert_legal(message)


@settings(max_examples=300, deadline=None)
@given(hostile_texts)
def test_markup_is_only_what_the_text_meant(text: str) -> None:
    """Read back as Markdown, what is written has no kind of element, and no emphasis, that the answer had not."""
    elements = parse(text, Links({}, {}))
    written = "\n\n".join(part.markdown for part in parts_of(elements))
    again = parse(written.replace("\N{WORD JOINER}", "\N{EN QUAD}"), Links({}, {}))

    assert {type(element) for element in again} <= {type(element) for element in elements}
    assert len([one for one in again if isinstance(one, Fence)]) == len(
        [one for one in elements if isinstance(one, Fence)]
    )
    emphasised = [
        run.text
        for element in again
        if isinstance(element, Paragraph)
        for line in element.lines
        for run in line
        if run.bold or run.italic
    ]
    meant = sum(
        1
        for element in elements
        if isinstance(element, Paragraph)
        for line in element.lines
        for run in line
        if run.bold or run.italic
    )
    assert len(emphasised) <= meant


@given(urls)
def test_addresses_of_citations_cannot_end_their_link(url: str | None) -> None:
    """Only http and https, and no character in it that is markup anywhere."""
    shown = safe_url(url)

    if shown is not None:
        assert shown.startswith(("http://", "https://"))
        assert not set("<>|()[]{}\"'`*~\\ \n\t@!$^;") & set(shown)
        assert shown.isascii()
        assert shown == safe_url(shown)


@given(hostile_texts, hostile_texts, urls)
def test_titles_cannot_break_their_line(title: str, source: str, url: str | None) -> None:
    """A source is one line that begins with its number, whatever its title says."""
    citation = Citation(1, title, source, url, "")
    addresses = {address} if (address := safe_url(url)) else set()

    assert [] == faults_of_mrkdwn(source_line(citation, "mrkdwn"), addresses)
    assert [] == faults_of_markdown(source_line(citation, "markdown"), addresses)
    assert "\n" not in source_line(citation, "mrkdwn") + source_line(citation, "markdown")


@given(hostile_texts)
def test_file_names_are_plain(name: str) -> None:
    """Letters, digits and few signs; never a folder, never nothing."""
    shown = safe_name(name)

    assert 0 < len(shown) <= 100
    assert not set("/\\<>@&|*`:\n") & set(shown)
    assert not shown.startswith(".")
    assert [] == [fault for fault in faults_of_text(shown) if not fault.startswith("address")]
