"""llama.cpp behind one owner thread: requests queue up, pieces of text come back as they are generated.

A llama.cpp context must not be used by two threads, and cancelling an awaiting task does not stop a thread; so one
thread owns the context and looks at a flag and a deadline between tokens.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import queue
import re
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from bot.engine.model_file import ModelCard, model_card
from bot.errors import BusyError, InvalidRequestError, SettingsError, UnavailableError

if TYPE_CHECKING:
    from llama_cpp import Llama
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

logger = logging.getLogger(__name__)

QUEUE_LENGTH = 32
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Marks by which chat templates tell who speaks; broken up in a message's text, so that nobody speaks for others.
_CONTROL_TOKENS = re.compile(
    r"<\|[^|<>\n]{0,60}\|>|</?s>|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|</?(?:start|end)_of_(?:turn|text|role)>|<(?:bos|eos|pad|unk)>|</?(?:think|tool_call|tool_response)>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is generated.

    Attributes:
        max_tokens: Longest answer in tokens.
        temperature: 0 is greedy; larger is more varied.
        seed: Of the random numbers; the same seed gives the same text.
        stop: Strings that end the answer and are left out of it.
        grammar: A GBNF grammar the text must follow, or None.
        deadline_s: Seconds after which generation stops where it is.
    """

    max_tokens: int = 400
    temperature: float = 0.2
    seed: int = 0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    deadline_s: float = 300.0


