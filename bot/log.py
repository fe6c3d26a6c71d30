"""Logging: one logger per module, to standard error, without message texts and secrets."""

from __future__ import annotations

import logging
import sys
import warnings

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(level: str) -> None:
    """Send the log to standard error at `level`; libraries speak up from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S%z"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("bot", "adapters", "knowledge"):
        logging.getLogger(name).setLevel(level.upper())
    # Chroma's client logs failures of telemetry, which is off.
    logging.getLogger("chromadb").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
