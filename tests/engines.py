"""The engine in one process, for tests: models that write what they are told, a context that says what it computes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import gguf
import numpy as np

from bot.engine.batch import Tokens
from bot.engine.batching import BatchingLoop
from bot.engine.jobs import Job, JobEvent
from bot.engine.llama import LlamaContext, LoadOptions
from bot.engine.loaded import LoadedModel, load_model
from bot.engine.options import EngineOptions
from bot.engine.output_parser import OutputParser
from bot.engine.sampler import TokenGrammar
from bot.engine.writer import TextWriter
from bot.errors import BotError
from bot.generation import Finished, GenerationRequest, Sampling, Text
from tests import gguf_models
from tests.gguf_models import TEMPLATE, write_random_gguf

GREEDY = Sampling(temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0, max_tokens=8)
_END = 2
_FIRST_CHAR = 259  # "!" of `write_random_gguf`'s vocabulary, which goes on in the order of ASCII
_SPACE = _FIRST_CHAR + 94


def token_of(text: str, words: Sequence[str] = ()) -> int:
    """The token of one character, or of one of the words a chain model was given, in the random models' vocabulary."""
    if text in words:
        return _SPACE + 1 + len(dict.fromkeys(gguf_models.WORDS)) + words.index(text)
    if text == " ":
        return _SPACE
    return _FIRST_CHAR + ord(text) - 33 if 33 <= ord(text) < 127 else 3 + ord(text)


def write_chain_gguf(
    path: Path, chain: Sequence[str], *, words: Sequence[str] = (), template: str = TEMPLATE, end: bool = True
) -> Path:
    """Write a model that follows each token of a chain with the next one, whatever came before, and return its path.

    Args:
        path: Where to.
        chain: Characters or words, none of them twice; the first one is what the prompt ends with.
        words: Further words of the vocabulary; written with a space before them.
        template: The chat template.
        end: Whether the text ends after the chain; else the last token repeats itself.
    """
    tokens = [token_of(one, words) for one in chain]
    assert len(set(tokens)) == len(tokens), "a token cannot have two successors"
    with mock.patch.object(gguf_models, "WORDS", [*dict.fromkeys(gguf_models.WORDS), *words]):
        write_random_gguf(path, width=128, template=template)
    weights = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path, "r+").tensors}
    for name, values in weights.items():
        if name.endswith(("attn_output.weight", "ffn_down.weight")):
            values[:] = 0  # the layers add nothing, so that the output sees the last token alone
    embedding, output = weights["token_embd.weight"], weights["output.weight"]
    output[:] = 0
    for token, successor in zip(tokens, [*tokens[1:], _END if end else tokens[-1]], strict=True):
        output[successor] += embedding[token]
    return path


