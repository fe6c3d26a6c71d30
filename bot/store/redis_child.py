"""Becomes the private server, after it has asked the kernel to end it together with Locus.

Run by path with the parent's process number and the server's command line; it knows the standard library only, as it
is started without the folders of other packages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: Sequence[str]) -> int:
    """Replace this process by the server; returns an exit code only if that fails."""
    parent, *command = arguments
    os.umask(0o077)
    if sys.platform == "linux":
        unsigned = ctypes.c_ulong
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, unsigned(signal.SIGTERM), unsigned(0), unsigned(0), unsigned(0))
    if os.getppid() != int(parent):
        return 1  # it ended before the kernel was asked
    try:
        os.execv(command[0], command)  # noqa: S606 - the server that `bot.store.binaries` found
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
