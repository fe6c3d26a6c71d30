"""One replica of the soak: the real service over the scripted chat; `python -m tests.soak.replica CHAT_URL`.

Settings come from the environment. It says "ready" when it is about to connect, ends at SIGTERM, and dies when its
standard input is closed, so that nothing is left running by a harness that was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import AsyncExitStack

from bot.bootstrap import open_application
from bot.errors import BotError
from bot.log import set_up_logging
from bot.service import Service
from bot.settings import load_settings
from bot.store.opening import open_store
from tests.chat_adapter import ScriptedChat
from tests.soak.paced_answerer import PacedAnswerer


async def serve(chat_url: str, shortest_s: float, longest_s: float) -> None:
    """Run the service until SIGTERM."""
    settings = load_settings()
    set_up_logging(settings.log_level)
    _show_references()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        application = await stack.enter_async_context(open_application(settings))
        application._answerer = PacedAnswerer(application._answerer, shortest_s, longest_s)
        chat = await stack.enter_async_context(ScriptedChat(chat_url))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await Service(settings, application, store, [chat]).run(stop)


def _show_references() -> None:
    """Let each line of the log end with the fields by which one request can be followed through all processes."""
    form = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s [%(request)s %(outcome)s]"
    formatter = logging.Formatter(form, datefmt="%H:%M:%S", defaults={"request": "-", "outcome": ""})
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)


def _die_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.replica")
    parser.add_argument("chat_url")
    parser.add_argument("--shortest-s", type=float, default=0.3)
    parser.add_argument("--longest-s", type=float, default=2.0)
    options = parser.parse_args()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        asyncio.run(serve(options.chat_url, options.shortest_s, options.longest_s))
    except BotError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
