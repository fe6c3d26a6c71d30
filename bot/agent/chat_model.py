"""The engine as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, SkipValidation

from bot.engine.llama import ChatMessage, LlamaEngine, Sampling
from bot.errors import InvalidRequestError

_ROLES: dict[str, Literal["system", "user", "assistant"]] = {"system": "system", "human": "user", "ai": "assistant"}


class LocusChatModel(BaseChatModel):
    """A GGUF model through `LlamaEngine`; streams, stops and follows a grammar.

    Attributes:
        engine: The loaded model, shared by all copies of this object.
        sampling: How answers are generated; `stop` of a call is added to it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: SkipValidation[LlamaEngine]
    sampling: Sampling = Sampling()

    @property
    def _llm_type(self) -> str:
        return "locus-llama"

    def _sampling(self, stop: list[str] | None) -> Sampling:
        if not stop:
            return self.sampling
        mine = self.sampling
        return Sampling(
            mine.max_tokens, mine.temperature, mine.seed, (*mine.stop, *stop), mine.grammar, mine.deadline_s
        )

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        generation = self.engine.start(_messages(messages), self._sampling(stop))
        try:
            for piece in generation:
                if run_manager:
                    run_manager.on_llm_new_token(piece)
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        finally:
            generation.cancelled.set()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        pieces = self.engine.generate(_messages(messages), self._sampling(stop))
        try:
            async for piece in pieces:
                if run_manager:
                    await run_manager.on_llm_new_token(piece)
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        finally:
            await pieces.aclose()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(str(chunk.message.content) for chunk in self._stream(messages, stop, run_manager))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        parts = [str(chunk.message.content) async for chunk in self._astream(messages, stop, run_manager)]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="".join(parts)))])


def _messages(messages: list[BaseMessage]) -> list[ChatMessage]:
    """Translate LangChain's messages.

    Raises:
        InvalidRequestError: If a message is of a kind the engine does not know.
    """
    translated: list[ChatMessage] = []
    for message in messages:
        role = _ROLES.get(message.type)
        if role is None:
            raise InvalidRequestError(f"The model cannot read messages of the kind {message.type}.")
        translated.append(ChatMessage(role, str(message.text)))
    return translated
