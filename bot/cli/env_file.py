"""The file .env as `locus setup` writes it: what is there stays, in its place and with its comments."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from bot.cli.private_files import private_file
from bot.errors import InvalidRequestError, SettingsError

_PLAIN = re.compile(r"[\w@%+:,./~=-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
HEADER = "# The settings of Locus; docs/settings.md says what each means. It holds secrets: for its owner only.\n"


class EnvFile:
    """A .env file; `set` writes it at once, so that a guide that is stopped keeps what was done.

    Args:
        path: The file, there or not; where it is a link, what it points to is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def values(self) -> Mapping[str, str]:
        """Return what is set, as the settings read it.

        Raises:
            SettingsError: If it is no UTF-8 text or may not be read.
        """
        return {name: value for name, value in dotenv_values(stream=io.StringIO(self._text())).items() if value}

    def set(self, values: Mapping[str, str | None]) -> None:
        """Write settings; None or "" removes one. Nothing is written where nothing changes.

        Raises:
            InvalidRequestError: If a value cannot stand in such a file.
            SettingsError: If the file is no UTF-8 text, or may not be read or written.
        """
        before = self._text()
        text = before
        for name, value in values.items():
            text = _with(text, name, _quoted(name, value) if value else None)
        try:
            if text == before and self.path.exists():
                self.path.resolve().chmod(0o600)
                return
            if not text:
                return
            with private_file(self.path.resolve()) as file:
                file.write(text)
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be written ({error.strerror}): give this account the right to."
            ) from error

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise SettingsError(f"{self.path} is not UTF-8 text: save it as UTF-8.") from error
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be read ({error.strerror}): give this account the right to."
            ) from error


def _with(text: str, name: str, quoted: str | None) -> str:
    """Return the text with one setting: in the place of before, behind its commented example, or at the end."""
    bindings = list(parse_stream(io.StringIO(text)))
    places = [index for index, one in enumerate(bindings) if one.key == name]
    if quoted is None:
        return "".join(_original(one) for index, one in enumerate(bindings) if index not in places)
    line = f"{name}={quoted}\n"
    if not places:
        return _inserted(text or HEADER, name, line)
    # The last one counts for those who read the file: the others are mistakes that would mislead people.
    pieces = [line if index == places[-1] else _original(one) for index, one in enumerate(bindings)]
    return "".join(piece for index, piece in enumerate(pieces) if index not in places[:-1])


def _original(binding: Binding) -> str:
    return binding.original.string


def _inserted(text: str, name: str, line: str) -> str:
    example = re.search(rf"^#[ \t]*{re.escape(name)}=.*(?:\n|\Z)", text, re.MULTILINE)
    if example is None:
        return (text if text.endswith("\n") else f"{text}\n") + line
    before = text[: example.end()]
    return (before if before.endswith("\n") else f"{before}\n") + line + text[example.end() :]


def _quoted(name: str, value: str) -> str:
    """Return a value as it stands in the file.

    Raises:
        InvalidRequestError: If it holds control characters, or what readers of such files replace.
    """
    if _CONTROL.search(value):
        raise InvalidRequestError(f"{name} cannot hold line ends and control characters: type it again.")
    if "${" in value:
        raise InvalidRequestError(f"{name} cannot hold ${{ in a .env file: set it in the environment instead.")
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
