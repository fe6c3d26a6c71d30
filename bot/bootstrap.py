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
from urllib.parse import urlsplit

from rich.console import Console

from adapters.terminal import TerminalChat
from bot.agent.cards import ANSWERS_FOLDER, CardStore
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.answer_shape import answer_shape
from bot.application import Application
from bot.digest.folders import DatasetFolders
from bot.errors import BotError, SettingsError
from bot.ingestion import IngestProgress, IngestReport
from bot.language_model import open_language_model, sampling
from bot.live.answering import LiveAnswers
from bot.picture_files import FOLDER as PICTURES_FOLDER
from bot.ports import Answerer, IndexFacts, LanguageModel, Retriever
from bot.response_cache import ResponseCache
from bot.settings import Settings
from bot.texts import quoting_only
from knowledge.aliases import load_aliases
from knowledge.dataset_folders import GitDatasetFolders
from knowledge.embeddings import Embedder, MiniLmEmbedder
from knowledge.evaluation import EvalQuestion, Outcome, by_kind, load_questions, score
from knowledge.fetching import Fetcher, FetchPolicy
from knowledge.genenetwork.live import LiveGeneNetwork
from knowledge.genenetwork.opening import OpenGeneNetwork, open_client
from knowledge.genenetwork.options import GeneNetworkOptions
from knowledge.index import KnowledgeIndex, index_facts
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.reading import FileReader
from knowledge.retrieval import HybridRetriever
from knowledge.sources import open_source
from knowledge.taught_copies import FOLDER as TAUGHT_FOLDER
from knowledge.taught_copies import TaughtCopies
from knowledge.teaching import FileTeacher

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


def make_teacher(settings: Settings, index: KnowledgeIndex) -> FileTeacher:
    """Return what puts files of chats into an index."""
    copies = TaughtCopies(settings.data_dir / TAUGHT_FOLDER)
    return FileTeacher(index, FileReader(), copies, max_bytes=settings.max_file_mib * _MIB)


@asynccontextmanager
async def open_teacher(settings: Settings) -> AsyncIterator[FileTeacher]:
    """Open the index of the data folder to look after what chats taught it; raises as `open_application`."""
    async with open_index(settings) as index:
        yield make_teacher(settings, index)


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
async def open_application(
    settings: Settings, loading: Loading = _untold, genenetwork: OpenGeneNetwork | None = None
) -> AsyncIterator[Application]:
    """Assemble the application: index, retriever and, where a model is set, the agent that writes with it.

    Args:
        settings: What to assemble.
        loading: Told the loaded share of a local model, 0 to 1.
        genenetwork: The process's client of GeneNetwork; None opens one, where the settings allow it.

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
        live = await _live_answers(settings, genenetwork, stack)
        cards = CardStore(settings.data_dir / ANSWERS_FOLDER, limit=settings.answers_kept, days=settings.retention_days)
        quoting = QuotingAnswerer(threshold=settings.answer_threshold, cards=cards)
        model = await opening
        answerer: Answerer = quoting
        if model is not None:
            answerer = await asyncio.to_thread(_model_answerer, settings, model, retriever, cards, live)
        yield Application(
            retriever,
            _IndexStatus(index),
            answerer,
            quoting,
            top_k=settings.top_k,
            cards=cards,
            model=model,
            shape=await asyncio.to_thread(answer_shape, settings),
            teacher=make_teacher(settings, index),
            live=live,
        )


async def _live_answers(
    settings: Settings, genenetwork: OpenGeneNetwork | None, stack: AsyncExitStack
) -> LiveAnswers | None:
    """Return what answers from GeneNetwork, or None where that is off."""
    if genenetwork is None:
        genenetwork = await stack.enter_async_context(open_genenetwork(settings))
    if genenetwork is None:
        return None
    live = LiveAnswers(LiveGeneNetwork(genenetwork.client), hosts=[urlsplit(settings.genenetwork_url).netloc.lower()])
    stack.push_async_callback(asyncio.to_thread, live.close)
    return live


async def _abandon(task: asyncio.Task[object]) -> None:
    """End a task that is no longer wanted; nothing happens to one that is done."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, BotError):
        await task


def _import_agent() -> None:
    """Import LangChain, which takes a second; where it is missing, `_model_answerer` says so."""
    with contextlib.suppress(ImportError):
        importlib.import_module("bot.agent.model_answers")


def _model_answerer(
    settings: Settings, model: LanguageModel, retriever: Retriever, cards: CardStore, live: LiveAnswers | None
) -> Answerer:
    try:
        # LangChain takes a second to import and is an extra: only model mode pays for it.
        from bot.agent.budget import Limits
        from bot.agent.live_tools import live_tool
        from bot.agent.model_answers import AnswerOptions, ModelAnswerer
        from bot.agent.tools import search_documents
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
    tools = (search_documents, *([live_tool(live)] if live is not None else []))
    return ModelAnswerer(model, retriever, refuse=refuse, options=options, cards=cards, tools=tools)


@asynccontextmanager
async def open_genenetwork(
    settings: Settings, cache: ResponseCache | None = None
) -> AsyncIterator[OpenGeneNetwork | None]:
    """Open GeneNetwork's client, one per process; None where the settings say off. Nothing is asked yet.

    Args:
        settings: Where and how politely.
        cache: What remembers answers, such as `bot.store.genenetwork_cache`; None is this process's memory.
    """
    if settings.genenetwork == "off":
        yield None
        return
    options = GeneNetworkOptions(
        site=settings.genenetwork_url.rstrip("/"),
        gn3=_address(settings.genenetwork_gn3_url),
        sparql=_address(settings.genenetwork_sparql_url),
        contact=settings.genenetwork_contact or settings.contact,
        pause_s=settings.genenetwork_pause_s,
        quick_s=settings.genenetwork_timeout_s,
        compute_s=settings.genenetwork_compute_s,
        fresh_s=settings.genenetwork_fresh_s,
        max_bytes=settings.genenetwork_max_mib * _MIB,
    )
    async with open_client(options, cache=cache) as opened:
        yield opened


def _address(setting: str) -> str:
    return "" if setting == "none" else setting.rstrip("/")


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
    async with open_index(settings) as index, Fetcher(_fetch_policy(settings)) as fetcher:
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


def _fetch_policy(settings: Settings) -> FetchPolicy:
    """Return what may be downloaded."""
    return FetchPolicy(
        allowed_hosts=settings.fetch_allowed_hosts,
        private_hosts=settings.fetch_private_hosts,
        max_bytes=settings.fetch_max_mib * _MIB,
        timeout_s=settings.fetch_timeout_s,
        user_agent=f"Locus ({settings.contact})" if settings.contact else "Locus",
    )


def make_dataset_folders(settings: Settings) -> DatasetFolders | None:
    """Return the second witness of new datasets, or None where the settings name none.

    Raises:
        SettingsError: If what they name is no git repository.
    """
    if not settings.digest_docs:
        return None
    try:
        return GitDatasetFolders(settings.digest_docs, _fetch_policy(settings), settings.data_dir / "sources")
    except BotError as error:
        raise SettingsError(f"LOCUS_DIGEST_DOCS: {error}") from error


@asynccontextmanager
async def open_terminal_chat(settings: Settings, loading: Loading = _untold) -> AsyncIterator[TerminalChat]:
    """Assemble the chat in the terminal; `loading` as in `open_application`."""
    async with open_application(settings, loading) as application:
        notice = None if settings.model or settings.remote_url else quoting_only()
        files = settings.data_dir / PICTURES_FOLDER
        yield TerminalChat(application, Console(highlight=False), read_line, notice=notice, files=files)


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
