"""`make try-install`: everything that the pages promise an operator, from an empty folder on.

It needs git, Python with venv, and the package registries; nothing else of the network.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.first_day import steps
from tests.first_day.dashboard import look_at_dashboard
from tests.first_day.older import BEFORE_PIP, BEFORE_SLACK, ROOT, commit_before
from tests.first_day.operator import Operator
from tests.first_day.report import Report

PYTHON = Path(sys.base_prefix) / "bin"  # the one this environment was made from, without its packages


@contextmanager
def genenetwork() -> Iterator[dict[str, str]]:
    """Yield the settings of a local GeneNetwork, which stands in for genenetwork.org."""
    command = [sys.executable, "-m", "tests.gn_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        yield {
            "LOCUS_GENENETWORK_URL": url,
            "LOCUS_GENENETWORK_GN3_URL": f"{url}/api3",
            "LOCUS_GENENETWORK_PAUSE_S": "0",
        }
        process.stdin.close()
        process.wait(timeout=30)


def play(place: Path, checkout: str, *, with_llama: bool, with_demo: bool) -> int:
    """Run all steps and return the exit code."""
    report = Report()
    home = place / "home"
    home.mkdir()
    installer = Operator(place, home, PYTHON, report)
    extras = (*steps.EXTRAS, "llama") if with_llama else steps.EXTRAS
    report.note(f"In {place}, with {PYTHON / 'python3'}, an empty home and no caches; extras {', '.join(extras)}.")
    installed = report.step(
        "Install with pip (docs/installing-with-pip.md)",
        lambda: steps.install_with_pip(installer, checkout, extras=extras),
    )
    if not installed:
        return report.end()
    work = place / "locus"
    data = home / ".local" / "share" / "locus"
    with genenetwork() as settings:
        operator = Operator(work, home, work / "venv" / "bin", report, settings)
        report.step("The guide (docs/installing.md)", lambda: steps.set_up(operator))
        report.step("The doctor (docs/monitoring.md)", lambda: steps.look_at_everything(operator))
        report.step("A chat in the terminal (README.md)", lambda: steps.chat(operator))
        report.step(
            "The dashboard in Chromium (docs/dashboard.md)",
            lambda: look_at_dashboard(operator, place / "dashboard.png"),
        )
        report.step(
            "Backup and restore (docs/operating.md)",
            lambda: steps.back_up_and_restore(operator, data, place / "restored"),
        )
        report.step(
            "Upgrade from the version before Slack (docs/operating.md)",
            lambda: steps.upgrade(operator, commit_before(BEFORE_SLACK), _made(place / "old"), digests=False),
        )
        report.step(
            "Upgrade from the version with digests (docs/operating.md)",
            lambda: steps.upgrade(operator, commit_before(BEFORE_PIP), _made(place / "older"), digests=True),
        )
        report.step(
            "A folder of a newer version (docs/operating.md)", lambda: steps.refuse_a_newer_folder(operator, data)
        )
        if with_demo:
            report.step("`make demo` in a fresh clone (README.md)", lambda: _demonstrate(installer, checkout))
    return report.end()


def _demonstrate(installer: Operator, checkout: str) -> None:
    installer.run(f"git clone --quiet {checkout} demo")
    steps.demonstrate(installer.inside("demo"))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> None:
    """Read the options and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.first_day", description=__doc__)
    parser.add_argument("--checkout", default=str(ROOT), help="what is cloned: its committed state is played")
    parser.add_argument("--folder", type=Path, help="an empty folder that is kept; else one that is taken away")
    parser.add_argument("--with-llama", action="store_true", help="install the extra llama too, which compiles")
    parser.add_argument("--without-demo", action="store_true", help="leave `make demo` out, which installs with uv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-day-") as made:
        place = (options.folder or Path(made)).absolute()
        place.mkdir(parents=True, exist_ok=True)
        code = play(place, options.checkout, with_llama=options.with_llama, with_demo=not options.without_demo)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
