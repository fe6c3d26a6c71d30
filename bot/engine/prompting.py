"""From messages to tokens: the chat template, and what is left out when the context is too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.engine.batch import Tokens
from bot.engine.llama import LlamaContext
from bot.engine.templates import ChatTemplate, prompt_opens_thinking
from bot.errors import InvalidRequestError
from bot.generation import ChatMessage, GenerationRequest

LEAST_ANSWER = 32  # tokens an answer must have room for


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads.

    Attributes:
        tokens: At least one.
        room: Tokens that may be written.
        dropped_turns: Earlier messages left out.
        opens_thinking: Whether the model's text begins within a thinking block.
    """

    tokens: Tokens
    room: int
    dropped_turns: int
    opens_thinking: bool


def make_prompt(
    context: LlamaContext, template: ChatTemplate, request: GenerationRequest, *, limit: int, max_tokens: int
) -> Prompt:
    """Render and tokenize a request; the oldest turns go until prompt and answer fit into `limit` tokens.

    A leading system message, the last message of the user and everything after it stay. When only those are left, the
    answer becomes shorter instead.

    Raises:
        InvalidRequestError: If they do not fit, or the template cannot write the conversation.
    """
    messages = list(request.messages)
    if not messages:
        raise InvalidRequestError("There is nothing to answer: the request has no messages.")
    dropped = 0
    while True:
        text = template.render(messages, tools=request.tools, thinking=request.thinking)
        tokens = _tokens(context, text)
        if len(tokens) + max_tokens <= limit:
            break
        oldest = _droppable(messages)
        if oldest is None:
            if len(tokens) + min(LEAST_ANSWER, max_tokens) > limit:
                raise InvalidRequestError(
                    f"The question with its passages has {len(tokens):,} tokens, the model's context {limit:,}: set a "
                    "larger LOCUS_MODEL_CONTEXT or a smaller LOCUS_TOP_K."
                )
            break
        del messages[oldest]
        dropped += 1
        # An answer whose question is gone says nothing.
        while (after := _droppable(messages)) is not None and messages[after].role != "user":
            del messages[after]
            dropped += 1
    return Prompt(tokens, min(max_tokens, limit - len(tokens)), dropped, prompt_opens_thinking(text))


def _droppable(messages: Sequence[ChatMessage]) -> int | None:
    """Index of the oldest message that may go."""
    first = next((index for index, one in enumerate(messages) if one.role != "system"), len(messages))
    asked = max((index for index, one in enumerate(messages) if one.role == "user"), default=0)
    return first if first < asked else None


def _tokens(context: LlamaContext, text: str) -> Tokens:
    """Tokens of a rendered prompt; the beginning token comes from the template or from here, never twice."""
    tokens = context.tokenize(text, special=True)
    begin = context.begin_token()
    if begin is not None and (not len(tokens) or tokens[0] != begin):
        tokens = np.concatenate([np.array([begin], dtype=np.int32), tokens])
    return tokens
