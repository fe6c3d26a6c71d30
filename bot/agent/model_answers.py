"""Answers written by a language model from numbered passages, every statement with a number.

Retrieval comes first, and whether the evidence suffices is not left to the model: below the threshold there is no model
call. A grammar lets the model write only the numbers of the passages it was given. What it wrote is then checked:
a statement without a passage behind it is dropped, and an answer of which nothing is left becomes a refusal.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage

from bot.agent.chat_model import LocusChatModel
from bot.agent.prompts import load_prompt
from bot.engine.llama import LlamaEngine, Sampling
from bot.evidence import Answer, Citation, Evidence, Passage
from bot.messages import Turn
from bot.plain_text import without_controls
from bot.texts import unsupported

MAX_SENTENCES = 5
PASSAGE_SHARE = 0.6  # of the context that passages may fill
HISTORY_SHARE = 0.15  # and earlier turns
SUPPORT = 0.4  # share of a statement's words that its passages must hold

Refuse = Callable[[str, Evidence], Answer]

_STATEMENT = re.compile(r"(.+?)((?:\s*\[\d+\])+)[.!?]?", re.DOTALL)
_NUMBER = re.compile(r"\[(\d+)\]")
_WORD = re.compile(r"[^\W_]{3,}")
_LINKS = re.compile(
    r"(?:https?|ftp|file|data|javascript|mailto):\S*|www\.\S+|!?\[([^\]]*)\]\([^)]*\)|<[^>]*>", re.IGNORECASE
)
_MENTIONS = re.compile(r"[@<]+(?=\w|!|here|channel|room|everyone)")


def citation_grammar(passages: int) -> str:
    """Return a GBNF grammar: up to `MAX_SENTENCES` sentences, each ending in numbers from 1 to `passages`."""
    numbers = " | ".join(f'"{number}"' for number in range(1, passages + 1))
    return (
        f'root ::= sentence (" " sentence){{0,{MAX_SENTENCES - 1}}}\n'
        'sentence ::= first rest{8,240} (" [" number "]"){1,3} "."\n'
        "first ::= [A-Z0-9]\n"
        "rest ::= [^\\[\\]<>@`\\n\\r\\\\]\n"
        f"number ::= {numbers}\n"
    )


def clean_model_text(text: str) -> str:
    """Return model text without control characters, links, images, markup and mentions; the renderer writes links."""
    text = without_controls(text)
    return _MENTIONS.sub("", _LINKS.sub(lambda match: match.group(1) or "", text))


class ModelAnswerer:
    """Answers with a language model; implements `bot.ports.Answerer`."""

    def __init__(self, engine: LlamaEngine, *, sampling: Sampling, threshold: float, refuse: Refuse) -> None:
        """Load the prompts.

        Args:
            engine: The loaded model; closed by its owner.
            sampling: How answers are generated; the grammar is added for each question.
            threshold: Confidence, 0 to 1, below which the model is not asked.
            refuse: Makes the refusal.

        Raises:
            SettingsError: If a prompt template is wrong.
        """
        self._engine = engine
        self._sampling = sampling
        self._threshold = threshold
        self._refuse = refuse
        self._system = load_prompt("system")
        self._template = load_prompt("question")

    async def stream(self, question: str, evidence: Evidence, history: Sequence[Turn]) -> AsyncGenerator[str | Answer]:
        """Yield the text as the model writes it and, last, the checked answer."""
        begin = time.perf_counter()
        passages = self._fitting(evidence.passages)
        if evidence.confidence < self._threshold or not passages:
            refusal = self._refuse(question, evidence)
            yield refusal.text
            yield _as_model(refusal, refusal.text)
            return
        prompt = self._template.format(passages=render_passages(passages), question=question)
        messages = [*self._earlier(history), HumanMessage(prompt)]
        written = ""
        first_ms: float | None = None
        async with aclosing(self._write(messages, len(passages))) as pieces:
            async for piece in pieces:
                first_ms = first_ms or (time.perf_counter() - begin) * 1000
                written += piece
                yield clean_model_text(piece)
        timings = {"first_token": first_ms or 0.0, "model": (time.perf_counter() - begin) * 1000}
        checked = check_statements(question, written, passages, evidence.confidence, timings)
        yield checked or _as_model(self._refuse(question, evidence), unsupported())

    async def _write(self, messages: list[BaseMessage], passages: int) -> AsyncGenerator[str]:
        sampling = Sampling(
            max_tokens=self._sampling.max_tokens,
            temperature=self._sampling.temperature,
            seed=self._sampling.seed,
            stop=self._sampling.stop,
            grammar=citation_grammar(passages),
            deadline_s=self._sampling.deadline_s,
        )
        agent = create_agent(
            LocusChatModel(engine=self._engine, sampling=sampling), tools=[], system_prompt=self._system
        )
        async for chunk, _ in agent.astream(cast("Any", {"messages": messages}), stream_mode="messages"):
            if isinstance(chunk, AIMessageChunk) and chunk.text:
                yield str(chunk.text)

    def _fitting(self, passages: Sequence[Passage]) -> list[Passage]:
        """The best passages that fit their share of the context; at least one."""
        budget = int(self._engine.context * PASSAGE_SHARE) - self._engine.count_tokens(self._system)
        kept: list[Passage] = []
        for passage in passages:
            budget -= self._engine.count_tokens(render_passages([passage]))
            if budget < 0 and kept:
                break
            kept.append(passage)
        return kept

    def _earlier(self, history: Sequence[Turn]) -> list[BaseMessage]:
        """The latest turns that fit their share of the context, oldest first."""
        budget = int(self._engine.context * HISTORY_SHARE)
        kept: list[BaseMessage] = []
        for turn in reversed(history):
            budget -= self._engine.count_tokens(turn.content)
            if budget < 0:
                break
            kept.insert(0, HumanMessage(turn.content) if turn.role == "user" else AIMessage(turn.content))
        return kept


def render_passages(passages: Sequence[Passage]) -> str:
    """Return the passages numbered and fenced; marks that would end a fence are taken out of their text."""
    fenced = []
    for number, passage in enumerate(passages, start=1):
        title = passage.home.title.replace('"', "'").replace("<", "(").replace(">", ")")
        text = re.sub(r"</?passage\b[^>]*>", " ", without_controls(passage.text), flags=re.IGNORECASE)
        fenced.append(f'<passage number="{number}" title="{title}">{text}</passage>')
    return "\n".join(fenced)


def check_statements(
    question: str, written: str, passages: Sequence[Passage], confidence: float, timings_ms: dict[str, float]
) -> Answer | None:
    """Keep the statements their passages support, renumber the citations; None when nothing is left.

    Support is mechanical: at least `SUPPORT` of a statement's words begin like a word of a cited passage.
    """
    numbers: dict[int, int] = {}
    quotes: dict[int, list[str]] = {}
    kept: list[str] = []
    for match in _STATEMENT.finditer(clean_model_text(written)):
        statement = match.group(1).strip(" .\n")
        cited = [number for number in map(int, _NUMBER.findall(match.group(2))) if 1 <= number <= len(passages)]
        supporting = [number for number in dict.fromkeys(cited) if supported(statement, passages[number - 1].text)]
        if not statement or not supporting:
            continue
        for number in supporting:
            numbers.setdefault(number, len(numbers) + 1)
            quotes.setdefault(number, []).append(_nearest(statement, passages[number - 1]))
        kept.append(f"{statement} " + " ".join(f"[{numbers[number]}]" for number in supporting) + ".")
    if not kept:
        return None
    citations = []
    for number, shown in numbers.items():
        home = passages[number - 1].home
        citations.append(Citation(shown, home.title, home.source, home.url, " ".join(dict.fromkeys(quotes[number]))))
    return Answer(question, " ".join(kept), "model", True, tuple(citations), confidence, timings_ms)


def supported(statement: str, text: str) -> bool:
    """True when enough of a statement's words stand in the text; every number in it must."""
    words = _beginnings(statement)
    if not set(re.findall(r"\d+", statement)) <= set(re.findall(r"\d+", text)):
        return False
    return bool(words) and len(words & _beginnings(text)) >= SUPPORT * len(words)


def _beginnings(text: str) -> set[str]:
    return {word[:6] for word in _WORD.findall(text.lower())}


def _nearest(statement: str, passage: Passage) -> str:
    words = _beginnings(statement)
    sentences = [sentence.text for sentence in passage.sentences] or [passage.text]
    return max(sentences, key=lambda sentence: len(words & _beginnings(sentence)))


def _as_model(answer: Answer, text: str) -> Answer:
    """A refusal given in model mode."""
    return Answer(answer.question, text, "model", answer.answered, answer.citations, answer.confidence)
