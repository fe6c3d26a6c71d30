"""`locus settings`: the values that hold and where each comes from; secrets are never shown."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from bot.cli.render import dump_json
from bot.secret_files import SUFFIX
from bot.setting_sections import Described, described, written
from bot.settings import Settings

ENV_FILE = Path(".env")
HIDDEN = "(set, not shown)"
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting as it holds.

    Attributes:
        setting: Which.
        value: As it would stand in .env; what must not be shown is replaced.
        source: "option", "environment", ".env", "file" or "default".
    """

    setting: Described
    value: str
    source: str


def show_settings(settings: Settings, *, by_option: frozenset[str], everything: bool, as_json: bool) -> None:
    """Print the settings that hold.

    Args:
        settings: All of them.
        by_option: Fields that an option of the command line has set.
        everything: Whether those that have their defaults are shown too.
        as_json: Whether to print one JSON object.
    """
    places = os.environ, dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    found = [(section.title, list(_in_force(settings, group, places, by_option))) for section, group in described()]
    if as_json:
        rows = [
            {"name": one.setting.name, "value": one.value, "source": one.source, "section": title}
            for title, ones in found
            for one in ones
        ]
        sys.stdout.write(dump_json({"settings": rows}) + "\n")
        return
    console = Console(highlight=False)
    chosen = [(title, [one for one in ones if everything or one.source != "default"]) for title, ones in found]
    for title, ones in chosen:
        if ones:
            console.print(Text(f"{title}", style="bold"))
        for one in ones:
            console.print(Text(f"  {one.setting.name}={one.value}  ({one.source})"), soft_wrap=True)
    if not any(ones for _, ones in chosen):
        console.print("Every setting has its default; `locus settings --all` shows them.")


def _in_force(
    settings: Settings,
    group: list[Described],
    places: tuple[Mapping[str, str], Mapping[str, str | None]],
    by_option: frozenset[str],
) -> Iterator[InForce]:
    for one in group:
        value = getattr(settings, one.field)
        shown = HIDDEN if isinstance(value, SecretStr) else _PASSWORD.sub("***@", written(value))
        yield InForce(one, shown, _source(one, places, by_option))


def _source(
    one: Described, places: tuple[Mapping[str, str], Mapping[str, str | None]], by_option: frozenset[str]
) -> str:
    if one.field in by_option:
        return "option"
    environment, file = ({name.upper(): value for name, value in place.items() if value} for place in places)
    if one.name in environment:
        return "environment"
    if one.name in file:
        return ".env"
    return "file" if one.secret and one.name + SUFFIX in {**environment, **file} else "default"
