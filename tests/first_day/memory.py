"""What a data folder holds, as its operator can see it: to be compared before and after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.first_day.operator import Operator
from tests.first_day.report import FailedError

QUESTION = "What is the BXD family and how were the strains made?"
FOLLOW_UP = "How many of them are there?"
SUBSCRIBE = "digest subscribe weekly mon 9:00 group:BXD zone:UTC"


@dataclass(frozen=True)
class Memory:
    """What is remembered.

    Attributes:
        answer: To QUESTION, with its sources.
        turns: What was said in conversations, in order.
        digests: Handles and wishes of the subscriptions.
    """

    answer: tuple[str, ...]
    turns: tuple[str, ...]
    digests: tuple[str, ...] | None

    def lost(self, later: Memory) -> list[str]:
        """Return what is not there later; more may have come."""
        lost = ["answer"] if self.answer != later.answer else []
        if self.turns != later.turns[: len(self.turns)]:
            lost.append("conversations")
        if self.digests is not None and self.digests != later.digests:
            lost.append("digests")
        return lost


def converse(operator: Operator, *lines: str) -> str:
    """Type lines into `locus run` through a pipe, and return what it shows."""
    return operator.run("locus run", typed="".join(f"{line}\n" for line in lines), LOCUS_TERMINAL="on")


def recall(operator: Operator, data: Path, *, digests: bool = True) -> Memory:
    """Look at a data folder with the operator's version of Locus.

    Args:
        operator: Whose LOCUS_DATA_DIR it is.
        data: That folder.
        digests: Whether that version knows digests.

    Raises:
        FailedError: If anything cannot be looked at.
    """
    asked: dict[str, Any] = operator.read(f'locus ask "{QUESTION}" --json')
    converse(operator, "export")
    exports = sorted((data / "terminal" / "files").glob("export*.json"), key=lambda path: path.stat().st_mtime_ns)
    if not exports:
        raise FailedError(f"`export` wrote no file below {data}")
    known: dict[str, Any] = json.loads(exports[-1].read_text())
    listed = operator.read("locus digest list --json")["digests"] if digests else None
    return Memory(
        answer=(asked["answer"], *(citation["url"] for citation in asked["citations"])),
        turns=tuple(turn["text"] for one in known["conversations"] for turn in one["turns"]),
        digests=tuple(str(one.get("id") or one) for one in listed) if listed is not None else None,
    )
