"""Assembles the application: index, retriever, GeneNetwork and, where a model is set, the agent that writes with it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from bot.agent.cards import ANSWERS_FOLDER, CardStore
from bot.agent.quoting import QuotingAnswerer, refuse
from bot.answer_shape import answer_shape
from bot.application import Application
from bot.bootstrap.genenetwork import open_genenetwork
from bot.bootstrap.index import IndexStatus, make_teacher, open_index
from bot.errors import BotError, SettingsError
from bot.extras import installing
from bot.language_model import open_language_model, sampling
from bot.live.answering import LiveAnswers
from bot.measured_model import MeasuredModel
from bot.metrics import UNMEASURED, Metrics
from bot.pictures.drawing import Drawing
from bot.ports import Answerer, LanguageModel, Retriever
from bot.settings import Settings
from knowledge.aliases import load_aliases
from knowledge.genenetwork.live import LiveGeneNetwork
from knowledge.genenetwork.opening import OpenGeneNetwork
from knowledge.library import CatalogueLibrary
from knowledge.retrieval import HybridRetriever

Loading = Callable[[float], None]


def untold(_share: float) -> None:
    """Loading of which nobody is told."""


@asynccontextmanager
async def open_application(
    settings: Settings,
    loading: Loading = untold,
    genenetwork: OpenGeneNetwork | None = None,
    *,
    drawing: Drawing | None = None,
    metrics: Metrics = UNMEASURED,
) -> AsyncIterator[Application]:
    """Assemble the application: index, retriever and, where a model is set, the agent that writes with it.

    Args:
        settings: What to assemble.
        loading: Told the loaded share of a local model, 0 to 1.
        genenetwork: The process's client of GeneNetwork; None opens one, where the settings allow it.
        drawing: Where the process draws pictures, closed by whoever made it; None makes one.
        metrics: Told of what the model writes.

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
        live = await _live_answers(settings, genenetwork, drawing, stack)
        cards = CardStore(settings.data_dir / ANSWERS_FOLDER, limit=settings.answers_kept, days=settings.retention_days)
        quoting = QuotingAnswerer(threshold=settings.answer_threshold, cards=cards)
        model = await opening
        answerer: Answerer = quoting
        if model is not None:
            model = MeasuredModel(model, metrics)
            answerer = await asyncio.to_thread(_model_answerer, settings, model, retriever, cards, live)
        yield Application(
            retriever,
            IndexStatus(index),
            answerer,
            quoting,
            top_k=settings.top_k,
            cards=cards,
            model=model,
            shape=await asyncio.to_thread(answer_shape, settings),
            teacher=make_teacher(settings, index),
            live=live,
            library=CatalogueLibrary(index.catalogue),
            threshold=settings.answer_threshold,
            embeds=index.embedder,
        )


async def _live_answers(
    settings: Settings, genenetwork: OpenGeneNetwork | None, drawing: Drawing | None, stack: AsyncExitStack
) -> LiveAnswers | None:
    """Return what answers from GeneNetwork, or None where that is off."""
    if genenetwork is None:
        genenetwork = await stack.enter_async_context(open_genenetwork(settings))
    if genenetwork is None:
        return None
    hosts = [urlsplit(settings.genenetwork_url).netloc.lower()]
    live = LiveAnswers(LiveGeneNetwork(genenetwork.client), drawing=drawing, hosts=hosts)
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
            f"`{installing('llama')}`."
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
