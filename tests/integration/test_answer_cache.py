"""Answers given again, in a real Redis; and what tells them apart."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from bot.answer_shape import SHAPING, answer_shape
from bot.application import Application
from bot.bootstrap import ingest_sources, open_application
from bot.errors import UnavailableError
from bot.evidence import Answer, Citation, CitedPassage, Evidence
from bot.ingestion import IngestReport
from bot.ports import MAX_QUESTION_CHARS, Asked
from bot.settings import Settings
from bot.store.answer_cache import SLOTS, AnswerCache, CachedAnswer, normalised
from bot.store.client import Command, Store, number, texts
from tests.documents import LAB, CountingProgress, write_documents
from tests.fakes import HeldAnswerer, NoRetriever, OneRevision
from tests.opinions import FakeClock
from tests.scripted_model import FACTS, ScriptedModel

CITATION = Citation(1, "BXD strains", "bxd.md", "https://example.org/bxd", "crossing C57BL/6J and DBA/2J")
PASSAGES = (CitedPassage(CITATION, "Crosses", "The strains were made by crossing C57BL/6J and DBA/2J."),)
ANSWER = Answer("What is BXD?", "Mice. [1]", "quotes", True, (CITATION,), 0.9, {"total": 5.0}, "abcdefghjk")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def cache(store: Store, clock: FakeClock) -> AnswerCache:
    """An empty cache."""
    return AnswerCache(store, hours=1, clock=clock)


def keeping(
    cache: AnswerCache,
    question: str = "What is BXD?",
    *,
    scopes: tuple[str, ...] = ("public",),
    signature: str = "s1",
    answer: Answer = ANSWER,
    person_id: str = "p1",
) -> list[Command]:
    """The commands that keep an answer."""
    return cache.keep(
        question, scopes=scopes, signature=signature, answer=answer, passages=PASSAGES, person_id=person_id
    )


async def find(cache: AnswerCache, question: str = "What is BXD?", scopes: tuple[str, ...] = ("public",)) -> bool:
    """Whether an answer is found."""
    return await cache.find(question, scopes=scopes, signature="s1") is not None


async def test_the_same_question_is_answered_again(store: Store, cache: AnswerCache, clock: FakeClock) -> None:
    """With the passages and the time; asked by another it bears their words, and not the first one's card."""
    await store.transaction(*keeping(cache))
    found = await cache.find("what  is BXD ?", scopes=("public",), signature="s1")

    expected = dataclasses.replace(ANSWER, question="what  is BXD ?", answer_id="")
    assert CachedAnswer(expected, PASSAGES, clock.now) == found


async def test_other_scopes_and_signatures_are_other_answers(store: Store, cache: AnswerCache) -> None:
    """What one channel may see never reaches another, nor does an answer of an earlier revision; order is no matter."""
    await store.transaction(*keeping(cache, scopes=("public", "channel-a")))

    assert await find(cache, scopes=("channel-a", "public"))
    assert not await find(cache, scopes=("public",))
    assert not await find(cache, scopes=("public", "channel-b"))
    assert not await find(cache, scopes=("public", "channel-a", "channel-b"))
    assert await cache.find("What is BXD?", scopes=("public", "channel-a"), signature="s2") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is BXD?", "what is BXD"),
        ("What is BXD?", "  What is\n BXD ?  "),
        ("How are traits mapped?", "how are traits mapped, please?"),
        ("Which strains are there?", "which strains are there please."),
        ("Why log2…", "Why log2"),
        ("Wie groß? Caf\u00e9", "Wie groß? Cafe\u0301"),
    ],
)
def test_what_makes_no_difference_is_left_out(one: str, other: str) -> None:
    """White space, the end of the sentence, politeness, composed letters and the capital of a question word."""
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is Shh?", "Where is SHH?"),
        ("Shh expression", "shh expression"),
        ("Was expression", "was expression"),
        ("WHAT is it?", "What is it?"),
        ("lod > 3", "lod < 3"),
        ("chr 1.5", "chr 15"),
        ("D2 vs B6", "B6 vs D2"),
        ("Is it H2-K?", "Is it H2K?"),
    ],
)
def test_what_may_make_a_difference_is_kept(one: str, other: str) -> None:
    """Capitals of symbols, digits, signs and order."""
    assert normalised(one) != normalised(other)


