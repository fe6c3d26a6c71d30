"""A day of one person in Slack: `python -m tests.slack_day` plays it and prints what people see.

The local Slack and `locus run` are processes of their own.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar, Literal

from tests.day import DEADLINE_S, Day
from tests.day_parts import WIDTH, Said, genenetwork_settings, main
from tests.gn_server import GeneNetworkServer
from tests.locus_process import LocusProcess
from tests.slack_server import APP_TOKEN, BOT_TOKEN
from tests.slack_server.remote import RemoteSlack, slack_process
from tests.soak.stage import make_index

CHANNEL = "C1"
ADA = "U1"
SLOW_S = 4.0  # that Slack takes over a call where something is to happen in the middle of an answer
HELD: Mapping[Literal["beginning", "end"], Sequence[str]] = {
    "beginning": ("chat.startStream",),
    "end": ("chat.appendStream", "chat.stopStream", "chat.update"),
}

_LINK = re.compile(r"<([^|>]+)\|([^>]+)>")

Line = Mapping[str, Any]
Place = Mapping[str, Any]


class SlackDay(Day[Place]):
    """In a channel and in direct messages.

    Args:
        slack: Where.
        locus: As of `Day`.
        genenetwork: As of `Day`.
        tell: As of `Day`.
    """

    channel_word: ClassVar[str] = "channel"

    def __init__(
        self, slack: RemoteSlack, locus: LocusProcess, genenetwork: GeneNetworkServer, tell: Callable[[str], None]
    ) -> None:
        super().__init__(locus, genenetwork, tell)
        self._slack = slack
        self._direct = ""

    async def begin(self) -> None:
        await self.start()

    async def connected(self) -> bool:
        return len((await self._slack.state())["connections"]) >= 2

    async def ask(self, text: str) -> Place:
        asked: Place = await self._slack.act("mention", channel=CHANNEL, user=ADA, text=text)
        return asked

    async def say(self, asked: Place, text: str) -> None:
        await self._slack.act("say", channel=CHANNEL, user=ADA, text=text, thread_ts=asked["ts"])

    async def ask_directly(self, text: str) -> Place:
        asked: Place = await self._slack.act("direct_message", user=ADA, text=text)
        self._direct = asked["channel"]
        return asked

    async def look_at_direct(self, asked: Place) -> None:
        titles = (await self._slack.state())["agent_titles"]
        self.tell(f"(The thread is called “{titles.get('/'.join((asked['channel'], asked['ts'])), '')}”.)")

    async def share(self, name: str, data: str) -> Place:
        self.scene("A file for Locus to learn")
        asked: Place = await self._slack.act(
            "mention", channel=CHANNEL, user=ADA, text="learn this", files=[(name, data)]
        )
        return asked

    async def said(self, asked: Place) -> Sequence[Said]:
        return [_said(line) for line in await self._lines(asked)]

    async def posted(self) -> Sequence[Said]:
        lines = await self._slack.transcript(CHANNEL, viewer=ADA)
        return [_said(line) for line in lines if line["is_bot"] and not line["only_for"] and not line["buttons"]]

    async def vote_down(self, asked: Place, comment: str) -> None:
        answer = (await self._lines(asked))[1]
        thumb = next(b["value"] for b in answer["buttons"] if b["value"].startswith("down:"))
        await self._press(asked, answer, "locus_vote", thumb)
        view = await self._view()
        self._show_view(view)
        await self._slack.act("submit", view=view["id"], values={"locus_comment_text": comment})
        self.tell(f"ada writes: {comment}")

        async def told() -> Sequence[Line]:
            return [line for line in await self._whispers() if "noted" in line["text"]]

        for line in await self.until(told):
            self.show(_said(line))

    async def passages(self, asked: Place) -> None:
        self.tell("ada presses: Show passages")
        await self._press(asked, (await self._lines(asked))[1], "locus_passages")
        view = await self._view()
        self._show_view(view)
        await self._slack.act("close_view", view=view["id"])

    async def again(self, asked: Place) -> None:
        self.tell("ada presses: Ask again")
        await self._press(asked, (await self._lines(asked))[1], "locus_again")

    async def command(self, text: str) -> None:
        before = len(await self._whispers())
        await self._slack.act("slash", command="/locus", user=ADA, channel=CHANNEL, text=text)

        async def told() -> Sequence[Line]:
            return (await self._whispers())[before:]

        self.tell(f"ada types: /locus {text}")
        for line in await self.until(told):
            self.show(_said(line))

    async def own_data(self, text: str) -> None:
        await self.command(text)
        if text != "export":
            return

        async def sent() -> Sequence[Line]:
            return [line for line in await self._slack.transcript(self._direct) if line["files"]]

        for line in await self.until(sent):
            self.show(_said(line))

    async def hold(self, what: Literal["beginning", "end"]) -> None:
        for method in HELD[what]:
            await self._slack.always(method, delay_s=SLOW_S)

    async def begun(self, asked: Place) -> None:
        async def called() -> bool:
            for method in ("chat.startStream", "assistant.threads.setStatus"):
                calls = await self._slack.calls(method)
                if any(call["arguments"].get("thread_ts") == asked["ts"] for call in calls):
                    return True
            return False

        await self.until(called)

    async def let_go(self) -> None:
        await self._slack.clear_faults()

    async def _lines(self, asked: Place) -> Sequence[Line]:
        lines = await self._slack.transcript(asked["channel"], asked["ts"])
        return [line for line in lines if not line["only_for"]]

    async def _whispers(self) -> Sequence[Line]:
        return [line for line in await self._slack.transcript(CHANNEL, viewer=ADA) if line["only_for"]]

    async def _press(self, asked: Place, answer: Line, action: str, value: str | None = None) -> None:
        message = {"channel": asked["channel"], "ts": answer["ts"]}
        await self._slack.act("press", message=message, user=ADA, action_id=action, value=value)

    async def _view(self) -> Mapping[str, Any]:
        async def opened() -> Mapping[str, Any] | None:
            views = (await self._slack.state())["views"].values()
            return next((v for v in views if v["open"] and v["user"] == ADA and v["content"]["type"] == "modal"), None)

        return await self._slack.until(opened, DEADLINE_S)

    def _show_view(self, view: Mapping[str, Any]) -> None:
        content = view["content"]
        self.tell(f"A window opens: {content['title']['text']}")
        for text in _texts(content["blocks"]):
            for line in _LINK.sub(r"\2 (\1)", text).replace("\N{WORD JOINER}", "").split("\n"):
                for row in textwrap.wrap(line, WIDTH) or [""]:
                    self.tell(f"  | {row}".rstrip())


def _said(line: Line) -> Said:
    note = "only ada sees this" if line["only_for"] else "writing" if line["streaming"] else ""
    buttons = line["buttons"]
    complete = line["is_bot"] and any(button["action_id"] == "locus_again" for button in buttons)
    below = " ".join(f"[{button['label']}]" for button in buttons)
    return Said(line["author"], line["text"], line["is_bot"], complete, note, line["files"], below)


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


async def play(tell: Callable[[str], None], short: bool = False, index: Path | None = None) -> None:
    """Play the day, in a temporary folder.

    Args:
        tell: Takes the lines of the transcript.
        short: Leaves most of it out.
        index: A data folder with an index; None makes one.
    """
    async with AsyncExitStack() as stack:
        data_dir = index or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ld-"))) / "data"
        if index is None:
            await asyncio.to_thread(make_index, data_dir)
        genenetwork = await stack.enter_async_context(GeneNetworkServer())
        url = stack.enter_context(slack_process())
        slack = await stack.enter_async_context(RemoteSlack(url))
        tokens = {"LOCUS_SLACK_BOT_TOKEN": BOT_TOKEN, "LOCUS_SLACK_APP_TOKEN": APP_TOKEN}
        settings = {"LOCUS_SLACK_API_URL": f"{url}/api/", **tokens, **genenetwork_settings(genenetwork)}
        locus = LocusProcess(data_dir, settings)
        stack.push_async_callback(asyncio.to_thread, locus.end)
        day = SlackDay(slack, locus, genenetwork, tell)
        await (day.play_shortly() if short else day.play())


if __name__ == "__main__":
    main("tests.slack_day", play)
