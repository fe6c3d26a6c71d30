"""A day of one person in Slack: `python -m tests.slack_day` plays it and prints what people see.

The local Slack and `locus run` are processes of their own, as in a lab; the documents are those that ship with Locus.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chat_process import PROJECT
from tests.slack_server import APP_TOKEN, BOT_TOKEN
from tests.slack_server.remote import RemoteSlack, slack_process
from tests.soak.stage import make_index

CHANNEL = "C1"
ADA = "U1"
DEADLINE_S = 60.0
SLOW_S = 4.0  # that Slack takes over a call where something is to happen in the middle of an answer
WIDTH = 100  # characters of a printed line
COMMENT = "It is about rats as well."

_LINK = re.compile(r"<([^|>]+)\|([^>]+)>")

Line = Mapping[str, Any]
Place = Mapping[str, Any]


class Locus:
    """`locus run` as a process, connected to a local Slack.

    Args:
        slack: Its Web API.
        data_dir: With an index.
    """

    def __init__(self, slack: str, data_dir: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
        self._environment = clean | {
            "LOCUS_DATA_DIR": str(data_dir),
            "LOCUS_SLACK_API_URL": slack,
            "LOCUS_SLACK_BOT_TOKEN": BOT_TOKEN,
            "LOCUS_SLACK_APP_TOKEN": APP_TOKEN,
            "LOCUS_LOG_LEVEL": "error",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it connects a little later."""
        command = [sys.executable, "-m", "bot", "run"]
        self._process = subprocess.Popen(command, cwd=PROJECT, env=self._environment, stdin=subprocess.DEVNULL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal and wait for its end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DEADLINE_S)
            self._process = None