@hypothesis_given(st.text(max_size=60))
def test_normalising_twice_is_normalising_once(question: str) -> None:
    """And nothing becomes empty that was not white space."""
    once = normalised(question)

    assert once == normalised(once)
    assert bool(question.split()) == bool(once)


async def test_refusals_noted_and_endless_questions_are_not_kept(cache: AnswerCache, store: Store) -> None:
    """They may be answered better next time."""
    refusal = dataclasses.replace(ANSWER, answered=False)
    fallen_back = dataclasses.replace(ANSWER, note="The model cannot be used.")

    assert [] == keeping(cache, answer=refusal)
    assert [] == keeping(cache, answer=fallen_back)
    assert [] == keeping(cache, "x" * (MAX_QUESTION_CHARS + 1))
    assert [] == keeping(AnswerCache(store, hours=0))
    assert not await find(AnswerCache(store, hours=0))


async def test_the_cache_has_a_lifetime_and_a_limit(store: Store, cache: AnswerCache) -> None:
    """However many questions come, there are no more keys than slots, and each goes after the time set."""
    for thousand in range(9):
        commands = [one for place in range(1000) for one in keeping(cache, f"Question {thousand}-{place}")]
        await store.transaction(*commands)
    keys = texts(await store.call("KEYS", store.key("cached", "*")))

    assert 0.8 * SLOTS < len(keys) <= SLOTS
    lifetimes = [number(one) for one in await store.batch(*(("PTTL", key) for key in keys))]
    assert 0 < min(lifetimes) <= max(lifetimes) <= 3_600_000


async def test_a_slot_never_answers_another_question(store: Store, cache: AnswerCache) -> None:
    """Where two questions share a slot the later one has it, and the earlier one is simply not found."""
    for place in range(SLOTS):
        await store.transaction(
            *keeping(cache, f"Question {place}", answer=dataclasses.replace(ANSWER, text=str(place)))
        )
    found = [await cache.find(f"Question {place}", scopes=("public",), signature="s1") for place in range(SLOTS)]

    assert None in found
    assert all(one is None or str(place) == one.answer.text for place, one in enumerate(found))


async def test_damaged_and_newer_values_are_not_found(store: Store, cache: AnswerCache) -> None:
    """A value that cannot be read is no answer and no error."""
    await store.transaction(*keeping(cache))
    (key,) = texts(await store.call("KEYS", store.key("cached", "*")))
    for value in ("{", "null", '{"v":99}', '{"v":1,"question":5}'):
        await store.call("SET", key, value)
        assert not await find(cache)


async def test_forgetting_empties_only_a_person_s_own_slots(store: Store, cache: AnswerCache) -> None:
    """A slot that another person's answer took over stays."""
    await store.transaction(*keeping(cache))
    (slot,) = texts(await store.call("ZRANGE", store.key("person", "p1", "cached"), 0, -1))
    await store.transaction(*keeping(cache, person_id="p2"))

    assert not await cache.forget("p1", slot)
    assert await find(cache)
    assert await cache.forget("p2", slot)
    assert [] == texts(await store.call("KEYS", store.key("*")))


# The signature


def application(model: ScriptedModel | None = None, shape: str = "", revision: int = 1) -> Application:
    """An application around stand-ins."""
    index, answerer = OneRevision(), HeldAnswerer()
    index.number = revision
    return Application(NoRetriever(), index, answerer, answerer, top_k=3, model=model, shape=shape)


async def test_the_signature_tells_revision_model_and_settings_apart() -> None:
    """Whatever changes an answer changes the signature; the same parts have the same one in any process."""
    other = dataclasses.replace(FACTS, sha256="6d" * 32)
    made = [
        application(),
        application(revision=2),
        application(shape="{}"),
        application(ScriptedModel([])),
        application(ScriptedModel([], facts=other)),
    ]
    signatures = [await one.signature() for one in made]

    assert len(made) == len(set(signatures))
    assert signatures[0] == await application().signature()


