"""Answer cards: kept, bounded, and enough to produce the same text again."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.agent.cards import AnswerCard, CardStore, card_json, cited_scopes, keep_card, new_answer_id, number_passages
from bot.agent.model_answers import AnswerOptions, ModelAnswerer
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.agent.replay import replay_card
from bot.application import Application
from bot.cli.answers import replay_answer, show_answer
from bot.cli.app import app
from bot.errors import BotError, NotFoundError, RefusedError, SettingsError, StorageError
from bot.evidence import Answer, Citation, Evidence, Home, Passage, Sentence
from bot.generation import ModelFacts, Sampling
from bot.messages import Turn
from bot.ports import Answerer, Asked, IndexFacts
from bot.settings import Settings
from tests.scripted_model import Reply, ScriptedModel, calling


def passage(number: int, text: str) -> Passage:
    """A passage of one sentence."""
    return Passage(
        str(number), text, "", (Home(f"doc{number}.md", f"D{number}", None),), 0.9, (Sentence(text, 1, True, 0),)
    )


EVIDENCE = Evidence(
    "q",
    (passage(1, "BXD strains come from C57BL/6J and DBA/2J."), passage(2, "LOD is LRS over 4.61.")),
    0.9,
    {"embed": 1},
)
ASKED = Asked("How?", (Turn("user", "What is an LRS?"),), ("public",), "ann", "room", "How is LOD told from LRS?")


class FurtherPassage:
    """A retriever that always finds one more passage."""

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        return Evidence(question, (passage(3, "The HXB rats were bred in Prague."),), 0.9)


async def answered(answerer: Answerer, evidence: Evidence = EVIDENCE) -> Answer:
    """The finished answer."""
    last = [piece async for piece in answerer.stream(replace(ASKED, begun=time.monotonic()), evidence)][-1]
    assert isinstance(last, Answer)
    return last


def card(text: str = "Text.", answer_id: str = "") -> AnswerCard:
    """A small card."""
    answer = Answer("q", text, "quotes", True, (), 0.9, answer_id=answer_id or new_answer_id())
    return AnswerCard(answer, "q", (), ("public",), number_passages(EVIDENCE.passages))


def test_a_card_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """Only its owner may read the file, and nothing half-written lies beside it."""
    store = CardStore(tmp_path / "answers")
    kept = card()
    store.save(kept)
    files = list((tmp_path / "answers").iterdir())

    assert kept == store.load(kept.answer.answer_id)
    assert [f"{kept.answer.answer_id}.json"] == [file.name for file in files]
    assert (0o600, 0o700) == (stat.S_IMODE(files[0].stat().st_mode), stat.S_IMODE(files[0].parent.stat().st_mode))


@pytest.mark.parametrize(
    "answer_id",
    [
        "",
        "abc",
        "aaaaaaaaaa",
        "../../../etc",
        "..%2fpasswd",
        "/etc/passwd",
        "aaaaaaaaaa.json",
        "AAAAAAAAAA\n",
        "a" * 5000,
    ],
)
def test_unknown_and_malformed_handles_are_not_found(tmp_path: Path, answer_id: str) -> None:
    """No handle leads out of the folder."""
    (tmp_path / "etc").write_text("secret")

    with pytest.raises(NotFoundError, match="There is no answer"):
        CardStore(tmp_path / "answers").load(answer_id)


def test_the_oldest_cards_go(tmp_path: Path) -> None:
    """There are never more than the limit."""
    store = CardStore(tmp_path, limit=3)
    kept = [card() for _ in range(5)]
    for age, one in enumerate(kept):
        store.save(one)
        os.utime(tmp_path / f"{one.answer.answer_id}.json", (age, age))

    assert {f"{one.answer.answer_id}.json" for one in kept[2:]} == {file.name for file in tmp_path.iterdir()}


def test_cards_older_than_the_lifetime_go(tmp_path: Path) -> None:
    """However few there are; looked at when a process keeps its first card, and now and then later."""
    old, young = card(), card()
    CardStore(tmp_path).save(old)
    CardStore(tmp_path).save(young)
    now = time.time()
    os.utime(tmp_path / f"{old.answer.answer_id}.json", (now, now - 2 * 86_400 - 60))
    os.utime(tmp_path / f"{young.answer.answer_id}.json", (now, now - 2 * 86_400 + 60))
    newest = card()
    CardStore(tmp_path, days=2).save(newest)

    assert {f"{one.answer.answer_id}.json" for one in (young, newest)} == {file.name for file in tmp_path.iterdir()}


async def test_the_cards_of_a_person_can_be_deleted(tmp_path: Path) -> None:
    """Cards are found by their handle whoever asked; no name of a file tells who that was."""
    store = CardStore(tmp_path)
    made = [(await keep_card(store, card(), user=user)).answer_id for user in ("ann", "bob", "ann", "")]
    names = " ".join(file.name for file in tmp_path.iterdir())

    assert made == [store.load(answer_id).answer.answer_id for answer_id in made]
    assert ("ann" in names, "bob" in names) == (False, False)
    assert [2, 0, 0] == [store.delete_of(user) for user in ("ann", "ann", "")]
    assert made[1::2] == [store.load(answer_id).answer.answer_id for answer_id in made[1::2]]
    with pytest.raises(NotFoundError):
        store.load(made[0])


async def test_an_answerer_keeps_cards_under_the_name_of_who_asked(tmp_path: Path) -> None:
    """Quoted and written ones: both can be deleted with the person's other things."""
    store = CardStore(tmp_path)
    await answered(QuotingAnswerer(threshold=0.5, cards=store))
    await answered(ModelAnswerer(ScriptedModel(["The LOD is LRS [2]."]), FurtherPassage(), refuse=refuse, cards=store))

    assert 2 == store.delete_of(ASKED.user)


