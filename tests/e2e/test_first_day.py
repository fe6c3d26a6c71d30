"""The steps of `make try-install` in small: with what is installed here instead of an environment of its own."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.first_day import steps
from tests.first_day.__main__ import genenetwork
from tests.first_day.dashboard import look_at_dashboard
from tests.first_day.older import BEFORE_PIP, BEFORE_SLACK, ROOT, commit_before
from tests.first_day.operator import Operator
from tests.first_day.report import FailedError, Report, SkippedError, require

PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("installing-with-pip", "installing", "operating")
}


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Somebody with an empty home, and a GeneNetwork of this machine."""
    folder = tmp_path_factory.mktemp("day")
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    with genenetwork() as settings:
        report = Report(to=io.StringIO())
        yield Operator(folder / "work", folder / "home", Path(sys.executable).parent, report, settings)


@pytest.fixture(scope="module")
def data(operator: Operator) -> Path:
    """The data folder after the guide, the doctor and a chat, as each of them should be."""
    steps.set_up(operator)
    steps.look_at_everything(operator)
    steps.chat(operator)
    return operator.home / ".local" / "share" / "locus"


@pytest.mark.timeout(600)
def test_guide_doctor_and_chat_work_in_an_empty_home(data: Path) -> None:
    """From no settings at all to answers with links, a follow-up, the status and a subscription."""
    assert (data / "form.json").is_file()


@pytest.mark.timeout(600)
def test_the_steward_signs_in_with_the_token_that_the_guide_made(
    operator: Operator, data: Path, tmp_path: Path
) -> None:
    """In a real browser, which complains about nothing."""
    try:
        look_at_dashboard(operator, tmp_path / "dashboard.png")
    except SkippedError as error:
        pytest.skip(str(error))

    assert (tmp_path / "dashboard.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.timeout(600)
def test_a_backup_is_restored_into_an_empty_folder(operator: Operator, data: Path, tmp_path: Path) -> None:
    """With the same answer, conversations and subscriptions."""
    steps.back_up_and_restore(operator, data, tmp_path / "restored")


def test_a_folder_of_a_newer_version_is_refused(operator: Operator, data: Path) -> None:
    """By every command, with the way back, and nothing in it changes."""
    steps.refuse_a_newer_folder(operator, data)


@pytest.mark.timeout(900)  # some forty commands, each of which starts anew
@pytest.mark.parametrize(("lacks", "digests"), [(BEFORE_SLACK, False), (BEFORE_PIP, True)])
def test_a_folder_of_an_earlier_version_is_upgraded(
    lacks: str, digests: bool, operator: Operator, tmp_path: Path
) -> None:
    """Documents, conversations and subscriptions are there in this version, in that one again, and from its backup."""
    try:
        steps.upgrade(operator, commit_before(lacks), tmp_path, digests=digests)
    except SkippedError as error:
        pytest.skip(str(error))


def test_what_is_run_stands_in_the_pages() -> None:
    """An operator who follows the pages runs the commands that are tried here."""
    files = " ".join(f"-r requirements/{name}.txt" for name in ("base", *steps.EXTRAS))

    assert f"pip install --no-deps {files}\n" in PAGES["installing-with-pip"]
    for command in ("python3 -m venv venv", "pip install --no-deps .", "locus setup", "locus run"):
        assert re.search(rf"^\$ {re.escape(command)}(?: |$)", PAGES["installing-with-pip"], re.MULTILINE), command
    for command in ("locus backup", "locus restore", "locus doctor"):
        assert re.search(rf"^\$ {command}\b", PAGES["operating"], re.MULTILINE), command


def test_a_failed_step_is_told_and_counted() -> None:
    """The others are run all the same, and the exit code says so."""
    written = io.StringIO()
    report = Report(to=written)
    went = [
        report.step("one", lambda: require(False, "it rains")),
        report.step("two", lambda: report.ran("true", 0.1)),
        report.step("three", _skip),
    ]
    code = report.end()

    assert ([False, True, True], 1) == (went, code)
    for line in (
        "! it rains",
        "FAILED",
        "$ true",
        "not tried: no sun",
        "1 of 3 steps are well; failed: one; not tried",
    ):
        assert line in written.getvalue()


def test_pip_never_installs_outside_of_an_environment(tmp_path: Path) -> None:
    """A mistake in a path must not change the packages of the machine."""
    outside = Operator(tmp_path, tmp_path, Path(sys.base_prefix) / "bin", Report(to=io.StringIO()))

    with pytest.raises(FailedError, match="virtualenv"):
        outside.run("python3 -m pip install --dry-run --no-index locus-bot")


def _skip() -> None:
    raise SkippedError("no sun")
