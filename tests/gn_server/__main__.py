"""The local GeneNetwork as a process of its own: `python -m tests.gn_server` prints its address.

It ends when the pipe that is its standard input is closed, or on Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import stat
import sys

from tests.gn_server.server import GeneNetworkServer
from tests.gn_server.world import World


async def serve(server: GeneNetworkServer, port: int) -> None:
    """Serve on the loopback until whoever started it behind a pipe is gone."""
    await server.start(port)
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    try:
        # In the background of a shell, reading the terminal would stop the process.
        if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
            await asyncio.to_thread(sys.stdin.read)
        else:
            await asyncio.Event().wait()
    finally:
        await server.stop()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.gn_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--step-mb", type=float, default=4.0, help="distance of markers; 0.13 gives about 20,000")
    parser.add_argument("--gn3", choices=("plain", "api", "none"), default="plain", help="where GN3 stands")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(GeneNetworkServer(World(step_mb=options.step_mb), gn3=options.gn3), options.port))


if __name__ == "__main__":
    main()
