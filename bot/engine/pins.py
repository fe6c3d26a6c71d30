"""Pinned hashes of model files: a file is used as it was when first seen, until a person confirms the change.

A model file is code to llama.cpp's parser, so its hash is compared before that parser opens it. The file is read whole
every time: a remembered size and date would let an exchanged file through.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from bot.engine.model_file import model_parts
from bot.errors import SettingsError, StorageError

PINS_FILE = "pins.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN = 12  # digits of a hash that people compare


def pins_path(data_dir: Path) -> Path:
    """Return the file of pins in a data folder."""
    return data_dir / "models" / PINS_FILE


def check_pin(path: Path, pins_file: Path, *, setting: str = "LOCUS_MODEL") -> str:
    """Hash a model file, all parts of a split one, and compare with the pin; what has none is pinned now.

    Blocks for about a second per gigabyte. What is loaded should be opened right after.

    Args:
        path: A GGUF file, the first part of a split model.
        pins_file: The pins; made where missing, readable by its owner only.
        setting: What names the file, for the error.

    Returns:
        The SHA-256 of the file; of a split model, that of its parts' hashes, one a line.

    Raises:
        SettingsError: If the file is missing, cannot be read, or is another one than pinned.
        StorageError: If the pins cannot be read or written.
    """
    found = _hashes(path)
    pins = load_pins(pins_file)
    for part, sha256 in found.items():
        pinned = pins.get(part, sha256)
        if pinned != sha256:
            raise SettingsError(
                f"{setting} is {path}, and {Path(part).name} has changed since it was first used (SHA-256 "
                f"{sha256[:_SHOWN]}…, pinned {pinned[:_SHOWN]}…): if you changed it, run `locus model confirm "
                f"{path}`; if not, download it again."
            )
    if not found.keys() <= pins.keys():
        _save(pins_file, pins | found)
    return _joint(found)


def confirm_pin(path: Path, pins_file: Path) -> str:
    """Pin a model file as it is now and return its SHA-256, as `check_pin` does.

    Raises:
        SettingsError: If the file is missing or cannot be read.
        StorageError: If the pins cannot be read or written.
    """
    found = _hashes(path)
    _save(pins_file, load_pins(pins_file) | found)
    return _joint(found)


def find_pin(path: Path, pins_file: Path) -> str | None:
    """Return the pinned hash of one file without reading the file, or None."""
    return load_pins(pins_file).get(_key(path))


def load_pins(pins_file: Path) -> dict[str, str]:
    """Return the pins: absolute path to SHA-256.

    Raises:
        StorageError: If the file cannot be read or is damaged.
    """
    try:
        pins = json.loads(pins_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"{pins_file} cannot be read ({error.strerror}): mend its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(pins_file) from error
    if not isinstance(pins, dict) or not all(
        isinstance(value, str) and _SHA256.fullmatch(value) for value in pins.values()
    ):
        raise _damaged(pins_file)
    return pins


def _damaged(pins_file: Path) -> StorageError:
    return StorageError(
        f"{pins_file} is damaged: delete it, then run `locus model confirm FILE` for each model you trust."
    )


def _key(path: Path) -> str:
    return str(path.resolve())


def _joint(hashes: dict[str, str]) -> str:
    values = list(hashes.values())
    return values[0] if len(values) == 1 else hashlib.sha256("\n".join(values).encode()).hexdigest()


def _hashes(path: Path) -> dict[str, str]:
    return {_key(part): file_sha256(part) for part in model_parts(path)}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        SettingsError: If it is missing, no file, or cannot be read.
    """
    if not path.is_file():
        problem = "is no file" if path.exists() else "does not exist"
        raise SettingsError(f"LOCUS_MODEL is {path}, which {problem}: give the path of a .gguf file.")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SettingsError(f"LOCUS_MODEL is {path}, which cannot be read ({error.strerror}).") from error


def _save(pins_file: Path, pins: dict[str, str]) -> None:
    """Replace the file in one step; `mkstemp` gives mode 0600."""
    temporary = ""
    try:
        pins_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=pins_file.parent, prefix=".pins-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(pins, file, indent=1, sort_keys=True, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, pins_file)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(f"{pins_file} cannot be written ({error.strerror}): free some space or mend it.") from error
