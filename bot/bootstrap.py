"""The composition root: settings in, working parts out. The only module that sees every folder."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from adapters.terminal import TerminalChat
from bot.agent.cards import ANSWERS_FOLDER, CardStore
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.answer_shape import answer_shape
from bot.application import Application
from bot.errors import BotError, SettingsError
from bot.ingestion import IngestProgress, IngestReport
from bot.language_model import open_language_model, sampling
from bot.ports import Answerer, IndexFacts, LanguageModel, Retriever
from bot.settings import Settings
from bot.texts import quoting_only
from knowledge.aliases import load_aliases
from knowledge.embeddings import Embedder, MiniLmEmbedder
from knowledge.evaluation import EvalQuestion, Outcome, by_kind, load_questions, score
from knowledge.fetching import Fetcher, FetchPolicy
from knowledge.index import KnowledgeIndex, index_facts
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.retrieval import HybridRetriever
from knowledge.sources import open_source

_MIB = 1024 * 1024
Loading = Callable[[float], None]


def _untold(_share: float) -> None:
    """Loading of which nobody is told."""


def make_embedder(settings: Settings) -> Embedder:
    """Return the embedding model the settings name.

    Raises:
        SettingsError: If it is missing or damaged.
    """
    threads = settings.ingest_threads or None
    if settings.embedding_model is not None:
        from knowledge.gguf_embeddings import GgufEmbedder

        return GgufEmbedder(settings.embedding_model, threads=threads)
    return MiniLmEmbedder(settings.data_dir / "models", threads=threads)


@asynccontextmanager
async def open_index(settings: Settings) -> AsyncIterator[KnowledgeIndex]:
    """Open the index of the data folder; closed on leaving, also after a failed start."""
    async with AsyncExitStack() as stack:
        embedder = await asyncio.to_thread(make_embedder, settings)
        stack.push_async_callback(asyncio.to_thread, embedder.close)
        index = await asyncio.to_thread(KnowledgeIndex, settings.data_dir, embedder, chroma_url=settings.chroma_url)
        stack.push_async_callback(asyncio.to_thread, index.close)
        yield index


class _IndexStatus:
    """Adapts the index to `bot.ports.IndexStatus`."""

    def __init__(self, index: KnowledgeIndex) -> None:
        self._index = index

    async def has_documents(self) -> bool:
        return await asyncio.to_thread(self._index.catalogue.has_documents)

    async def revision(self) -> int:
        return await asyncio.to_thread(self._index.catalogue.published_revision)

    async def facts(self) -> IndexFacts:
        return await asyncio.to_thread(index_facts, self._index)


@asynccontextmanager
async def open_application(settings: Settings, loading: Loading = _untold) -> AsyncIterator[Application]:
    """Assemble the application: index, retriever and, where a model is set, the agent that writes with it.

    Args:
        settings: What to assemble.
        loading: Told the loaded share of a local model, 0 to 1.

    Raises:
        SettingsError: If a setting is wrong, a model file is damaged or an extra is missing.
        StorageError: If the index is damaged or was made with other settings.
    """
    async with AsyncExitStack() as stack:
        # The model loads in its own process while the index is opened here.
        models = await stack.enter_async_context(AsyncExitStack())
        opening = asyncio.create_task(models.enter_async_context(open_language_model(settings, loading)))
        stack.push_async_callback(_abandon, opening)
        if settings.model is not None or settings.remote_url is not None:
            stack.push_async_callback(_abandon, asyncio.create_task(asyncio.to_thread(_import_agent)))
        index = await stack.enter_async_context(open_index(settings))
        aliases = await asyncio.to_thread(load_aliases, settings.gene_aliases)
        retriever = HybridRetriever(index, aliases)
        stack.push_async_callback(asyncio.to_thread, retriever.close)
        cards = CardStore(settings.data_dir / ANSWERS_FOLDER, limit=settings.answers_kept, days=settings.retention_days)
        quoting = QuotingAnswerer(threshold=settings.answer_threshold, cards=cards)
        model = await opening
        answerer: Answerer = quoting
        if model is not None:
            answerer = await asyncio.to_thread(_model_answerer, settings, model, retriever, cards)
        yield Application(
            retriever,
            _IndexStatus(index),
            answerer,
            quoting,
            top_k=settings.top_k,
            cards=cards,
            model=model,
            shape=await asyncio.to_thread(answer_shape, settings),
        )


async def _abandon(task: asyncio.Task[object]) -> None:
    """End a task that is no longer wanted; nothing happens to one that is done."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, BotError):
        await task


def _import_agent() -> None:
    """Import LangChain, which takes a second; where it is missing, `_model_answerer` says so."""
    with contextlib.suppress(ImportError):
        importlib.import_module("bot.agent.model_answers")


