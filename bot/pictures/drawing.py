"""Drawing beside the event loop, one picture after the other."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec

from bot.errors import SettingsError
from bot.extras import installing
from bot.pictures.picture import Picture

P = ParamSpec("P")


class Drawing:
    """Draws in one thread of its own: matplotlib is not made to be used by several at once."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="locus-pictures")

    async def draw(self, function: Callable[P, Picture], *args: P.args, **kwargs: P.kwargs) -> Picture:
        """Return what a function of this package draws.

        Raises:
            SettingsError: If the extra `charts` is not installed.
            ValueError: If there is nothing to draw.
        """
        if not can_draw():
            raise SettingsError(f"Pictures need the extra 'charts': install it with `{installing('charts')}`.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """End the thread; what is being drawn is finished first."""
        self._thread.shutdown()


def can_draw() -> bool:
    """True when matplotlib is installed; it is not loaded."""
    return importlib.util.find_spec("matplotlib") is not None
