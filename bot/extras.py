"""How a missing extra is installed, in the words of whatever installed Locus here."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution


def installing(*extras: str) -> str:
    """Return the command that adds extras and takes nothing away.

    Args:
        extras: Of pyproject.toml, such as "slack".
    """
    if _installer() == "pip":
        return f"pip install --no-deps {' '.join(f'-r requirements/{extra}.txt' for extra in extras)}"
    return f"uv sync {' '.join(f'--extra {extra}' for extra in extras)} --inexact"


@cache
def _installer() -> str:
    """Return what installed Locus: "pip", "uv", or "" where nothing says so."""
    try:
        return (distribution("locus-bot").read_text("INSTALLER") or "").strip()
    except PackageNotFoundError:
        return ""
