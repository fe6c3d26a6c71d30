"""The model and the prompts of the engine benchmark: the shape of a 0.5B model, random weights, exact token counts."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp

from benchmarks.report import Report
from bot.engine.llama_log import send_log_to_python
from bot.engine.model_file import model_card
from bot.engine.quantizer import quantize_model
from tests.gguf_models import write_random_gguf

FILE = "random-0.5b-q4_k_m.gguf"
CONTEXT = 32768
# Nothing but the contents, so that a prompt is its text and every token of it is ours to choose.
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"
LETTERS = string.ascii_letters + string.digits  # one token each in the random model's vocabulary
MARKS = 2  # tokens before the first letter: the beginning of the text and SentencePiece's leading space


def make_model(report: Report, folder: Path) -> Path:
    """Return the benchmark's model; written and quantized first where the folder does not hold it."""
    path = folder / FILE
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    full = folder / "random-0.5b-f32.gguf"
    try:
        write_random_gguf(
            full, layers=24, width=896, heads=14, kv_heads=2, hidden=4864, vocabulary=151936, context=CONTEXT,
            template=TEMPLATE,
        )  # fmt: skip
        quantize_model(model_card(full), "q4_k_m", path)
    finally:
        full.unlink(missing_ok=True)
    report.line(f"The model was made in {time.perf_counter() - begin:.0f} s ({path.stat().st_size / 2**20:.0f} MiB).")
    return path


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt in both forms.

    Attributes:
        text: For Locus, as the content of one message or of several in a row.
        tokens: The same as token ids, beginning mark included, for the peers.
    """

    text: str
    tokens: tuple[int, ...]


class PromptMaker:
    """Makes prompts of random letters with an exact number of tokens."""

    def __init__(self, model: Path, *, seed: int = 0) -> None:
        """Read the model's vocabulary."""
        send_log_to_python()
        self._vocabulary = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
        self._random = random.Random(seed)

    def letters(self, tokens: int) -> str:
        """Return a new text of so many tokens, for use behind another one."""
        return "".join(self._random.choices(LETTERS, k=tokens))

    def opening(self, tokens: int) -> str:
        """Return a new text that makes so many tokens at the beginning of a prompt, its marks included."""
        return self.letters(tokens - MARKS)

    def prompt(self, text: str) -> Prompt:
        """Return a text as a prompt."""
        tokens = self._vocabulary.tokenize(text.encode(), add_bos=True, special=True)
        assert len(tokens) == len(text) + MARKS
        return Prompt(text, tuple(tokens))

    def chats(self, prefix: str, suffix_tokens: int, count: int) -> list[Prompt]:
        """Return prompts that share a prefix and nothing behind it.

        Args:
            prefix: Made by `opening`.
            suffix_tokens: Tokens of each one's own.
            count: How many, at most 62.
        """
        firsts: Sequence[str] = self._random.sample(LETTERS, count)
        return [self.prompt(prefix + first + self.letters(suffix_tokens - 1)) for first in firsts]

    def close(self) -> None:
        """Free the vocabulary."""
        self._vocabulary.close()
