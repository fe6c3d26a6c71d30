"""The composition root: settings in, working parts out. The only module that sees every folder."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import platform
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from adapters.terminal import TerminalChat
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.application import Application
from bot.checks import Finding, Level
from bot.engine.model_file import model_card
from bot.errors import BotError, SettingsError
from bot.ingestion import IngestProgress, IngestReport
from bot.ports import Answerer
from bot.settings import Settings, unknown_names
from knowledge.aliases import load_aliases
from knowledge.embeddings import Embedder, MiniLmEmbedder
from knowledge.evaluation import EvalQuestion, Outcome, by_kind, load_questions, score
from knowledge.examination import examine_chroma, examine_disk, examine_extras, examine_index, examine_redis
from knowledge.fetching import Fetcher, FetchPolicy
from knowledge.index import KnowledgeIndex
from knowledge.ingest import sync_source
from knowledge.parsing import parse
from knowledge.retrieval import HybridRetriever
from knowledge.sources import open_source

_MIB = 1024 * 1024


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


@asynccontextmanager
async def open_application(settings: Settings) -> AsyncIterator[Application]:
    """Assemble the application: index, retriever and, where a model is set, the agent that writes with it.

    Raises:
        SettingsError: If a setting is wrong, a model file is damaged or an extra is missing.
        StorageError: If the index is damaged or was made with other settings.
    """
    async with AsyncExitStack() as stack:
        index = await stack.enter_async_context(open_index(settings))
        aliases = await asyncio.to_thread(load_aliases, settings.gene_aliases)
        retriever = HybridRetriever(index, aliases)
        stack.push_async_callback(asyncio.to_thread, retriever.close)
        quoting = QuotingAnswerer(threshold=settings.answer_threshold)
        answerer: Answerer = quoting
        if settings.model is not None:
            answerer = await _model_answerer(settings, settings.model, stack)
        yield Application(retriever, _IndexStatus(index), answerer, quoting, top_k=settings.top_k)


async def _model_answerer(settings: Settings, model: Path, stack: AsyncExitStack) -> Answerer:
    try:
        # LangChain takes a second to import and is an extra: only model mode pays for it.
        from bot.agent.model_answers import ModelAnswerer
        from bot.engine.llama import LlamaEngine, Sampling
    except ImportError as error:
        raise SettingsError(
            f"LOCUS_MODEL needs the extra 'llama' ({error.name} is missing): install it with `uv sync --extra llama`."
        ) from error
    engine = await asyncio.to_thread(
        LlamaEngine,
        model,
        context=settings.model_context,
        threads=settings.model_threads or None,
        gpu_layers=-1 if settings.gpu_layers == "auto" else settings.gpu_layers,
    )
    stack.push_async_callback(asyncio.to_thread, engine.close)
    sampling = Sampling(
        max_tokens=settings.model_max_tokens,
        temperature=settings.model_temperature,
        seed=settings.model_seed,
        deadline_s=settings.model_timeout_s,
    )
    return ModelAnswerer(engine, sampling=sampling, threshold=settings.answer_threshold, refuse=refuse)


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
async def open_terminal_chat(settings: Settings) -> AsyncIterator[TerminalChat]:
    """Assemble the chat in the terminal."""
    async with open_application(settings) as application:
        yield TerminalChat(application, Console(highlight=False), read_line)


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


async def examine(settings: Settings) -> list[Finding]:
    """Look at every part; nothing raised here keeps the others from being looked at."""
    return await asyncio.to_thread(_examine, settings)


def _examine(settings: Settings) -> list[Finding]:
    findings = [Finding(Level.OK, "version", f"Locus {version('locus-bot')}, Python {platform.python_version()}.")]
    for name, near in unknown_names(os.environ).items():
        hint = f"did you mean {near}?" if near else "remove it."
        findings.append(Finding(Level.WARNING, "settings", f"{name} is no setting of Locus.", hint))
    findings.append(examine_disk(settings.data_dir))
    try:
        embedder = make_embedder(settings)
    except BotError as error:
        findings.append(Finding(Level.ERROR, "embedding", str(error)))
    else:
        findings.append(Finding(Level.OK, "embedding", f"{embedder.fingerprint}, {embedder.dim} dimensions."))
        opened = functools.partial(KnowledgeIndex, settings.data_dir, embedder, chroma_url=settings.chroma_url)
        findings.extend(examine_index(opened))
        embedder.close()
    if settings.chroma_url:
        findings.append(examine_chroma(settings.chroma_url))
    if settings.redis_url:
        findings.append(examine_redis(settings.redis_url))
    findings.append(_examine_model(settings))
    findings.extend(examine_extras())
    return findings


def _examine_model(settings: Settings) -> Finding:
    if settings.model is None:
        return Finding(Level.OK, "model", "None is set: answers quote the documents.")
    try:
        card = model_card(settings.model)
    except BotError as error:
        return Finding(Level.ERROR, "model", str(error))
    return Finding(Level.OK, "model", f"{card.name} ({card.architecture}), {card.size_bytes / 1e6:,.0f} MB.")
