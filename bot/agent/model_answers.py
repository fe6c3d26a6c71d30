"""Answers written by a language model from numbered passages, every statement with a number.

Retrieval comes first, and whether the evidence suffices is not left to the model: below the threshold there is no model
call. A grammar lets the model write only the numbers of the passages it was given. What it wrote is then checked:
a statement without a passage behind it is marked or dropped, and an answer without support becomes a refusal.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool

from bot.agent.budget import Budget, Limits
from bot.agent.cards import AnswerCard, CardStore, ToolUse, keep_card, number_passages
from bot.agent.citations import Numbering, Unsupported, check_statements, named_hosts
from bot.agent.context import QuestionContext
from bot.agent.follow_ups import rewrite_follow_up, stands_alone
from bot.agent.graph import build_agent, run_agent
from bot.agent.history import Summaries, cut_history, turn_text
from bot.agent.model_text import TextStream
from bot.agent.passages import fit_passages, render_passage, render_passages, unfenced
from bot.agent.prompts import PromptStyle, load_prompt, system_prompt
from bot.agent.replay import complete_sentences
from bot.agent.tools import search_documents
from bot.evidence import Answer, Evidence, Passage
from bot.generation import Finished, Restarted, Sampling, Text
from bot.messages import Turn
from bot.ports import MAX_QUESTION_CHARS, Asked, LanguageModel, ModelCall, Retriever
from bot.texts import forgotten_turns, live_note_with_documents, unsupported
from bot.tracing import span

TEMPLATE_TOKENS = 64  # for the marks a chat template puts around messages, and the question's own words around it
TOOL_TOKENS = 300  # for the description of a tool, the words a template puts around it, and the calls
HISTORY_SHARE = 0.3  # of the free context at most, whatever the setting says
TOOL_SHARE = 0.3  # of the free context is left for results of tools
ANSWER_SHARE = 0.4  # of the context at most for the answer
SIDE_CALL_SHARE = 0.2  # of the seconds for a rewriting or a summary

Refuse = Callable[[str, Evidence], Answer]


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What shapes written answers.

    Attributes:
        sampling: How tokens are chosen; `max_tokens` is the longest answer.
        threshold: Confidence, 0 to 1, below which the model is not asked.
        limits: What one question may cost.
        style: Examples in the system prompt: none, one or all.
        unsupported: What happens to statements without support.
        history_tokens: Tokens of earlier turns given whole; older ones are summarised.
        thinking: Whether a reasoning model may think first.
    """

    sampling: Sampling = field(default_factory=Sampling)
    threshold: float = 0.35
    limits: Limits = field(default_factory=Limits)
    style: PromptStyle = "one"
    unsupported: Unsupported = "drop"
    history_tokens: int = 800
    thinking: bool = False


@dataclass(frozen=True, slots=True)
class _Prompt:
    """The messages behind the system prompt, and what went into them."""

    messages: list[BaseMessage]
    passages: list[Passage]
    room: int
    answer_tokens: int
    forgotten: int


