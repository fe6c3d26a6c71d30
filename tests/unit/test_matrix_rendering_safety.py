"""Whatever stands in a reply, what is sent calls nobody, leads nowhere but to its own addresses, and is well formed."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.matrix.pictures import Uploaded, file_content
from adapters.matrix.relations import edit_of, in_thread
from adapters.matrix.rendering import MatrixMessage, Rendered, render, render_sentence
from adapters.matrix.sizes import fits
from adapters.matrix.text import is_link
from bot.addresses import safe_url
from bot.evidence import Citation
from bot.replies import Attachment, Entry, Reply, Section, Stage
from tests.matrix_texts import Look, faults_of_body, faults_of_html, matrix_texts, words_of

urls = st.sampled_from(
    [
        None,
        "https://docs.org/one",
        "https://docs.org/one?a=1&b=(2)#part|x",
        "http://docs.org:8080/~user/a_b_c/*x*",
        "https://matrix.to/#/@bob:localhost",
        "https://matrix.to/#/#lab:localhost",
        "https://app.element.io/#/user/@bob:localhost",
        'https://docs.org/"><script>',
        "https://docs.org/)](http://evil.com)",
        "https://gn@evil.com/",
        "https://evil.com\n.docs.org/",
        "javascript:alert(1)",
        "mxc://evil.com/abc",
        "matrix:u/bob:localhost",
        "//evil.com",
        "https://dócs.org/é",
    ]
) | matrix_texts.map(lambda text: "https://docs.org/" + text)

sections = st.builds(
    Section, matrix_texts, st.lists(st.builds(Entry, matrix_texts, urls.map(str), matrix_texts), max_size=3).map(tuple)
)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply whose every part is hostile."""
    citations = tuple(
        Citation(n + 1, draw(matrix_texts), draw(matrix_texts), draw(urls), draw(matrix_texts))
        for n in range(draw(st.integers(0, 3)))
    )
    text = draw(matrix_texts)
    return Reply(
        draw(st.sampled_from(list(Stage))),
        text[: draw(st.integers(0, len(text)))],  # a stream is cut anywhere
        citations,
        answered=draw(st.booleans()),
        note=draw(matrix_texts),
        reference=draw(st.sampled_from(["", "4kd9"])),
        attachments=(Attachment(draw(matrix_texts), "text/csv", b"1"),) if draw(st.booleans()) else (),
        sections=tuple(draw(st.lists(sections, max_size=2))),
        page=draw(urls) or "",
    )


def addresses_of(reply: Reply) -> set[str]:
    """Those that may be shown: of citations, entries and the answer's page, but for what clients show as mentions."""
    urls = [*(one.url for one in reply.citations), reply.page]
    urls += [entry.url for section in reply.sections for entry in section.entries]
    found = {url for url in map(safe_url, urls) if url}
    return {url for url in found if is_link(url) or url.startswith("http://")}


def messages_of(rendered: Rendered) -> tuple[MatrixMessage, ...]:
    return (rendered.first, *rendered.continuation)


def assert_safe(message: MatrixMessage, addresses: set[str]) -> None:
    """Body and HTML have no faults, say the same, and are taken by every homeserver as a message and as an edit."""
    assert [] == faults_of_body(message.body, addresses)
    assert [] == faults_of_html(message.html, addresses)
    assert message.body.strip()
    assert not message.body.startswith(("!", "> ", "/"))
    content = message.content()
    assert {} == content["m.mentions"]
    for sent in (in_thread(content, "$root" * 10), edit_of(content, "$original" * 10)):
        assert fits(sent)
        assert {} == sent["m.mentions"]
        json.dumps(sent, ensure_ascii=False).encode()  # no half of a sign is left
        assert [] == faults_of_body(str(sent["body"]), addresses)


@settings(max_examples=400, deadline=None)
@given(replies())
def test_no_reply_calls_anybody_or_leads_elsewhere(reply: Reply) -> None:
    """Text, titles, sources, notes, entries and file names hold neither mention, image, strange address nor own tag."""
    rendered = render(reply)
    addresses = addresses_of(reply)

    for message in messages_of(rendered):
        assert_safe(message, addresses)
        if not reply.final:
            assert [] == Look(message.html).links
    for file in rendered.files:
        assert not set("/\\<>@&|*`\n") & set(file.name)


@settings(max_examples=400, deadline=None)
@given(replies())
def test_body_and_html_say_the_same(reply: Reply) -> None:
    """In the same order, but for the numbers of lists, which HTML counts by itself."""
    addresses = addresses_of(reply)

    for message in messages_of(render(reply)):
        in_body, in_html = words_of(message.body, addresses), words_of(Look(message.html).text, addresses)
        if "<ol" in message.html:
            in_body, in_html = ([word for word in words if not word.isdecimal()] for words in (in_body, in_html))
        assert in_html == in_body


@settings(max_examples=300, deadline=None)
@given(matrix_texts)
def test_plain_sentences_hold_no_markup(text: str) -> None:
    """Error texts and what else is shown as it is: one paragraph of text."""
    message = render_sentence(text)

    assert_safe(message, set())
    assert "<" not in message.html.removeprefix("<p>").removesuffix("</p>").replace("<br>", "")


@settings(max_examples=200, deadline=None)
@given(matrix_texts, matrix_texts)
def test_files_have_safe_names_and_descriptions(name: str, alt: str) -> None:
    """Whatever a file is called and described as."""
    content = file_content(Attachment(name, "image/png", b""), Uploaded("mxc://hs/abc"), alt=alt)

    assert [] == faults_of_body(str(content["body"]).replace(".", " "), set())
    assert {} == content["m.mentions"]
