"""Lists in Slack, such as those of a digest: links, words behind them, and nothing that is not theirs."""

from __future__ import annotations

import html

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.rendering import MAX_LISTS, Look, SlackMessage, render
from adapters.slack.rendering_sections import section_parts
from bot.addresses import safe_url
from bot.replies import Attachment, Entry, Reply, Section, Stage
from tests.hostile_texts import faults_of_markdown, faults_of_mrkdwn, hostile_texts
from tests.slack_server.looks import look_at_blocks
from tests.unit.test_slack_rendering_safety import (
    LOOKS,
    READER,
    addresses_of,
    assert_legal,
    faults_of_blocks,
    messages_of,
    replies,
    urls,
)

URL = "https://genenetwork.org/datasets/1"


@st.composite
def sections(draw: st.DrawFn) -> tuple[Section, ...]:
    """Lists whose every part is hostile, and some long."""
    texts = hostile_texts | st.integers(1, 400).map(lambda count: "word & <b> " * count)
    entries = st.builds(Entry, texts, urls.map(lambda url: url or ""), texts)
    some = st.lists(entries, max_size=4) | st.lists(entries, min_size=1, max_size=1).map(lambda one: one * 60)
    return tuple(Section(draw(texts), tuple(entry for entry in draw(some))) for _ in range(draw(st.integers(1, 3))))


def all_addresses(reply: Reply) -> set[str]:
    linked = {safe_url(entry.url) for section in reply.sections for entry in section.entries}
    return addresses_of(reply) | {url for url in linked if url}


@settings(max_examples=200, deadline=None)
@given(replies(), sections(), st.sampled_from(LOOKS))
def test_no_list_calls_anybody_or_leads_elsewhere(reply: Reply, lists: tuple[Section, ...], look: Look) -> None:
    """Headings, titles and lines hold neither mention, image, strange address nor own markup, in every message."""
    whole = Reply(Stage.FINAL, reply.text, reply.citations, note=reply.note, handle=reply.handle, sections=lists)
    rendered = render(whole, look)
    addresses = all_addresses(whole)

    for message in messages_of(rendered):
        assert_legal(message)
        assert [] == faults_of_blocks(message.blocks, addresses)
        assert [] == faults_of_mrkdwn(message.text, addresses)
        assert [] == faults_of_markdown(message.markdown(), addresses)
        seen = look_at_blocks(message.blocks, READER)
        assert [] == seen.pings
        assert {html.unescape(link.url) for link in seen.links} <= {html.unescape(url) for url in addresses}
    assert MAX_LISTS >= len(messages_of(rendered))


def shown(message: SlackMessage) -> str:
    return look_at_blocks(message.blocks, READER).text


def digest(count: int = 2) -> Reply:
    entries = tuple(Entry(f"Liver {number} & co", f"{URL}{number}", "BXD, 24 samples") for number in range(count))
    return Reply(Stage.FINAL, "2 datasets are new in GeneNetwork", sections=(Section("BXD", entries),))


def test_a_digest_in_mrkdwn() -> None:
    """A heading, then one line for each thing that begins with its link."""
    (part,) = section_parts(digest().sections)

    assert (
        f"*BXD*\n• <{URL}0|Liver 0 &amp; co> – BXD, 24 samples\n• <{URL}1|Liver 1 &amp; co> – BXD, 24 samples"
    ) == part.mrkdwn


def test_a_digest_in_markdown() -> None:
    """The same as Slack's markdown block takes it."""
    (part,) = section_parts(digest().sections)

    assert (
        f"### BXD\n- [Liver 0 &amp; co]({URL}0) – BXD, 24 samples\n- [Liver 1 &amp; co]({URL}1) – BXD, 24 samples"
    ) == part.markdown


def test_a_digest_fits_one_message_with_its_headline_first() -> None:
    """What a notification shows begins with the headline too."""
    for look in LOOKS:
        rendered = render(digest(), look)

        assert () == rendered.continuation
        assert rendered.first.text.startswith("2 datasets are new in GeneNetwork")
        assert shown(rendered.first).index("2 datasets") < shown(rendered.first).index("Liver 0")


def test_a_long_digest_goes_on_in_further_messages() -> None:
    """Each thing is shown once, in order, and none is cut in two."""
    for look in LOOKS:
        messages = messages_of(render(digest(200), look))
        whole = "\n".join(map(shown, messages))

        assert 1 < len(messages) <= MAX_LISTS
        assert [1] * 200 == [whole.count(f"Liver {number} & co – BXD, 24 samples") for number in range(200)]


def test_a_heading_stays_with_its_first_entry() -> None:
    """Also where the list is cut into pieces."""
    parts = section_parts(digest(200).sections)

    assert parts[0].mrkdwn.startswith("*BXD*\n• <")
    assert len(parts) > 1


def test_an_endless_digest_comes_as_a_file() -> None:
    """Nothing of it is lost, and no thread is flooded."""
    rendered = render(digest(3000), LOOKS[0])

    assert MAX_LISTS >= len(messages_of(rendered))
    assert ["answer.txt"] == [file.name for file in rendered.files]
    assert b"- Liver 2999 & co BXD, 24 samples https" in rendered.files[0].data


def test_an_entry_without_an_address_is_text() -> None:
    """An address that is none of the web leads nowhere."""
    entries = (Entry("Liver", "javascript:alert(1)", "x"), Entry("", "", "Only words"), Entry("", "", ""))
    (part,) = section_parts((Section("", entries),))

    assert "• Liver – x\n• Only words" == part.mrkdwn


def test_words_of_a_file_are_safe() -> None:
    """The caption becomes mrkdwn, the description of a picture stays words."""
    picture = Attachment("../m<a>p.png", "image/png", b"1", alt="LOD\nof <chr 1>", caption="<!channel> *see* it")
    (file,) = render(Reply(Stage.FINAL, "Here", attachments=(picture,)), LOOKS[0]).files

    assert "LOD of <chr 1>" == file.alt
    assert [] == faults_of_mrkdwn(file.caption, set())
    assert "/" not in file.name
