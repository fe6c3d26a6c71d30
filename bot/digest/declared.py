"""Digests declared in a TOML file, for labs that keep their settings under version control."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.digest.phrases import read_phrase
from bot.digest.subscriptions import Subscription, declared_place, subscription_id
from bot.digest.wishes import make_interest, read_quiet
from bot.errors import InvalidRequestError, SettingsError

FIELDS = ("name", "channel", "when", "zone", "group", "type", "tissue", "species", "quiet")
MAX_BYTES = 1_000_000


def load_declared(path: Path, zone: str, *, clock: Callable[[], float] = time.time) -> tuple[Subscription, ...]:
    """Return the subscriptions of a file.

    Args:
        path: The file.
        zone: Time zone of those that name none.
        clock: Seconds since 1970.

    Raises:
        SettingsError: If the file cannot be read or an entry is wrong; the sentence names the entry and its word.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(
                f"LOCUS_DIGEST_FILE names {path}, which is larger than 1 MB: that is no list of digests."
            )
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"LOCUS_DIGEST_FILE names {path}, which cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise SettingsError(f"{path} is no TOML file: {error}.") from error
    unknown = sorted(set(content) - {"digest"})
    entries = content.get("digest", [])
    if unknown or not isinstance(entries, list):
        raise SettingsError(f"{path} holds {', '.join(unknown) or 'no list'}: every entry begins with [[digest]].")
    found: dict[str, Subscription] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, Mapping):
            raise SettingsError(f"{where}: every entry begins with [[digest]].")
        subscription = _subscription(entry, where, zone, clock())
        if subscription.name in {one.name for one in found.values()}:
            raise SettingsError(f"{where}: the name {subscription.name!r} is there twice; give each entry its own.")
        found[subscription.subscription_id] = subscription
    return tuple(found.values())


def _subscription(entry: Mapping[str, object], where: str, zone: str, now: float) -> Subscription:
    for name in entry:
        if name not in FIELDS:
            raise SettingsError(f"{where}: {str(name)[:40]!r} is no part of a digest; there are {', '.join(FIELDS)}.")
    name, channel, when = (_text(entry, field, where) for field in ("name", "channel", "when"))
    place = declared_place(channel)
    if place is None:
        raise SettingsError(f"{where}: channel is CHAT/WORKSPACE/CHANNEL by their ids, such as slack/T024/C0123.")
    try:
        phrase = read_phrase(when.split())
        interest = make_interest(
            groups=_names(entry, "group", where),
            kinds=_names(entry, "type", where),
            tissues=_names(entry, "tissue", where),
            species=_names(entry, "species", where),
        )
        quiet = entry.get("quiet", True)
        quiet = quiet if isinstance(quiet, bool) else read_quiet(str(quiet))
    except InvalidRequestError as error:
        raise SettingsError(f"{where}: {error}") from error
    own_zone = _text(entry, "zone", where) if "zone" in entry else zone
    handle = subscription_id(place, interest, phrase.cron, own_zone, name=name)
    return Subscription(handle, place, interest, phrase.words, phrase.cron, own_zone, quiet, now, name)


def _text(entry: Mapping[str, object], field: str, where: str) -> str:
    value = entry.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise SettingsError(f'{where}: {field} is missing or no text; write {field} = "…".')
    return value.strip()


def _names(entry: Mapping[str, object], field: str, where: str) -> list[str]:
    value = entry.get(field, [])
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [str(one) for one in value]
    raise SettingsError(f'{where}: {field} is a list of names, such as {field} = ["BXD"].')
