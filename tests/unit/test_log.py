"""The log: lines for people or programs, about which request, without secrets and without what people wrote."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from bot.errors import UnavailableError
from bot.log import JsonLines, PrettyLines, set_up_logging
from bot.log_context import logged_as
from bot.settings import load_settings, secret_values

SECRETS = ("correct horse battery", "short")


class Log:
    """A logger of its own, and what it has written."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(formatter)
        self.logger = logging.getLogger("bot.of.this.test")
        self.logger.handlers[:] = [handler]
        self.logger.propagate = False
        self.logger.setLevel(logging.DEBUG)

    @property
    def written(self) -> str:
        """All lines."""
        return self._stream.getvalue()


@pytest.fixture
def quiet_again() -> Iterator[None]:
    """Whatever a test sets up, the next one begins as before."""
    root, names = logging.getLogger(), ("bot", "adapters", "knowledge", "chromadb")
    before = list(root.handlers), root.level, [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:], levels = before[0], before[2]
    root.setLevel(before[1])
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)
    logger = logging.getLogger("bot.of.this.test")
    logger.handlers.clear()
    logger.propagate = True


def fail() -> None:
    """Raise a foreign error that quotes what somebody wrote, and ours because of it."""
    try:
        raise ValueError("What is the secret of Shh?")
    except ValueError as error:
        raise UnavailableError("The chat is away.") from error


@pytest.mark.usefixtures("quiet_again")
def test_a_line_for_people_has_its_fields_behind_the_sentence() -> None:
    """Time, level, module, sentence, and what was given as extra."""
    log = Log(PrettyLines())
    log.logger.info("handled", extra={"outcome": "not answered", "duration_ms": 3.5})

    assert log.written.endswith(' INFO    bot.of.this.test: handled outcome="not answered" duration_ms=3.5\n')


@pytest.mark.usefixtures("quiet_again")
def test_a_line_for_programs_is_one_json_object() -> None:
    """Also where the sentence has several lines, and no field replaces what every line has."""
    log = Log(JsonLines())
    log.logger.warning("two\nlines", extra={"attempt": 2, "level": "mine"})
    (line,) = log.written.splitlines()
    read = json.loads(line)

    assert ("two\nlines", 2, "warning", "bot.of.this.test") == tuple(
        read[name] for name in ("message", "attempt", "level", "logger")
    )
    assert read["time"].endswith("+00:00")


@pytest.mark.usefixtures("quiet_again")
async def test_every_line_of_a_request_names_it() -> None:
    """Tasks begun for it too; other requests have their own, and afterwards there is none."""
    log = Log(JsonLines())

    async def work(reference: str) -> None:
        with logged_as(reference):
            await asyncio.create_task(asyncio.to_thread(log.logger.info, "working"))

    await asyncio.gather(work("r1"), work("r2"))
    log.logger.info("idle")
    lines = [json.loads(line) for line in log.written.splitlines()]

    assert {"r1", "r2"} == {line["request"] for line in lines[:2]}
    assert "request" not in lines[2]


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize("formatter", [PrettyLines, JsonLines])
@pytest.mark.parametrize(
    "secret",
    [
        "correct horse battery",
        "xoxb-17-abcdefgh",
        "xapp-1-A-abcdef",
        "syt_bG9jdXM_abcdef",
        "redis://locus:hunter22@redis.lab:6379/0",
        "Authorization: Bearer abc.def.ghi",
    ],
)
def test_secrets_are_never_written(formatter: type[PrettyLines], secret: str) -> None:
    """Neither those of the settings nor what looks like a token, in a sentence, a field or a trace."""
    log = Log(formatter(SECRETS, details=True))
    try:
        raise RuntimeError(f"refused {secret}")
    except RuntimeError:
        log.logger.exception("it failed: %s", secret, extra={"reason": f"said {secret}"})
    kept = ("correct horse battery", "abcdef", "hunter22", "abc.def.ghi")

    assert [] == [word for word in kept if word in log.written]
    assert log.written.count("***") >= 3


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize("formatter", [PrettyLines, JsonLines])
def test_a_trace_tells_where_and_not_what_somebody_wrote(formatter: type[PrettyLines]) -> None:
    """Foreign errors may quote it: their kind is told, sentences of ours are; the level debug shows all."""
    log, debug = Log(formatter()), formatter(details=True)
    try:
        fail()
    except UnavailableError:
        log.logger.exception("a question failed")
    written = log.written
    detailed = Log(debug)
    try:
        fail()
    except UnavailableError:
        detailed.logger.exception("a question failed")

    assert "Shh" not in written
    assert ["ValueError", "which led to:", "UnavailableError: The chat is away.", "in fail"] == [
        words
        for words in ("ValueError", "which led to:", "UnavailableError: The chat is away.", "in fail")
        if words in written
    ]
    assert "What is the secret of Shh?" in detailed.written


@pytest.mark.usefixtures("quiet_again")
def test_nothing_can_pass_for_a_line_of_its_own() -> None:
    """Line ends and control characters of a value are spaces in a line for people."""
    log = Log(PrettyLines())
    log.logger.info("from %s", "a\n2026-01-01 ERROR bot: forged\x1b[31m", extra={"reason": "b\u2028c"})

    assert 1 == len(log.written.splitlines())
    assert "\x1b" not in log.written


@pytest.mark.usefixtures("quiet_again")
def test_the_settings_choose_the_format(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """LOCUS_LOG_FORMAT=json, with all secrets of the settings hidden."""
    monkeypatch.setenv("LOCUS_REMOTE_KEY", "the-key-of-the-lab")
    monkeypatch.setenv("LOCUS_LOG_FORMAT", "json")
    settings = load_settings()
    set_up_logging("info", settings.log_format, secret_values(settings))
    logging.getLogger("bot.of.this.test").info("asked with the-key-of-the-lab")

    assert "asked with ***" == json.loads(capsys.readouterr().err)["message"]
