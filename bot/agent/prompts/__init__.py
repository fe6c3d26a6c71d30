"""Prompt templates in files, checked when they are loaded."""

from __future__ import annotations

from importlib.resources import files
from string import Formatter

from bot.errors import SettingsError

VARIABLES = {"system": frozenset[str](), "question": frozenset({"passages", "question"})}


def load_prompt(name: str) -> str:
    """Return a template.

    Raises:
        SettingsError: If it uses a variable that is not filled in, or lacks one that is.
    """
    text = files("bot.agent.prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()
    used = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    if used != VARIABLES[name]:
        raise SettingsError(f"The prompt {name}.txt must use exactly the variables {sorted(VARIABLES[name])}.")
    return text
