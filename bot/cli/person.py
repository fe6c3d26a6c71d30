"""`locus person`: what is stored of a person, given out or deleted by the operator."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from bot.agent.cards import ANSWERS_FOLDER, CardStore
from bot.bootstrap import open_teacher
from bot.cli.private_files import private_file
from bot.errors import InvalidRequestError
from bot.messages import Sender
from bot.settings import Settings
from bot.store.answer_cache import AnswerCache
from bot.store.conversations import Conversations
from bot.store.given_answers import GivenAnswers
from bot.store.inbox import Inbox, InboxLimits
from bot.store.opening import open_store
from bot.store.people import People
from bot.teaching import TaughtFiles
from bot.texts import forget_needs_yes, malformed_account

UNLIMITED = 1_000_000_000  # characters: a file takes all there is


def person_id_of(account: str) -> str:
    """Return the handle of a person written as CHAT/WORKSPACE/USER; the workspace may be empty.

    Raises:
        InvalidRequestError: If it is something else.
    """
    chat, _, rest = account.partition("/")
    workspace, separator, user = rest.partition("/")
    if not chat or not separator or not user:
        raise InvalidRequestError(malformed_account(account))
    return Sender(chat, workspace, user).person_id


@asynccontextmanager
async def open_people(settings: Settings, taught: TaughtFiles | None = None) -> AsyncIterator[People]:
    """Open the shared state beside a running Locus; `taught` tells which files people taught."""
    async with open_store(settings, exclusive=False) as store:
        yield People(
            Inbox(store, InboxLimits(duplicates_h=settings.duplicates_h)),
            Conversations(store, days=settings.conversation_days, tokens=settings.conversation_tokens),
            AnswerCache(store, hours=settings.answer_cache_h),
            GivenAnswers(store, days=settings.retention_days),
            CardStore(settings.data_dir / ANSWERS_FOLDER, limit=settings.answers_kept),
            taught=taught,
        )


async def export_person(settings: Settings, account: str, out: Path | None) -> None:
    """Write what is stored of a person as one JSON object."""
    person_id = person_id_of(account)
    async with open_teacher(settings) as teacher, open_people(settings, teacher) as people:
        stored = json.dumps(await people.export(person_id, max_chars=UNLIMITED), ensure_ascii=False, indent=1)
    if out is None:
        sys.stdout.write(stored + "\n")
    else:
        with private_file(out) as file:
            file.write(stored + "\n")


async def forget_person(settings: Settings, account: str, *, yes: bool) -> None:
    """Delete what is stored of a person."""
    person_id = person_id_of(account)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidRequestError(forget_needs_yes(account))
        if not typer.confirm(f"Delete everything stored of {account}?", err=True):
            sys.stderr.write("locus: Nothing was deleted.\n")
            return
    async with open_people(settings) as people:
        done = await people.forget(person_id)
    sys.stdout.write(f"Deleted {done.total} {'thing' if done.total == 1 else 'things'} stored of {account}.\n")
