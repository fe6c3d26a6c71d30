"""Prompt templates and their examples in files, checked when they are loaded."""

from __future__ import annotations

import functools
from importlib.resources import files
from string import Formatter
from typing import Literal

from bot.errors import SettingsError

PromptStyle = Literal["zero", "one", "few"]

VARIABLES = {
    "system": frozenset({"examples"}),
    "question": frozenset({"summary", "passages", "question"}),
    "follow_up": frozenset({"history", "question"}),
    "summary": frozenset({"history"}),
}
_EXAMPLES = {"zero": 0, "one": 1, "few": None}  # how many of the examples each style shows; None means all


@functools.cache
def load_prompt(name: str) -> str:
    """Return a template.

    Raises:
        SettingsError: If it uses a variable that is not filled in, or lacks one that is.
    """
    text = files("bot.agent.prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
    try:
        used = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    except ValueError:
        used = set()
    if used != VARIABLES[name]:
        raise SettingsError(f"The prompt {name}.txt must use exactly the variables {sorted(VARIABLES[name])}.")
    return text


def load_examples() -> list[str]:
    """Return the examples in the order of their file names."""
    folder = files("bot.agent.prompts").joinpath("examples")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".txt")), key=lambda file: file.name)
    return [file.read_text(encoding="utf-8").strip() for file in found]


def system_prompt(style: PromptStyle) -> str:
    """Return the system prompt with no, one or all examples."""
    chosen = load_examples()[: _EXAMPLES[style]]
    shown = "".join(f"\nExample\n{example}\n" for example in chosen)
    return load_prompt("system").format(examples=shown).strip()
