"""Every part in turn; what one raises keeps no other from being looked at."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from bot.checks import Finding, Level
from bot.data_folder import is_known_form
from bot.errors import BotError
from bot.examination.chats import examine_homeserver, examine_matrix, examine_slack
from bot.examination.genenetwork import examine_genenetwork
from bot.examination.knowledge import examine_knowledge
from bot.examination.machine import examine_folder, examine_gpus, examine_time, examine_version
from bot.examination.models import examine_model, examine_remote
from bot.examination.pages import examine_pages
from bot.examination.settings import examine_settings
from bot.settings import Settings
from bot.store.examination import examine_private_redis, examine_redis
from knowledge.examination import examine_disk, examine_extras

logger = logging.getLogger(__name__)

INSIDE = ("index", "matrix")  # what opens files of the data folder: not those of a form that is not known here
PATIENCE_S = 60.0  # with one part; the slowest opens a large index on a cold disk

Found = Finding | Iterable[Finding]
Look = tuple[str, Callable[[], Awaitable[Found]]]


async def examine(settings: Settings, env_file: Path | None = None) -> list[Finding]:
    """Return the findings, in the order in which things depend on each other.

    Nothing is changed and nothing is loaded twice; each service elsewhere is asked once.

    Args:
        settings: As `locus run` would have them.
        env_file: The file they were read from; none is `.env` of the working folder.
    """
    looks = _looks(settings, env_file or Path(".env"))
    if not await asyncio.to_thread(is_known_form, settings.data_dir):
        looks = [(part, look) for part, look in looks if part not in INSIDE]
    found = await asyncio.gather(*(_looked(part, look) for part, look in looks))
    return [finding for findings in found for finding in findings]


def _looks(settings: Settings, env_file: Path) -> list[Look]:
    looks: list[Look] = [
        ("version", _threaded(examine_version)),
        ("settings", _threaded(lambda: examine_settings(settings, os.environ, env_file))),
        ("disk", _threaded(lambda: examine_disk(settings.data_dir))),
        ("data folder", _threaded(lambda: examine_folder(settings.data_dir))),
        ("time", _threaded(lambda: examine_time(settings))),
        ("index", _threaded(lambda: examine_knowledge(settings))),
        ("model", _threaded(lambda: examine_model(settings))),
        ("gpu", _threaded(lambda: examine_gpus(settings))),
    ]
    if settings.remote_url is not None:
        url = settings.remote_url
        looks.append(("remote model", lambda: examine_remote(settings, url)))
    if settings.redis_url is not None:
        address = settings.redis_url.get_secret_value()
        looks.append(("redis", lambda: examine_redis(address, prefix=settings.redis_prefix)))
    elif find_spec("redis") is not None:
        looks.append(("redis", _threaded(lambda: examine_private_redis(settings.data_dir))))
    if settings.slack_bot_token is not None:
        token = settings.slack_bot_token
        looks.append(("slack", lambda: examine_slack(settings, token)))
    if settings.matrix_homeserver is not None:
        looks.append(("matrix", lambda: examine_matrix(settings)))
        looks.append(("matrix", lambda: examine_homeserver(settings)))
    looks.append(("dashboard", _threaded(lambda: list(examine_pages(settings)))))
    looks.append(("genenetwork", lambda: examine_genenetwork(settings)))
    looks.append(("extra", _threaded(examine_extras)))
    return looks


def _threaded(look: Callable[[], Found]) -> Callable[[], Awaitable[list[Finding]]]:
    return lambda: asyncio.to_thread(lambda: _listed(look()))


def _listed(found: Found) -> list[Finding]:
    return [found] if isinstance(found, Finding) else list(found)


async def _looked(part: str, look: Callable[[], Awaitable[Found]]) -> list[Finding]:
    """Return what one look finds; its failure is a finding too."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return _listed(await look())
    except BotError as error:
        return [told(part, error)]
    except TimeoutError:
        return [Finding(Level.ERROR, part, f"It gave no answer within {PATIENCE_S:g} s.", "try again later.")]
    except Exception as error:
        logger.debug("a part could not be looked at", exc_info=True)
        fix = "run it again with LOCUS_LOG_LEVEL=debug, and please report it."
        return [Finding(Level.ERROR, part, f"It could not be looked at ({type(error).__name__}).", fix)]


def told(part: str, error: BotError) -> Finding:
    """Return the finding of an error, whose sentence ends with what to do."""
    return Finding.of_sentence(Level.ERROR, part, str(error))
