"""The process that reads one file of a stranger: limited in time and memory, without network, programs and writing.

Run as `python -m knowledge.reading_child`: standard input holds a line with the limits, then the file; the document,
or a sentence that says why there is none, is written to standard output as JSON.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys

from pydantic import TypeAdapter

from bot.engine.sandbox import confine, die_with_parent
from bot.errors import BotError
from bot.teaching_texts import reading_failed, too_hungry, too_many_pages, too_much_text
from knowledge.documents import ParsedDocument
from knowledge.parsing import parse
from knowledge.parsing.pdf import count_pages
from knowledge.reading import Limits, Outcome

_LIMITS = TypeAdapter(Limits)
_OUTCOME = TypeAdapter(Outcome)


def main() -> None:
    """Read the file on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the chat's to handle
    die_with_parent()
    head = json.loads(sys.stdin.buffer.readline())
    limits = _LIMITS.validate_python(head["limits"])
    _restrict(limits)
    confine()
    # From here on the file is looked at.
    name = str(head["name"])
    result = _OUTCOME.dump_json(_read(name, limits))
    if len(result) > limits.result_bytes:
        result = _OUTCOME.dump_json(Outcome(error=too_much_text(name, limits.chars)))
    sys.stdout.buffer.write(result)
    sys.stdout.buffer.flush()


def _restrict(limits: Limits) -> None:
    """Let the kernel end this process, or refuse it memory, when it takes too much; it cannot lift that again."""
    memory = limits.memory_mib << 20
    cpu_s = max(1, round(limits.seconds))
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, limits.result_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
            resource.setrlimit(kind, (value, value))


def _read(name: str, limits: Limits) -> Outcome:
    try:
        data = sys.stdin.buffer.read()
        pages = count_pages(data)
        if pages > limits.pages:
            return Outcome(error=too_many_pages(name, pages, limits.pages))
        document = parse(data, name)
    except BotError as error:
        if isinstance(error.__cause__, MemoryError):
            return Outcome(error=too_hungry(name))
        return Outcome(error=str(error), missing=error.exit_code == 3)
    except MemoryError:
        return Outcome(error=too_hungry(name))
    except Exception:
        # Whatever a library does with a file that was made to do harm: nobody could do more about it than this.
        return Outcome(error=reading_failed(name))
    if text_chars(document) > limits.chars:
        return Outcome(error=too_much_text(name, limits.chars))
    return Outcome(document)


def text_chars(document: ParsedDocument) -> int:
    """Return the number of characters of a document's text."""
    return sum(len(block.text) for block in document.blocks)


if __name__ == "__main__":
    main()
