"""`locus setup`: the first-time guide; every step can be left out, and all of it repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bot.cli.doctoring import show_findings
from bot.cli.env_file import EnvFile
from bot.cli.options import settings_of
from bot.cli.setup_asking import Asker, SkippedError
from bot.cli.setup_documents import set_up_documents
from bot.cli.setup_matrix import set_up_matrix
from bot.cli.setup_model import set_up_model
from bot.cli.setup_place import set_up_place
from bot.cli.setup_slack import set_up_slack
from bot.cli.setup_web import set_up_web
from bot.cli.setup_work import Work
from bot.errors import BotError
from bot.examination import examine

Step = Callable[[Work], None]
STEPS: Sequence[tuple[str, Step]] = (
    ("Documents", set_up_documents),
    ("A model that writes the answers", set_up_model),
    ("Slack", set_up_slack),
    ("Matrix", set_up_matrix),
    ("The lab", set_up_place),
    ("A page in the browser", set_up_web),
)


def run_setup(env_file: Path, data_dir: Path | None) -> int:
    """Ask, check what is answered, and write it; return the exit code.

    Args:
        env_file: Where settings go.
        data_dir: Of --data-dir; it is written too.

    Raises:
        SettingsError: If the settings of before cannot be read or written.
    """
    settings_of(data_dir)  # what is wrong there already is said first
    asker = Asker(Console(highlight=False))
    work = Work(asker, EnvFile(env_file), data_dir)
    asker.say(f"This guide writes {env_file.absolute()}. Enter takes what stands in brackets; skip leaves a step out;")
    asker.say("Ctrl-C ends it: what was done by then is kept, and you can run it again at any time.")
    if data_dir is not None:
        work.keep({"LOCUS_DATA_DIR": str(data_dir.absolute())})
    for number, (title, step) in enumerate(STEPS, start=1):
        asker.heading(f"{number}. {title}")
        try:
            step(work)
        except SkippedError:
            asker.say("  Left out.")
        except BotError as error:
            asker.say(f"  {error}", "red")
            asker.say("  This step was left out.")
    asker.heading(f"{len(STEPS) + 1}. A look at everything")
    try:
        if asker.yes("Look now, as `locus doctor` does?", default=True):
            findings = asyncio.run(examine(work.settings(), env_file))
            show_findings(findings, asker.console)
    except SkippedError:
        asker.say("  Left out.")
    settings = work.settings()
    asker.heading("Done")
    if settings.slack_bot_token is not None or settings.matrix_homeserver is not None:
        asker.say("Start Locus with `locus run`; deploy/README.md shows how it starts with the machine.")
    else:
        asker.say("Ask your first question with `locus chat`.")
    return 0
