"""What the chat in a terminal remembers over a restart, and what it forgets."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from adapters.terminal.transcript import FILE, MAX_BYTES, OPEN_KEPT, SHOWN_KEPT, Question, Transcript
from bot.errors import StorageError


def question(number: int, text: str = "What is BXD?") -> Question:
    """A question as typed."""
    return Question(f"m{number}", text, float(number))


def test_a_question_and_its_post_are_there_after_a_restart(tmp_path: Path) -> None:
    """Until the final reply was shown, text, order and post are known, and the question counts as old."""
    first = Transcript(tmp_path)
    first.ask(question(1))
    first.post("p1", "m1")
    again = Transcript(tmp_path)

    assert [Question("m1", "What is BXD?", 1.0, old=True)] == again.open_questions
    assert ("m1", None, False) == (again.answers("p1"), again.answers("p2"), again.was_shown("p1"))
    assert first.channel == again.channel


def test_the_text_of_an_answered_question_leaves_the_file(tmp_path: Path) -> None:
    """What remains says only that the answer was shown."""
    transcript = Transcript(tmp_path)
    transcript.ask(question(1))
    transcript.post("p1", "m1")
    transcript.show("p1")

    assert "BXD" not in (tmp_path / FILE).read_text()
    assert [{"v": 1, "kind": "shown", "id": "p1", "answers": "m1"}] == [
        json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()
    ]
    assert Transcript(tmp_path).was_shown("p1")


def test_a_question_that_was_given_up_is_forgotten(tmp_path: Path) -> None:
    """It is not asked again by the next process."""
    transcript = Transcript(tmp_path)
    transcript.ask(question(1))
    transcript.ask(question(2))
    transcript.give_up("m1")

    assert ["m2"] == [one.message_id for one in Transcript(tmp_path).open_questions]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """Folder and files have the modes of a private letter."""
    folder = tmp_path / "data" / "terminal"
    Transcript(folder).ask(question(1))

    assert [0o700, 0o600, 0o600] == [
        stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / FILE, folder / "channel")
    ]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"v": 1, "kind": "ask',
        b"\xff\xfe\n",
        b"[1]\n",
        b'{"v": 2, "kind": "asked", "id": "m9"}\n',
        b"[" * 5000 + b"\n",
    ],
    ids=["torn", "no text", "no object", "newer", "nested"],
)
def test_damaged_lines_are_left_out(tmp_path: Path, damage: bytes) -> None:
    """A line that was torn by a crash costs that line alone, and the file is whole again afterwards."""
    Transcript(tmp_path).ask(question(1))
    with (tmp_path / FILE).open("ab") as file:
        file.write(damage)
    again = Transcript(tmp_path)
    again.ask(question(2))

    assert ["m1", "m2"] == [one.message_id for one in Transcript(tmp_path).open_questions]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """Beyond a megabyte it is written anew with what is needed; of shown answers the newest are remembered."""
    transcript = Transcript(tmp_path)
    transcript.ask(question(0, "stays open"))
    for number in range(1, 40):
        transcript.ask(question(number, "x" * 100_000))
        transcript.post(f"p{number}", f"m{number}")
        transcript.show(f"p{number}")
    size = (tmp_path / FILE).stat().st_size
    for number in range(SHOWN_KEPT + 50):
        transcript.post(f"q{number}", "")
        transcript.show(f"q{number}")
    transcript.give_up("m0")

    assert size <= MAX_BYTES
    assert SHOWN_KEPT == len((tmp_path / FILE).read_text().splitlines())
    assert (False, True) == (transcript.was_shown("p1"), Transcript(tmp_path).was_shown(f"q{SHOWN_KEPT + 49}"))


def test_open_questions_are_bounded(tmp_path: Path) -> None:
    """Whoever fills the chat without ever getting an answer loses the oldest questions first."""
    transcript = Transcript(tmp_path)
    for number in range(OPEN_KEPT + 5):
        transcript.ask(question(number, "x" * 2000))
    kept = [one.message_id for one in Transcript(tmp_path).open_questions]

    assert (OPEN_KEPT, "m5", f"m{OPEN_KEPT + 4}") == (len(kept), kept[0], kept[-1])


def test_a_disk_that_is_full_does_not_stop_the_chat(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning; what this process knows stays known, and is written when there is room again."""
    transcript = Transcript(tmp_path)
    (tmp_path / FILE).mkdir()
    transcript.ask(question(1))
    transcript.ask(question(2))
    warnings = len(caplog.records)
    (tmp_path / FILE).rmdir()
    transcript.ask(question(3))

    assert 1 == warnings
    assert ["m1", "m2", "m3"] == [one.message_id for one in Transcript(tmp_path).open_questions]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file where the folder should be gives one sentence."""
    (tmp_path / "terminal").write_text("")

    with pytest.raises(StorageError, match="terminal cannot be used for the chat in the terminal: File exists."):
        Transcript(tmp_path / "terminal")


def test_two_folders_have_two_channels(tmp_path: Path) -> None:
    """Ids are random, so that containers with the same path never meet."""
    assert Transcript(tmp_path / "one").channel != Transcript(tmp_path / "two").channel
