"""What the service leaves behind in Redis: counted by documented kind, before and after all lifetimes have passed."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
from collections import Counter
from dataclasses import dataclass

import bot.store
from bot.store.client import Store, number, text, texts
from bot.store.keys import KeyKind
from bot.store.lanes import REQUESTS

FOR_GOOD = ("for good", "until it is removed", "while among")  # how lifetimes begin that do not end by themselves
PAGE = 500
EMPTY = {"inbox": "XLEN", "ring": "ZCARD", "quick": "ZCARD", "delayed": "ZCARD"}  # when nothing is open


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Keys by kind.

    Attributes:
        open: When every question had its answer.
        kept: After all lifetimes had passed.
        leaked: Keys that no documentation explains, each with the reason.
        interrupted: Times a question's worker died while it had it, over all questions.
    """

    open: Counter[str]
    kept: Counter[str]
    leaked: list[str]
    interrupted: int


def documented_kinds() -> list[KeyKind]:
    """Return the kinds of keys that the modules of the store declare, the most specific names first."""
    kinds: list[KeyKind] = []
    for module in pkgutil.iter_modules(bot.store.__path__, "bot.store."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, tuple):
                kinds += [one for one in value if isinstance(one, KeyKind) and one.type != "channel"]
    return sorted(set(kinds), key=lambda kind: -len(kind.name))


def kind_of(name: str, kinds: list[KeyKind]) -> KeyKind | None:
    """Return the kind of a key without its prefix, or None."""
    return next((kind for kind in kinds if fnmatch.fnmatchcase(name, kind.name)), None)


async def take_stock(store: Store) -> Leftovers:
    """Look at all keys, let their lifetimes pass, and look again; for a store that nobody uses any more."""
    kinds = documented_kinds()
    leaked: list[str] = []
    before: Counter[str] = Counter()
    interrupted = 0
    for key in await _keys(store):
        name = key.removeprefix(store.key(""))
        kind = kind_of(name, kinds)
        found_type, lifetime_ms = await store.batch(("TYPE", key), ("PTTL", key))
        if kind is None:
            leaked.append(f"{name}: not documented")
            continue
        before[kind.name] += 1
        if found_type != kind.type:
            leaked.append(f"{name}: a {text(found_type)}, documented as {kind.type}")
        if kind.name == "request:*":
            request = REQUESTS.find(text(await store.call("GET", key)))
            interrupted += request.deaths if request is not None else 0
        if number(lifetime_ms) > 0:
            await store.call("PEXPIRE", key, 0)
    for name, count in EMPTY.items():
        if size := number(await store.call(count, store.key(name))):
            leaked.append(f"{name}: {size} members, though nothing is open")
    after: Counter[str] = Counter()
    for key in await _keys(store):
        name = key.removeprefix(store.key(""))
        kind = kind_of(name, kinds)
        if kind is None:
            continue
        after[kind.name] += 1
        if not kind.lifetime.startswith(FOR_GOOD) and kind.name not in EMPTY:
            leaked.append(f"{name}: no lifetime, documented as {kind.lifetime!r}")
    return Leftovers(before, after, leaked, interrupted)


async def _keys(store: Store) -> list[str]:
    """Return all keys below the prefix."""
    found: set[str] = set()
    cursor = "0"
    while True:
        reply = await store.call("SCAN", cursor, "MATCH", store.key("*"), "COUNT", PAGE)
        assert isinstance(reply, list)
        cursor = text(reply[0])
        found.update(texts(reply[1]))
        if cursor == "0":
            return sorted(found)
