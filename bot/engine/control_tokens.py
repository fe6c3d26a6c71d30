"""Control tokens in texts that people and documents wrote: broken up, so that nobody speaks for others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pydantic import JsonValue

# The marks by which chat templates tell who speaks, thinks or calls a tool; "｜" and "▁" are DeepSeek's.
_KNOWN = (
    r"<[|｜][^|｜<>\n]{0,60}[|｜]>"
    r"|</?s>|<(?:bos|eos|pad|unk|mask|sep|cls)>|<(?:unused|SPECIAL_|reserved_)\d{1,5}>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|SYSTEM|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|ARGS|CALL_ID|THINK"
    r"|MODEL_SETTINGS|IMG|SUFFIX|PREFIX|MIDDLE)\]"
    r"|<</?SYS>>|</?(?:start|end)_of_(?:turn|text|role|image)>"
    r"|</?(?:think|thinking|tool_call|tool_calls|tool_response|tools)>|</?seed:[a-z_]{1,30}>"
)
_MIN_CHARS = 3  # a shorter token, or one of letters alone, is a word and no mark


def neutralise(text: str, special_tokens: Iterable[str] = ()) -> str:
    """Break up control tokens in a text with a space after their first character; a text without any stays as it is.

    Args:
        text: Any text.
        special_tokens: The model's own control tokens, besides the common ones.
    """
    pattern = _pattern(special_tokens if isinstance(special_tokens, frozenset) else frozenset(special_tokens))
    # Again until nothing is found: tokens may overlap, or come about by the space.
    while (broken := pattern.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)) != text:
        text = broken
    return text


def neutralise_json(value: JsonValue, special_tokens: Iterable[str] = ()) -> JsonValue:
    """Break up control tokens in every string and key of a JSON value."""
    if isinstance(value, str):
        return neutralise(value, special_tokens)
    if isinstance(value, list):
        return [neutralise_json(one, special_tokens) for one in value]
    if isinstance(value, dict):
        return {neutralise(key, special_tokens): neutralise_json(one, special_tokens) for key, one in value.items()}
    return value


@lru_cache(maxsize=8)
def _pattern(special_tokens: frozenset[str]) -> re.Pattern[str]:
    known = re.compile(_KNOWN, re.IGNORECASE)
    own = [token for token in special_tokens if _is_mark(token) and not known.fullmatch(token)]
    longest_first = sorted(own, key=lambda token: (-len(token), token))
    return re.compile("|".join([_KNOWN, *map(re.escape, longest_first)]), re.IGNORECASE)


def _is_mark(token: str) -> bool:
    return len(token) >= _MIN_CHARS and token == token.strip() and not token.isalnum()
