"""How model families write tool calls: the marks, a grammar that lets nothing else through, and reading the calls."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from bot.engine.json_schema import problem
from bot.engine.schema_grammar import SPACE_PATTERN, GrammarRules, literal
from bot.errors import InvalidRequestError
from bot.generation import ToolCall, ToolSpec

MAX_CALLS = 4  # in one answer, where the format allows several
CALL_ID_CHARS = 9  # the only length Mistral's templates take
_MARKS = (
    *("<tool_call>", "</tool_call>", "<|tool_call|>", "<|/tool_call|>"),
    *("[TOOL_CALLS]", "<|python_tag|>", "```json", "```"),
)
_NAMED = re.compile(r"([A-Za-z0-9_.-]+)(?:\[CALL_ID\]\w*)?\s*(?:\[ARGS\]\s*)?(?=\{)")
_SURROGATES = re.compile("[\ud800-\udfff]")
_WRONG = "That is no tool call that can be read: write it exactly as"


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """The form in which a family of models writes tool calls.

    Attributes:
        family: Its name, for logs.
        layout: "marked": each call between marks; "listed": one JSON array between marks; "named": the name stands
            before the arguments; "bare": the JSON object is all there is.
        opening: The mark a call begins with, in the "bare" layout one that may be left out.
        closing: The mark it ends with, or "".
        arguments_key: Key of the arguments in the JSON object.
    """

    family: str
    layout: Literal["marked", "listed", "named", "bare"]
    opening: str
    closing: str = ""
    arguments_key: str = "arguments"

    @property
    def triggers(self) -> tuple[str, ...]:
        """Strings that begin a call wherever they stand in the text."""
        return (self.opening,)

    @property
    def bare_triggers(self) -> tuple[str, ...]:
        """Beginnings, written without white space, by which a text that starts with one may be a call."""
        return ('{"name":', '{"type":"function",') if self.layout == "bare" else ()

    def grammar(self, tools: Sequence[ToolSpec], *, choice: str = "required") -> str:
        """Return the GBNF grammar of a whole call, or several, marks included.

        Args:
            tools: The tools that may be called.
            choice: "auto" or "required": any tool; else the name of the only one.

        Raises:
            InvalidRequestError: If there is no such tool, or a schema cannot be followed.
        """
        allowed = [tool for tool in tools if choice in ("auto", "required", tool.name)]
        if not allowed:
            raise InvalidRequestError(f"There is no tool {choice!r} to choose: use one of {_names(tools)}.")
        rules = GrammarRules()
        opening = literal(self.opening)
        if self.layout == "named":
            calls = [f"{literal(f'{self.opening}{tool.name}[ARGS]')} {_arguments(rules, tool)}" for tool in allowed]
            call = rules.add(" | ".join(calls))
            return rules.text(f"{call} (ws {call}){{0,{MAX_CALLS - 1}}}")
        call = rules.add(" | ".join(self._object_rule(rules, tool) for tool in allowed))
        if self.layout == "bare":
            return rules.text(f"{opening}? {call}")
        if self.layout == "listed":
            closing = f" ws {literal(self.closing)}" if self.closing else ""
            more = f'(ws "," ws {call}){{0,{MAX_CALLS - 1}}}'
            return rules.text(f'{opening} ws "[" ws {call} {more} ws "]"{closing}')
        marked = rules.add(f"{opening} ws {call} ws {literal(self.closing)}")
        return rules.text(f"{marked} (ws {marked}){{0,{MAX_CALLS - 1}}}")

    def _object_rule(self, rules: GrammarRules, tool: ToolSpec) -> str:
        begin = '"{" ws ("\\"type\\"" ws ":" ws "\\"function\\"" ws "," ws)?' if self.layout == "bare" else '"{" ws'
        name = f'"\\"name\\"" ws ":" ws {literal(json.dumps(tool.name))}'
        arguments = f'{literal(json.dumps(self.arguments_key))} ws ":" ws {_arguments(rules, tool)}'
        # Mistral's history shows each call with its id, so the model writes one too.
        call_id = ' (ws "," ws "\\"id\\"" ws ":" ws "\\"" [a-zA-Z0-9]{9} "\\"")?' if self.family == "mistral" else ""
        return rules.add(f'{begin} {name} ws "," ws {arguments}{call_id} ws "}}"')

    def trigger_pattern(self, tools: Sequence[ToolSpec]) -> str:
        """Return the regular expression for a lazy grammar: it is searched in the text so far, after each token.

        It ends with "$" and takes no more than the grammar does: llama.cpp ends the process when the text of the first
        group breaks the grammar. A mark followed by something else is left to `parse`.
        """
        space = SPACE_PATTERN
        if self.layout == "bare":
            names = "|".join(re.escape(tool.name) for tool in tools)
            kind = f'(?:"type"{space}:{space}"function"{space},{space})?'
            name = f'"name"{space}:{space}"(?:{names})(?:"(?:{space}(?:,{space})?)?)?'
            return rf"^\s*((?:{re.escape(self.opening)})?\{{{space}{kind}{name})$"
        begin = {"named": "", "listed": '[{"name"', "marked": '{"name"'}[self.layout]
        return f"({re.escape(self.opening)}{space if begin else ''}{_begun(begin)})$"

    def parse(self, text: str, tools: Sequence[ToolSpec]) -> list[ToolCall]:
        """Read the calls from a text that begins with one, and check them; text after them is ignored.

        Raises:
            InvalidRequestError: If it is no call, the tool is not one of `tools`, or the arguments break its schema.
                The message is written for the model as well.
        """
        calls = []
        for name, given in self._pairs(text):
            tool = next((one for one in tools if one.name == name), None)
            if tool is None:
                raise InvalidRequestError(f"There is no tool {name!r}: call one of {_names(tools)}.")
            arguments = _decoded(given) if isinstance(given, str) else {} if given is None else given
            if not isinstance(arguments, dict):
                raise InvalidRequestError(f"The arguments of {name} are no JSON object: write {self.example()}.")
            if wrong := problem(arguments, tool.parameters):
                raise InvalidRequestError(f"The call of {name} is refused because {wrong}: correct it and call again.")
            calls.append(ToolCall(new_call_id(), name, arguments))
        return calls

    def is_call(self, text: str, tools: Sequence[ToolSpec]) -> bool:
        """True unless the text only looks like a call: in the "bare" layout an answer may be a JSON object as well."""
        if self.layout != "bare" or text.lstrip().startswith(self.opening):
            return True
        names = "|".join(re.escape(tool.name) for tool in tools)
        named = rf'\s*\{{[^{{}}]*?"name"\s*:\s*(?:"(?:{names})"|"[^"]*"\s*,\s*"(?:parameters|arguments)")'
        return re.match(named, text) is not None

    def _pairs(self, text: str) -> Iterator[tuple[str, JsonValue]]:
        found, position = 0, 0
        while (position := _skipped(text, position)) < len(text):
            named = _NAMED.match(text, position)
            if not named and text[position] not in "{[":
                break
            try:
                value, position = self._value(text, named.end() if named else position)
            except InvalidRequestError:
                if found:  # cut off at the length limit: the calls before it stand
                    return
                raise
            if named:
                found += 1
                yield named.group(1), value
                continue
            for one in value if isinstance(value, list) else [value]:
                call = one.get("function", one) if isinstance(one, dict) else None
                call = call if isinstance(call, dict) else one
                if not isinstance(call, dict) or not isinstance(call.get("name"), str):
                    raise InvalidRequestError(f"{_WRONG} {self.example()}.")
                found += 1
                yield str(call["name"]), next((call[key] for key in ("arguments", "parameters") if key in call), None)
        if not found:
            raise InvalidRequestError(f"{_WRONG} {self.example()}.")

    def _value(self, text: str, position: int) -> tuple[JsonValue, int]:
        try:
            value, end = _DECODER.raw_decode(text, position)
            return _clean(value), end
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError(
                f"The JSON of the tool call is broken or cut off: write {self.example()}."
            ) from error

    def example(self) -> str:
        """Return a call of a made-up tool, for instructions."""
        return self.render([ToolCall("", "tool_name", {"argument": "value"})])

    def render(self, calls: Sequence[ToolCall]) -> str:
        """Return calls as the model would write them."""
        if self.layout == "named":
            return "".join(f"{self.opening}{call.name}[ARGS]{_json(call.arguments)}" for call in calls)
        objects = [
            f'{{"name": {_json(call.name)}, {_json(self.arguments_key)}: {_json(call.arguments)}}}' for call in calls
        ]
        if self.layout == "listed":
            return f"{self.opening}[{', '.join(objects)}]{self.closing}"
        if self.layout == "bare":
            return "; ".join(objects)
        return "\n".join(f"{self.opening}\n{one}\n{self.closing}" for one in objects)

    def describe(self, tools: Sequence[ToolSpec]) -> str:
        """Return instructions for a model whose template knows no tools."""
        lines = [
            _json({"name": one.name, "description": one.description, "parameters": dict(one.parameters)})
            for one in tools
        ]
        return (
            "You can call these tools, one JSON object a line:\n"
            + "\n".join(lines)
            + f"\nTo call one, write nothing but this, with the tool's own name and arguments:\n{self.example()}\n"
            "The result comes back to you as the next message. If no tool is needed, answer directly."
        )


HERMES = ToolFormat("hermes", "marked", "<tool_call>", "</tool_call>")
LLAMA = ToolFormat("llama", "bare", "<|python_tag|>", arguments_key="parameters")
MISTRAL = ToolFormat("mistral", "listed", "[TOOL_CALLS]")
MISTRAL_NAMED = ToolFormat("mistral-named", "named", "[TOOL_CALLS]")
PHI = ToolFormat("phi", "listed", "<|tool_call|>", "<|/tool_call|>")


def family_of(template_source: str | None, architecture: str = "") -> ToolFormat:
    """Return the format of a model, told from the marks in its template; Hermes where nothing tells.

    Args:
        template_source: The Jinja template of the file, or None.
        architecture: `general.architecture` of the file, such as "qwen2".
    """
    source = template_source or ""
    if "[TOOL_CALLS]" in source:
        return MISTRAL_NAMED if "[ARGS]" in source else MISTRAL
    if "<|tool_call|>" in source or ("<|tool|>" in source and architecture in ("", "phi3")):
        return PHI
    if "<|start_header_id|>" in source and "<tool_call>" not in source:
        return LLAMA
    return HERMES


def new_call_id() -> str:
    """Return a random name of a call: nine letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(CALL_ID_CHARS))


