"""Conversations kept in files: a JSON list of {"role", "content"}."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from bot.errors import InvalidRequestError, NotFoundError
from bot.messages import Turn


class HistoryTurn(BaseModel):
    """One earlier turn as it stands in a file."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["user", "assistant"]
    content: str

    def turn(self) -> Turn:
        """The turn as the core knows it."""
        return Turn(self.role, self.content)


_TURNS = TypeAdapter(list[HistoryTurn])


def load_history(path: Path) -> tuple[Turn, ...]:
    """Read a history file.

    Raises:
        NotFoundError: If there is no such file.
        InvalidRequestError: If it is no such list.
    """
    try:
        turns = _TURNS.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no history file {path}: check the spelling.") from error
    except (OSError, ValidationError) as error:
        raise InvalidRequestError(
            f'The history file {path} is not a JSON list of {{"role": "user" or "assistant", "content": text}}.'
        ) from error
    return tuple(turn.turn() for turn in turns)
