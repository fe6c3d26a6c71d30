"""What a homeserver delivers, read into values whatever arrives, and for whom a message is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nio.events import Event as NioEvent

from adapters.matrix.addressing import Addressee, addressee
from adapters.matrix.events import READERS, meaning_of, read_event
from adapters.matrix.events_values import Bot, Edited, Member, Reacted, Redacted, Replaced, Undecryptable, Written
from adapters.matrix.files import StoredFile
from adapters.matrix.mentions import Mentions
from adapters.matrix.text_incoming import read_text
from bot.messages import FileReference

ME = "@locus:hs"
ANNA, BEN = "@anna:hs", "@ben:other.org"
BOT = Bot(ME, frozenset({"Locus Bot"}), frozenset({"@echo:hs"}))
KEY = {"k": "A" * 43, "alg": "A256CTR"}
SECRET = {"url": "mxc://hs/abc", "key": KEY, "iv": "B" * 22, "hashes": {"sha256": "C" * 43}, "v": "v2"}

NAMES = st.sampled_from(
    """type content sender event_id state_key redacts msgtype body formatted_body format m.mentions user_ids room
    m.relates_to rel_type m.in_reply_to m.new_content key url file info mimetype size filename hashes sha256 iv v k
    membership is_direct replacement_room session_id unsigned redacted_because""".split()
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            *("$e", ME, ANNA, "!r", "m.text", "m.notice", "m.file", "m.thread", "m.replace", "m.annotation", "👍"),
            *("mxc://hs/abc", "org.matrix.custom.html", "locus: hi", "join", ""),
            "<a href='https://matrix.to/#/@locus:hs'>x</a>",
        ]
    ),
    st.lists(st.integers() | st.just(ME), max_size=2),
)
FIELDS = st.recursive(
    st.dictionaries(NAMES, ODD, max_size=8),
    lambda inner: st.dictionaries(NAMES, inner | ODD, max_size=8),
    max_leaves=12,
)


def event(kind: str = "m.room.message", *, sender: object = ANNA, **fields: object) -> dict[str, object]:
    """An event as JSON has it."""
    return {"type": kind, "event_id": "$e", "sender": sender, "origin_server_ts": 1, "content": {}, **fields}


def message(body: object = "Hi", **content: object) -> dict[str, object]:
    return event(content={"msgtype": "m.text", "body": body, **content})


def read(source: object) -> object:
    return read_event(source, "!r", BOT, position=7)


def written(body: str, *users: str, html: str = "", room: bool = False, relation: object = None) -> Written:
    """A message that calls people."""
    formatted = {"format": "org.matrix.custom.html", "formatted_body": html} if html else {}
    found = read(
        message(body, **formatted, **{"m.mentions": {"user_ids": list(users), "room": room}, "m.relates_to": relation})
    )
    assert isinstance(found, Written)
    return found


def pill(user: str, label: str) -> str:
    return f'<a href="https://matrix.to/#/{user}">{label}</a>'


@settings(max_examples=500)
@given(st.sampled_from([*READERS, "unknown", ""]), FIELDS | ODD, st.dictionaries(NAMES, ODD, max_size=3))
def test_any_json_is_read_or_left_alone(kind: str, content: object, fields: dict[str, object]) -> None:
    """Nothing is raised, and what is read has ids that can be used."""
    source = {**event(kind), **fields, "content": content, "type": kind}
    for one in (source, {**source, "event_id": "$e", "sender": ANNA}, content):
        found = read_event(one, "!r", BOT)
        if isinstance(found, Written):
            assert found.event_id.startswith("$")
            assert found.thread.startswith("$")
            assert found.user != ME
            assert found.file or isinstance(read_text(found, BOT), str)
            assert addressee(found, BOT) in Addressee


@settings(max_examples=300)
@given(FIELDS)
def test_any_odd_field_of_a_message_is_survived(fields: dict[str, object]) -> None:
    """Also where all other fields are as they should be."""
    for kind in ("m.text", "m.file"):
        found = read(message(**{"msgtype": kind, "url": "mxc://hs/abc", "body": "x", **fields}))
        if isinstance(found, Written):
            assert isinstance(read_text(found, BOT), str)
            assert addressee(found, BOT) in Addressee


@pytest.mark.parametrize(
    "content",
    [
        {"msgtype": "m.text", "body": 5},
        {"msgtype": "m.text"},
        {"msgtype": "m.text", "body": "Hi", "m.mentions": "x"},
        {"msgtype": "m.text", "body": "Hi", "m.mentions": {"user_ids": ME}},
        {"msgtype": "m.text", "body": "Hi", "m.relates_to": [ME]},
        {"msgtype": "m.text", "body": "Hi", "m.relates_to": {"rel_type": "m.thread", "event_id": 5}},
        {"body": "Hi"},
    ],
)
def test_malformed_content_that_nio_lets_through_or_not_is_survived(content: dict[str, object]) -> None:
    """The library makes bad events of some; their source is read all the same."""
    found = read(NioEvent.parse_event(event(content=content)).source)

    assert found is None or (isinstance(found, Written) and Mentions() == found.mentions and not found.is_reply)


def test_a_message_is_read_with_its_thread() -> None:
    """One that is in none begins one itself, also where it answers another message."""
    thread = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": True, "m.in_reply_to": {"event_id": "$x"}}

    assert Written("!r", "$e", ANNA, "Hi", thread="$e", position=7) == read(message())
    assert Written("!r", "$e", ANNA, "Hi", thread="$root", position=7) == read(message(**{"m.relates_to": thread}))
    assert Written("!r", "$e", ANNA, "Hi", thread="$e", replies_to="$x", position=7) == read(
        message(**{"m.relates_to": {"m.in_reply_to": {"event_id": "$x"}}})
    )


@pytest.mark.parametrize(
    "source",
    [
        message(msgtype="m.notice"),
        message(msgtype="m.emote"),
        message(msgtype="m.location"),
        message(msgtype="m.key.verification.request"),
        {**message(), "sender": ME},
        {**message(), "sender": "@echo:hs"},
        {**message(), "sender": "@_discord_123:hs"},
        {**message(), "sender": "anna"},
        {**message(), "event_id": ""},
        {**message(), "state_key": ""},
        {**event(), "unsigned": {"redacted_because": {}}},
        event("m.sticker", content={"body": "Hi"}),
        "text",
        None,
    ],
)
def test_what_no_person_wrote_is_nothing(source: object) -> None:
    """Notices, the bot's own, other bots', ghosts of bridges and other kinds of messages are left alone."""
    assert read(source) is None


def test_an_edit_names_the_original_and_who_made_it() -> None:
    """Only the same person may edit, and text stays text; later deliveries are later versions."""
    content = {
        "msgtype": "m.text",
        "body": "* new",
        "m.new_content": {"msgtype": "m.text", "body": "new"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$first"},
    }
    edit = read(event(content=content))
    original = Written("!r", "$first", ANNA, "old", thread="$root", position=3)

    assert isinstance(edit, Edited)
    assert ("$first", "new", "7", "$e") == (edit.now.event_id, edit.now.body, edit.version, edit.edit_id)
    assert edit.is_of(original)
    for other in (
        Written("!r", "$first", BEN, "old"),
        Written("!q", "$first", ANNA, "old"),
        Written("!r", "$first", ANNA, "", file=FileReference("mxc://hs/a", "a")),
    ):
        assert not edit.is_of(other)
    assert read(event(content={**content, "m.new_content": "new"})) is None
    assert read({**event(content=content), "sender": ME}) is None


@pytest.mark.parametrize("fields", [{"redacts": "$q"}, {"content": {"redacts": "$q"}}])
def test_a_redaction_names_what_was_withdrawn(fields: dict[str, object]) -> None:
    """In old and new versions of rooms."""
    assert Redacted("!r", "$q", ANNA) == read(event("m.room.redaction", **fields))
    assert read(event("m.room.redaction", sender=ME, **fields)) is None


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        ("👍", "up"),
        ("👍️", "up"),
        ("👍🏽", "up"),
        ("👎🏿", "down"),
        ("🛑", "stop"),
        ("🔁", "again"),
        ("🔁\ufe0f", "again"),
        ("👍👍", None),
        ("❤️", None),
        ("", None),
        ("👍" + "\ufe0f" * 100, None),
    ],
)
def test_reactions_mean_the_same_in_every_colour(key: str, meaning: str | None) -> None:
    """With and without variation selectors and tones of skin."""
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$a", "key": key}}
    expected = Reacted("!r", "$e", "$a", ANNA, meaning) if meaning else None  # type: ignore[arg-type]

    assert meaning == meaning_of(key)
    assert expected == read(event("m.reaction", content=content))
    assert read(event("m.reaction", sender=ME, content=content)) is None


def test_invitations_members_and_upgrades_are_read() -> None:
    """Invitations come without an id; an upgrade leads to another room."""
    invitation = event("m.room.member", state_key=ME, content={"membership": "invite", "is_direct": True})
    del invitation["event_id"]
    left = event("m.room.member", state_key=BEN, content={"membership": "leave"})
    upgrade = event("m.room.tombstone", state_key="", content={"replacement_room": "!newer"})

    assert Member("!r", ME, "invite", ANNA, direct=True, own=True) == read(invitation)
    assert Member("!r", BEN, "leave", ANNA) == read(left)
    assert Replaced("!r", "!newer", ANNA) == read(upgrade)
    assert read({**upgrade, "state_key": "x"}) is None
    assert read(event("m.room.tombstone", state_key="", content={"replacement_room": "!r"})) is None
    assert read(event("m.room.member", state_key=BEN, content={"membership": "dancing"})) is None


def test_messages_whose_key_is_missing_are_told() -> None:
    """So that they can be answered with a hint, and read when the key comes; which thread an edit is in is not told."""
    content = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "s", "ciphertext": "x"}
    thread = {"rel_type": "m.thread", "event_id": "$root"}

    assert Undecryptable("!r", "$e", ANNA, "s", "$e", 7) == read(event("m.room.encrypted", content=content))
    assert Undecryptable("!r", "$e", ANNA, "s", "$root", 7) == read(
        event("m.room.encrypted", content={**content, "m.relates_to": thread})
    )
    replaced = {**content, "m.relates_to": {"rel_type": "m.replace", "event_id": "$q"}}
    assert Undecryptable("!r", "$e", ANNA, "s", "", 7) == read(event("m.room.encrypted", content=replaced))


@pytest.mark.parametrize("content", [{}, {"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}])
def test_encrypted_messages_that_were_deleted_are_nothing(content: dict[str, object]) -> None:
    """Their text is gone, and no key brings it back."""
    assert read(event("m.room.encrypted", content=content)) is None


def test_files_are_read_with_what_is_needed_to_fetch_them() -> None:
    """Name, size and type as their sender has them, a caption as text; the key of an encrypted one is kept."""
    info = {"size": 12, "mimetype": "Text/CSV"}
    plain = read(message("data.csv", msgtype="m.file", url="mxc://hs/abc", info=info))
    secret = read(message("learn this", msgtype="m.image", filename="a.png", file=SECRET))

    assert isinstance(plain, Written)
    assert isinstance(secret, Written)
    assert ("", FileReference("mxc://hs/abc", "data.csv", 12, "text/csv")) == (plain.body, plain.file)
    assert secret.file is not None
    assert ("learn this", "a.png", 0, "") == (
        secret.body,
        secret.file.name,
        secret.file.size_bytes,
        secret.file.media_type,
    )
    assert StoredFile("mxc://hs/abc", "A" * 43, "B" * 22, "C" * 43) == StoredFile.unpack(secret.file.file_id)
    assert StoredFile("mxc://hs/abc") == StoredFile.unpack("mxc://hs/abc")


@pytest.mark.parametrize(
    "content",
    [
        {"url": "https://evil.com/a"},
        {"url": "mxc://hs/../../etc"},
        {"url": 5},
        {"file": {**SECRET, "key": {"k": "short"}}},
        {"file": {**SECRET, "key": {**KEY, "alg": "rot13"}}},
        {"file": {**SECRET, "iv": None}},
        {"file": {**SECRET, "hashes": []}},
        {"file": {**SECRET, "url": "http://evil.com"}},
        {"file": {**SECRET, "v": "v9"}},
    ],
)
def test_a_file_that_cannot_be_fetched_is_nothing(content: dict[str, object]) -> None:
    """Nothing but addresses of the homeserver's store is ever fetched."""
    assert read(message("a", msgtype="m.file", **content)) is None