def without_surrogates(text: str) -> str:
    """Return a text without lone surrogates, which are no characters and cannot be encoded."""
    return _SURROGATES.sub("", text)


def _refuse(name: str) -> JsonValue:
    raise ValueError(name)


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse)


def _arguments(rules: GrammarRules, tool: ToolSpec) -> str:
    schema = tool.parameters
    composed = any(key in schema for key in ("additionalProperties", "$ref", "anyOf", "allOf"))
    if not composed and not schema.get("properties"):
        return '"{}"'
    return rules.value({"type": "object", **schema}, schema)


def _begun(text: str) -> str:
    """Return a regular expression for every beginning of a text, the empty one included."""
    pattern = ""
    for char in reversed(text):
        pattern = f"(?:{re.escape(char)}{pattern})?"
    return pattern


def _skipped(text: str, position: int) -> int:
    while position < len(text):
        mark = next((one for one in _MARKS if text.startswith(one, position)), "")
        if not mark and text[position] not in " \t\r\n,;":
            break
        position += len(mark) or 1
    return position


def _decoded(text: str) -> JsonValue:
    try:
        value: JsonValue = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return text
    return value


def _clean(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {without_surrogates(key): _clean(one) for key, one in value.items()}
    return value


def _json(value: JsonValue | Mapping[str, JsonValue]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _names(tools: Sequence[ToolSpec]) -> str:
    return ", ".join(tool.name for tool in tools) or "none, there are no tools"
