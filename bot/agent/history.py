"""The conversation so far in a prompt: the latest turns as they are, older ones as a summary."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import OrderedDict
from collections.abc import Sequence

from bot.agent.passages import unfenced
from bot.agent.prompts import load_prompt
from bot.agent.recording import write
from bot.errors import BotError
from bot.generation import ChatMessage, GenerationRequest, Sampling
from bot.messages import Turn
from bot.ports import LanguageModel, ModelCall

logger = logging.getLogger(__name__)

MAX_TOKENS = 120  # of a summary
MAX_CHARS = 700
MAX_TURN_CHARS = 8000  # what is read of one turn at all
CACHED_SUMMARIES = 256
READ_CHARS = 6000  # what is read of the older turns, the latest of them
TURN_CHARS = 1200  # and of each

_NUMBERS = re.compile(r"\s*\[\d+\]")


def turn_text(turn: Turn) -> str:
    """Return a turn as the model reads it; an old answer's numbers are left out, as they name other passages."""
    text = unfenced(turn.content[:MAX_TURN_CHARS])
    return _NUMBERS.sub("", text) if turn.role == "assistant" else text


def cut_history(turns: Sequence[Turn], counts: Sequence[int], budget: int) -> int:
    """Return the number of oldest turns that do not fit and are summarised.

    The cut moves in steps: when the turns behind it outgrow the budget, it goes on until they fill half of it. So it
    stays where it is for several questions, and with it the summary.

    Args:
        turns: Oldest first.
        counts: Tokens of each.
        budget: Tokens that whole turns may fill.
    """
    cut = 0
    behind = 0
    for position, count in enumerate(counts):
        behind += count
        if behind > budget:
            while cut <= position and behind > budget // 2:
                behind -= counts[cut]
                cut += 1
    while cut < len(turns) and cut > 0 and turns[cut].role == "assistant":
        cut += 1  # an answer without its question says little
    return cut


class Summaries:
    """Summaries of older turns, kept by the hash of those turns; the longest unused go first."""

    def __init__(self, size: int = CACHED_SUMMARIES) -> None:
        self._size = size
        self._kept: OrderedDict[str, str] = OrderedDict()

    def find(self, turns: Sequence[Turn]) -> str | None:
        """Return the summary of exactly these turns, if it is kept."""
        key = _key(turns)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    async def write(
        self, model: LanguageModel, turns: Sequence[Turn], *, user: str, deadline_s: float
    ) -> tuple[str, ModelCall | None]:
        """Summarise with one call of the model; where it fails, the older turns are left out: ""."""
        lines: list[str] = []
        room = READ_CHARS
        for turn in reversed(turns):
            line = f"{'Person' if turn.role == 'user' else 'Locus'}: {' '.join(turn_text(turn).split())[:TURN_CHARS]}"
            room -= len(line)
            if room < 0:
                break
            lines.insert(0, line)
        request = GenerationRequest(
            (ChatMessage("user", load_prompt("summary").format(history="\n".join(lines))),),
            Sampling(temperature=0.0, max_tokens=MAX_TOKENS),
            user=user,
            deadline_s=deadline_s,
        )
        try:
            call = await write(model, request, "summary")
        except BotError as error:
            logger.info("older turns were left out: %s", error)
            return "", None
        text = " ".join(unfenced(call.text).split())[:MAX_CHARS]
        if text:
            self._kept[_key(turns)] = text
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return text, call


def _key(turns: Sequence[Turn]) -> str:
    digest = hashlib.sha256()
    for turn in turns:
        content = turn.content.encode("utf-8", "surrogatepass")
        digest.update(f"{turn.role}:{len(content)}:".encode() + content)
    return digest.hexdigest()
