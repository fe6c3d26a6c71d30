"""Conversations set aside in main memory, out of the KV cache.

On a CPU every cell between the first and the last used one costs time in every decode, whoever it belongs to. So a
conversation that is over for now is copied out (milliseconds) and copied back when its next question comes, and the
cells hold only what is running and what is shared.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bot.engine.batch import Tokens


@dataclass(frozen=True, slots=True)
class ParkedSequence:
    """A sequence outside the cache: its tokens and llama.cpp's copy of their keys and values."""

    tokens: Tokens
    state: bytes


class Parking:
    """Sequences by conversation, least recently used first to go."""

    def __init__(self, budget_bytes: int) -> None:
        """Make room for so many bytes; 0 keeps nothing."""
        self._budget = budget_bytes
        self._used = 0
        self._parked: OrderedDict[str, ParkedSequence] = OrderedDict()

    def __len__(self) -> int:
        return len(self._parked)

    def add(self, conversation: str, parked: ParkedSequence) -> None:
        """Keep a sequence in place of the conversation's earlier one, if it fits at all."""
        self.take(conversation)
        if len(parked.state) > self._budget:
            return
        while self._used + len(parked.state) > self._budget:
            _, oldest = self._parked.popitem(last=False)
            self._used -= len(oldest.state)
        self._parked[conversation] = parked
        self._used += len(parked.state)

    def find(self, conversation: str) -> ParkedSequence | None:
        """Return a conversation's sequence, which stays."""
        return self._parked.get(conversation)

    def take(self, conversation: str) -> ParkedSequence | None:
        """Return a conversation's sequence and forget it."""
        parked = self._parked.pop(conversation, None)
        if parked is not None:
            self._used -= len(parked.state)
        return parked
