"""Data that others keep or send, fed with whatever: records of GeneNetwork, of Redis, of files; read or refused."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import io
import json
import pkgutil
import tarfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

import bot.store
from adapters.matrix.private_files import read_private
from bot.agent.cards import CardStore
from bot.cli.backup_archive import LIST, unpack
from bot.cli.env_file import EnvFile
from bot.engine.pins import load_pins
from bot.errors import BotError, InvalidRequestError, SettingsError, StorageError, UnreadableError
from bot.history import load_history
from bot.settings import load_settings, setting_problems
from bot.store.facts import parse_info
from bot.store.records import Record
from bot.store.relay_calls import unpacked
from knowledge.evaluation import load_questions
from knowledge.genenetwork import records as rows
from knowledge.genenetwork.cards import plain_text
from knowledge.genenetwork.errors import ServiceFailedError
from knowledge.genenetwork.fields import (
    Row,
    as_iso_date,
    as_number,
    as_raw_text,
    as_text,
    as_texts,
    as_whole,
    read,
    read_all,
)
from knowledge.genenetwork.menu import Menu, read_menu
from knowledge.genenetwork.sparql import _rows as sparql_rows
from knowledge.links import parse_remote, public_url, web_link
from knowledge.sources.web import Sitemap, parse_sitemap
from tests.fuzzing import DEEP, in_time, json_of, odd_scalars, outcome, pieces_of, repeated

KINDS = [kind for kind in vars(rows).values() if isinstance(kind, type) and issubclass(kind, Row) and kind is not Row]
GN_VALUES = odd_scalars | st.sampled_from(
    ["2020-01-01", "Mon, 03 Feb 2020 00:00:00 GMT", "1.5", "Mus musculus", "<b>x</b>", "0-0-0"]
)


def names_of(kind: type[Row]) -> list[str]:
    """Every name under which a field of a record may come."""
    found: list[str] = []
    for name, field in kind.model_fields.items():
        choices = getattr(field.validation_alias, "choices", ())
        found += [name, *(str(choice) for choice in choices)]
    return found


def stored_records() -> dict[str, Record[object]]:
    """Every kind of record in Redis, whichever module keeps it."""
    found: dict[str, Record[object]] = {}
    for module in pkgutil.iter_modules(bot.store.__path__):
        for name, value in vars(importlib.import_module(f"bot.store.{module.name}")).items():
            if isinstance(value, Record):
                found[name] = value
    return found


RECORDS = stored_records()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=40)
@given(data=st.data())
def test_any_json_of_genenetwork_is_a_record_or_an_error(kind: type[Row], data: st.DataObject) -> None:
    """What is read has texts that can be shown and numbers that are finite."""
    value = data.draw(json_of(names_of(kind), GN_VALUES, leaves=12))
    one = outcome(lambda: read(kind, value, "GeneNetwork"), ServiceFailedError)
    many = outcome(lambda: read_all(kind, [value, {}, value], "GeneNetwork"), ServiceFailedError)

    for record in (one, *(many if isinstance(many, tuple) else ())):
        if isinstance(record, Row):
            record.model_dump_json(exclude={"sections"}).encode()


@given(json_of(["label", "prefLabel", "@value", "value"], GN_VALUES))
@example({"label": {"label": {"label": {"label": {"label": "deep"}}}}})
def test_any_field_of_genenetwork_is_of_its_type(value: JsonValue) -> None:
    """Text in one line without controls, finite numbers, dates as ISO has them."""
    text, number, whole = as_text(value), as_number(value), as_whole(value)

    assert text == " ".join(text.split())
    assert text.encode() is not None
    assert number is None or abs(number) < float("inf")
    assert whole is None or isinstance(whole, int)
    assert isinstance(as_raw_text(value), str)
    assert all(as_texts(value))
    assert as_iso_date(value) == "" or 10 == len(as_iso_date(value))


@given(json_of(["datasets", "groups", "species", "mouse", "BXD", "results", "bindings", "x", "value"], GN_VALUES))
def test_any_menu_and_any_rows_are_read_or_refused(value: JsonValue) -> None:
    """A menu has entries with names; rows are texts."""
    for one in (
        value,
        {"datasets": value, "groups": value},
        {"datasets": {"mouse": {"BXD": {"x": value}}}, "groups": {"m": [value]}},
    ):
        menu = outcome(lambda one=one: read_menu(one, "GN3"), ServiceFailedError)  # type: ignore[misc]
        assert isinstance(menu, Menu | ServiceFailedError)
        assert isinstance(menu, ServiceFailedError) or all(entry.name for entry in menu.entries)
    found = outcome(lambda: sparql_rows({"results": {"bindings": value}}, "SPARQL"), ServiceFailedError)
    assert isinstance(found, tuple | ServiceFailedError)


@given(
    pieces_of(("<b>", "</b>", "<script>", "<!--", "&nbsp;", "&#xd800;", "<style>", "<template>", "<", "&", "x", "\x00"))
)
def test_any_section_of_a_page_is_one_line(html: str) -> None:
    """Without tags of its own; what looks like one is text that somebody wrote so."""
    text = plain_text(html)

    assert text == " ".join(text.split())
    assert text.encode() is not None


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=40)
@given(data=st.data())
def test_any_text_in_redis_is_a_record_or_damaged(name: str, data: st.DataObject) -> None:
    """Read back, what was read is the same."""
    record = RECORDS[name]
    fields = record._adapter.json_schema().get("properties", {"x": 1})
    value = data.draw(json_of([*fields, "v"], leaves=12))
    text = data.draw(st.text(max_size=40) | st.just(json.dumps(value)))
    for one in (text, json.dumps({"v": 1, **value} if isinstance(value, dict) else value)):
        found = outcome(lambda one=one: record.load(one), StorageError)  # type: ignore[misc]
        if not isinstance(found, StorageError):
            assert record.load(record.dump(found)) == found
        assert record.find(one) is None or not isinstance(found, StorageError)


@pytest.mark.parametrize("text", ["[" * DEEP, '{"v":1,"a":' * DEEP, '{"v":' + "9" * 5000 + "}", '{"v": null}'])
def test_a_record_that_python_cannot_follow_is_damaged(text: str) -> None:
    """Nothing but StorageError, whatever stands in Redis."""
    for record in RECORDS.values():
        with pytest.raises(StorageError):
            record.load(text)


@given(json_of(["method", "place", "reply", "attachments", "attached", "v"]), st.text(max_size=8))
def test_any_call_of_a_chat_is_one_or_damaged(value: JsonValue, data: str) -> None:
    """Attachments in anything but base 64 too."""
    place = {"chat": "slack", "workspace_id": "T1", "channel_id": "C1", "thread_id": "1", "kind": "channel"}
    reply = {"text": "x", "attachments": [{"name": "a", "data": "", "media_type": "text/plain"}]}
    for one in (value, {"v": 1, "method": "post", "place": place, "reply": reply, "attached": [data]}):
        found = outcome(lambda one=one: asyncio.run(unpacked(json.dumps(one))), StorageError)  # type: ignore[misc]
        assert isinstance(found, StorageError) or dataclasses.is_dataclass(found)


@given(
    pieces_of(
        (
            "redis_version:7.0.1",
            "\r\n",
            ":",
            "# Server",
            "maxmemory:",
            "9" * 30,
            "²",
            "role:master",
            "aof_enabled:1",
            "x",
            "-1",
            "7.a.0",
        )
    )
)
def test_any_answer_of_redis_about_itself_is_read(text: str) -> None:
    """What it does not say is as if it were not so; or it is refused in a sentence."""
    outcome(lambda: parse_info(text), BotError)


FILE_READERS = {
    "history": (load_history, (InvalidRequestError,)),
    "pins": (load_pins, (StorageError,)),
    "private": (read_private, (StorageError,)),
    "questions": (load_questions, (BotError,)),
}


@pytest.mark.parametrize("kind", FILE_READERS)
@given(data=st.data())
def test_any_file_of_json_is_read_or_a_sentence(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It names the file."""
    reader, errors = FILE_READERS[kind]
    value = data.draw(json_of(["role", "content", "question", "sources", "facts", "kind", "/a.gguf"]))
    content = data.draw(st.binary(max_size=60) | st.just(json.dumps(value).encode()))
    path = tmp_path_factory.mktemp("fuzz") / "file.json"
    path.write_bytes(content)
    found = outcome(lambda: reader(path), *errors)

    assert not isinstance(found, BotError) or "file.json" in str(found)


