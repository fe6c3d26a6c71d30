"""A conversation in the shape a template takes: as transformers passes it, with what the template lacks written out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.engine.tool_formats import ToolFormat
from bot.generation import ChatMessage, ToolCall, ToolSpec

LEFT_OUT = "(The beginning of the conversation is left out.)"

Message = dict[str, Any]  # what templates index; its values are text, lists and mappings


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a template can do by itself.

    Attributes:
        system: Take a system message.
        tools: Describe tools given as an argument, or under a key of the system message.
        arguments: Write calls of tools whose arguments are an object, or a JSON text.
        several_calls: Write several calls in one message.
        results: Write messages with the results of tools.
        any_first: Begin with a message of the assistant.
        takes_none: Take `tools=None`; else the variable must be undefined without tools.
    """

    system: bool = False
    tools: Literal["argument", "system"] | None = None
    arguments: Literal["object", "text"] | None = None
    several_calls: bool = False
    results: bool = False
    any_first: bool = False
    takes_none: bool = True

    def replace(self, **changes: Any) -> Abilities:  # noqa: ANN401  # names and types are those of the fields
        """Return a copy with changes."""
        return dataclasses.replace(self, **changes)

    def without_calls(self) -> Abilities:
        """Return a copy that writes calls and results as plain text."""
        return self.replace(arguments=None, several_calls=False, results=False)


def shape(
    messages: Sequence[ChatMessage], tools: Sequence[ToolSpec], abilities: Abilities, tool_format: ToolFormat
) -> list[Message]:
    """Return the messages for a template: one leading system message at most, and no role twice in a row.

    Args:
        messages: Oldest first; a system message that is not among the first is shown as the user's.
        tools: Described in the system message if the template cannot.
        abilities: Of the template.
        tool_format: In which tools are described and calls written where the template does not.
    """
    leading = next((n for n, one in enumerate(messages) if one.role != "system"), len(messages))
    system = [one.content for one in messages[:leading] if one.content]
    if tools and abilities.tools is None:
        system.append(tool_format.describe(tools))
    shaped: list[Message] = []
    for message in _one_call_each(messages[leading:]) if _must_split(abilities) else messages[leading:]:
        _append(shaped, _shaped(message, messages, abilities, tool_format))
    if not shaped or (shaped[0]["role"] != "user" and not (abilities.any_first and abilities.system)):
        shaped.insert(0, {"role": "user", "content": LEFT_OUT if shaped else ""})
    _number(shaped)
    text = "\n\n".join(system)
    in_system = bool(tools) and abilities.tools == "system"
    if text and not abilities.system:
        shaped[0]["content"] = f"{text}\n\n{shaped[0]['content']}".rstrip()
    elif text or in_system:
        first: Message = {"role": "system", "content": text}
        if in_system:
            first["tools"] = json.dumps([_described(one) for one in tools], ensure_ascii=False)
        shaped.insert(0, first)
    return shaped


def _must_split(abilities: Abilities) -> bool:
    return abilities.arguments is not None and not abilities.several_calls


def _one_call_each(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Split messages with several calls; the result of each follows it."""
    results = {one.tool_call_id: one for one in messages if one.role == "tool"}
    split: list[ChatMessage] = []
    placed: set[str] = set()
    for message in messages:
        if len(message.tool_calls) > 1:
            for number, call in enumerate(message.tool_calls):
                split.append(ChatMessage("assistant", "" if number else message.content, (call,)))
                if call.call_id in results:
                    split.append(results[call.call_id])
                    placed.add(call.call_id)
        elif message.role != "tool" or message.tool_call_id not in placed:
            split.append(message)
    return split


def _shaped(
    message: ChatMessage, messages: Sequence[ChatMessage], abilities: Abilities, tool_format: ToolFormat
) -> Message:
    match message.role:
        case "assistant" if message.tool_calls and abilities.arguments is None:
            written = tool_format.render(message.tool_calls)
            return {"role": "assistant", "content": f"{message.content}\n{written}".strip()}
        case "assistant" if message.tool_calls:
            calls = [_call(one, abilities) for one in message.tool_calls]
            return {"role": "assistant", "content": message.content, "tool_calls": calls}
        case "tool":
            name = message.tool_name or _name_of(message.tool_call_id, messages)
            if not abilities.results:
                return {"role": "user", "content": f"The tool {name} returned:\n{message.content}"}
            return {"role": "tool", "content": message.content, "name": name, "tool_call_id": message.tool_call_id}
        case "system":
            return {"role": "user", "content": message.content}
    return {"role": message.role, "content": message.content}


def _call(call: ToolCall, abilities: Abilities) -> Message:
    arguments = dict(call.arguments)
    given = json.dumps(arguments, ensure_ascii=False) if abilities.arguments == "text" else arguments
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": given}}


def _name_of(call_id: str, messages: Sequence[ChatMessage]) -> str:
    calls = [call for one in messages for call in one.tool_calls if call.call_id == call_id]
    return calls[-1].name if calls else "tool"


def _append(shaped: list[Message], message: Message) -> None:
    """Add a message, to the one before if both are plain texts of one role: many templates want roles to alternate."""
    last = shaped[-1] if shaped else None
    plain = message["role"] in ("user", "assistant") and "tool_calls" not in message
    if last is not None and plain and last["role"] == message["role"] and "tool_calls" not in last:
        last["content"] = f"{last['content']}\n\n{message['content']}"
    else:
        shaped.append(message)


def _number(shaped: Sequence[Message]) -> None:
    """Give calls ids of nine letters and digits, as Mistral's templates want, the same in every rendering."""
    names: dict[str, str] = {}
    count = 0
    for message in shaped:
        for call in message.get("tool_calls", ()):
            count += 1
            names[call["id"]] = call["id"] = f"call{count:05d}"
        if "tool_call_id" in message:
            message["tool_call_id"] = names.get(message["tool_call_id"], f"call{count:05d}")


def _described(tool: ToolSpec) -> Message:
    return {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