async def test_a_sync_that_changes_nothing_keeps_the_signature(tmp_path: Path) -> None:
    """One that changes a document changes it, in an application that goes on running."""
    settings = Settings(data_dir=tmp_path / "data")
    folder = write_documents(tmp_path / "lab", LAB)

    async def sync() -> None:
        reports: list[object] = []
        await ingest_sources(
            settings,
            [str(folder)],
            scope="public",
            progress=lambda _spec: CountingProgress(),
            report=lambda report, _spec: reports.append(report),
        )
        assert isinstance(reports[0], IngestReport)

    await sync()
    async with open_application(settings) as opened:
        signatures = [await opened.signature()]
        await sync()
        signatures.append(await opened.signature())
        await asyncio.to_thread((folder / "new.md").write_text, "# HXB\n\nThe HXB rats were bred in Prague.\n")
        await sync()
        signatures.append(await opened.signature())
        facts = await opened.facts()

    assert signatures[0] == signatures[1]
    assert signatures[1] != signatures[2]
    assert (2, len(LAB) + 1, True) == (facts.revision, facts.documents, facts.published_at.startswith("20"))


class _Broken:
    """A model that fails."""

    async def rewrite(self, asked: Asked) -> Asked:
        return asked

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        yield "The"
        raise UnavailableError("The model has stopped.")


async def test_quotes_given_because_the_model_failed_are_not_kept(cache: AnswerCache) -> None:
    """They bear a note that says so."""
    made = Application(NoRetriever(), OneRevision(), _Broken(), HeldAnswerer(), top_k=3)
    answer = await made.ask("What is BXD?")

    assert "The model has stopped." in answer.note
    assert [] == keeping(cache, answer=answer)


UNSHAPING = set(
    """
    data_dir log_level log_format sources chroma_url ingest_threads max_file_mib answers_kept model_cache_tokens
    model_parallel model_queue model_threads model_hang_s gpu_layers tensor_split flash_attention remote_key
    remote_timeout_s fetch_allowed_hosts fetch_private_hosts fetch_max_mib fetch_timeout_s contact redis_url
    redis_prefix redis_fsync terminal answers_at_once queue_limit rate_person rate_channel rate_window_s lease_s
    max_failures max_deaths shutdown_grace_s duplicates_h conversation_days conversation_tokens retention_days
    answer_cache_h feedback_kept administrators answer_external health_port health_host traces_url slack_bot_token
    slack_app_token slack_signing_secret slack_mode slack_http_host slack_http_port slack_api_url slack_channels
    slack_follow_threads slack_streaming slack_native_markdown slack_catch_up_h slack_steward teachers
    digest_subscribers status_readers genenetwork_gn3_url genenetwork_sparql_url genenetwork_contact genenetwork_pause_s
    genenetwork_timeout_s genenetwork_compute_s genenetwork_fresh_s genenetwork_max_mib time_zone digest_file
    digest_look_h digest_docs digest_model_s matrix_homeserver matrix_user matrix_password matrix_access_token
    matrix_device_id matrix_store_passphrase matrix_encryption matrix_trust matrix_trusted matrix_allowed_users
    matrix_allowed_servers matrix_rooms matrix_follow_threads matrix_command_prefix matrix_msgtype
    matrix_edit_interval_s matrix_steward matrix_offer_reactions
    public_url dashboard_token reader_token proxy_user_header trusted_proxies stewards dashboard_scopes
    """.split()
)


def test_every_setting_either_shapes_answers_or_does_not() -> None:
    """A new setting is not forgotten in the signature."""
    assert set(Settings.model_fields) == UNSHAPING | set(SHAPING)
    assert set() == UNSHAPING & set(SHAPING)


def test_the_shape_follows_settings_and_the_file_of_gene_names(tmp_path: Path) -> None:
    """The text of the file counts, not its name."""
    names = tmp_path / "genes.tsv"
    names.write_text("Shh\tHhg1\n")
    with_names = Settings(gene_aliases=names)
    first = answer_shape(with_names)
    names.write_text("Shh\tHhg1\tDsh\n")

    assert answer_shape(Settings()) == answer_shape(Settings(rate_person=3))
    assert 4 == len({answer_shape(Settings()), answer_shape(Settings(top_k=3)), first, answer_shape(with_names)})