class Day:
    """Plays scenes; each prints what the person did and what is then to be seen.

    Args:
        slack: Where.
        locus: The bot.
        tell: Takes the lines.
    """

    def __init__(self, slack: RemoteSlack, locus: Locus, tell: Callable[[str], None]) -> None:
        self._slack = slack
        self._locus = locus
        self._tell = tell
        self._direct = ""

    async def play(self) -> None:
        """Play everything in order."""
        await self._begin()
        asked = await self._mention()
        await self._follow_up(asked)
        await self._direct_message()
        await self._rate(asked)
        await self._passages(asked)
        await self._again(asked)
        await self._stop()
        await self._crash()
        await self._commands()
        await self._own_data()

    async def play_shortly(self) -> None:
        """Play what a test has time for."""
        await self._begin()
        asked = await self._mention()
        await self._rate(asked)
        await self._crash()

    async def _begin(self) -> None:
        self._locus.start()
        await self._connected()

    async def _mention(self) -> Place:
        self._scene("A question in the channel")
        asked = await self._slack.act("mention", channel=CHANNEL, user=ADA, text="What is QTL mapping?")
        await self._answered(asked, 1)
        await self._show(asked)
        return asked

    async def _follow_up(self, asked: Place) -> None:
        self._scene("A follow-up in its thread, without a mention")
        text = "And which software is used for it?"
        await self._slack.act("say", channel=CHANNEL, user=ADA, text=text, thread_ts=asked["ts"])
        await self._answered(asked, 2)
        await self._show(asked, skip=2)

    async def _direct_message(self) -> None:
        self._scene("A direct message")
        asked = await self._slack.act("direct_message", user=ADA, text="What are the BXD strains?")
        self._direct = asked["channel"]
        await self._answered(asked, 1)
        await self._show(asked)
        titles = (await self._slack.state())["agent_titles"]
        self._tell(f"(The thread is called “{titles.get('/'.join((asked['channel'], asked['ts'])), '')}”.)")

    async def _rate(self, asked: Place) -> None:
        self._scene("Thumbs down, with a comment")
        answer = (await self._lines(asked))[1]
        thumb = next(b["value"] for b in answer["buttons"] if b["value"].startswith("down:"))
        await self._press(asked, answer, "locus_vote", thumb)
        view = await self._view()
        self._show_view(view)
        await self._slack.act("submit", view=view["id"], values={"locus_comment_text": COMMENT})
        self._tell(f"ada writes: {COMMENT}")
        await self._whispered("noted")

    async def _passages(self, asked: Place) -> None:
        self._scene("“Show passages”")
        await self._press(asked, (await self._lines(asked))[1], "locus_passages")
        view = await self._view()
        self._show_view(view)
        await self._slack.act("close_view", view=view["id"])

    async def _again(self, asked: Place) -> None:
        self._scene("“Ask again”")
        before = len(await self._lines(asked))
        await self._press(asked, (await self._lines(asked))[1], "locus_again")

        async def more() -> bool:
            lines = await self._lines(asked)
            return len(lines) > before and _final(lines[-1])

        await self._slack.until(more, DEADLINE_S)
        await self._show(asked, skip=before)

    async def _stop(self) -> None:
        self._scene("“stop” while it is answering")
        await self._slack.always("chat.startStream", delay_s=SLOW_S)
        asked = await self._slack.act("mention", channel=CHANNEL, user=ADA, text="What is a haplotype?")
        await self._called("chat.startStream", "assistant.threads.setStatus", after=asked["ts"])
        await self._slack.act("say", channel=CHANNEL, user=ADA, text="stop", thread_ts=asked["ts"])
        await self._seen(asked, "Stopped")
        await self._slack.clear_faults()
        await self._show(asked)

    async def _crash(self) -> None:
        self._scene("Locus is killed in the middle of an answer, and started again")
        for method in ("chat.appendStream", "chat.stopStream", "chat.update"):
            await self._slack.always(method, delay_s=SLOW_S)
        asked = await self._slack.act("mention", channel=CHANNEL, user=ADA, text="What is a recombinant inbred strain?")
        await self._seen(asked, "")
        await self._show(asked)
        self._locus.end(signal.SIGKILL)
        await self._slack.clear_faults()
        self._tell("(kill -9; then `locus run` again)")
        self._locus.start()
        await self._answered(asked, 1)
        await self._show(asked, skip=1)

    async def _commands(self) -> None:
        self._scene("Commands, whose replies only ada sees")
        for text in ("status", "help"):
            await self._command(text)

    async def _own_data(self) -> None:
        self._scene("One's own data: export, then forget")
        await self._command("export")

        async def sent() -> Sequence[Line]:
            return [line for line in await self._slack.transcript(self._direct) if line["files"]]

        for line in await self._slack.until(sent, DEADLINE_S):
            self._line(line)
        await self._command("forget")
        await self._command("forget me now")

    async def _command(self, text: str) -> None:
        before = len(await self._whispers())
        await self._slack.act("slash", command="/locus", user=ADA, channel=CHANNEL, text=text)

        async def told() -> Sequence[Line]:
            return (await self._whispers())[before:]

        self._tell(f"ada types: /locus {text}")
        for line in await self._slack.until(told, DEADLINE_S):
            self._line(line)

    async def _connected(self) -> None:
        async def connected() -> bool:
            return len((await self._slack.state())["connections"]) >= 2

        await self._slack.until(connected, DEADLINE_S)

    async def _lines(self, asked: Place) -> Sequence[Line]:
        lines = await self._slack.transcript(asked["channel"], asked["ts"])
        return [line for line in lines if not line["only_for"]]

    async def _whispers(self) -> Sequence[Line]:
        return [line for line in await self._slack.transcript(CHANNEL, viewer=ADA) if line["only_for"]]

    async def _answered(self, asked: Place, answers: int) -> None:
        async def done() -> bool:
            lines = await self._lines(asked)
            return sum(_final(line) for line in lines) >= answers

        await self._slack.until(done, DEADLINE_S)

    async def _seen(self, asked: Place, text: str) -> None:
        async def seen() -> bool:
            return any(line["is_bot"] and text in line["text"] for line in await self._lines(asked))

        await self._slack.until(seen, DEADLINE_S)

    async def _called(self, *methods: str, after: str) -> None:
        """Wait until Locus has begun with a question."""

        async def called() -> bool:
            for method in methods:
                calls = await self._slack.calls(method)
                if any(call["arguments"].get("thread_ts") == after for call in calls):
                    return True
            return False

        await self._slack.until(called, DEADLINE_S)

    async def _whispered(self, text: str) -> None:
        async def told() -> Sequence[Line]:
            return [line for line in await self._whispers() if text in line["text"]]

        for line in await self._slack.until(told, DEADLINE_S):
            self._line(line)

    async def _press(self, asked: Place, answer: Line, action: str, value: str | None = None) -> None:
        message = {"channel": asked["channel"], "ts": answer["ts"]}
        await self._slack.act("press", message=message, user=ADA, action_id=action, value=value)

    async def _view(self) -> Mapping[str, Any]:
        async def opened() -> Mapping[str, Any] | None:
            views = (await self._slack.state())["views"].values()
            return next((v for v in views if v["open"] and v["user"] == ADA and v["content"]["type"] == "modal"), None)

        return await self._slack.until(opened, DEADLINE_S)

    def _scene(self, title: str) -> None:
        self._tell(f"\n--- {title} ---")

    async def _show(self, asked: Place, *, skip: int = 0) -> None:
        for line in (await self._lines(asked))[skip:]:
            self._line(line)

    def _line(self, line: Line) -> None:
        only = " (only ada sees this)" if line["only_for"] else " (writing)" if line["streaming"] else ""
        margin = "    " if line["is_bot"] else ""
        self._tell(f"{margin}{line['author']}{only}:")
        for text in (line["text"] or "…").split("\n"):
            for row in textwrap.wrap(text, WIDTH) or [""]:
                self._tell(f"{margin}  {row}".rstrip())
        if line["files"]:
            self._tell(f"{margin}  [file {', '.join(line['files'])}]")
        labels = [button["label"] for button in line["buttons"]]
        if labels:
            self._tell(margin + "  " + " ".join(f"[{label}]" for label in labels))

    def _show_view(self, view: Mapping[str, Any]) -> None:
        content = view["content"]
        self._tell(f"A window opens: {content['title']['text']}")
        for text in _texts(content["blocks"]):
            for line in _LINK.sub(r"\2 (\1)", text).replace("\N{WORD JOINER}", "").split("\n"):
                for row in textwrap.wrap(line, WIDTH) or [""]:
                    self._tell(f"  | {row}".rstrip())


