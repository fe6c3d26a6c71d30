"""The form of the data folder: a version that does not know it leaves the folder alone instead of misreading it."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bot.errors import StorageError

FORM = 1  # raised when an earlier version of Locus would misread or damage what this one writes
NOTE = "form.json"  # in the data folder; a folder without it is of form 1
MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FolderForm:
    """What the note in a data folder says.

    Attributes:
        form: Number of the form, from 1 on.
        locus: Version of the Locus that wrote it first; "" where there is no note.
    """

    form: int
    locus: str


def read_form(data_dir: Path) -> FolderForm:
    """Return the form of a data folder; form 1 for one without a note, and for one that is not there.

    Raises:
        StorageError: If the note is damaged or may not be read.
    """
    note = data_dir / NOTE
    try:
        with note.open("rb") as file:
            said = json.loads(file.read(MOST_BYTES))
        form, locus = said["form"], said["locus"]
        if not isinstance(form, int) or not isinstance(locus, str) or form < 1:
            raise ValueError(NOTE)
    except (FileNotFoundError, NotADirectoryError):
        return FolderForm(1, "")
    except OSError as error:
        raise StorageError(
            f"{note} cannot be read ({error.strerror}): run Locus as the account that owns it."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{note} is damaged, so it is not known which version made this data folder: put that file back from a "
            "backup, or restore all of it."
        ) from error
    return FolderForm(form, locus[:40])


def require_known_form(data_dir: Path) -> None:
    """Refuse a data folder that a newer version has given a form that this one does not know.

    Raises:
        StorageError: If it is of such a form; nothing in it was touched.
    """
    found = read_form(data_dir)
    if found.form > FORM:
        raise StorageError(
            f"The data folder {data_dir} was written by Locus {found.locus} in a form that this Locus "
            f"{version('locus-bot')} does not know, and was left as it is: run that version again, or restore the "
            "backup of before the upgrade into an empty folder (docs/operating.md, Going back)."
        )


def is_known_form(data_dir: Path) -> bool:
    """Whether this version may open what is in a data folder."""
    try:
        require_known_form(data_dir)
    except StorageError:
        return False
    return True


def mark_form(data_dir: Path) -> None:
    """Write down the form of a data folder that this version is going to write to.

    Raises:
        StorageError: If it is of a form that this version does not know, or cannot be written.
    """
    require_known_form(data_dir)
    note = data_dir / NOTE
    if note.exists() and read_form(data_dir).form == FORM:
        return
    part = note.with_name(f".{NOTE}.{secrets.token_hex(4)}")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps({"form": FORM, "locus": version("locus-bot")}) + "\n")
        part.replace(note)
    except OSError as error:
        raise StorageError(
            f"The folder {data_dir} cannot be written ({error.strerror}): free space, or give Locus its own folder "
            "(LOCUS_DATA_DIR)."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