class ModelAnswerer:
    """Answers with a language model; implements `bot.ports.Answerer`."""

    def __init__(
        self,
        model: LanguageModel,
        retriever: Retriever,
        *,
        refuse: Refuse,
        options: AnswerOptions | None = None,
        cards: CardStore | None = None,
        tools: Sequence[BaseTool] = (search_documents,),
    ) -> None:
        """Load the prompts and build the agent; blocking.

        Args:
            model: Writes; closed by its owner.
            retriever: Searched again by the tool.
            refuse: Makes the refusal.
            options: What shapes the answers.
            cards: Where cards are kept; None keeps none.
            tools: What the model may call; read-only, with `QuestionContext` as their runtime's context.

        Raises:
            SettingsError: If a prompt template is wrong.
        """
        self._model = model
        self._retriever = retriever
        self._refuse = refuse
        self._options = options or AnswerOptions()
        self._cards = cards
        self._system = system_prompt(self._options.style)
        self._template = load_prompt("question")
        for name in ("follow_up", "summary"):
            load_prompt(name)
        self._agent = build_agent(model, tools, self._system)
        self._tool_tokens = TOOL_TOKENS * len(tools)
        self._summaries = Summaries()

    async def rewrite(self, asked: Asked) -> Asked:
        """See `bot.ports.Answerer.rewrite`: one short call of the model, where the question does not stand alone."""
        limits = self._options.limits
        if limits.model_calls < 2 or stands_alone(asked.question, asked.history):
            return replace(asked, search_for=asked.question)
        rewritten, call = await rewrite_follow_up(
            self._model,
            asked.question,
            asked.history,
            user=asked.user,
            deadline_s=limits.seconds * SIDE_CALL_SHARE,
        )
        return replace(asked, search_for=rewritten, calls=(*asked.calls, *([call] if call else [])))

    async def stream(self, asked: Asked, evidence: Evidence) -> AsyncGenerator[str | Answer]:
        """Yield the text as the model writes it and, last, the checked answer."""
        begin = time.perf_counter()
        if evidence.confidence < self._options.threshold or not evidence.passages:
            refusal = self._refuse(asked.question, evidence)
            yield refusal.text
            yield await self._kept(replace(refusal, mode="model"), asked, evidence, evidence.passages, asked.calls, ())
            return
        calls = list(asked.calls)
        budget = Budget(self._options.limits, asked.begun, calls)
        prompt = await self._prompt(asked, evidence, budget, calls)
        sampling = replace(self._options.sampling, max_tokens=prompt.answer_tokens)
        context = QuestionContext(
            asked,
            self._model,
            self._retriever,
            calls,
            budget,
            sampling,
            self._options.thinking,
            prompt.passages,
            prompt.room,
        )
        first_ms: float | None = None
        async with aclosing(self._pieces(context, prompt.messages)) as pieces:
            async for piece in pieces:
                first_ms = first_ms or (time.perf_counter() - begin) * 1000
                yield piece
        timings = {"first_token": first_ms or 0.0, "model": (time.perf_counter() - begin) * 1000}
        with span("check"):
            checked = check_statements(
                complete_sentences(calls[-1]), context.passages, unsupported=self._options.unsupported
            )
        if checked.supported:
            answer = Answer(
                asked.question, checked.text, "model", True, checked.citations, evidence.confidence, timings
            )
        else:
            refusal = self._refuse(asked.question, evidence)
            answer = replace(refusal, mode="model", text=unsupported(), timings_ms=timings)
        answer = _with_live_data(answer, context.live_answers)
        forgotten = prompt.forgotten + (calls[-1].finished.dropped_turns if calls[-1].finished else 0)
        if forgotten:
            answer = replace(answer, note=" ".join(filter(None, (answer.note, forgotten_turns(forgotten)))))
        yield await self._kept(answer, asked, evidence, context.passages, calls, context.tool_uses)

    async def _pieces(self, context: QuestionContext, messages: Sequence[BaseMessage]) -> AsyncGenerator[str]:
        """What the model writes, fit to be shown; passages are numbered in the order they are cited."""
        stream: TextStream | None = None
        async with aclosing(run_agent(self._agent, context, messages, self._model)) as events:
            async for event in events:
                if isinstance(event, Text):
                    stream = stream or _shown_text(context.passages)
                    shown = stream.feed(event.text)
                elif isinstance(event, Finished | Restarted) and stream is not None:
                    # After tool calls another text follows; after a restart the same one, from its beginning.
                    done = isinstance(event, Finished) and not event.tool_calls
                    shown = stream.finish() + ("" if done else "\n\n")
                    stream = None
                else:
                    continue
                if shown:
                    yield shown

    async def _prompt(self, asked: Asked, evidence: Evidence, budget: Budget, calls: list[ModelCall]) -> _Prompt:
        """Fit history and passages into the context."""
        turns = asked.history
        rendered = [render_passage(number, one) for number, one in enumerate(evidence.passages, start=1)]
        question = unfenced(asked.question[:MAX_QUESTION_CHARS])
        if asked.search_for and asked.search_for != asked.question:
            question += f"\n(This means: {unfenced(asked.search_for)})"
        counts = await self._model.count_tokens([self._system, question, *map(turn_text, turns), *rendered])
        context = min(self._model.facts.context, budget.tokens_left)
        answer_tokens = min(self._options.sampling.max_tokens, int(context * ANSWER_SHARE))
        tools = self._tool_tokens if budget.calls_left > 1 else 0
        free = context - answer_tokens - counts[0] - counts[1] - TEMPLATE_TOKENS - tools
        turn_counts, passage_counts = counts[2 : 2 + len(turns)], counts[2 + len(turns) :]
        history_budget = max(0, min(self._options.history_tokens, int(free * HISTORY_SHARE)))
        cut = cut_history(turns, turn_counts, history_budget)
        summary = await self._summary(turns[:cut], asked, budget, calls)
        # A summary's tokens are not counted: in prose a token has two letters at the very least.
        free -= sum(turn_counts[cut:]) + len(summary) // 2
        passages = fit_passages(evidence.passages, passage_counts, int(free * (1 - TOOL_SHARE)) if tools else free)
        room = free - sum(passage_counts[: len(passages)]) if tools else 0
        text = self._template.format(summary=summary, passages=render_passages(passages), question=question)
        messages: list[BaseMessage] = [
            HumanMessage(turn_text(turn)) if turn.role == "user" else AIMessage(turn_text(turn)) for turn in turns[cut:]
        ]
        forgotten = cut if not summary else 0
        return _Prompt([*messages, HumanMessage(text)], passages, room, answer_tokens, forgotten)

    async def _summary(self, older: Sequence[Turn], asked: Asked, budget: Budget, calls: list[ModelCall]) -> str:
        """The fenced summary of the older turns; "" where there are none or no call is left for it."""
        if not older:
            return ""
        text = self._summaries.find(older)
        if text is None and budget.calls_left > 1 and not budget.spent:
            text, call = await self._summaries.write(
                self._model, older, user=asked.user, deadline_s=budget.seconds_left * SIDE_CALL_SHARE
            )
            calls += [call] if call else []
        return f"<summary>Earlier in this conversation: {text}</summary>\n\n" if text else ""

    async def _kept(
        self,
        answer: Answer,
        asked: Asked,
        evidence: Evidence,
        passages: Sequence[Passage],
        calls: Sequence[ModelCall],
        tool_uses: Sequence[ToolUse],
    ) -> Answer:
        """The answer, and its card in the store."""
        if self._cards is None:
            return answer
        timings = {**evidence.timings_ms, **answer.timings_ms, "total": (time.monotonic() - asked.begun) * 1000}
        answer = replace(answer, timings_ms=timings)
        options = self._options
        card = AnswerCard(
            replace(answer, attachments=()),
            asked.search_for or asked.question,
            asked.history,
            asked.scopes,
            number_passages(passages),
            settings={
                "prompt_style": options.style,
                "unsupported": options.unsupported,
                "answer_threshold": options.threshold,
                "max_model_calls": options.limits.model_calls,
                "question_tokens": options.limits.tokens,
                "timeout_s": options.limits.seconds,
                "history_tokens": options.history_tokens,
                "thinking": options.thinking,
            },
            model=self._model.facts,
            seed=options.sampling.seed,
            calls=tuple(calls),
            tool_uses=tuple(tool_uses),
        )
        return replace(await keep_card(self._cards, card, user=asked.user), attachments=answer.attachments)


def _with_live_data(answer: Answer, found: Sequence[Answer]) -> Answer:
    """Return an answer with pictures and time of the live data it cites; the note keeps it out of the answer cache."""
    cited = {citation.url for citation in answer.citations}
    used = [one for one in found if one.citations[0].url in cited]
    if not used:
        return answer
    files = tuple(file for one in used for file in one.attachments)
    return replace(answer, note=live_note_with_documents(used[0].note), attachments=files)


def _shown_text(passages: Sequence[Passage]) -> TextStream:
    numbering = Numbering()

    def number(given: int) -> int | None:
        return numbering.number(given) if 1 <= given <= len(passages) else None

    return TextStream(number, hosts=named_hosts(passages))
