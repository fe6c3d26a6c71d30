"""docs/state.md lists every key of the store as the modules declare it."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import bot.store
from bot.store.keys import KeyKind

PAGE = Path(__file__).parents[2] / "docs" / "state.md"
HEAD = "| key | type | lifetime | bounded by | holds |\n|---|---|---|---|---|\n"


def kinds() -> list[KeyKind]:
    """Return all kinds of keys and channels, by name."""
    found: set[KeyKind] = set()
    for module in pkgutil.iter_modules(bot.store.__path__, "bot.store."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, tuple):
                found |= {one for one in value if isinstance(one, KeyKind)}
    return sorted(found, key=lambda kind: (kind.type == "channel", kind.name))


def table() -> str:
    """Return the table as it should stand there."""
    rows = (
        f"| `{kind.name}` | {kind.type} | {kind.lifetime or '-'} | {kind.limit or '-'} | {kind.holds} |"
        for kind in kinds()
    )
    return HEAD + "\n".join(rows) + "\n"


def test_the_page_lists_every_key() -> None:
    """Type, lifetime, bound and content stand in the page as in the code."""
    page = PAGE.read_text()
    begin, end = page.index("<!-- keys -->\n") + len("<!-- keys -->\n"), page.index("<!-- /keys -->")

    assert table() == page[begin:end]


def test_every_key_has_a_lifetime_or_a_bound() -> None:
    """Nothing can grow without end."""
    boundless = [kind.name for kind in kinds() if kind.type != "channel" and not (kind.lifetime and kind.limit)]

    assert [] == boundless
