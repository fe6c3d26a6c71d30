"""The local Slack as a process of its own: `python -m tests.slack_server` prints its port.

It is driven over HTTP (`tests.slack_server.remote`) and ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from tests.slack_server.bench import Policies
from tests.slack_server.clock import Clock
from tests.slack_server.control import ControlledSlack
from tests.slack_server.deliveries import Timing
from tests.slack_server.rates import RateLimits


async def serve(slack: ControlledSlack, port: int) -> None:
    """Serve on the loopback until standard input is closed."""
    await slack.start(port)
    sys.stdout.write(slack.base_url.rpartition(":")[2] + "\n")
    sys.stdout.flush()
    try:
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await slack.stop()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.slack_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--manifest", type=Path, help="of the app, as JSON; without it, an app that may do everything")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of limits and streams in a real second")
    parser.add_argument("--allowance", type=float, default=1.0, help="factor on all limits of calls")
    parser.add_argument("--acknowledge-within", type=float, default=3.0, help="seconds")
    parser.add_argument("--retry-after", default="0,60,300", help="seconds before each further attempt")
    parser.add_argument("--keep-versions", type=int, default=3, help="of each message")
    parser.add_argument("--seed", type=int, default=1, help="of what comes by chance")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted test closes standard input when it has cleaned up
    manifest = json.loads(options.manifest.read_text()) if options.manifest else None
    pauses = tuple(float(pause) for pause in options.retry_after.split(","))

    async def run() -> None:
        slack = ControlledSlack(
            manifest,
            timing=Timing(options.acknowledge_within, pauses),
            limits=RateLimits(options.allowance),
            clock=Clock(options.speed),
            policies=Policies(keep_versions=options.keep_versions),
            seed=options.seed,
        )
        await serve(slack, options.port)

    asyncio.run(run())


if __name__ == "__main__":
    main()
