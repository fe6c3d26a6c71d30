"""Showing how far a model has been loaded, where somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from bot.texts import loading_model


@contextmanager
def shown_loading() -> Iterator[Callable[[float], None]]:
    """Yield what is told the loaded share, 0 to 1; it shows on standard error if that is a terminal."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _share: None
        return
    status = console.status("")

    def tell(share: float) -> None:
        if share >= 1:
            status.stop()
        else:
            status.update(loading_model(share))
            status.start()

    try:
        yield tell
    finally:
        status.stop()