def test_damaged_and_changed_cards_are_told(tmp_path: Path) -> None:
    """A cut-off file and a passage that does not match its hash are one sentence each."""
    store = CardStore(tmp_path)
    kept = card()
    store.save(kept)
    path = tmp_path / f"{kept.answer.answer_id}.json"
    path.write_text(path.read_text().replace("C57BL/6J", "BALB/c"))

    with pytest.raises(StorageError, match="does not match its hash"):
        store.load(kept.answer.answer_id)
    path.write_text("{")
    with pytest.raises(StorageError, match="is damaged"):
        store.load(kept.answer.answer_id)


def test_a_card_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file in the way of the folder is named."""
    (tmp_path / "answers").write_text("x")

    with pytest.raises(StorageError, match="cannot be kept in"):
        CardStore(tmp_path / "answers").save(card())


async def test_an_answer_is_given_also_where_its_card_cannot_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk costs the handle, not the answer; the log says so."""
    (tmp_path / "answers").write_text("x")
    store = CardStore(tmp_path / "answers")
    model = ScriptedModel(["The LOD is LRS over 4.61 [2]."])
    quoted = await answered(QuotingAnswerer(threshold=0.5, cards=store))
    written = await answered(ModelAnswerer(model, FurtherPassage(), refuse=refuse, cards=store))

    assert [(True, ""), (True, "")] == [(one.answered, one.answer_id) for one in (quoted, written)]
    assert 2 == caplog.text.count("without a card")


async def test_a_quoted_answer_is_quoted_again(tmp_path: Path) -> None:
    """Its card holds the passages; no model is needed, and a changed text is noticed."""
    store = CardStore(tmp_path)
    answer = await answered(QuotingAnswerer(threshold=0.5, cards=store))
    kept = store.load(answer.answer_id)

    assert (answer, None) == (kept.answer, kept.model)
    assert (True, answer.text) == ((again := await replay_card(kept, None)).identical, again.text)
    assert not (await replay_card(replace(kept, answer=replace(answer, text="Other.")), None)).identical
    assert {"embed", "total"} <= set(kept.answer.timings_ms)


async def test_a_refusal_has_a_card_too(tmp_path: Path) -> None:
    """Its text depends on the evidence alone."""
    store = CardStore(tmp_path)
    weak = replace(EVIDENCE, confidence=0.1)
    quoted = await answered(QuotingAnswerer(threshold=0.5, cards=store), weak)
    options = AnswerOptions(threshold=0.5)
    model = ScriptedModel([])
    written = await answered(ModelAnswerer(model, FurtherPassage(), refuse=refuse, options=options, cards=store), weak)

    assert [] == model.requests
    assert (await replay_card(store.load(quoted.answer_id), None)).identical
    assert (await replay_card(store.load(written.answer_id), None)).identical


