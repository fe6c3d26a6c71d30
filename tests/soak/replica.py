"""One replica of the soak: the real service; `python -m tests.soak.replica`.

It is put together as `locus run` does it, or with `--scripted URL` over the scripted chat, which is no chat of a lab.
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
import time
from contextlib import AsyncExitStack

from adapters.slack.adapter import SlackAdapter
from adapters.slack.limits import Limits
from bot.bootstrap import open_application
from bot.errors import BotError
from bot.log import set_up_logging
from bot.service import ALL_ROLES, Role, Service
from bot.serving import open_service
from bot.settings import Settings, load_settings
from bot.store.opening import open_store
from tests.chat_adapter import ScriptedChat
from tests.soak.paced_answerer import PacedAnswerer


async def serve(options: argparse.Namespace) -> None:
    """Run the service until SIGTERM."""
    settings = load_settings()
    set_up_logging(settings.log_level)
    _show_references()
    roles = frozenset(map(Role, filter(None, options.roles.split(",")))) or ALL_ROLES
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        if options.scripted:
            service = await _scripted(settings, options.scripted, stack)
        else:
            service = await stack.enter_async_context(open_service(settings, roles, lambda _: None))
            _hurry(service, options.slack_speed)
        application = service._application
        assert application is not None
        application._answerer = PacedAnswerer(application._answerer, options.shortest_s, options.longest_s)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await service.run(stop)


async def _scripted(settings: Settings, url: str, stack: AsyncExitStack) -> Service:
    store = await stack.enter_async_context(open_store(settings))
    application = await stack.enter_async_context(open_application(settings))
    return Service(settings, application, store, [await stack.enter_async_context(ScriptedChat(url))])


def _hurry(service: Service, speed: float) -> None:
    """Let Slack's limits pass as fast as they do at the local Slack."""
    slack = next((chat for chat in service.chats.connected if chat.name == "slack"), None)
    if isinstance(slack, SlackAdapter):
        limits = Limits(clock=lambda: time.monotonic() * speed, sleep=lambda seconds: asyncio.sleep(seconds / speed))
        slack._calls.limits = limits


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
    parser.add_argument("--scripted", default="", metavar="URL", help="of the scripted chat, instead of real ones")
    parser.add_argument("--roles", default="", metavar="ROLE,ROLE", help="of `locus run`; all by default")
    parser.add_argument("--slack-speed", type=float, default=1.0, help="seconds of Slack's limits in a real second")
    parser.add_argument("--shortest-s", type=float, default=0.3)
    parser.add_argument("--longest-s", type=float, default=2.0)
    options = parser.parse_args()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        asyncio.run(serve(options))
    except BotError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