@given(st.text(max_size=30) | st.sampled_from(["[]", '["mxc://hs/a", 1, 2, 3]', '["mxc://hs/a","","",""]']))
def test_no_other_text_is_a_stored_file(file_id: str) -> None:
    """What was not packed here is not unpacked."""
    found = StoredFile.unpack(file_id)

    assert found is None or found.pack() == file_id


@pytest.mark.parametrize(
    ("one", "whom"),
    [
        (written("Locus: what?", ME), Addressee.BOT),
        (written("what is it?", ME), Addressee.BOT),  # a reply to the bot, or a mention further on
        (written("Locus ask Ben", ME, BEN, html=f"{pill(ME, 'Locus')} ask {pill(BEN, 'Ben')}"), Addressee.BOT),
        (written("Ben ask Locus", ME, BEN, html=f"{pill(BEN, 'Ben')} ask {pill(ME, 'Locus')}"), Addressee.OTHERS),
        (written("Ben, look", ME, BEN, html=f"{pill(BEN, 'Ben')}, look"), Addressee.OTHERS),  # as a reply to the bot
        (written("Locus, that?", BEN, ME, html=f"{pill(ME, 'Locus')}, that?"), Addressee.BOT),  # as a reply to Ben
        (written("@ben ask @locus", ME, BEN), Addressee.OTHERS),
        (written("@locus ask @ben", BEN, ME), Addressee.BOT),
        (written("Ben?", BEN), Addressee.OTHERS),
        (written("@room Locus", ME, room=True, html=f"@room {pill(ME, 'Locus')}"), Addressee.OTHERS),
        (written("@room hello", room=True), Addressee.OTHERS),
        (written("pill only", html=f"{pill(ME, 'Locus')} pill only"), Addressee.NOBODY),
        (written("which locus is it?"), Addressee.NOBODY),
        (written("locus is a word"), Addressee.NOBODY),
        (written("loci: many"), Addressee.NOBODY),
        (written("locusts: many"), Addressee.NOBODY),
        (written("locus: what is a QTL?"), Addressee.BOT),
        (written("LOCUS, what is a QTL?"), Addressee.BOT),
        (written("  Locus Bot: what?"), Addressee.BOT),
        (written("@locus what?"), Addressee.BOT),
        (written("@locus:hs what?"), Addressee.BOT),
        (written("@locus:hs: what?"), Addressee.BOT),
        (written("@locust what?"), Addressee.NOBODY),
        (written("@locus:evil.org what?"), Addressee.NOBODY),
        (written("locus: ask Ben", BEN), Addressee.BOT),
        (written("!locus help"), Addressee.BOT),
        (written("!LOCUS"), Addressee.BOT),
        (written("!locusts"), Addressee.NOBODY),
        (written("say !locus help"), Addressee.NOBODY),
    ],
)
def test_a_message_is_for_the_one_it_calls_first(one: Written, whom: Addressee) -> None:
    """By what it says it mentions, in the order of its text; the word locus calls nobody but at the start."""
    assert whom is addressee(one, BOT)


