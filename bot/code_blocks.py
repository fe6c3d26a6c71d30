"""Code within a text: what stands between lines of three backquotes is shown as it is, so that it can be copied."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCED = re.compile(r"(^```[^\n]*\n.*?^```[^\n]*(?:\n|\Z))", re.MULTILINE | re.DOTALL)


def split_code(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text in order, none empty, each with whether it is code with its fences."""
    for place, piece in enumerate(_FENCED.split(text)):
        if piece:
            yield piece, place % 2 == 1
