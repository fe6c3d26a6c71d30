"""`locus doctor`: looks at every part and says what to mend."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bot.checks import Finding, Level
from bot.cli.options import settings_of
from bot.cli.render import dump_json
from bot.examination import examine, unreadable_settings

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}
ENV_FILE = Path(".env")


def run_doctor(data_dir: Path | None, *, as_json: bool) -> int:
    """Print the findings; return 1 when one is an error."""
    findings = unreadable_settings(os.environ, ENV_FILE)
    if not findings:
        findings = asyncio.run(examine(settings_of(data_dir, any_form=True), ENV_FILE))
    if as_json:
        rows = [{"level": one.level.value, "part": one.part, "text": one.text, "fix": one.fix} for one in findings]
        sys.stdout.write(dump_json({"findings": rows}) + "\n")
    else:
        show_findings(findings, Console(highlight=False))
    return int(any(one.level is Level.ERROR for one in findings))


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print a line for each, and how many are to be looked at."""
    for one in findings:
        line = Text(f"{one.level.value:8}", style=_STYLES[one.level])
        line.append(f"{one.part:13}", style="bold")
        line.append(one.text, style="not bold")
        if one.fix:
            line.append(f" Fix: {one.fix}", style="dim")
        console.print(line, soft_wrap=True)
    counts = [(sum(one.level is level for one in findings), level) for level in (Level.ERROR, Level.WARNING)]
    said = " and ".join(f"{count} {level.value}{'s' if count > 1 else ''}" for count, level in counts if count)
    console.print(f"\n{said or 'All is well'}.", style="bold")
