"""The chart of a digest with many datasets; without the extra `charts` there is none."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from bot.errors import BotError
from bot.pictures.bars import bars
from bot.pictures.drawing import Drawing, can_draw
from bot.replies import Attachment

logger = logging.getLogger(__name__)


class Charting(Protocol):
    """Draws how many datasets are new, by group or by tissue."""

    async def draw(self, counts: Sequence[tuple[str, int]]) -> tuple[Attachment, ...]:
        """Return the picture, or nothing where there can be none. Never fails."""
        ...


class BarCharting:
    """Draws bars beside the event loop.

    Args:
        drawing: Where; closed by whoever made it.
    """

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    async def draw(self, counts: Sequence[tuple[str, int]]) -> tuple[Attachment, ...]:
        """Draw, if matplotlib is installed."""
        if not counts or not can_draw():
            return ()
        try:
            picture = await self._drawing.draw(bars, "New datasets in GeneNetwork", counts, "new datasets")
        except (BotError, ValueError, OSError) as error:
            logger.warning("the chart of a digest could not be drawn: %s", error)
            return ()
        return (picture.attachment("new-datasets"),)
