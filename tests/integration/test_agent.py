"""The agent over a scripted model: retrieval first, tools on demand, budgets, streaming and fallbacks."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from bot.agent.budget import Limits
from bot.agent.cards import CardStore
from bot.agent.model_answers import AnswerOptions, ModelAnswerer
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.application import Application
from bot.errors import BusyError, StorageError, UnavailableError
from bot.evidence import Answer, Evidence, Home, Passage, Sentence
from bot.generation import GenerationRequest, ModelFacts, Sampling, Text
from bot.messages import Turn
from bot.ports import Asked, IndexFacts
from tests.scripted_model import FACTS, Reply, ScriptedModel, calling


def passage(number: int, text: str) -> Passage:
    """A passage of one sentence."""
    home = Home(f"doc{number}.md", f"Document {number}", f"https://genenetwork.org/{number}")
    return Passage(str(number), text, "", (home,), 0.9, (Sentence(text, 0.9, True, 0),))


EVIDENCE = Evidence(
    "q", (passage(1, "BXD strains come from C57BL/6J and DBA/2J."), passage(2, "LOD is LRS over 4.61.")), 0.9
)
GOOD = "The LOD is LRS over 4.61 [2]. BXD strains come from C57BL/6J and DBA/2J [1]."
HISTORY = (Turn("user", "What is an LRS?"), Turn("assistant", "A likelihood ratio statistic [1]."))


@dataclass
class Library:
    """A retriever that knows one further passage, and remembers what it was asked."""

    error: StorageError | None = None
    asked: list[tuple[str, tuple[str, ...], tuple[Turn, ...]]] = field(default_factory=list)

    async def search(
        self, question: str, *, scopes: Sequence[str], history: Sequence[Turn] = (), top_k: int = 10
    ) -> Evidence:
        self.asked.append((question, tuple(scopes), tuple(history)))
        if self.error is not None:
            raise self.error
        return replace(EVIDENCE, passages=(*EVIDENCE.passages, passage(3, "The HXB rats were bred in Prague.")))


class Indexed:
    """An index with documents."""

    async def has_documents(self) -> bool:
        return True

    async def revision(self) -> int:
        return 1

    async def facts(self) -> IndexFacts:
        return IndexFacts(1, "2026-11-01T09:00:00+00:00", 1)


def answerer(model: ScriptedModel, library: Library | None = None, **options: object) -> ModelAnswerer:
    """An answerer with some options."""
    made = replace(AnswerOptions(threshold=0.5), **options)  # type: ignore[arg-type]
    return ModelAnswerer(model, library or Library(), refuse=refuse, options=made)


async def pieces_of(made: ModelAnswerer, asked: Asked | None = None) -> tuple[list[str], Answer]:
    """The pieces and the answer."""
    asked = asked or Asked("How is LOD told?", scopes=("public",), search_for="How is LOD told?")
    *pieces, answer = [piece async for piece in made.stream(asked, EVIDENCE)]
    assert isinstance(answer, Answer)
    return [piece for piece in pieces if isinstance(piece, str)], answer


def prompt(request: GenerationRequest) -> str:
    """All that is sent."""
    return "\n".join(message.content for message in request.messages)


async def test_one_call_with_numbered_passages_answers() -> None:
    """The text streams in pieces, numbered as it stays; a grammar names the given passages."""
    model = ScriptedModel([GOOD])
    pieces, answer = await pieces_of(answerer(model))
    request = model.requests[0]

    assert ("model", True, 1) == (answer.mode, answer.answered, len(model.requests))
    assert answer.text == "".join(pieces)
    assert "The LOD is LRS over 4.61 [1]. BXD strains come from C57BL/6J and DBA/2J [2]." == answer.text
    assert len(pieces) > 5
    assert ["doc2.md", "doc1.md"] == [one.source for one in answer.citations]
    assert ["system", "user"] == [message.role for message in request.messages]
    assert '<passage number="2" title="Document 2">LOD is LRS over 4.61.</passage>' in prompt(request)
    assert request.grammar is not None
    assert '"1" | "2"\n' in request.grammar.text


async def test_weak_evidence_does_not_reach_the_model() -> None:
    """Below the threshold there is a refusal and no call: it is not the model's to decide."""
    model = ScriptedModel([])
    pieces, answer = await pieces_of(answerer(model, threshold=0.95))

    assert (False, [], answer.text) == (answer.answered, model.requests, "".join(pieces))


