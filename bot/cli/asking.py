"""`locus ask`, `locus search` and `locus chat`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bot.bootstrap import open_application, open_terminal_chat
from bot.cli.loading import shown_loading
from bot.cli.render import answer_json, dump_json, passage_json, print_answer, print_passages
from bot.hints import question_hint
from bot.messages import Turn
from bot.picture_files import FOLDER, keep_files
from bot.settings import Settings
from bot.texts import quoting_only

TOLD_FILE = "told-no-model"  # in the data folder


async def ask_question(settings: Settings, question: str, history: Sequence[Turn], *, as_json: bool) -> None:
    """Answer one question on standard output."""
    with shown_loading() as loading:
        async with open_application(settings, loading) as application:
            answer = await application.ask(question, history=history)
    files: list[Path] = []
    if answer.attachments:
        files = await asyncio.to_thread(keep_files, settings.data_dir / FOLDER, answer.attachments)
    if settings.model is None and settings.remote_url is None and answer.mode != "live":
        tell_once(settings.data_dir)
    hint = question_hint(question, answered=answer.answered or answer.mode == "live")
    if hint:
        sys.stderr.write(f"locus: {hint}\n")
    if as_json:
        sys.stdout.write(dump_json(answer_json(answer, files)) + "\n")
    else:
        print_answer(Console(highlight=False), answer, files)


def tell_once(data_dir: Path) -> None:
    """Say on standard error that no model is set, the first time in a data folder."""
    told = data_dir / TOLD_FILE
    if not told.exists():
        with contextlib.suppress(OSError):
            told.touch()
        sys.stderr.write(f"locus: {quoting_only()}\n")


async def search_passages(
    settings: Settings, query: str, limit: int, history: Sequence[Turn], *, as_json: bool
) -> None:
    """Print the passages for a query."""
    async with open_application(settings.model_copy(update={"model": None, "remote_url": None})) as application:
        evidence = await application.search(query, history=history, top_k=limit)
    if as_json:
        passages = [passage_json(rank, passage) for rank, passage in enumerate(evidence.passages, start=1)]
        sys.stdout.write(dump_json({"passages": passages}) + "\n")
    else:
        print_passages(Console(highlight=False), evidence.passages)


async def chat_in_terminal(settings: Settings) -> None:
    """Ask and answer until the person leaves."""
    with shown_loading() as loading:
        async with open_terminal_chat(settings, loading) as chat:
            await chat.run()