@dataclass(slots=True)
class Generation:
    """A request under way; ends with None or an exception in its queue."""

    messages: tuple[ChatMessage, ...]
    sampling: Sampling
    pieces: queue.SimpleQueue[str | BaseException | None] = field(default_factory=queue.SimpleQueue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[str]:
        """Yield pieces as they come, blocking between them."""
        while (piece := self.pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece


def neutralise(text: str) -> str:
    """Break up control tokens inside a message's text."""
    return _CONTROL_TOKENS.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)


class LlamaEngine:
    """One model in memory, serving one request after the other."""

    def __init__(
        self,
        path: Path,
        *,
        context: int,
        threads: int | None = None,
        gpu_layers: int = 0,
        queue_length: int = QUEUE_LENGTH,
    ) -> None:
        """Load the model; blocks for as long as that takes.

        Args:
            path: A GGUF file.
            context: Tokens of prompt and answer together.
            threads: CPU threads; None means one per core.
            gpu_layers: Layers on the GPU; -1 means all.
            queue_length: Requests that may wait.

        Raises:
            SettingsError: If the extra `llama` is missing or the file cannot be loaded.
        """
        self.card: ModelCard = model_card(path)
        try:
            import llama_cpp
            from llama_cpp.llama_chat_format import Jinja2ChatFormatter
        except ImportError as error:
            raise SettingsError(
                "LOCUS_MODEL needs the extra 'llama': install it with `uv sync --extra llama`."
            ) from error
        _silence(llama_cpp)
        try:
            self._llama: Llama = llama_cpp.Llama(
                str(path),
                n_ctx=min(context, self.card.context_length or context),
                n_threads=threads or os.cpu_count() or 1,
                n_gpu_layers=gpu_layers,
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise SettingsError(f"LOCUS_MODEL is {path}, which llama.cpp cannot load: {error}.") from error
        self.context = int(self._llama.n_ctx())
        self._formatter = self._make_formatter(Jinja2ChatFormatter)
        self._requests: queue.Queue[Generation | None] = queue.Queue(queue_length)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="llama-engine", daemon=True)
        self._thread.start()

    def _make_formatter(self, formatter: type[Jinja2ChatFormatter]) -> Jinja2ChatFormatter:
        metadata = self._llama.metadata or {}
        bos = self._llama._model.token_get_text(self._llama.token_bos()) if self._llama.token_bos() >= 0 else ""
        eos = self._llama._model.token_get_text(self._llama.token_eos()) if self._llama.token_eos() >= 0 else ""
        own = metadata.get("tokenizer.chat_template")
        for template in (own, _CHATML):
            if not template:
                continue
            made = formatter(template=template, eos_token=eos, bos_token=bos)
            try:
                made(messages=[{"role": "system", "content": "a"}, {"role": "user", "content": "b"}])
            except Exception as error:  # a template is the model maker's code and may raise anything
                logger.warning("the model's chat template failed (%s); ChatML is used", error)
                continue
            return made
        raise SettingsError(f"LOCUS_MODEL is {self.card.path}: no chat template works with it.")

    def prompt(self, messages: Sequence[ChatMessage]) -> str:
        """Return the text the model reads, control tokens in messages broken up."""
        given: list[Any] = [{"role": one.role, "content": neutralise(one.content)} for one in messages]
        return str(self._formatter(messages=given).prompt)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text; safe beside a running generation."""
        return len(self._llama.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=False))

    def start(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Generation:
        """Queue a request and return at once.

        Raises:
            BusyError: If too many requests wait.
            UnavailableError: If the engine has been closed.
        """
        if self._closed:
            raise UnavailableError("The model has been closed: start Locus again.")
        generation = Generation(tuple(messages), sampling)
        try:
            self._requests.put_nowait(generation)
        except queue.Full as error:
            raise BusyError(
                f"{self._requests.maxsize} questions are waiting for the model: try again in a minute."
            ) from error
        return generation

    async def generate(self, messages: Sequence[ChatMessage], sampling: Sampling) -> AsyncGenerator[str]:
        """Yield pieces of text; closing the generator, or cancelling its task, stops the model at the next token."""
        generation = self.start(messages, sampling)
        try:
            while (piece := await asyncio.to_thread(generation.pieces.get)) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            generation.cancelled.set()

    def close(self) -> None:
        """Stop after the current token and free the model."""
        if self._closed:
            return
        self._closed = True
        self._requests.put(None)
        self._thread.join()
        self._llama.close()

    def _serve(self) -> None:
        while (generation := self._requests.get()) is not None:
            try:
                self._run(generation)
            except Exception as error:  # handed to whoever waits
                generation.pieces.put(error)
            generation.pieces.put(None)

    def _run(self, generation: Generation) -> None:
        from llama_cpp.llama_grammar import LlamaGrammar

        sampling = generation.sampling
        deadline = time.monotonic() + sampling.deadline_s
        prompt = self._llama.tokenize(
            self.prompt(generation.messages).encode("utf-8", "replace"), add_bos=True, special=True
        )
        room = self.context - len(prompt)
        if room < 16:
            raise InvalidRequestError(
                f"The prompt has {len(prompt):,} tokens, the model's context {self.context:,}: set a larger "
                "LOCUS_MODEL_CONTEXT or a smaller LOCUS_TOP_K."
            )
        grammar = LlamaGrammar.from_string(sampling.grammar, verbose=False) if sampling.grammar else None
        stream = self._llama.create_completion(
            prompt=prompt,
            max_tokens=min(sampling.max_tokens, room),
            temperature=sampling.temperature,
            seed=sampling.seed,
            stop=list(sampling.stop),
            grammar=grammar,
            stream=True,
        )
        for part in stream:
            if generation.cancelled.is_set() or self._closed or time.monotonic() > deadline:
                return
            if isinstance(part, dict):
                text = part["choices"][0]["text"]
                if text:
                    generation.pieces.put(text)


_log_callback: object = None


def _silence(llama_cpp: ModuleType) -> None:
    """Send llama.cpp's own log to ours; the callback is kept alive for the life of the process."""
    global _log_callback
    if _log_callback is not None:
        return

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def forward(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
        message = text.decode("utf-8", errors="replace").strip()
        if message:
            logger.debug("llama.cpp %s: %s", level, message)

    _log_callback = forward
    llama_cpp.llama_log_set(forward, ctypes.c_void_p(0))
