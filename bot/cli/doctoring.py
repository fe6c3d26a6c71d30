"""`locus doctor`: looks at every part and says what to mend."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from bot.checks import Level
from bot.cli.render import dump_json
from bot.examination import examine
from bot.settings import Settings

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


async def run_doctor(settings: Settings, *, as_json: bool) -> int:
    """Print the findings; return 1 when one is an error."""
    findings = await examine(settings)
    if as_json:
        rows = [{"level": one.level.value, "part": one.part, "text": one.text, "fix": one.fix} for one in findings]
        sys.stdout.write(dump_json({"findings": rows}) + "\n")
    else:
        console = Console(highlight=False)
        for one in findings:
            line = Text(f"{one.level.value:8}", style=_STYLES[one.level])
            line.append(f"{one.part:12}", style="bold")
            line.append(one.text, style="")
            if one.fix:
                line.append(f" Fix: {one.fix}", style="dim")
            console.print(line, soft_wrap=True)
    return int(any(one.level is Level.ERROR for one in findings))
