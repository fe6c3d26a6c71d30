"""Which commands of Redis the source runs, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import bot

CALLS = {"call", "batch", "transaction", "read", "commit"}


def used_commands(known: Collection[str]) -> set[str]:
    """Return the commands in tuples and calls of the core, as far as `known` has them."""
    return {
        name
        for path in sorted(Path(bot.__file__).parent.rglob("*.py"))
        for name in _first_words(ast.parse(path.read_text(encoding="utf-8")))
        if name in known
    }


def _first_words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple):
            first = node.elts[:1]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            first = node.args[:1]
        else:
            continue
        for word in first:
            if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value.isupper():
                yield word.value
