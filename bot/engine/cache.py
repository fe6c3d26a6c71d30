"""Sequences in the KV cache: which beginnings are already computed, who may reuse them, which go first.

Every sequence in the cache is a possible source: a prompt shares the longest beginning it has with any of them. So the
system prompt is held once, and a conversation that comes back finds its own last prompt.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from bot.engine.batch import Tokens
from bot.engine.cells import CellLedger
from bot.engine.llama import LlamaContext
from bot.engine.parking import ParkedSequence, Parking

WORTH_WAITING = 32  # tokens another prompt is about to compute, from which on waiting for them pays
WORTH_PARKING = 64  # tokens from which on copying a sequence out and back is cheaper than computing it again
RECENT_PROMPTS = 8  # that tell which beginning people share


@dataclass(slots=True, eq=False)
class CachedSequence:
    """A sequence in the cache.

    Attributes:
        number: llama.cpp's sequence id.
        tokens: The prompt and, behind it, room for what is written.
        computed: Tokens, from the first, whose keys and values are in the cache.
        prompt: Length of the prompt.
        conversation: Key under which it is found again, or "".
        reserved: Cells promised to it beyond `computed`.
        last_used: Monotonic seconds.
        idle: True when no request runs on it.
    """

    number: int
    tokens: Tokens
    computed: int
    prompt: int
    conversation: str
    reserved: int
    last_used: float
    idle: bool = False


class SequenceCache:
    """All sequences of one context; used by its owner thread only."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._ledger = CellLedger()
        self._held: list[CachedSequence] = []
        self._free = list(range(context.options.sequences - 1, -1, -1))
        parking_bytes = context.options.parking_bytes
        self._parking = Parking(parking_bytes) if parking_bytes else None
        self._recent: deque[Tokens] = deque(maxlen=RECENT_PROMPTS)

    @property
    def used(self) -> int:
        """Cells taken."""
        return self._ledger.used

    @property
    def idle(self) -> int:
        """Sequences kept for their return, in the cache or set aside."""
        return sum(held.idle for held in self._held) + (len(self._parking) if self._parking is not None else 0)

    def worth_waiting(self, prompt: Tokens) -> bool:
        """True when a running prompt will soon have computed clearly more of this prompt than the cache holds now."""
        if not self._context.divisible:
            return False
        now = max((_common(held.tokens[: held.computed], prompt) for held in self._held), default=0)
        soon = max(
            (
                _common(held.tokens[: held.prompt], prompt)
                for held in self._held
                if not held.idle and held.computed < held.prompt
            ),
            default=0,
        )
        return soon - now >= WORTH_WAITING

    def open(self, prompt: Tokens, new_tokens: int, conversation: str) -> CachedSequence | None:
        """Make a sequence for a prompt, as much of it as possible taken from the cache.

        Args:
            prompt: At least one token; its last one is always computed anew, for its logits.
            new_tokens: Most tokens that will be written.
            conversation: Its key, or "".

        Returns:
            The sequence with its cells reserved, or None when running ones leave no room.
        """
        self._unpark(prompt, new_tokens, conversation)
        source, shared = self._source(prompt, conversation)
        needed = len(prompt) - shared + new_tokens
        own = source is not None and source.idle and source.conversation == conversation != ""
        if own and source is not None:
            return self._take_over(source, prompt, shared, needed, conversation)
        if not self._make_room(needed, keep=source):
            if source is None or not source.idle:
                return None
            # Only the source itself can still give way: its end is not needed.
            return self._take_over(source, prompt, shared, needed, conversation)
        number = self._free.pop()
        if source is not None and shared:
            self._context.copy_sequence(source.number, number, shared)
            self._ledger.share(source.number, number, shared)
            source.last_used = time.monotonic()
        return self._hold(number, prompt, shared, needed, conversation)

    def _take_over(
        self, source: CachedSequence, prompt: Tokens, shared: int, needed: int, conversation: str
    ) -> CachedSequence | None:
        # Cut first: only then it shows how many cells that frees, for others may share its end.
        self._cut(source, shared)
        if not self._make_room(needed, keep=source, numbers=0):
            return None
        self._held.remove(source)
        return self._hold(source.number, prompt, shared, needed, conversation)

    def _hold(self, number: int, prompt: Tokens, shared: int, needed: int, conversation: str) -> CachedSequence:
        tokens = np.zeros(shared + needed, dtype=np.int32)
        tokens[: len(prompt)] = prompt
        held = CachedSequence(number, tokens, shared, len(prompt), conversation, needed, time.monotonic())
        self._held.append(held)
        self._recent.append(prompt)
        if self._parking is not None:
            # Tells what is shared now; what only an idle one holds would cost every decode of this answer.
            for idle in [one for one in self._held if one.idle]:
                self._shrink(idle)
        return held

    def extend(self, held: CachedSequence, count: int) -> None:
        """Book tokens that have been computed."""
        self._ledger.extend(held.number, count)
        held.computed += count
        held.reserved -= count

    def keep(self, held: CachedSequence) -> None:
        """End the writing; the sequence stays until its room is needed, in the cache or beside it."""
        held.reserved = 0
        held.idle = True
        held.last_used = time.monotonic()
        for other in list(self._held):
            if other is not held and other.idle and other.conversation == held.conversation != "":
                self.drop(other)
        if held.computed == 0:
            self.drop(held)
        elif self._parking is not None:
            self._park(held, self._parking)

    def _park(self, held: CachedSequence, parking: Parking) -> None:
        """Copy a conversation out, and leave of earlier ones in the cache only what other prompts share."""
        if held.conversation and held.computed >= WORTH_PARKING:
            tokens = held.tokens[: held.computed].copy()
            parking.add(held.conversation, ParkedSequence(tokens, self._context.save_sequence(held.number)))
        # The last one stays whole until the next has ended: its beginning may be what people ask about now.
        for idle in [one for one in self._held if one.idle and one is not held]:
            self._shrink(idle)

    def _shrink(self, held: CachedSequence) -> None:
        """Cut an idle sequence to the beginning it shares with recent prompts; drop it where another one holds that."""
        if len(self._recent) < 2:
            return  # who shares what is not known yet
        mine = held.tokens[: held.computed]
        common = sorted((_common(mine, prompt) for prompt in self._recent), reverse=True)
        shared = common[1]  # the longest one is its own
        others = (_common(mine, one.tokens[: one.computed]) for one in self._held if one is not held)
        if shared < WORTH_WAITING or not self._context.divisible or max(others, default=0) >= shared:
            self.drop(held)
        else:
            self._cut(held, shared)

    def _unpark(self, prompt: Tokens, new_tokens: int, conversation: str) -> None:
        """Bring a conversation back where it knows clearly more of the prompt than the cache does."""
        parked = self._parking.find(conversation) if self._parking is not None and conversation else None
        if parked is None or self._parking is None:
            return
        known = _common(parked.tokens, prompt)
        if not self._context.divisible and known < len(parked.tokens):
            return
        if known - self._source(prompt, conversation)[1] < WORTH_PARKING:
            return
        if not self._make_room(len(parked.tokens) + len(prompt) - known + new_tokens, keep=None):
            return
        number = self._free.pop()
        if not self._context.restore_sequence(number, parked.state):
            self._context.cut_sequence(number, 0)
            self._free.append(number)
            return
        self._parking.take(conversation)
        length = len(parked.tokens)
        self._ledger.extend(number, length)
        now = time.monotonic()
        self._held.append(CachedSequence(number, parked.tokens, length, length, conversation, 0, now, idle=True))

    def _cut(self, held: CachedSequence, length: int) -> None:
        if held.computed > length:
            self._context.cut_sequence(held.number, length)
            self._ledger.cut(held.number, length)
            held.computed = length

    def drop(self, held: CachedSequence) -> None:
        """Free the cells of a sequence that nobody else shares."""
        self._context.cut_sequence(held.number, 0)
        self._ledger.cut(held.number, 0)
        self._held.remove(held)
        self._free.append(held.number)

    def _source(self, prompt: Tokens, conversation: str) -> tuple[CachedSequence | None, int]:
        limit = len(prompt) - 1
        best: CachedSequence | None = None
        length = 0
        for held in self._held:
            common = min(limit, _common(held.tokens[: held.computed], prompt))
            if not self._context.divisible and (common < held.computed or not held.idle):
                continue
            own = held.idle and held.conversation == conversation != ""
            if common > length or (common == length and common and own):
                best, length = held, common
        return best, length

    def _make_room(self, needed: int, *, keep: CachedSequence | None, numbers: int = 1) -> bool:
        """Drop idle sequences, least recently used first, until `needed` cells and a sequence id are free."""
        promised = sum(held.reserved for held in self._held)
        idle = sorted((held for held in self._held if held.idle and held is not keep), key=lambda one: one.last_used)
        while self._context.cells - self._ledger.used - promised < needed or len(self._free) < numbers:
            if not idle:
                return False
            self.drop(idle.pop(0))
        return True


def _common(first: Tokens, second: Tokens) -> int:
    """Length of the common beginning."""
    length = min(len(first), len(second))
    differs = np.flatnonzero(first[:length] != second[:length])
    return int(differs[0]) if len(differs) else length