@pytest.mark.parametrize(
    ("unsupported", "text"),
    [
        ("drop", "The LOD is LRS over 4.61 [1]."),
        ("mark", "Cows fly (not in the sources). The LOD is LRS over 4.61 [1]."),
    ],
)
async def test_unsupported_statements_follow_the_setting(unsupported: str, text: str) -> None:
    """They are dropped or marked in the finished answer."""
    _, answer = await pieces_of(
        answerer(ScriptedModel(["Cows fly [1]. The LOD is LRS over 4.61 [2]."]), unsupported=unsupported)
    )

    assert text == answer.text


async def test_an_answer_without_support_becomes_a_refusal() -> None:
    """The sentence says that it was the model that failed; the closest documents are listed."""
    _, answer = await pieces_of(answerer(ScriptedModel(["Cows fly [1]."]), unsupported="mark"))

    assert not answer.answered
    assert answer.text.startswith("The model wrote nothing that the documents support.")
    assert 2 == len(answer.citations)


async def test_the_model_may_search_again() -> None:
    """The tool sees the same scopes; its passage gets the next number, which the grammar then allows."""
    library = Library()
    model = ScriptedModel([calling("search_documents", query="rats"), "The HXB rats were bred in Prague [3]."])
    _, answer = await pieces_of(answerer(model, library))
    second = model.requests[1]

    assert ("The HXB rats were bred in Prague [1].", ["doc3.md"]) == (
        answer.text,
        [one.source for one in answer.citations],
    )
    assert [("rats", ("public",), ())] == library.asked
    assert ["search_documents"] == [tool.name for tool in model.requests[0].tools]
    assert '<passage number="3" title="Document 3">' in second.messages[-1].content
    assert "tool" == second.messages[-1].role
    assert second.grammar is not None
    assert '"1" | "2" | "3"\n' in second.grammar.text


async def test_the_calls_of_the_model_are_limited() -> None:
    """A model that only ever searches is cut off; the last call allowed is offered no tool."""
    model = ScriptedModel(lambda _: calling("search_documents", query="rats"))

    with pytest.raises(UnavailableError, match="used up what one question may cost"):
        await pieces_of(answerer(model, limits=Limits(model_calls=3)))
    assert [True, True, False] == [bool(request.tools) for request in model.requests]


async def test_one_call_means_no_tool_no_rewriting_and_no_summary() -> None:
    """All of the budget goes into the answer."""
    model = ScriptedModel([GOOD])
    made = answerer(model, limits=Limits(model_calls=1), history_tokens=1)
    asked = await made.rewrite(Asked("and why?", HISTORY, ("public",)))
    _, answer = await pieces_of(made, asked)

    assert ("and why?", 1, ()) == (asked.search_for, len(model.requests), model.requests[0].tools)
    assert answer.answered


@pytest.mark.parametrize("limits", [Limits(tokens=10), Limits(seconds=1e-9)])
async def test_tokens_and_seconds_are_limited(limits: Limits) -> None:
    """A question that has used them up does not reach the model."""
    model = ScriptedModel([GOOD])

    with pytest.raises(UnavailableError, match="used up what one question may cost"):
        await pieces_of(answerer(model, limits=limits))
    assert [] == model.requests


async def test_the_deadline_of_a_call_is_what_is_left() -> None:
    """Time spent before the call counts."""
    model = ScriptedModel([GOOD])
    asked = Asked("q", scopes=("public",), user="ann", conversation="room", begun=time.monotonic() - 40)
    await pieces_of(answerer(model, limits=Limits(seconds=60)), asked)
    request = model.requests[0]

    assert 19 < request.deadline_s <= 20
    assert ("ann", "room") == (request.user, request.conversation)


async def test_a_follow_up_is_made_complete_before_the_search() -> None:
    """One short call; the search looks for the complete question, and the card counts the call."""
    model = ScriptedModel(["How is LOD told from LRS?", GOOD])
    library = Library()
    application = Application(library, Indexed(), answerer(model), QuotingAnswerer(threshold=0.5), top_k=3)
    answer = await application.ask("How is it told from LOD?", history=HISTORY)

    assert [("How is LOD told from LRS?", ("public",), HISTORY)] == library.asked
    assert "How is it told from LOD?" == answer.question
    assert "How is it told from LOD?\n(This means: How is LOD told from LRS?)" in prompt(model.requests[1])
    assert "rewrite" in answer.timings_ms


async def test_a_question_that_stands_alone_is_not_rewritten() -> None:
    """No call is spent on it."""
    model = ScriptedModel([GOOD])
    application = Application(Library(), Indexed(), answerer(model), QuotingAnswerer(threshold=0.5), top_k=3)
    await application.ask("What does LOD mean?", history=HISTORY)

    assert 1 == len(model.requests)