def _final(line: Line) -> bool:
    """True for an answer that is complete."""
    return bool(line["is_bot"] and any(button["action_id"] == "locus_again" for button in line["buttons"]))


def _texts(value: object) -> Iterator[str]:
    """Yield what is to be read in blocks, in order."""
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for name in ("text", "label", "elements", "fields"):
            held = value.get(name)
            if isinstance(held, str):
                yield held
            else:
                yield from _texts(held)


@contextmanager
def _stage(folder: Path, index: Path | None) -> Iterator[tuple[str, Locus]]:
    """Start the local Slack and give its address and a bot, which is ended with it."""
    data_dir = index or folder / "data"
    if index is None:
        make_index(data_dir)
    with slack_process() as url:
        locus = Locus(f"{url}/api/", data_dir)
        try:
            yield url, locus
        finally:
            locus.end()


async def play(tell: Callable[[str], None], *, short: bool = False, index: Path | None = None) -> None:
    """Play the day, in a temporary folder.

    Args:
        tell: Takes the lines of the transcript.
        short: Leaves most of it out.
        index: A data folder with an index; None makes one.
    """
    with tempfile.TemporaryDirectory(prefix="ld-") as name, _stage(Path(name), index) as (url, locus):
        async with RemoteSlack(url) as slack:
            day = Day(slack, locus, tell)
            await (day.play_shortly() if short else day.play())


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Read the options and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.slack_day")
    parser.add_argument("--short", action="store_true", help="a few scenes only")
    options = parser.parse_args()
    asyncio.run(play(_print, short=options.short))


if __name__ == "__main__":
    main()