def test_what_a_reply_quotes_calls_nobody() -> None:
    """Older clients put it above the text."""
    quoted = f"> <{BEN}> locus: what is it?\n> and more\n\n"
    relation = {"m.in_reply_to": {"event_id": "$x"}}
    passing = written(quoted + "no idea", relation=relation)
    asking = written(quoted + "locus: tell us", relation=relation)

    assert [Addressee.NOBODY, Addressee.BOT] == [addressee(one, BOT) for one in (passing, asking)]
    assert "tell us" == read_text(asking, BOT)
    assert "> <a> b\n\nlocus: x" == read_text(written("> <a> b\n\nlocus: x"), BOT)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (written("locus: what is a QTL?"), "what is a QTL?"),
        (written("@locus:hs what?"), "what?"),
        (written("!locus help"), "help"),
        (written("!locus"), ""),
        (written("Locus what?", ME, html=f"{pill(ME, 'Locus')} what?"), "what?"),
        (written("Locus: what?", ME, html=f"{pill(ME, 'Locus')}: what?"), "what?"),
        (written("what is a LOD, Locus?", ME, html=f"what is a LOD, {pill(ME, 'Locus')}?"), "what is a LOD?"),
        (
            written("which locus does locus mean?", ME, html=f"which locus does {pill(ME, 'locus')} mean?"),
            "which locus does mean?",
        ),
        (written("hello @locus:hs, what?", ME), "hello, what?"),
        (written("no name here", ME), "no name here"),
        (written("a\u202eb\x00\n\nc  d"), "a b\n\nc d"),
    ],
)
def test_questions_are_read_without_the_call(one: Written, text: str) -> None:
    """As a person would read them."""
    assert text == read_text(one, BOT)


def test_a_pill_may_be_written_in_several_ways() -> None:
    """Percent-encoded, with parameters, in capital letters."""
    html = '<A class="x" HREF="https://matrix.to/#/%40locus%3Ahs?via=hs">Locus</A> or ' + pill(BEN, "Ben")

    assert Addressee.BOT is addressee(written("Locus or Ben", BEN, ME, html=html), BOT)


def test_long_hostile_texts_are_read_at_once() -> None:
    """No pattern goes over a text again and again."""
    for part in ("<a ", "<a href='https://matrix.to/#/", "@", "> <@a> ", "[", "\u0130", "locus", " "):
        one = written(part * (60_000 // len(part)), ME, html=part * (60_000 // len(part)))
        assert addressee(one, BOT) in Addressee
        assert isinstance(read_text(one, BOT), str)