async def test_older_turns_are_summarised_once() -> None:
    """What does not fit the budget goes in as a summary, kept for the next question."""
    turns = tuple(Turn("user" if n % 2 == 0 else "assistant", f"turn {n} " + "x" * 200) for n in range(8))
    model = ScriptedModel(["They spoke of crosses.", GOOD, GOOD])
    made = answerer(model, history_tokens=160)
    asked = Asked("What does LOD mean?", turns, ("public",))
    await pieces_of(made, asked)
    await pieces_of(made, replace(asked, question="What does LRS mean?"))
    first, second = model.requests[1:]

    assert 3 == len(model.requests)
    assert "turn 0" in prompt(model.requests[0])
    for request in (first, second):
        assert "<summary>Earlier in this conversation: They spoke of crosses.</summary>" in prompt(request)
        assert "turn 7" in prompt(request)
        assert "turn 0" not in prompt(request)


@pytest.mark.parametrize(
    ("calls", "script", "tools"),
    [(1, [GOOD], 0), (3, ["A summary.", calling("search_documents", query="rats"), GOOD], 200)],
)
async def test_the_prompt_fits_the_context(calls: int, script: list[Reply | str], tools: int) -> None:
    """Many long passages and turns leave room for the answer, also after a tool's result."""
    small = ModelFacts("small", "00", 2048)
    model = ScriptedModel(script, small)
    passages = tuple(passage(n, "word " * 120) for n in range(1, 20))
    turns = tuple(Turn("user", "x" * 300) for _ in range(20))
    made = answerer(model, limits=Limits(model_calls=calls), sampling=Sampling(max_tokens=2000))
    async with aclosing(made.stream(Asked("q", turns, ("public",)), replace(EVIDENCE, passages=passages))) as pieces:
        async for _ in pieces:
            pass
    request = model.requests[-1]
    counted = sum(await model.count_tokens([message.content for message in request.messages]))

    assert len(model.requests) == len(script)
    assert counted + tools + request.sampling.max_tokens <= small.context
    assert request.sampling.max_tokens >= 256


async def test_a_model_that_begins_anew_is_followed() -> None:
    """What it wrote before it died is void in the answer."""
    _, answer = await pieces_of(answerer(ScriptedModel([Reply(GOOD, broken_off="The LRS [1]. Cows")])))

    assert "The LOD is LRS over 4.61 [1]. BXD strains come from C57BL/6J and DBA/2J [2]." == answer.text


async def test_a_text_cut_off_loses_its_last_sentence() -> None:
    """Half a sentence is no statement."""
    text = "The LOD is LRS over 4.61 [2]. The LOD is LRS over"
    _, answer = await pieces_of(answerer(ScriptedModel([Reply(text, reason="length")]), unsupported="mark"))

    assert "The LOD is LRS over 4.61 [1]." == answer.text


@pytest.mark.parametrize(
    "call",
    [
        calling("delete_everything", path="/"),
        calling("search_documents"),
        calling("search_documents", query=["a", "b"]),
        calling("search_documents", query=" \x00 "),
    ],
)
async def test_wrong_calls_of_tools_do_nothing(call: Reply) -> None:
    """The model is told so in our words and goes on."""
    library = Library()
    model = ScriptedModel([call, GOOD])
    _, answer = await pieces_of(answerer(model, library))

    assert (True, []) == (answer.answered, library.asked)
    assert model.requests[1].messages[-1].content.removeprefix("Error: ") in {
        "There is no such tool, or its arguments are wrong.",
        "The query is empty.",
    }


async def test_a_tool_cannot_reach_other_scopes() -> None:
    """Arguments it does not have are left out."""
    library = Library()
    sneaky = calling("search_documents", query="rats", scopes=["private"], runtime="x", top_k=1000)
    await pieces_of(answerer(ScriptedModel([sneaky, GOOD]), library))

    assert [("rats", ("public",), ())] == library.asked


async def test_a_search_that_fails_is_said_to_the_model() -> None:
    """The answer rests on the passages there are."""
    library = Library(StorageError("The index is damaged."))
    model = ScriptedModel([calling("search_documents", query="rats"), GOOD])
    _, answer = await pieces_of(answerer(model, library))

    assert answer.answered
    assert model.requests[1].messages[-1].content.startswith("The documents cannot be searched now")