def _model_answerer(settings: Settings, model: LanguageModel, retriever: Retriever, cards: CardStore) -> Answerer:
    try:
        # LangChain takes a second to import and is an extra: only model mode pays for it.
        from bot.agent.budget import Limits
        from bot.agent.model_answers import AnswerOptions, ModelAnswerer
    except ImportError as error:
        raise SettingsError(
            f"Answers by a model need the extra 'llama' ({error.name} is missing): install it with "
            "`uv sync --extra llama`."
        ) from error
    options = AnswerOptions(
        sampling=sampling(settings),
        threshold=settings.answer_threshold,
        limits=Limits(settings.max_model_calls, settings.question_tokens, settings.model_timeout_s),
        style=settings.prompt_style,
        unsupported=settings.unsupported,
        history_tokens=settings.history_tokens,
        thinking=settings.model_thinking,
    )
    return ModelAnswerer(model, retriever, refuse=refuse, options=options, cards=cards)


async def ingest_sources(
    settings: Settings,
    specs: Sequence[str],
    *,
    scope: str,
    progress: Callable[[str], IngestProgress],
    report: Callable[[IngestReport | BotError, str], None],
) -> None:
    """Sync the given sources, or the declared ones when none is given, one after the other.

    A source that fails is reported and the others go on.

    Args:
        settings: Where the index is and what may be downloaded.
        specs: Sources as a person writes them.
        scope: The scope the documents belong to.
        progress: Called with a source's name, returns the object told about its progress.
        report: Called with the report, or the error, of each source.
    """
    policy = FetchPolicy(
        allowed_hosts=settings.fetch_allowed_hosts,
        private_hosts=settings.fetch_private_hosts,
        max_bytes=settings.fetch_max_mib * _MIB,
        timeout_s=settings.fetch_timeout_s,
        user_agent=f"Locus ({settings.contact})" if settings.contact else "Locus",
    )
    async with open_index(settings) as index, Fetcher(policy) as fetcher:
        for spec in specs or settings.sources:
            try:
                source = await open_source(
                    spec,
                    fetcher=fetcher,
                    cache_dir=settings.data_dir / "sources",
                    max_file_bytes=settings.max_file_mib * _MIB,
                )
                done = await asyncio.to_thread(
                    sync_source, index, source, scope=scope, spec=spec, parse=parse, progress=progress(spec)
                )
            except BotError as error:
                report(error, spec)
            else:
                report(done, spec)


@asynccontextmanager
async def open_terminal_chat(settings: Settings, loading: Loading = _untold) -> AsyncIterator[TerminalChat]:
    """Assemble the chat in the terminal; `loading` as in `open_application`."""
    async with open_application(settings, loading) as application:
        notice = None if settings.model or settings.remote_url else quoting_only()
        yield TerminalChat(application, Console(highlight=False), read_line, notice=notice)


def read_line(prompt: str) -> str:
    """Read a line with the keys of readline where it is there."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - importing it changes input()
    return input(prompt)


class EvaluationRun:
    """Questions with known answers, and the outcomes so far."""

    def __init__(self, application: Application, path: Path, questions: list[EvalQuestion], threshold: float) -> None:
        self._application = application
        self._outcomes: list[Outcome] = []
        self._retrieval_ms: list[float] = []
        self.path = path
        self.questions = questions
        self.threshold = threshold

    async def ask(self, question: EvalQuestion) -> Outcome:
        """Ask one question and remember the outcome."""
        evidence = await self._application.search(question.question, history=question.turns(), top_k=10)
        self._retrieval_ms.append(evidence.timings_ms["retrieval"])
        answer = await self._application.ask(question.question, history=question.turns())
        outcome = Outcome(question=question, passages=evidence.passages, answer=answer)
        self._outcomes.append(outcome)
        return outcome

    def figures(self) -> Figures:
        """Return the figures over all outcomes, overall and by kind."""
        return {
            "overall": score(self._outcomes).model_dump(),
            "by_kind": {kind: scores.model_dump() for kind, scores in by_kind(self._outcomes).items()},
            "threshold": self.threshold,
            "retrieval_ms_median": statistics.median(self._retrieval_ms),
        }


class Figures(TypedDict):
    """What `locus eval` prints; the scores are those of `knowledge.evaluation.Scores`."""

    overall: dict[str, float | None]
    by_kind: dict[str, dict[str, float | None]]
    threshold: float
    retrieval_ms_median: float


@asynccontextmanager
async def open_evaluation(settings: Settings, path: Path) -> AsyncIterator[EvaluationRun]:
    """Assemble what answers, and read the questions."""
    questions = await asyncio.to_thread(load_questions, path)
    async with open_application(settings) as application:
        yield EvaluationRun(application, path, questions, settings.answer_threshold)
