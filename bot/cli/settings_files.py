"""What docs/settings.md and .env.example say of the settings; `python -m bot.cli.settings_files` writes both anew."""

from __future__ import annotations

import textwrap
from pathlib import Path

from bot.setting_sections import Described, described

PAGE = Path("docs") / "settings.md"
EXAMPLE = Path(".env.example")
BEGIN = "<!-- settings: written by `make settings` -->\n"
END = "<!-- /settings -->\n"
WIDTH = 118  # of a line of comment, with its sign
_HEAD = """\
# Every setting of Locus with its default. Copy this file to .env and change what you need;
# variables of the environment win over .env. docs/settings.md says more about each.
"""


def tables() -> str:
    """Return the tables of docs/settings.md."""
    parts = []
    for section, settings in described():
        rows = "".join(_row(one) for one in settings)
        parts.append(f"## {section.title}\n\n| variable | takes | default | meaning |\n|---|---|---|---|\n{rows}")
    return "\n".join(parts)


def page(before: str) -> str:
    """Return docs/settings.md with its tables written anew; what is written by hand stays.

    Raises:
        ValueError: If the marks of the tables are missing.
    """
    head, begin, rest = before.partition(BEGIN)
    _, end, foot = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} lacks the lines {BEGIN.strip()} and {END.strip()}")
    return f"{head}{BEGIN}\n{tables()}\n{END}{foot}"


def example() -> str:
    """Return .env.example."""
    parts = [_HEAD]
    for section, settings in described():
        parts.append(f"# --- {section.title} ---\n")
        for one in settings:
            comment = textwrap.fill(
                one.meaning, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False
            )
            parts.append(f"{comment}\n# {one.name}={one.default}\n")
    return "\n".join(parts)


def _row(one: Described) -> str:
    default = one.shown_default if not one.default else f"`{one.default}`"
    # A bar would end the cell.
    return f"| `{one.name}` | {one.takes} | {default} | {one.meaning.replace('|', chr(92) + '|')} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")