WRITTEN = "The LOD is LRS over 4.61 [2]. Unicorns sing [1]. The rats were bred in Prague [3]."


async def with_model(store: CardStore, text: str = WRITTEN) -> AnswerCard:
    """The card of an answer after one call of a tool."""
    model = ScriptedModel([calling("search_documents", query="rats"), text])
    options = AnswerOptions(Sampling(seed=7), threshold=0.5, unsupported="mark")
    answer = await answered(ModelAnswerer(model, FurtherPassage(), refuse=refuse, options=options, cards=store))
    return store.load(answer.answer_id)


async def test_a_written_answer_is_written_again_from_its_card(tmp_path: Path) -> None:
    """The very same requests go to the model, and the same checks give the same text."""
    kept = await with_model(CardStore(tmp_path))
    again = ScriptedModel([calling("search_documents", query="rats"), WRITTEN])
    replay = await replay_card(kept, again)

    assert (True, True, kept.answer.text) == (replay.identical, replay.same_model, replay.text)
    assert [call.request.messages for call in kept.calls] == [request.messages for request in again.requests]
    assert [7, 7] == [request.sampling.seed for request in again.requests]
    assert ["", ""] == [request.conversation for request in again.requests]


async def test_the_card_holds_what_the_answer_was_made_from(tmp_path: Path) -> None:
    """Question, passages with hashes, model, settings, seed, scopes, tool calls with results; not who asked."""
    kept = await with_model(CardStore(tmp_path))
    use = kept.tool_uses[0]

    assert ("How?", "How is LOD told from LRS?", ("public",), 7) == (
        kept.answer.question,
        kept.search_for,
        kept.scopes,
        kept.seed,
    )
    assert [1, 2, 3] == [one.number for one in kept.passages]
    assert {64} == {len(one.sha256) for one in kept.passages}
    assert ("scripted", "5c" * 32) == (
        (kept.model or ModelFacts("", "", 0)).name,
        (kept.model or ModelFacts("", "", 0)).sha256,
    )
    assert ("search_documents", {"query": "rats"}, True) == (use.name, use.arguments, "Prague" in use.result)
    assert ("one", "mark") == (kept.settings["prompt_style"], kept.settings["unsupported"])
    assert '"ann"' not in card_json(kept)


async def test_a_text_that_differs_is_told(tmp_path: Path) -> None:
    """Also where the difference is in a sentence that the check took out."""
    kept = await with_model(CardStore(tmp_path))
    tool = calling("search_documents", query="rats")

    assert not (await replay_card(kept, ScriptedModel([tool, WRITTEN.replace("sing", "dance")]))).identical
    assert not (await replay_card(kept, ScriptedModel([calling("search_documents", query="mice"), WRITTEN]))).identical


async def test_an_answer_without_support_is_replayed_as_the_refusal_it_was(tmp_path: Path) -> None:
    """What the model wrote is compared all the same."""
    kept = await with_model(CardStore(tmp_path), "Unicorns sing [1].")
    tool = calling("search_documents", query="rats")

    assert not kept.answer.answered
    assert (await replay_card(kept, ScriptedModel([tool, "Unicorns sing [1]."]))).identical
    assert not (await replay_card(kept, ScriptedModel([tool, "Unicorns dance [1]."]))).identical


@pytest.mark.parametrize(
    ("facts", "anyway", "same", "error"),
    [
        (ModelFacts("scripted", "00" * 32, 4096), False, None, RefusedError),
        (ModelFacts("scripted", "00" * 32, 4096), True, False, None),
        (ModelFacts("other", "", 4096), False, None, RefusedError),
        (ModelFacts("scripted", "", 4096), False, None, None),
    ],
)
async def test_another_model_is_asked_only_on_request(
    tmp_path: Path, facts: ModelFacts, anyway: bool, same: bool | None, error: type[BotError] | None
) -> None:
    """The hash of the file tells; without a hash, the name."""
    kept = await with_model(CardStore(tmp_path))
    model = ScriptedModel([Reply(tool_calls=calling("search_documents", query="rats").tool_calls), WRITTEN], facts)
    if error is not None:
        with pytest.raises(error, match="--anyway"):
            await replay_card(kept, model, anyway=anyway)
        assert [] == model.requests
        return

    assert (True, same) == ((replay := await replay_card(kept, model, anyway=anyway)).identical, replay.same_model)


