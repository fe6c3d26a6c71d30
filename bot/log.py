"""Logging: one logger per module, to standard error, with references of requests and without texts and secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TypeAlias

from bot.errors import BotError
from bot.log_context import current_request

LogFormat = Literal["pretty", "json"]
ErrorInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

HIDDEN = "***"
SHORTEST_SECRET = 6  # characters; shorter ones would be found in ordinary words
MAX_FIELD_CHARS = 500
# Tokens that may stand in the sentence of another program: of Slack (xoxb-, xapp-), Synapse (syt_), Hugging Face (hf_),
# and what follows "Bearer" or a password in an address.
_TOKENS = re.compile(
    r"\b(?:xox[a-z]-|xapp-|syt_|hf_)[\w-]{6,}|(?<=Bearer )\S+|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)", re.IGNORECASE
)
_ORDINARY = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


def set_up_logging(level: str, style: LogFormat = "pretty", secrets: Iterable[str] = ()) -> None:
    """Send the log to standard error; libraries speak up from warnings on.

    Args:
        level: "debug", "info", "warning" or "error".
        style: For people, or one JSON object a line for programs.
        secrets: Never written, wherever they come from.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonLines if style == "json" else PrettyLines
    handler.setFormatter(formatter(secrets, details=level.lower() == "debug"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("bot", "adapters", "knowledge"):
        logging.getLogger(name).setLevel(level.upper())
    # Chroma's client logs failures of telemetry, which is off.
    logging.getLogger("chromadb").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


class PrettyLines(logging.Formatter):
    """Lines for people: time, level, module, sentence, and the fields behind it.

    Args:
        secrets: Never written.
        details: Whether to write what foreign errors say, which may quote what somebody wrote; else their kind only.
    """

    def __init__(self, secrets: Iterable[str] = (), *, details: bool = False) -> None:
        super().__init__()
        known = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None
        self._details = details

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        fields = "".join(f" {name}={_shown(value)}" for name, value in fields_of(record).items())
        line = f"{when} {record.levelname:7} {record.name}: {_one_line(self._message(record))}{fields}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return self._without_secrets(line)

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802 - the library's name
        """Return the trace: where, and which kinds of errors."""
        if self._details or ei[1] is None:
            return super().formatException(ei)
        return "\n".join(_trace(ei[1]))

    def _message(self, record: logging.LogRecord) -> str:
        """Return the sentence; errors in it that may quote what somebody wrote are told by their kind."""
        if self._details or not current_request() or not isinstance(record.args, tuple):
            return record.getMessage()
        told = tuple(_told(one) if isinstance(one, BaseException) else one for one in record.args)
        return str(record.msg) % told if told else str(record.msg)

    def _without_secrets(self, line: str) -> str:
        if self._secrets is not None:
            line = self._secrets.sub(HIDDEN, line)
        return _TOKENS.sub(HIDDEN, line)


class JsonLines(PrettyLines):
    """One JSON object a line: time (UTC), level, logger, message, the fields, and a trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message(record),
        }
        # A field never takes the place of one of these.
        line = {**fields_of(record), **line}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        hidden = {name: self._without_secrets(one) if isinstance(one, str) else one for name, one in line.items()}
        return json.dumps(hidden, ensure_ascii=False, default=str)


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """Return what a line is about: the request that is worked on, and what was given as `extra`."""
    fields: dict[str, object] = {}
    if request := current_request():
        fields["request"] = request
    for name, value in vars(record).items():
        if name not in _ORDINARY:
            fields[name] = value if isinstance(value, bool | int | float) else str(value)[:MAX_FIELD_CHARS]
    return fields


def _shown(value: object) -> str:
    text = _one_line(str(value))
    return text if text and " " not in text else json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Return a text that cannot pass for a line of its own."""
    return re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", text)


def _trace(error: BaseException) -> list[str]:
    """Return the frames and kinds of an error and of what led to it; only sentences of ours are written."""
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        lines += [*_trace(before), "which led to:"]
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}')
    told = _told(error)
    lines.append(type(error).__name__ if told == type(error).__name__ else f"{type(error).__name__}: {told}")
    return lines


def _told(error: BaseException) -> str:
    """Return the sentence of an error if it can be in a log, else its kind."""
    return str(error) if isinstance(error, BotError) and not error.may_quote else type(error).__name__
