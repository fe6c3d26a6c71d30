"""What one call of the chat model may ask for: options by name, tools, and the form of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from bot.errors import InvalidRequestError
from bot.generation import GenerationRequest, Grammar, Sampling, ToolSpec

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # as OpenAI's interface has it
_ANY_OBJECT = '{"type": "object"}'
_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "max_tokens")


class CallOptions(BaseModel):
    """The options of a call, and those constructor arguments that go by LangChain's standard names.

    None means "as the model is set". Ranges are those of `bot.generation.Sampling`. `timeout` is the standard name of
    `deadline_s`. The options after `model` have no meaning for a model that is at hand: they are accepted, since
    LangChain passes them to every model, and left unused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_k: int | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    stop: tuple[str, ...] = ()
    user: str | None = None
    conversation: str | None = None
    grammar: Grammar | None = None
    thinking: bool | None = None
    deadline_s: float | None = Field(default=None, gt=0)
    timeout: float | None = Field(default=None, gt=0)
    tools: tuple[dict[str, JsonValue], ...] = ()
    tool_choice: dict[str, JsonValue] | bool | str | None = None
    response_format: dict[str, JsonValue] | None = None
    model: str | None = None
    stream: bool | None = None
    strict: bool | None = None
    parallel_tool_calls: bool | None = None
    api_key: object = None
    base_url: object = None
    max_retries: int | None = None

    @field_validator("stop", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        """A single string is one stop string; an empty one would end every text at once and is left out."""
        if value is None:
            return ()
        listed = [value] if isinstance(value, str) else value
        return [text for text in listed if text != ""] if isinstance(listed, (list, tuple)) else listed


# Names a constructor takes besides the fields of the chat model itself.
STANDARD_PARAMETERS = frozenset({*_SAMPLING, "stop", "timeout", "api_key", "base_url", "max_retries"})


def read_options(options: Mapping[str, object]) -> CallOptions:
    """Check options given by name.

    Raises:
        InvalidRequestError: If one is unknown or out of range; the sentence names it.
    """
    try:
        return CallOptions.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise InvalidRequestError(f'The chat model has no option "{name}"; check its spelling.') from error
        raise InvalidRequestError(
            f'The option "{name}" of the chat model is wrong ({first["msg"]}); correct it.'
        ) from error


def change_sampling(sampling: Sampling, options: CallOptions) -> Sampling:
    """Return the sampling with the options that are set; their stop strings are added to its own."""
    changed = {name: getattr(options, name) for name in _SAMPLING if getattr(options, name) is not None}
    stop = tuple(dict.fromkeys((*sampling.stop, *options.stop)))
    return replace(sampling, **changed, stop=stop)


def apply_options(request: GenerationRequest, options: CallOptions, model_name: str) -> GenerationRequest:
    """Return the request as the options of this call want it.

    Raises:
        InvalidRequestError: If another model than the one at hand is wanted, or tools, the choice among them or the
            form of the answer are wrong.
    """
    if options.model not in (None, model_name):
        raise InvalidRequestError(
            f'The model "{options.model}" is not loaded; leave out the option "model" to ask "{model_name}".'
        )
    tools = _tool_specs(options.tools)
    return replace(
        request,
        sampling=change_sampling(request.sampling, options),
        user=request.user if options.user is None else options.user,
        conversation=request.conversation if options.conversation is None else options.conversation,
        tools=tools,
        tool_choice=read_tool_choice(options.tool_choice, [tool.name for tool in tools]),
        grammar=_grammar(options) or request.grammar,
        thinking=request.thinking if options.thinking is None else options.thinking,
        deadline_s=options.deadline_s or options.timeout or request.deadline_s,
    )


def function_tool(tool: object, *, strict: bool | None = None) -> dict[str, JsonValue]:
    """Return a tool in OpenAI's notation.

    Args:
        tool: A LangChain tool, a Python function, a Pydantic or TypedDict class, a JSON schema with a title, or a dict
            that is in that notation already.
        strict: Passed on to the conversion: all arguments required and no others allowed.

    Raises:
        InvalidRequestError: If it is none of these, or a tool that is no function.
    """
    try:
        # The signature is narrower than what the function takes and documents.
        converted = convert_to_openai_tool(cast("dict[str, object]", tool), strict=strict)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise InvalidRequestError(f"The tool {tool!r} cannot be described to the model; give it a schema.") from error
    if not isinstance(converted.get("function"), dict):
        raise InvalidRequestError(f'The model calls functions only; leave out the tool of type "{converted["type"]}".')
    return converted


def read_tool_choice(choice: object, names: Sequence[str]) -> str:
    """Return "auto", "none", "required" or one of `names`, from all spellings LangChain and OpenAI have for these.

    Raises:
        InvalidRequestError: If a tool is wanted that is not among `names`, or any tool where there are none.
    """
    if isinstance(choice, Mapping):
        function = choice.get("function", choice)
        choice = function.get("name", choice.get("type")) if isinstance(function, Mapping) else None
    if choice in (None, False, "auto"):
        return "auto"
    if choice == "none":
        return "none"
    if choice in (True, "any", "required"):
        if not names:
            raise InvalidRequestError("A tool call is required but no tool was given; bind a tool or drop tool_choice.")
        return "required"
    if choice in names:
        return str(choice)
    known = ", ".join(names) or "none"
    raise InvalidRequestError(f'There is no tool "{choice}" to choose; the tools of this call are: {known}.')


def _tool_specs(tools: Sequence[Mapping[str, JsonValue]]) -> tuple[ToolSpec, ...]:
    specs: dict[str, ToolSpec] = {}
    for tool in tools:
        function = cast("Mapping[str, JsonValue]", function_tool(dict(tool))["function"])
        name = str(function.get("name", ""))
        if not _TOOL_NAME.fullmatch(name):
            raise InvalidRequestError(
                f'The tool name "{name}" is not possible; use 1 to 64 letters, digits, "_" and "-".'
            )
        parameters = function.get("parameters") or {"type": "object", "properties": {}}
        spec = ToolSpec(name, str(function.get("description", "")), cast("Mapping[str, JsonValue]", parameters))
        if _untitled(specs.setdefault(name, spec).parameters) != _untitled(spec.parameters):
            raise InvalidRequestError(f'Two different tools are called "{name}"; rename one of them.')
    return tuple(specs.values())


def _untitled(schema: object) -> object:
    """The schema without titles, by which a class and the schema made of it differ."""
    if isinstance(schema, Mapping):
        return {key: _untitled(part) for key, part in schema.items() if key != "title" or isinstance(part, Mapping)}
    return schema


def _grammar(options: CallOptions) -> Grammar | None:
    form = options.response_format
    if form is None or form.get("type") == "text":
        return options.grammar
    if form.get("type") == "json_object":
        return Grammar("json_schema", _ANY_OBJECT)
    described = form.get("json_schema")
    if form.get("type") != "json_schema" or not isinstance(described, dict) or not described.get("schema"):
        raise InvalidRequestError(
            'The option "response_format" needs the type "json_schema" with a schema, "json_object" or "text".'
        )
    return Grammar("json_schema", json.dumps(described["schema"], ensure_ascii=False))