@pytest.mark.parametrize("kind", FILE_READERS)
@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "9" * 5000])
def test_a_file_of_json_that_python_cannot_follow_is_a_sentence(kind: str, text: str, tmp_path: Path) -> None:
    """It nests deeper than any reader follows, or holds a number of thousands of digits."""
    reader, errors = FILE_READERS[kind]
    path = tmp_path / "file.json"
    path.write_text(text)

    with pytest.raises(errors, match=r"file\.json"):
        reader(path)


@given(value=json_of(["answer_id", "question", "passages", "text", "sha256", "made_at", "settings"]))
def test_any_card_of_an_answer_is_read_or_damaged(value: JsonValue, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A card may be shown or replayed, so that nothing in it may be odd."""
    folder = tmp_path_factory.mktemp("cards")
    (folder / "20260101T000000-abcdefgh.json").write_text(json.dumps(value))
    found = outcome(lambda: CardStore(folder).load("abcdefgh"), BotError)

    assert isinstance(found, BotError) or dataclasses.is_dataclass(found)


ENV = (
    "LOCUS_TOP_K",
    "=",
    "5",
    "\n",
    "'",
    '"',
    "#",
    "export ",
    "${HOME}",
    "\\",
    "LOCUS_REMOTE_KEY_FILE",
    "LOCUS_LORA",
    " ",
    "\r",
    "\x00",
    "é",
    "$(id)",
)


@given(
    text=pieces_of(ENV) | st.binary(max_size=60),
    name=st.sampled_from(["LOCUS_TOP_K", "LOCUS_CONTACT"]),
    value=st.text(max_size=12),
)
def test_any_dotenv_file_is_read_or_a_sentence(
    text: str | bytes, name: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By the settings, the doctor and the guide; what the guide writes into it is read again."""
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    outcome(lambda: load_settings(path), SettingsError)
    assert all(isinstance(problem, str) for problem in setting_problems(path))
    file = EnvFile(path)
    wrote = outcome(lambda: file.set({name: value}), SettingsError, InvalidRequestError)

    assert wrote is not None or value == file.values().get(name, "")


@settings(max_examples=25)
@given(text=repeated(("LOCUS_TOP_K", "=", "'", '"', "#", "\\", "\n", " ", "${", "a")))
def test_a_dotenv_file_that_repeats_is_read_in_time(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Quotes that are never closed too."""
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_text(text)

    with in_time():
        outcome(EnvFile(path).values, SettingsError)


@settings(max_examples=40)
@given(
    members=st.lists(
        st.tuples(
            st.sampled_from(
                [LIST, "index/a", "../a", "/etc/passwd", "a/../../b", "", ".", "a\x00b", "index/" + "x" * 300, "ü"]
            ),
            st.sampled_from(
                [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
            ),
            st.binary(max_size=30) | st.sampled_from([b"{}", b'{"files": {}}', b"[" * 5000]),
        ),
        max_size=4,
    ),
    cut=st.integers(0, 400),
)
def test_any_archive_is_refused_and_writes_nothing_outside(
    members: list[tuple[str, bytes, bytes]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Paths that lead out, links, devices, lists that are none, and archives that end early."""
    folder = tmp_path_factory.mktemp("archive")
    inside = folder / "deep" / "inside"
    inside.mkdir(parents=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(content))
    data = buffer.getvalue()
    (folder / "a.tar.gz").write_bytes(data[: len(data) - cut] if cut % 3 == 0 else data)
    found = outcome(lambda: unpack(folder / "a.tar.gz", inside), UnreadableError)

    assert isinstance(found, UnreadableError)
    assert {"a.tar.gz", "deep"} == {path.name for path in folder.iterdir()}
    assert ["inside"] == [path.name for path in (folder / "deep").iterdir()]
    assert not any(path.is_symlink() for path in inside.rglob("*"))


XML = (
    *(
        "<urlset>",
        "</urlset>",
        "<sitemapindex>",
        "<url>",
        "</url>",
        "<loc>",
        "</loc>",
        "https://a.org/",
        "&amp;",
        "&x;",
        "<![CDATA[",
    ),
    *(
        "]]>",
        "<!--",
        "-->",
        "<?xml version='1.0'?>",
        "<!DOCTYPE x [<!ENTITY x 'y'>]>",
        "xmlns='a'",
        "<x:loc>",
        "\x00",
        "\ud800",
    ),
)


@given(pieces_of(XML))
def test_any_sitemap_is_read_or_refused(text: str) -> None:
    """Document types, and so entities, are refused."""
    found = outcome(lambda: parse_sitemap(text.encode("utf-8", "surrogatepass")), ValueError)

    assert found is None or isinstance(found, Sitemap | ValueError)
    assert "<!ENTITY" not in text or not isinstance(found, Sitemap) or not found.urls


@settings(max_examples=25)
@given(repeated(("<url>", "<loc>", "a", "</loc>", "</url>", "<urlset>", "&amp;", " ", "<!--x-->")))
def test_a_sitemap_that_repeats_is_read_in_time(text: str) -> None:
    """However deep it nests."""
    with in_time():
        outcome(lambda: parse_sitemap(b"<urlset>" + text.encode()), ValueError)


LINKS = (
    "https://",
    "git@",
    "github.com",
    ":",
    "/",
    "owner",
    "name",
    ".git",
    "..",
    "%2e",
    "[",
    "]",
    "@",
    "ssh://",
    "git+",
    "\x00",
    "ü",
    " ",
    "\n",
)


@given(pieces_of(LINKS), pieces_of(LINKS))
def test_any_remote_is_a_public_forge_or_none(remote: str, path: str) -> None:
    """And every address made of it begins at that forge."""
    found = parse_remote(remote)
    address = public_url(None, path.replace("\x00", ""), remote)

    assert found is None or (found.url_of(path) or f"https://{found.host}/").startswith("https://")
    assert address is None or address.startswith("https://")
    assert web_link(remote) is None or " " not in str(web_link(remote))
