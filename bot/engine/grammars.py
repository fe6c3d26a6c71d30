"""The grammar of one request: from its own grammar, the tools it offers and the model's form of calling them."""

from __future__ import annotations

import json
import re

from bot.engine.output_parser import THINKING_MARKS
from bot.engine.sampler import TokenGrammar
from bot.engine.schema_grammar import literal, schema_grammar
from bot.engine.tool_formats import ToolFormat
from bot.errors import InvalidRequestError
from bot.generation import GenerationRequest, Grammar

# Literals and character classes are passed over; what is left are the names of rules.
_RULE_NAMES = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|(?P<name>[A-Za-z][A-Za-z0-9-]*)')
# Where thoughts stand in a channel of their own, the answer has one too.
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_CLOSINGS = tuple(_FINAL_CHANNEL if closing == "<|end|>" else closing for _, closing in THINKING_MARKS)
# llama.cpp searches the text so far and feeds the group to the grammar; it ends the process when the group is empty or
# breaks the grammar, so the grammar begins with the closing mark itself.
_AFTER_THINKING = f"((?:{'|'.join(map(re.escape, _CLOSINGS))})[ \\n]{{0,2}})$"


def token_grammar(request: GenerationRequest, tools: ToolFormat, *, thinks: bool) -> TokenGrammar | None:
    """Return the grammar a request needs, or None.

    Args:
        request: With or without tools and a grammar of its own.
        tools: How the model calls tools.
        thinks: Whether thoughts come before the text; a grammar begins after them.

    Raises:
        InvalidRequestError: If a schema cannot be followed or the chosen tool does not exist.
    """
    own = _gbnf(request.grammar) if request.grammar is not None else ""
    if not request.tools or request.tool_choice == "none":
        return _from_answer(own, thinks=thinks) if own else None
    calls = tools.grammar(request.tools, choice=request.tool_choice)
    if request.tool_choice != "auto":
        return _from_answer(calls, thinks=thinks)
    if own:
        return _from_answer(either(calls, own), thinks=thinks)
    return TokenGrammar(calls, (tools.trigger_pattern(request.tools),))


def _from_answer(gbnf: str, *, thinks: bool) -> TokenGrammar:
    """A grammar that holds from the first token, or from the end of the thoughts."""
    if not thinks:
        return TokenGrammar(gbnf)
    closing = " | ".join(map(literal, _CLOSINGS))
    return TokenGrammar(f"root ::= ({closing}) [ \\n]{{0,2}} t-root\n{_prefixed(gbnf, 't-')}\n", (_AFTER_THINKING,))


def either(first: str, second: str) -> str:
    """Return a grammar for a text of one grammar or the other."""
    return f"root ::= a-root | b-root\n{_prefixed(first, 'a-')}\n{_prefixed(second, 'b-')}\n"


def _prefixed(grammar: str, prefix: str) -> str:
    return _RULE_NAMES.sub(lambda match: f"{prefix}{match['name']}" if match["name"] else match[0], grammar)


def _gbnf(grammar: Grammar) -> str:
    if grammar.kind == "gbnf":
        return grammar.text
    try:
        schema = json.loads(grammar.text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The JSON schema of the request cannot be read: {error}.") from error
    if not isinstance(schema, dict):
        raise InvalidRequestError("The JSON schema of the request is no JSON object.")
    return schema_grammar(schema)
