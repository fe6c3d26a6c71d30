"""Answers in a given form: the form as the model is told it, and the parser of what the model wrote."""

from __future__ import annotations

from typing import Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import TBaseModel, is_basemodel_subclass
from pydantic import JsonValue
from typing_extensions import override

from bot.agent.model_options import function_tool
from bot.errors import InvalidRequestError

OutputMethod = Literal["json_schema", "function_calling", "json_mode"]


class WholeJsonParser(JsonOutputParser):
    """Reads JSON, and refuses one that was cut off: LangChain's parser would close its strings and pass it."""

    @override
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> object:
        _refuse_cut(result)
        return super().parse_result(result, partial=partial)


class WholePydanticParser(PydanticOutputParser[TBaseModel]):
    """The same into a Pydantic class."""

    @override
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> TBaseModel | None:  # type: ignore[override]
        _refuse_cut(result)
        return super().parse_result(result, partial=partial)


def _refuse_cut(result: list[Generation]) -> None:
    generation = result[0]
    metadata = generation.message.response_metadata if isinstance(generation, ChatGeneration) else {}
    reason = metadata.get("finish_reason")
    if reason in ("length", "deadline"):
        limit = "max_tokens" if reason == "length" else "deadline_s"
        raise OutputParserException(
            f"The model's answer was cut off before it was complete; raise {limit}.", llm_output=generation.text
        )


def response_format(schema: object, method: OutputMethod, *, strict: bool | None = None) -> dict[str, JsonValue]:
    """Return the form in OpenAI's notation (option `response_format`).

    Args:
        schema: A Pydantic or TypedDict class, a JSON schema with a title, or a function in OpenAI's notation.
        method: "json_schema", or "json_mode" for any JSON object.
        strict: All properties required and no others allowed.

    Raises:
        InvalidRequestError: If no JSON schema can be made of it.
    """
    if method == "json_mode":
        return {"type": "json_object"}
    json_schema = schema_of(schema, strict=strict)
    return {"type": "json_schema", "json_schema": {"name": json_schema.get("title", ""), "schema": json_schema}}


def schema_of(schema: object, *, strict: bool | None = None) -> dict[str, JsonValue]:
    """Return the JSON schema of a class or dict; raises as `response_format`."""
    try:
        # A dict or a class: what it is cannot be told more exactly than the function tells it by refusing.
        converted: dict[str, JsonValue] = convert_to_json_schema(schema, strict=strict)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise InvalidRequestError(f"No JSON schema can be made of {schema!r}; give a dict a title.") from error
    return converted


def text_parser(schema: object) -> JsonOutputParser:
    """Return the parser of an answer written as JSON: into the Pydantic class, else a dict."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return WholePydanticParser(pydantic_object=schema)
    return WholeJsonParser()


def call_parser(schema: object) -> PydanticToolsParser | JsonOutputKeyToolsParser:
    """Return the parser of an answer given as the one call of a tool made from the schema."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    return JsonOutputKeyToolsParser(key_name=tool_name(schema), first_tool_only=True)


def tool_name(schema: object) -> str:
    """Return the name of the tool that the schema makes."""
    function = function_tool(schema)["function"]
    return str(function["name"]) if isinstance(function, dict) else ""
