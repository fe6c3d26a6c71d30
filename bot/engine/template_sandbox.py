"""A Jinja environment for the code of strangers: a chat template comes with the model and may be anything.

The sandbox of Jinja keeps templates off Python's internals (CVE-2024-34359 was a template rendered without it). It
does not keep them from filling the memory or running for ever; the limits here do.
"""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.ext import Extension, loopcontrols
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE_CHARS = 1024 * 1024
MAX_OUTPUT_CHARS = 4 * 1024 * 1024
MAX_ITEMS = 100_000  # of a list, and values within one that is printed
MAX_BITS = 4096  # of a whole number
_MAX_DATE_FORMAT_CHARS = 100
_FILTERS = (
    "abs attr capitalize count d default dictsort e escape first float groupby int items last length list lower map "
    "max min reject rejectattr reverse safe select selectattr sort striptags title trim truncate unique upper wordcount"
).split()
_GROWING_METHODS = frozenset("center ljust rjust zfill expandtabs encode translate maketrans".split())
_WIDE = re.compile(r"%[^%a-zA-Z]*(?:\d{4}|\*)|:[^{}]*\d{4}|\{[^{}]*\{")


class TimeIsUpError(Exception):
    """A template ran for too long."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUpError` in the block after some seconds; without effect outside the main thread.

    Uses SIGALRM; a timer that runs already goes on afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeIsUpError

    handler = signal.signal(signal.SIGALRM, stop)
    started = time.monotonic()
    earlier, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if earlier:
            signal.setitimer(signal.ITIMER_REAL, max(earlier - (time.monotonic() - started), 0.001), interval)


def bounded_join(parts: Iterable[str]) -> str:
    """Join texts; refuses more than `MAX_OUTPUT_CHARS` before they are all there."""
    kept, size = [], 0
    for part in parts:
        size += len(part)
        _check(size, MAX_OUTPUT_CHARS)
        kept.append(part)
    return "".join(kept)


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles and renders chat templates as transformers does, within limits of size."""

    concat = staticmethod(bounded_join)
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Make the environment; `now` is the clock of `strftime_now`."""
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation], finalize=_printed
        )
        self.code_generator_class = _Generator
        self.globals.pop("lipsum")
        self.globals |= {
            "raise_exception": _raise_exception,
            "strftime_now": lambda text: now().strftime(_short(str(text))),
        }
        self.filters = {name: FILTERS[name] for name in _FILTERS} | {
            "tojson": _to_json,
            "string": lambda value: str(_printed(value)),
            "replace": lambda text, old, new, count=None: _replace(str(text), str(old), str(new), count),
            "join": _join,
            "indent": _indent,
            "format": lambda text, *values: self.call_binop(None, "%", str(text), values),
        }

    def joined(self, values: Iterable[object]) -> str:
        """Return the text of the operator "~"."""
        return bounded_join(str(_printed(value)) for value in values)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401  # Jinja's signature
        """Refuse also the methods that make long strings of short ones."""
        if isinstance(obj, str) and attr in _GROWING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # Jinja's signature
        """Call a function or method; the methods of strings that may grow are our own."""
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str) and name == "replace":
            return _replace(str(owner), *args)
        if isinstance(owner, str) and name == "join":
            return _join(*args, separator=str(owner))
        return super().call(context, obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401  # Jinja's signature
        """Return `str.format` with the sandbox's checks and a limit of size."""
        made = super().wrap_str_format(value)
        if made is None:
            return None

        def formatted(*args: object, **kwargs: object) -> str:
            _check_format(str(value.__self__), "{", [*args, *kwargs.values()])
            return made(*args, **kwargs)

        return formatted

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401  # Jinja's signature
        """Calculate, unless the result would be too large."""
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * max(right, 0) if operator == "**" else left.bit_length() + right.bit_length()
            _check(bits, MAX_BITS)
        elif operator == "*":
            for sized, times in ((left, right), (right, left)):
                if isinstance(sized, str | list | tuple) and isinstance(times, int):
                    _check(len(sized) * times, MAX_OUTPUT_CHARS if isinstance(sized, str) else MAX_ITEMS)
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            _check(len(left) + len(right), MAX_OUTPUT_CHARS)
        elif operator == "+" and isinstance(left, list | tuple) and isinstance(right, list | tuple):
            _check(len(left) + len(right), MAX_ITEMS)
        elif operator == "%" and isinstance(left, str):
            _check_format(left, "%", right if isinstance(right, tuple) else [right])
        return super().call_binop(context, operator, left, right)


class _Generator(CodeGenerator):
    """Sends the operator "~" through the environment, where its result is measured."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  # Jinja's name
        self.write("environment.joined((")
        for one in node.nodes:
            self.visit(one, frame)
            self.write(", ")
        self.write("))")


class _Generation(Extension):
    """The tag "generation", by which templates mark what is learned in training; its text is part of the prompt."""

    tags = frozenset({"generation"})  # type: ignore[assignment]  # Jinja declares a mutable set

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _check(size: float, limit: int) -> None:
    if size > limit:
        raise SecurityError(f"a value of size {size:.0f} is over the limit of {limit}")


def _printed(value: object) -> object:
    """Refuse to print a list or mapping of very many values: it may contain itself many times over."""
    if isinstance(value, str | int | float | None):
        return value
    seen, characters, waiting = 0, 0, [value]
    while waiting:
        one = waiting.pop()
        seen += 1
        _check(seen, MAX_ITEMS)
        if isinstance(one, dict):
            waiting.extend([*one, *one.values()])
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        elif isinstance(one, str):
            characters += len(one)
            _check(characters, MAX_OUTPUT_CHARS)
    return value


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write plain JSON: Jinja's own filter escapes for HTML and sorts keys, and models were not trained on that."""
    _check(indent or 0, 16)
    return json.dumps(
        _printed(value), ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _replace(text: str, old: str, new: str, count: int | None = None) -> str:
    _check(len(text) + text.count(old) * max(len(new) - len(old), 0), MAX_OUTPUT_CHARS)
    return text.replace(old, new, -1 if count is None else count)


def _join(values: Iterable[Any], d: str = "", attribute: str | None = None, *, separator: str | None = None) -> str:
    apart = d if separator is None else separator
    chosen = values if attribute is None else [one[attribute] for one in values]
    parts = (part for one in chosen for part in (apart, str(_printed(one))))
    next(parts, None)
    return bounded_join(parts)


def _indent(text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    space = width if isinstance(width, str) else " " * min(width, 100)
    lines = str(text).splitlines(keepends=True)
    _check(len(text) + len(lines) * len(space), MAX_OUTPUT_CHARS)
    return "".join(
        line if (number == 0 and not first) or not (blank or line.strip()) else space + line
        for number, line in enumerate(lines)
    )


def _check_format(text: str, mark: str, values: Iterable[object]) -> None:
    if _WIDE.search(text):
        raise SecurityError("a format is too wide")
    longest = max((len(str(_printed(value))) for value in values), default=0)
    _check(len(text) + text.count(mark) * longest, MAX_OUTPUT_CHARS)


def _short(text: str) -> str:
    _check(len(text), _MAX_DATE_FORMAT_CHARS)
    return text


def _raise_exception(message: str) -> NoReturn:
    raise TemplateRuntimeError(str(message))
