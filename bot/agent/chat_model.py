"""Any model behind the port `bot.ports.LanguageModel` as a LangChain chat model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import asdict
from operator import itemgetter
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SkipValidation, model_validator

from bot.agent.messages import MODEL_PROVIDER, chat_messages, chunks_of_event
from bot.agent.model_loop import ModelLoop
from bot.agent.model_options import (
    STANDARD_PARAMETERS,
    apply_options,
    change_sampling,
    function_tool,
    read_options,
    read_tool_choice,
)
from bot.agent.structured_output import OutputMethod, call_parser, response_format, text_parser, tool_name
from bot.errors import InvalidRequestError, UnavailableError
from bot.generation import Finished, GenerationEvent, GenerationRequest, Grammar, Sampling
from bot.ports import LanguageModel

_UNFINISHED = "The model stopped before its answer was complete; ask again."


class LocusChatModel(BaseChatModel):
    """A language model that streams, calls tools, keeps to a form and can be stopped.

    Every field, and every option of `bot.agent.model_options.CallOptions`, can be given for one call as well, with
    `bind` or as a keyword of `invoke`, `stream` and their asynchronous forms. Closing a stream, or cancelling its
    task, frees the generation.

    Chunks without text carry news in `additional_kwargs`: "ahead" (requests served before this one), "restarted" (the
    model began anew; the text before is void, and left out when chunks are added), and "reasoning_content" (thoughts;
    a reasoning block of `content_blocks`, never part of `text`). Protocol events (`stream_events`, version "v3") cannot
    take text back: there only "restarted" in the message's `additional_kwargs` tells.

    The last chunk, or the message, carries `usage_metadata` and in `response_metadata` "model_name", "model_provider",
    "finish_reason" ("stop", "length", "tool_calls", "deadline"), "dropped_turns" and "sampling" (as it was used).

    Attributes:
        model: The model, shared by all copies of this object and closed by its owner.
        sampling: How tokens are chosen; its fields may be given by name instead (`temperature=0`). Stop strings of a
            call are added to its own.
        user: Whose turn a call counts as.
        conversation: Key under which the prompt stays cached for the next turn, or "" for none.
        grammar: What the text must look like.
        thinking: Whether a reasoning model may think first.
        deadline_s: Seconds, waiting included, after which the text ends where it is; `timeout` is its standard name.
        streaming: Whether `invoke` streams as well, for the sake of callbacks.
        loop: The event loop the model is bound to; None means that of the first asynchronous call or, failing this, one
            in a thread of its own.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: SkipValidation[LanguageModel] = Field(repr=False)
    sampling: Sampling = Sampling()
    user: str = ""
    conversation: str = ""
    grammar: Grammar | None = None
    thinking: bool = False
    deadline_s: float = Field(default=300.0, gt=0)
    streaming: bool = False
    loop: SkipValidation[asyncio.AbstractEventLoop | None] = Field(default=None, exclude=True, repr=False)

    _home: ModelLoop = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _take_standard_parameters(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        options = read_options({name: value for name, value in values.items() if name in STANDARD_PARAMETERS})
        kept = {name: value for name, value in values.items() if name not in STANDARD_PARAMETERS}
        sampling = kept.get("sampling") or Sampling()
        if not isinstance(sampling, Sampling):
            raise InvalidRequestError('The parameter "sampling" is not a Sampling; give one, or its fields by name.')
        kept["sampling"] = change_sampling(sampling, options)
        if options.timeout is not None:
            kept.setdefault("deadline_s", options.timeout)
        return kept

    def model_post_init(self, context: Any, /) -> None:
        """Remember the loop given."""
        super().model_post_init(context)
        self._home = ModelLoop(self.loop)

    @property
    def model_name(self) -> str:
        """The model's own name."""
        return self.model.facts.name

    @property
    def _llm_type(self) -> str:
        return MODEL_PROVIDER

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        """All that the text depends on, for LangChain's cache; not whose question it is."""
        facts = self.model.facts
        grammar = asdict(self.grammar) if self.grammar else None
        known = {"model_name": facts.name, "model_sha256": facts.sha256, "grammar": grammar, "thinking": self.thinking}
        return {**known, **asdict(self.sampling)}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = LangSmithParams(
            ls_provider=MODEL_PROVIDER,
            ls_model_type="chat",
            ls_model_name=kwargs.get("model") or self.model_name,
            ls_max_tokens=kwargs.get("max_tokens") or self.sampling.max_tokens,
        )
        temperature = kwargs.get("temperature", self.sampling.temperature)
        if temperature is not None:
            params["ls_temperature"] = temperature
        if stop or self.sampling.stop:
            params["ls_stop"] = [*self.sampling.stop, *(stop or ())]
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return ModelProfile(
            max_input_tokens=self.model.facts.context,
            tool_calling=True,
            tool_choice=True,
            text_inputs=True,
            text_outputs=True,
            image_inputs=False,
            audio_inputs=False,
            pdf_inputs=False,
        )

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens; raises as `invoke` where it would block the model's loop."""
        (count,) = self._home.run(lambda: self.model.count_tokens([text]))
        return count

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
    ) -> GenerationRequest:
        mine = GenerationRequest(
            messages=chat_messages(messages),
            sampling=self.sampling,
            user=self.user,
            conversation=self.conversation,
            grammar=self.grammar,
            thinking=self.thinking,
            deadline_s=self.deadline_s,
        )
        return apply_options(mine, read_options({**options, "stop": stop}), self.model_name)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._request(messages, stop, kwargs)
        event: GenerationEvent | None = None
        async with aclosing(self._home.stream(lambda: self.model.generate(request))) as events:
            async for event in events:
                for message in chunks_of_event(event, self.model_name):
                    chunk = ChatGenerationChunk(message=message)
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        if not isinstance(event, Finished):
            raise UnavailableError(_UNFINISHED)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = self._request(messages, stop, kwargs)
        event: GenerationEvent | None = None
        with closing(self._home.iterate(lambda: self.model.generate(request))) as events:
            for event in events:
                for message in chunks_of_event(event, self.model_name):
                    chunk = ChatGenerationChunk(message=message)
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        if not isinstance(event, Finished):
            raise UnavailableError(_UNFINISHED)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = [chunk async for chunk in self._astream(messages, stop, **kwargs)]
        return generate_from_stream(iter(chunks))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, **kwargs))

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with tools it may call.

        Args:
            tools: LangChain tools, Python functions, Pydantic or TypedDict classes, JSON schemas, OpenAI's notation.
            tool_choice: "auto" (also None), "none", "any" or "required" (also True), the name of the tool to call, or
                OpenAI's notation of these.
            strict: All arguments required and no others allowed.
            kwargs: Further options of the call.

        Raises:
            InvalidRequestError: If a tool cannot be described, or the tool chosen is not among them.
        """
        described = [function_tool(tool, strict=strict) for tool in tools]
        names = [function["name"] for tool in described if isinstance(function := tool["function"], dict)]
        choice = read_tool_choice(tool_choice, [str(name) for name in names])
        return self.bind(tools=described, tool_choice=choice, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: OutputMethod = "json_schema",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return the model with a parser, so that it answers with an object of the class, or a dict.

        The form is enforced while the text is written. The model is not told what the fields mean: say it in the
        prompt, or use the method "function_calling", where a model reads the schema as that of a tool.

        Args:
            schema: A Pydantic or TypedDict class, a JSON schema with a title, or a function in OpenAI's notation.
            include_raw: Return a dict of "raw" (the message), "parsed" (None on failure) and "parsing_error" instead of
                raising.
            method: "json_schema"; "function_calling", the call of one tool; or "json_mode", any JSON object.
            strict: All properties required and no others allowed.
            kwargs: Further options of the call.

        Raises:
            InvalidRequestError: If no JSON schema can be made of it, or the method is unknown. What is returned raises
                LangChain's `OutputParserException` if the answer is not of the form or was cut off.
        """
        traced = {"ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": schema}}
        bound: Runnable[LanguageModelInput, AIMessage]
        parser: Runnable[Any, Any]
        if method == "function_calling":
            bound = self.bind_tools([schema], tool_choice=tool_name(schema), strict=strict, **traced, **kwargs)
            parser = call_parser(schema)
        elif method in ("json_schema", "json_mode"):
            bound = self.bind(response_format=response_format(schema, method, strict=strict), **traced, **kwargs)
            parser = text_parser(schema)
        else:
            raise InvalidRequestError(
                f'There is no method "{method}"; use "json_schema", "function_calling" or "json_mode".'
            )
        if not include_raw:
            return bound | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error")
