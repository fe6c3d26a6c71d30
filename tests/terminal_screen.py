"""What a person sees of what a program wrote to a terminal."""

from __future__ import annotations

import re

_PIECES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\r|\n|[^\r\n\x1b]+|\x1b")


def seen(written: str, *, moving: bool = False) -> str:
    """Return the lines as they look at the end: carriage returns and erasing obeyed, colours and links left out.

    Args:
        written: What the program wrote.
        moving: Whether it may move to lines above, as progress bars do.

    Raises:
        ValueError: If something else was written that moves the cursor.
    """
    lines: list[str] = [""]
    row = column = 0
    for piece in _PIECES.finditer(written):
        text, parameter, code = piece.group(), piece.group(1), piece.group(2)
        if text == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif text == "\r":
            column = 0
        elif code == "K":
            lines[row] = "" if parameter == "2" else lines[row][:column]
        elif code == "A" and moving:
            row = max(0, row - int(parameter or 1))
        elif code not in (None, "m", "h", "l"):
            raise ValueError(f"{text!r} moves the cursor")
        elif not text.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return "\n".join(line.rstrip() for line in lines)
