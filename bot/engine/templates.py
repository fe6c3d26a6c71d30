"""From a conversation to the text a model reads: the chat template of its file, rendered in a sandbox.

Templates differ in what they take: some refuse a system message, tools or two messages of one role. What a template can
do is found out when it is loaded, and what it cannot do is written another way.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from jinja2.exceptions import TemplateError
from pydantic import JsonValue

from bot.engine.control_tokens import neutralise, neutralise_json
from bot.engine.prompt_shape import Abilities, shape
from bot.engine.template_sandbox import MAX_SOURCE_CHARS, TemplateSandbox, TimeIsUpError, time_limit
from bot.engine.tool_formats import ToolFormat, family_of
from bot.errors import InvalidRequestError
from bot.generation import ChatMessage, ToolCall, ToolSpec

__all__ = ["CHATML", "ChatTemplate", "neutralise", "prompt_opens_thinking"]

logger = logging.getLogger(__name__)

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TIME_LIMIT_S = 2.0
_OPENED = re.compile(
    r"(?:<think>|<thinking>|\[THINK\]|<seed:think>|<\|channel\|>analysis<\|message\|>)(?:\s|<seed:cot_budget_reflect>)*$"
)
_NEEDLE = "qfzv"  # stands in no template by itself
_PROBE_TOOL = ToolSpec(f"{_NEEDLE}tool", "Probe.", {"type": "object", "properties": {"a": {"type": "string"}}})
_ABLE = Abilities(system=True, tools="argument", arguments="object", several_calls=True, results=True, any_first=True)


class ChatTemplate:
    """The template of one model; `render` is for one thread at a time.

    Attributes:
        format: How the model writes tool calls.
        abilities: What the template can do by itself.
        is_fallback: Whether ChatML stands in for a missing or unusable template.
    """

    def __init__(
        self,
        source: str | None,
        *,
        bos: str,
        eos: str,
        architecture: str = "",
        special_tokens: Iterable[str] = (),
        time_limit_s: float = TIME_LIMIT_S,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """Compile the template and try what it can do; ChatML takes its place if it fails, with a warning in the log.

        Args:
            source: Jinja, from the file's `tokenizer.chat_template`, or None.
            bos: Text of the token that begins a prompt, or "".
            eos: Text of the token that ends an answer, or "".
            architecture: `general.architecture` of the file, which helps to tell the format of tool calls.
            special_tokens: All control tokens of the model, to be broken up in messages.
            time_limit_s: Longest rendering; without effect outside the process's main thread.
            now: Clock for templates that write the date.
        """
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._special = frozenset(special_tokens)
        self._time_limit_s = time_limit_s
        self._environment = TemplateSandbox(now)
        self.format: ToolFormat = family_of(source, architecture)
        self.is_fallback = True
        if source and self._try(source):
            self.is_fallback = False
        elif not self._try(CHATML):
            raise AssertionError("ChatML renders")
        used = CHATML if self.is_fallback else source or ""
        self._thinks = next((mark for mark in ("<think>", "<seed:think>") if mark in used), "")
        if not self._thinks and "</think>" in used:
            self._thinks = "<think>"
        self._has_channels = "<|channel|>" in used
        self._ignores_thinking = self._probe_thinking()

    @property
    def thinks(self) -> bool:
        """Whether the model may write a thinking block before its answer."""
        return bool(self._thinks) or self._has_channels

    def render(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSpec] = (),
        thinking: bool = False,
        add_generation_prompt: bool = True,
    ) -> str:
        """Return the prompt, at most 4 MiB; control tokens in messages are broken up.

        Args:
            messages: Oldest first.
            tools: Tools the model may call.
            thinking: Whether a reasoning model may think first; else its thinking block is closed empty.
            add_generation_prompt: Whether the prompt ends where the model's answer begins.

        Raises:
            InvalidRequestError: If the template cannot write this conversation.
        """
        safe = [self._safe(one) for one in messages]
        safe_tools = [self._safe_tool(one) for one in tools]
        try:
            prompt = self._render(safe, safe_tools, self.abilities, thinking, add_generation_prompt)
            system = safe[0].content.strip() if safe and safe[0].role == "system" else ""
            if system not in prompt:  # Mistral's templates leave it out unless the user speaks last
                folded = self.abilities.replace(system=False)
                prompt = self._render(safe, safe_tools, folded, thinking, add_generation_prompt)
        except TemplateFailedError as error:
            logger.info("the chat template failed (%s); calls of tools are written as text", error)
            plain = self.abilities.without_calls()
            try:
                prompt = self._render(safe, safe_tools, plain, thinking, add_generation_prompt)
            except TemplateFailedError as second:
                raise InvalidRequestError(
                    f"The model's chat template cannot write this conversation ({second}): start a new one."
                ) from second
        if thinking or not add_generation_prompt:
            return prompt
        return prompt + self._closed_thinking(prompt, has_tools=bool(tools))

    def _closed_thinking(self, prompt: str, *, has_tools: bool) -> str:
        """What keeps a model from thinking whose template has no switch for it."""
        if not self._ignores_thinking:
            return ""
        if self._thinks:
            close = self._thinks.replace("<", "</")
            return f"\n{close}\n\n" if prompt_opens_thinking(prompt) else f"{self._thinks}\n\n{close}\n\n"
        # gpt-oss calls tools in a channel of its own, so the answer's channel is chosen for it only without tools.
        return "<|channel|>final<|message|>" if self._has_channels and not has_tools else ""

    def _safe(self, message: ChatMessage) -> ChatMessage:
        calls = tuple(
            ToolCall(one.call_id, neutralise(one.name, self._special), self._safe_object(one.arguments))
            for one in message.tool_calls
        )
        content, tool_name = neutralise(message.content, self._special), neutralise(message.tool_name, self._special)
        return ChatMessage(message.role, content, calls, message.tool_call_id, tool_name)

    def _safe_tool(self, tool: ToolSpec) -> ToolSpec:
        return ToolSpec(tool.name, neutralise(tool.description, self._special), self._safe_object(tool.parameters))

    def _safe_object(self, given: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        safe = neutralise_json(dict(given), self._special)
        return safe if isinstance(safe, dict) else {}

    def _render(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[ToolSpec],
        abilities: Abilities,
        thinking: bool,
        add_generation_prompt: bool = True,
    ) -> str:
        variables: dict[str, object] = {
            "messages": shape(messages, tools, abilities, self.format),
            "add_generation_prompt": add_generation_prompt,
            "enable_thinking": thinking,
            "thinking": thinking,
            **self._tokens,
        }
        if not thinking:
            variables |= {"reasoning_effort": "low", "thinking_budget": 0}
        if tools and abilities.tools == "argument":
            variables["tools"] = [_described(one) for one in tools]
        elif abilities.takes_none:
            variables["tools"] = None
        try:
            with time_limit(self._time_limit_s):
                return self._template.render(variables)
        except TimeIsUpError as error:
            raise TemplateFailedError(f"it takes longer than {self._time_limit_s:g} s") from error
        except Exception as error:  # a template is the model maker's code and may raise anything
            raise TemplateFailedError(str(error) or type(error).__name__) from error

    def _try(self, source: str) -> bool:
        """Compile a template and find out what it can do; False if it is unusable."""
        try:
            if len(source) > MAX_SOURCE_CHARS:
                raise TemplateFailedError(f"it has more than {MAX_SOURCE_CHARS:,} characters")
            try:
                with time_limit(self._time_limit_s):
                    self._template = self._environment.from_string(source)
            except (TemplateError, TimeIsUpError, RecursionError, ValueError, SyntaxError, MemoryError) as error:
                raise TemplateFailedError(str(error) or type(error).__name__) from error
            self.abilities = self._probe()
        except TemplateFailedError as error:
            logger.warning("the model's chat template cannot be used (%s): ChatML is used instead", error)
            return False
        return True

    def _probe(self) -> Abilities:
        user, answer = ChatMessage("user", f"{_NEEDLE}1"), ChatMessage("assistant", f"{_NEEDLE}2")
        able = _ABLE.replace(takes_none=self._shows([user], _ABLE, f"{_NEEDLE}1"))
        prompt = self._render([user, answer, user], (), able, thinking=False)
        if prompt.count(f"{_NEEDLE}1") != 2 or f"{_NEEDLE}2" not in prompt:
            raise TemplateFailedError("it leaves out messages")
        system = ChatMessage("system", f"{_NEEDLE}3")
        able = able.replace(
            system=self._shows([system, user], able, f"{_NEEDLE}3"),
            any_first=self._shows([answer, user], able, f"{_NEEDLE}2"),
        )
        return self._probe_calls(able, user, answer)

    def _probe_calls(self, able: Abilities, user: ChatMessage, answer: ChatMessage) -> Abilities:
        places: tuple[Literal["argument", "system"], ...] = ("argument", "system")
        ways = (able.replace(tools=place) for place in places)
        found = next((way for way in ways if self._shows([user], way, _PROBE_TOOL.name, [_PROBE_TOOL])), None)
        if found is None:
            return able.replace(tools=None).without_calls()
        calls = tuple(ToolCall(f"id{n}", _PROBE_TOOL.name, {"a": f"{_NEEDLE}{n}"}) for n in (4, 5))
        results = tuple(ChatMessage("tool", f"{_NEEDLE}6", (), one.call_id, one.name) for one in calls)
        once = [user, ChatMessage("assistant", "", calls[:1]), results[0], answer]
        twice = [user, ChatMessage("assistant", "", calls), *results, answer]
        forms: tuple[Literal["object", "text"], ...] = ("object", "text")
        ways = (found.replace(arguments=form) for form in forms)
        writing = next((way for way in ways if self._shows(once, way, f"{_NEEDLE}4", [_PROBE_TOOL])), None)
        if writing is None:
            return found.without_calls()
        return writing.replace(
            results=self._shows(once, writing, f"{_NEEDLE}6", [_PROBE_TOOL]),
            several_calls=self._shows(twice, writing, f"{_NEEDLE}5", [_PROBE_TOOL]),
        )

    def _shows(
        self, messages: Sequence[ChatMessage], abilities: Abilities, text: str, tools: Sequence[ToolSpec] = ()
    ) -> bool:
        try:
            return text in self._render(messages, tools, abilities, thinking=False)
        except TemplateFailedError:
            return False

    def _probe_thinking(self) -> bool:
        user = [ChatMessage("user", _NEEDLE)]
        try:
            on, off = (self._render(user, (), self.abilities, thinking=flag) for flag in (True, False))
        except TemplateFailedError:
            return True
        return on == off or self._has_channels


class TemplateFailedError(Exception):
    """A template raised, ran for too long or wrote too much."""


def prompt_opens_thinking(prompt: str) -> bool:
    """True if a prompt ends within a thinking block, so that the model's text begins with thoughts."""
    return _OPENED.search(prompt[-200:]) is not None


def _described(tool: ToolSpec) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
