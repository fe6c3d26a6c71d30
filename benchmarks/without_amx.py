"""`python -m benchmarks.without_amx PROGRAM ARGS...`: a program under the engine's own ban on matrix tiles.

Some machines announce AMX and kill the process that uses it. The engine notices and does without; peers cannot, so
they are started behind the same filter, which programs inherit.
"""

from __future__ import annotations

import os
import sys

from bot.engine.sandbox import forbid_calls


def main() -> None:
    """Install the filter and become the program."""
    if len(sys.argv) < 2:
        raise SystemExit("Say which program to run: python -m benchmarks.without_amx PROGRAM ARGS...")
    if not forbid_calls(amx=False, network=True, programs=True):
        raise SystemExit("This system has no filter for AMX: run the benchmark on Linux on x86-64 or ARM.")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the program the benchmark names


if __name__ == "__main__":
    main()