async def test_a_written_answer_needs_a_model(tmp_path: Path) -> None:
    """The sentence names the file to set."""
    with pytest.raises(SettingsError, match="scripted.*set LOCUS_MODEL"):
        await replay_card(await with_model(CardStore(tmp_path)), None)


class Indexed:
    """An index with documents."""

    async def has_documents(self) -> bool:
        return True

    async def revision(self) -> int:
        return 1

    async def facts(self) -> IndexFacts:
        return IndexFacts(1, "2026-11-01T09:00:00+00:00", 1)


@pytest.mark.parametrize(("again", "code"), [(WRITTEN, 0), ("The LOD is LRS over 4.61 [2].", 1)])
async def test_the_command_replays_and_says_whether_it_is_identical(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, again: str, code: int
) -> None:
    """The text comes first, then the verdict; the exit code tells scripts."""
    store = CardStore(tmp_path)
    kept = await with_model(store)
    model = ScriptedModel([calling("search_documents", query="rats"), again])

    @asynccontextmanager
    async def opened(_settings: Settings) -> AsyncIterator[Application]:
        quoting = QuotingAnswerer(threshold=0.5)
        yield Application(FurtherPassage(), Indexed(), quoting, quoting, top_k=3, cards=store, model=model)

    monkeypatch.setattr("bot.cli.answers.open_application", opened)
    exited = await replay_answer(Settings(data_dir=tmp_path), kept.answer.answer_id, anyway=False)
    printed = " ".join(capsys.readouterr().out.split())

    assert (code, code == 0) == (exited, "The text is identical." in printed)
    assert "The LOD is LRS over 4.61 [1]." in printed


async def test_the_command_shows_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Readably, or as the JSON of the file."""
    settings = Settings(data_dir=tmp_path)
    kept = await with_model(CardStore(tmp_path / "answers"))
    show_answer(settings, kept.answer.answer_id, as_json=False)
    shown = capsys.readouterr().out
    show_answer(settings, kept.answer.answer_id, as_json=True)

    assert kept.answer.answer_id == json.loads(capsys.readouterr().out)["answer"]["answer_id"]
    for part in (
        "Question  How?",
        "Searched  How is LOD told from LRS?",
        "seed 7",
        "search_documents",
        "doc2.md sha256",
    ):
        assert part in shown


def test_an_unknown_handle_is_one_sentence_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`locus answer show` and `replay` end as other commands do."""
    monkeypatch.setattr("bot.cli.options.set_up_logging", lambda *_: None)
    for command in ("show", "replay"):
        done = CliRunner().invoke(app, ["answer", command, "nonesuch22", "--data-dir", str(tmp_path)])

        assert isinstance(done.exception, NotFoundError)


@pytest.mark.parametrize(
    ("scopes", "named", "expected"),
    [
        (("public", "channel-x"), (1,), {"public"}),
        (("public", "channel-x"), (1, 2), {"public", "channel-x"}),
        (("public", ""), (1, 2), None),
        (("public", "channel-x"), (1, 3), None),
        (("public", "channel-x"), (), set()),
    ],
)
def test_the_scopes_of_an_answer_are_those_of_the_documents_it_names(
    scopes: tuple[str, ...], named: tuple[int, ...], expected: set[str] | None
) -> None:
    """A document that no passage of the card stands in may be anybody's, and so may one of an older index."""
    passages = [replace(passage(number, "Text."), scope=scope) for number, scope in enumerate(scopes, 1)]
    citations = tuple(Citation(n, f"D{n}", f"doc{n}.md", None, "") for n in named)
    answer = Answer("q", "The documents do not say.", "quotes", False, citations, 0.1)
    card = AnswerCard(answer, "q", (), ("public",), number_passages(passages))

    assert expected == cited_scopes(card)
