"""llama.cpp's own log, sent to ours."""

from __future__ import annotations

import ctypes
import logging

import llama_cpp as lib

logger = logging.getLogger(__name__)

_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR in ggml.h
_log: list[str] = []
_log_callback: object = None


def last_log() -> str:
    """The last error llama.cpp wrote, or ""."""
    return _log[-1] if _log else ""


def send_log_to_python() -> None:
    """Send llama.cpp's own log to ours; the callback is kept alive for the life of the process."""
    global _log_callback
    if _log_callback is not None:
        return

    @lib.llama_log_callback  # type: ignore[untyped-decorator]
    def forward(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
        message = text.decode("utf-8", errors="replace").strip()
        if not message:
            return
        if level == _ERROR_LEVEL:
            del _log[:-8]
            _log.append(message)
        logger.debug("llama.cpp %s: %s", level, message)

    _log_callback = forward
    lib.llama_log_set(forward, ctypes.c_void_p(0))
