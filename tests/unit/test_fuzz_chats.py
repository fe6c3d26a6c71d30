"""What chats deliver, fed with whatever: it is read, or left alone, and what is read can be stored and shown."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from adapters.matrix import fields as matrix_fields
from adapters.matrix.addressing import Addressee, addressee, command_of, name_at_start, pills
from adapters.matrix.events_values import Bot, Written
from adapters.matrix.files import StoredFile, caption_of, read_file
from adapters.matrix.mentions import MAX_MENTIONS, Mentions, read_mentions
from adapters.matrix.relations import MAX_FALLBACK, edit_of, in_thread, transaction_id
from adapters.matrix.text_incoming import read_text as read_matrix_text
from adapters.slack import addressing as slack_addressing
from adapters.slack import interactions_payloads as payloads
from adapters.slack.events_files import MOST_CHARS, MOST_FILES, read_files
from adapters.slack.text_incoming import first_mention, mentions
from adapters.slack.text_incoming import read_text as read_slack_text
from tests.fuzzing import DEEP, in_time, json_of, odd_scalars, pieces_of, repeated
from tests.hostile_texts import hostile_texts

BOT = Bot("@locus:hs", frozenset({"Locus Bot", "İstanbul", ""}), frozenset())
PIECES = (
    *(
        "<@UBOT>",
        "<@U1|anna>",
        "<!here>",
        "<!subteam^S1|@lab>",
        "<#C1|x>",
        "<https://e.org|e>",
        "<mailto:a@b|a>",
        "<",
        ">",
    ),
    *(
        "&lt;",
        "&amp;",
        "&amp;lt;",
        "<!date^1^x|y>",
        "<@>",
        "<|>",
        "locus",
        "@locus",
        "locus:",
        "!locus",
        "@locus:hs",
        "İ",
    ),
    *(
        "<a href='https://matrix.to/#/@locus:hs'>Locus</a>",
        "<a ",
        "</a>",
        "href='",
        "https://matrix.to/#/",
        "@room",
        "%00",
    ),
    *("> <@a:hs> x\n", "> ", "\n", " ", ",", "?", "\ud800", "&#xd800;", "ß", "\u3000"),
)
IDS = st.sampled_from(["@locus:hs", "@anna:hs", "@:", "@a", "$e", "!r", "", "@ü:hs", "@a:" + "b" * 300, "\ud800"])
NAMES = """m.mentions user_ids room body formatted_body file url key k alg iv hashes sha256 v info size mimetype
    filename files blocks elements type id file_id file_access mode is_external name title private_metadata view state
    values""".split()
VALUES = odd_scalars | IDS | st.sampled_from(["F1", "hosted", "visible", "check_file_info", "rich_text", "mxc://hs/a"])
OBJECTS: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(
    st.sampled_from(NAMES), json_of(NAMES, VALUES, leaves=12), max_size=8
)


def said(body: str, html: str = "", users: tuple[str, ...] = ("@locus:hs",), *, everybody: bool = False) -> Written:
    """A message as the reader of events makes one."""
    return Written("!r", "$e", "@anna:hs", body, html, "$e", "$f", Mentions(users, everybody))


@given(OBJECTS)
def test_any_fields_of_matrix_are_read_or_empty(content: dict[str, JsonValue]) -> None:
    """Each is of its type; ids have the form of ids and can be written."""
    found = read_mentions(content)
    file = read_file(content)
    for name in NAMES:
        assert isinstance(matrix_fields.record(content, name), dict)
        assert 0 <= matrix_fields.whole_number(content, name) <= 2**53
        ids = (
            matrix_fields.event_id(content, name),
            matrix_fields.room_id(content, name),
            matrix_fields.media(content, name),
        )
        assert all(one == "" or one.encode() for one in (*ids, matrix_fields.user_id(content.get(name))))
    assert len(found.users) <= MAX_MENTIONS
    assert all(one.startswith("@") for one in found.users)
    assert file is None or StoredFile.unpack(file.file_id) is not None
    assert isinstance(caption_of(content), str)


@given(pieces_of(PIECES), pieces_of(PIECES), st.lists(IDS, max_size=4).map(tuple), st.booleans())
@example("!locus", "", (), False)
def test_any_text_of_matrix_is_read(body: str, html: str, users: tuple[str, ...], everybody: bool) -> None:
    """For somebody or nobody, without the call; pills are users."""
    written = said(body, html, tuple(user for user in users if matrix_fields.user_id(user)), everybody=everybody)

    assert addressee(written, BOT) in Addressee
    assert 0 <= name_at_start(body, BOT) <= len(body)
    assert isinstance(command_of(body, "!locus"), bool)
    assert all(matrix_fields.user_id(pill.user) for pill in pills(written))
    read_matrix_text(written, BOT).encode()


@settings(max_examples=25)
@given(repeated(PIECES), repeated(PIECES))
def test_text_of_matrix_that_repeats_is_read_in_time(body: str, html: str) -> None:
    """Also where the same name stands in it thousands of times, in the links and not in the text."""
    written = said(body, html + "<a href='https://matrix.to/#/@locus:hs'>e </a>")

    with in_time():
        assert addressee(written, BOT) in Addressee
        assert isinstance(read_matrix_text(written, BOT), str)


def test_a_name_that_stands_in_the_links_alone_is_looked_for_once() -> None:
    """The text is not searched again for each time that the name stands before its link."""
    html = "xy" * 30_000 + "<a href='https://matrix.to/#/@locus:hs'>xy</a>"

    with in_time(5):
        assert "ab" * 30_000 == read_matrix_text(said("ab" * 30_000, html), BOT)


@given(hostile_texts, st.text(max_size=30), st.integers(0, 9))
def test_any_content_becomes_an_edit_and_a_reply(body: str, key: str, part: int) -> None:
    """The short text of an edit stays short, and calls nobody; ids of transactions are of few letters."""
    content: dict[str, JsonValue] = {"msgtype": "m.notice", "body": body}
    edit = edit_of(content, "$e")

    assert {} == edit["m.mentions"]
    assert len(str(edit["body"])) <= MAX_FALLBACK + 4
    assert {"rel_type", "event_id", "is_falling_back", "m.in_reply_to"} == set(in_thread(content, "$e")["m.relates_to"])  # type: ignore[arg-type]
    assert set(transaction_id(key.encode("utf-8", "replace").decode(), part)) <= {
        *string.ascii_letters,
        *string.digits,
        "-",
    }


@given(st.text(max_size=30).map(lambda text: "[" + text))
def test_no_text_that_begins_like_a_stored_file_breaks_reading_it(file_id: str) -> None:
    """What was not packed here is not unpacked."""
    assert StoredFile.unpack(file_id) is None


@pytest.mark.parametrize(
    "text", ["[" * DEEP, '{"a":' * DEEP, "[" + "9" * 5000 + "]"], ids=["lists", "objects", "number"]
)
def test_json_that_python_cannot_follow_is_nothing(text: str) -> None:
    """It nests deeper than any reader follows, or holds a number of thousands of digits."""
    assert StoredFile.unpack(text) is None
    assert {} == payloads.kept({"private_metadata": text})


@given(OBJECTS)
def test_any_files_of_slack_are_read_or_left_out(message: dict[str, JsonValue]) -> None:
    """At most as many as a message can have, with names that fit on a line."""
    files = read_files(message)

    assert len(files) <= MOST_FILES
    for file in files:
        assert file.file_id.startswith("F")
        assert file.size_bytes >= 0
        assert len(file.name) <= MOST_CHARS
        assert file.name == " ".join(file.name.encode().decode().split())


@given(pieces_of(PIECES))
def test_any_text_of_slack_is_read(text: str) -> None:
    """For somebody or nobody; no lone surrogate is left in what the core gets."""
    assert slack_addressing.addressee(text, "UBOT") in slack_addressing.Addressee
    assert all(isinstance(user, str) for user in slack_addressing.mentioned(text))
    assert isinstance(mentions(text, "UBOT"), bool)
    assert isinstance(first_mention(text), str)
    read_slack_text(text, bot_user="UBOT").encode()


@settings(max_examples=25)
@given(repeated(PIECES))
def test_text_of_slack_that_repeats_is_read_in_time(text: str) -> None:
    """A message may have 40,000 characters."""
    with in_time():
        assert slack_addressing.addressee(text, "UBOT") in slack_addressing.Addressee
        assert isinstance(read_slack_text(text, bot_user="UBOT"), str)


@given(OBJECTS, st.sampled_from(["", "[1]", '{"a": 1}', '{"channel": "C1"}', "\ud800"]))
def test_any_view_of_slack_is_read(view: dict[str, JsonValue], kept: str) -> None:
    """What was kept in it is an object or nothing."""
    view = {**view, "private_metadata": kept}

    assert isinstance(payloads.kept(view), dict)
    assert isinstance(payloads.entered(view, "x"), str)
    assert isinstance(payloads.where_of_submission({"view": view, "user": {"id": "U1"}}), payloads.Where)
