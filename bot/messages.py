"""Turns of a conversation, as every chat has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation; histories are ordered oldest first."""

    role: Role
    content: str
