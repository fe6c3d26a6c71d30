"""Files that come with a reply: names that are safe to show, and the answer that is too long for a thread."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from adapters.slack.text import clean, harmless_code, one_line
from bot.replies import Attachment, Reply

MAX_NAME = 100  # characters

_UNSAFE = re.compile(r"[^\w .()+-]+")
_ANSWER = "answer.txt"


def safe_name(name: str) -> str:
    """Return a file name of letters, digits and few signs, without folders; at most `MAX_NAME` characters."""
    shown = _UNSAFE.sub("_", one_line(re.split(r"[/\\]", name)[-1])).lstrip(". ").rstrip(". ")
    if len(shown) > MAX_NAME:
        stem, dot, ending = shown.rpartition(".")
        kept = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
        shown = shown[: MAX_NAME - len(kept)] + kept
    return shown or "file"


def safe_attachment(attachment: Attachment) -> Attachment:
    """Return a file with a name that is safe to show."""
    return replace(attachment, name=safe_name(attachment.name))


def whole_answer(reply: Reply, taken: Collection[str]) -> Attachment:
    """Return all of an answer and its sources as plain text, under a name that is not taken."""
    lines = [harmless_code(clean(reply.text)), ""]
    for citation in reply.citations:
        lines.append(harmless_code(one_line(f"[{citation.n}] {citation.title} {citation.source}")))
    name = next(
        name
        for name in (_ANSWER, *(f"answer-{number}.txt" for number in range(2, len(taken) + 3)))
        if name not in taken
    )
    return Attachment(name, "text/plain", "\n".join(lines).strip().encode() + b"\n")