async def test_a_model_that_fails_is_replaced_by_quotes() -> None:
    """The person is told why; a full queue is passed on as it is."""
    failing = answerer(ScriptedModel([Reply("The LOD", error=UnavailableError("The model has stopped."))]))
    busy = answerer(ScriptedModel([Reply(error=BusyError("Ten questions wait."))]))
    quoting = QuotingAnswerer(threshold=0.5)
    application = Application(Library(), Indexed(), failing, quoting, top_k=3)
    *pieces, answer = [piece async for piece in application.stream("What does LOD mean?")]

    assert isinstance(answer, Answer)
    assert "quotes" == answer.mode
    assert any("The model has stopped." in str(piece) for piece in pieces)
    with pytest.raises(BusyError):
        await Application(Library(), Indexed(), busy, quoting, top_k=3).ask("What does LOD mean?")


async def test_leaving_the_stream_frees_the_model() -> None:
    """A person who goes away leaves no call behind, and no task."""
    model = ScriptedModel(["word " * 5000], piece_chars=5)
    made = answerer(model)
    async with aclosing(made.stream(Asked("q", scopes=("public",)), EVIDENCE)) as pieces:
        async for _ in pieces:
            break

    assert 1 == model.closed_early
    assert "agent" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_many_questions_at_once_do_not_mix() -> None:
    """One agent serves all; passages, calls and numbers belong to their question."""

    def reply(request: GenerationRequest) -> Reply | str:
        number = re.findall(r"Question: q(\d+)", prompt(request))[0]
        return f"Strain number {number} was bred [1]."

    made = answerer(ScriptedModel(reply))

    async def ask(number: int) -> str:
        evidence = Evidence("q", (passage(number, f"Strain number {number} was bred."),), 0.9)
        last = [piece async for piece in made.stream(Asked(f"q{number}", scopes=("public",)), evidence)][-1]
        assert isinstance(last, Answer)
        return last.text

    texts = await asyncio.gather(*(ask(number) for number in range(20)))

    assert [f"Strain number {number} was bred [1]." for number in range(20)] == list(texts)


async def test_answering_never_blocks_the_event_loop(tmp_path: Path) -> None:
    """Rewriting, summary, tool, card: none waits for disk or a lock on the loop."""
    turns = tuple(Turn("user" if n % 2 == 0 else "assistant", f"turn {n} " + "x" * 200) for n in range(8))
    script: list[Reply | str] = [
        "How is LOD told from LRS?",
        "They spoke of crosses.",
        calling("search_documents", query="rats"),
        GOOD,
    ]
    options = AnswerOptions(threshold=0.5, history_tokens=160)
    cards = CardStore(tmp_path)
    made = ModelAnswerer(ScriptedModel(script), Library(), refuse=refuse, options=options, cards=cards)
    with blockbuster_ctx(["bot", "langchain", "langgraph", "langchain_core"]):
        _, answer = await pieces_of(made, await made.rewrite(Asked("And how is it told?", turns, ("public",))))

    card = cards.load(answer.answer_id)

    assert ["rewrite", "summary", "answer", "answer"] == [call.purpose for call in card.calls]
    assert card.answer == answer


async def test_nothing_is_traced_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """LangChain would send questions and documents away: here a connection would fail the test."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "x")
    created: list[object] = []
    monkeypatch.setattr("langchain_core.tracers.langchain.LangChainTracer.__init__", lambda *_, **__: created.append(1))
    model = ScriptedModel([calling("search_documents", query="rats"), GOOD])
    await pieces_of(answerer(model))

    assert [] == created


async def test_the_agent_costs_little_beside_engine_and_retrieval(tmp_path: Path) -> None:
    """Under 15 ms of this process's time a question at the median, card included."""
    model = ScriptedModel(lambda _: GOOD * 3)
    made = ModelAnswerer(model, Library(), refuse=refuse, cards=CardStore(tmp_path))
    passages = (*EVIDENCE.passages, *(passage(n, "text of mice " * 60) for n in range(3, 9)))
    spent: list[float] = []
    for _ in range(25):
        begin = time.process_time()
        async with aclosing(
            made.stream(Asked("q", scopes=("public",)), replace(EVIDENCE, passages=passages))
        ) as pieces:
            async for _ in pieces:
                pass
        spent.append((time.process_time() - begin) * 1000)

    assert statistics.median(spent) < 15


def test_the_scripted_model_streams_in_pieces() -> None:
    """The port's events, as the engine gives them."""

    async def events() -> list[object]:
        return [event async for event in ScriptedModel([GOOD]).generate(GenerationRequest(()))]

    assert GOOD == "".join(event.text for event in asyncio.run(events()) if isinstance(event, Text))
    assert FACTS == ScriptedModel([]).facts