def write_lora_gguf(path: Path, *, architecture: str = "llama", width: int = 64, scale: float = 4.0) -> Path:
    """Write a LoRA adapter for the queries of the random models' first layer and return its path."""
    generator = np.random.default_rng(5)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for layer in range(2):
        for name in ("attn_q", "attn_output"):
            for part, shape in (("a", (4, width)), ("b", (width, 4))):
                values = generator.standard_normal(shape).astype(np.float32) * np.float32(scale)
                writer.add_tensor(f"blk.{layer}.{name}.weight.lora_{part}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class WatchedContext(LlamaContext):
    """The real context, which writes down what each decode carries and lets a test act just before one.

    Attributes:
        rounds: For each decode, the number of tokens of each sequence.
        tokens: For each decode, its tokens.
        before: Called before a decode with its number, 0 for the first.
    """

    def __init__(
        self, path: Path, *, cells: int = 2048, sequences: int = 16, batch: int = 512, parking_bytes: int = 0
    ) -> None:
        super().__init__(LoadOptions(path, cells=cells, sequences=sequences, batch=batch, parking_bytes=parking_bytes))
        self.rounds: list[Counter[int]] = []
        self.tokens: list[list[int]] = []
        self.before: Callable[[int], None] = lambda _number: None

    def decode(self) -> int:
        """Compute the batch."""
        self.rounds.append(Counter(self.batch.struct.seq_id[index][0] for index in range(self.batch.filled)))
        self.tokens.append(self.batch.struct.token[: self.batch.filled])
        self.before(len(self.rounds) - 1)
        return super().decode()


class Bench:
    """A batching loop run in the test's own thread until all its requests have ended.

    Attributes:
        events: Events of each request.
        told: All events in order, each with the number of decodes before it and its request.
    """

    def __init__(self, context: WatchedContext, *, parallel: int = 8, queue_length: int = 64) -> None:
        self.context = context
        self.loop = BatchingLoop(context, parallel=parallel, queue_length=queue_length, emit=self._emit)
        self.told: list[tuple[int, int, JobEvent]] = []
        self._open: set[int] = set()

    def submit(self, *jobs: Job) -> None:
        """Hand over requests, before or within `run`."""
        for job in jobs:
            self._open.add(job.number)
            self.loop.submit(job)

    def cancel(self, number: int) -> None:
        """Cancel a request, which ends `run` when it was the last."""
        self._open.discard(number)
        self.loop.cancel(number)
        if not self._open:
            self.loop.close()

    def run(self) -> None:
        """Serve until every request has ended."""
        self.loop.run()

    def events(self, number: int) -> list[JobEvent]:
        """Events of a request."""
        return [event for _, job, event in self.told if job == number]

    def text(self, number: int) -> str:
        """Text of a request."""
        return "".join(event.text for event in self.events(number) if isinstance(event, Text))

    def finished(self, number: int) -> Finished:
        """The end of a request."""
        last = self.events(number)[-1]
        assert isinstance(last, Finished), last
        return last

    def order(self) -> list[int]:
        """Requests in the order in which they ended."""
        return [job for _, job, event in self.told if isinstance(event, Finished | BotError)]

    def _emit(self, events: Iterable[tuple[int, JobEvent]]) -> None:
        for number, event in events:
            self.told.append((len(self.context.rounds), number, event))
            if isinstance(event, Finished | BotError):
                self._open.discard(number)
        if not self._open:
            self.loop.close()


def job(
    number: int,
    prompt: Tokens | Sequence[int],
    sampling: Sampling = GREEDY,
    *,
    user: str = "",
    conversation: str = "",
    grammar: TokenGrammar | None = None,
    max_tokens: int = 0,
) -> Job:
    """Return a request on a prompt of tokens."""
    sampling = replace(sampling, max_tokens=max_tokens or sampling.max_tokens)
    tokens = np.asarray(prompt, dtype=np.int32)
    writer = TextWriter(OutputParser(None), sampling.stop)
    return Job(number, user, conversation, tokens, sampling, grammar, writer, time.monotonic() + 600)


def loaded(path: Path, **options: object) -> LoadedModel:
    """Load a model in this process."""
    given = {"context": 2048, "threads": 1, "parallel": 4, "gpu_layers": 0} | options
    return load_model(EngineOptions(path, **given), lambda _share: None)  # type: ignore[arg-type]


def answer(model: LoadedModel, request: GenerationRequest) -> list[JobEvent]:
    """Return the events of one request, run alone on a clean cache.

    Raises:
        InvalidRequestError: If no job can be made of the request.
    """
    events: list[JobEvent] = []

    def emit(told: Iterable[tuple[int, JobEvent]]) -> None:
        events.extend(event for _, event in told)
        if isinstance(events[-1], Finished | BotError):
            loop.close()

    loop = BatchingLoop(model.context, parallel=1, queue_length=1, emit=emit)
    loop.submit(model.job(1, request, 600))
    loop.run()
    model.context.cut_sequence(0, 0)
    return events


def text_of(events: Iterable[JobEvent]) -> str:
    """Return the text of a generation."""
    return "".join(event.text for event in events if isinstance(event, Text))
