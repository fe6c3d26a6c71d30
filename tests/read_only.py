"""Runs a program that can write into some folders and to devices only, as in a container with a read-only root.

`python read_only.py FOLDER... -- PROGRAM ARGUMENT...`. It is Landlock that forbids the rest (landlock(7)); where the
kernel has none, the exit code is 77.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import NoReturn

WITHOUT_LANDLOCK = 77
_CREATE, _ADD, _RESTRICT = 444, 445, 446
# linux/landlock.h: write_file (1), remove_* (4, 5), make_* (6 to 12), of version 1; truncate (14) since version 3.
_WRITES = 0b1_1111_1111_0010
_TRUNCATE = 1 << 14
_PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> NoReturn:
    """Become the program."""
    split = arguments.index("--")
    folders, command = [*arguments[:split], "/dev"], arguments[split + 1 :]
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, 0, 1)
    if version < 1:
        sys.exit(WITHOUT_LANDLOCK)
    handled = _WRITES | (_TRUNCATE if version >= 3 else 0)
    ruleset = libc.syscall(_CREATE, struct.pack("<Q", handled), 8, 0)
    for folder in folders:
        place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        added = libc.syscall(_ADD, ruleset, 1, struct.pack("<Qi", handled, place), 0)
        os.close(place)
        if added != 0:
            sys.exit(WITHOUT_LANDLOCK)
    zero = ctypes.c_ulong(0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero)
    if libc.syscall(_RESTRICT, ruleset, 0) != 0:
        sys.exit(WITHOUT_LANDLOCK)
    os.close(ruleset)
    os.execvp(command[0], command)  # noqa: S606 - the program that a test names


if __name__ == "__main__":
    main(sys.argv[1:])
