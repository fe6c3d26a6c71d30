"""How messages look in this workspace: as the lab has chosen, or plainer for a while after Slack has refused that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from adapters.slack.rendering import Look

logger = logging.getLogger(__name__)

PLAIN_FOR_S: Final = 3600.0  # until the chosen look is tried again
# Blocks that not every workspace takes; messages of others were refused for what stands in them.
NEWER_BLOCKS: Final = frozenset(("markdown", "context_actions"))


class Looks:
    """What one workspace has refused.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._plain_until = float("-inf")

    def now(self, chosen: Look) -> Look:
        """Return how a message is to look that the lab wants to look as `chosen`."""
        if self._clock() >= self._plain_until:
            return chosen
        return replace(chosen, native=False, feedback=False)

    def refused(self, content: Mapping[str, JsonValue]) -> None:
        """Slack has not taken this content of a message."""
        blocks = content.get("blocks")
        kinds = {one.get("type") for one in blocks if isinstance(one, dict)} if isinstance(blocks, list) else set()
        if kinds & NEWER_BLOCKS:
            logger.info("messages look plainer for an hour, since Slack has refused one")
            self._plain_until = self._clock() + PLAIN_FOR_S
