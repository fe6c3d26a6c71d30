"""The terminal behind the port of all chats, with typed lines that are scripted and a reception that remembers."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import queue
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from rich.console import Console

from adapters.terminal import TerminalAdapter
from bot.chat import ChatAdapter, Reception, Vote
from bot.errors import BotError, BusyError, InvalidRequestError, NotFoundError, StorageError, UnavailableError
from bot.evidence import Citation, CitedPassage
from bot.messages import Audience, IncomingMessage, Place, Sender
from bot.replies import Attachment, Reply, Stage
from tests.fakes import NothingGiven
from tests.injections import INJECTIONS
from tests.terminal_screen import seen

ANSWER = "The BXD family was made by crossing C57BL/6J and DBA/2J mice [1]."
CITATION = Citation(1, "BXD strains", "bxd.md", "https://gn.example/bxd", "crossing")
FINAL = Reply(Stage.FINAL, ANSWER, (CITATION,), handle="handle-1")
READING = Reply(Stage.WAITING, "Reading the documents …")
DEADLINE_S = 20


@dataclass
class Receipt:
    """A message was accepted."""

    request_id: str
    new: bool = True


@dataclass
class Remembering(NothingGiven):
    """A reception that writes down what it is asked, and refuses as often as it is told to.

    Attributes:
        messages: Accepted ones, in order.
        refusals: Raised one after the other before a message is accepted.
        stoppable: What `stop` answers.
    """

    messages: list[IncomingMessage] = field(default_factory=list)
    refusals: list[BotError] = field(default_factory=list)
    stops: list[tuple[Place, Sender]] = field(default_factory=list)
    votes: list[tuple[str, Vote, str]] = field(default_factory=list)
    stoppable: bool = True
    arrived: asyncio.Queue[IncomingMessage] = field(default_factory=asyncio.Queue)
    stopped: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def message(self, message: IncomingMessage) -> Receipt:
        if self.refusals:
            raise self.refusals.pop(0)
        self.messages.append(message)
        self.arrived.put_nowait(message)
        return Receipt(message.request_id)

    async def edit(self, message: IncomingMessage) -> bool:
        raise AssertionError("a terminal has no edits")

    async def delete(self, place: Place, message_id: str) -> bool:
        raise AssertionError("a terminal has no deletions")

    async def stop(self, place: Place, by: Sender, *, request_id: str = "") -> bool:
        self.stops.append((place, by))
        self.stopped.put_nowait(None)
        return self.stoppable

    async def vote(self, place: Place, by: Sender, handle: str, vote: Vote, comment: str = "") -> bool:
        self.votes.append((handle, vote, comment))
        return bool(handle)

    async def withdraw(self, place: Place, by: Sender, handle: str, vote: Vote) -> bool:
        return bool(handle)

    async def passages(self, place: Place, by: Sender, handle: str) -> Sequence[CitedPassage]:
        return [CitedPassage(CITATION, "History", "They were made by crossing.")] if handle else ()


class Bench:
    """An adapter on a screen of its own.

    Attributes:
        prompts: What was shown before each line.
        pauses: Seconds waited before a line was tried again.
    """

    def __init__(self, folder: Path, *, terminal: bool, width: int = 80, kind: str = "xterm") -> None:
        self.screen = io.StringIO()
        self.reception = Remembering()
        self.prompts: list[str] = []
        self.pauses: list[float] = []
        self.pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
        self._lines: queue.Queue[str | BaseException] = queue.Queue()
        self._reading = asyncio.Queue[None]()
        self._loop = asyncio.get_running_loop()
        console = Console(
            file=self.screen, force_terminal=terminal, color_system=None, width=width, highlight=False,
            _environ={"TERM": kind},
        )  # fmt: skip
        self.adapter = TerminalAdapter(folder, console, self._read, notice="A notice.", pause=self._wait)
        self.running = asyncio.create_task(self.adapter.run(self.reception))

    @property
    def seen(self) -> str:
        """What a person sees."""
        return seen(self.screen.getvalue())

    def type(self, *lines: str | BaseException) -> None:
        """Enter lines; an EOFError ends the input."""
        for line in lines:
            self._lines.put(line)

    async def prompted(self) -> None:
        """Wait until the next line is waited for."""
        async with asyncio.timeout(DEADLINE_S):
            await self._reading.get()

    async def arrived(self) -> IncomingMessage:
        """Wait for the next message."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reception.arrived.get()

    async def show(self, message: IncomingMessage, *replies: Reply) -> None:
        """Show replies as the pipeline does: the first is posted, and then edited."""
        place, key = message.place, message.request_id
        if await self.adapter.find(place, key, answers=message.message_id) is None:
            assert key == await self.adapter.post(place, replies[0], key=key, answers=message.message_id)
            replies = replies[1:]
        for reply in replies:
            await self.adapter.edit(place, key, reply)

    async def answer(self, *replies: Reply) -> IncomingMessage:
        """Wait for the next message and show replies to it."""
        message = await self.arrived()
        await self.show(message, *replies)
        return message

    async def end(self) -> None:
        """Wait until the chat is over."""
        async with asyncio.timeout(DEADLINE_S):
            await self.running

    async def die(self) -> None:
        """End without a chance to tidy up."""
        self._lines.put(EOFError())
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def _wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.pause()

    def _read(self, prompt: str) -> str:
        self.prompts.append(prompt)
        self.screen.write(prompt)
        self._loop.call_soon_threadsafe(self._reading.put_nowait, None)
        line = self._lines.get(timeout=DEADLINE_S)
        if isinstance(line, BaseException):
            raise line
        self.screen.write(f"{line}\n")  # as a terminal echoes it
        return line


Open = Callable[..., Bench]


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Open]:
    """Open a chat in this test's folder; one after the other is the same chat restarted."""
    opened: list[Bench] = []

    def start(*, terminal: bool = True, width: int = 80, kind: str = "xterm") -> Bench:
        opened.append(Bench(tmp_path / "terminal", terminal=terminal, width=width, kind=kind))
        return opened[-1]

    yield start
    for bench in opened:
        if not bench.running.done():
            await bench.die()


def draft(text: str) -> Reply:
    """A draft."""
    return Reply(Stage.DRAFT, text)


def conforms(adapter: TerminalAdapter, reception: Remembering) -> tuple[ChatAdapter, Reception]:
    """For the type checker."""
    return adapter, reception


async def test_a_line_becomes_a_message(chat: Open) -> None:
    """It is direct, from the person of the process, and of the same channel in the next run."""
    first = chat()
    first.type(" What is BXD? ", "And HXB?", EOFError())
    one, two = await first.answer(FINAL), await first.answer(FINAL)
    await first.end()
    again = chat()
    again.type("And LXS?", EOFError())
    three = await again.answer(FINAL)
    await again.end()

    assert ("terminal", "", Audience.DIRECT, "") == (
        one.place.chat, one.place.workspace, one.place.audience, one.place.thread,
    )  # fmt: skip
    assert ("terminal", str(os.getuid())) == (one.sender.chat, one.sender.user)
    assert ["What is BXD?", "And HXB?", "And LXS?"] == [one.text, two.text, three.text]
    assert one.order < two.order < three.order
    assert 3 == len({one.message_id, two.message_id, three.message_id})
    assert one.place == three.place


async def test_on_a_terminal_an_answer_grows_and_is_not_repeated(chat: Open) -> None:
    """The waiting sentence gives way to the draft, the draft goes on to the final text, and sources follow."""
    bench = chat()
    bench.type("What is BXD?", EOFError())
    await bench.answer(
        Reply(Stage.WAITING, "2 questions are ahead of yours."), READING, draft("The BXD family"),
        draft("The BXD family was made by cross"), FINAL,
    )  # fmt: skip
    await bench.end()

    assert bench.seen.endswith(
        f"\n› What is BXD?\n{ANSWER}\n\nSources\n[1] BXD strains  https://gn.example/bxd\n\n› \n".replace("› \n", "›\n")
    )
    assert bench.screen.getvalue().index("2 questions are") < bench.screen.getvalue().index("Reading the")
    assert 1 == bench.screen.getvalue().count("The BXD family")


async def test_a_checked_answer_that_differs_is_printed_whole(chat: Open) -> None:
    """What was streamed stays above it and is marked as replaced."""
    bench = chat()
    bench.type("What is BXD?", EOFError())
    await bench.answer(READING, draft("The BXD family eats cheese."), FINAL)
    await bench.end()

    assert f"› What is BXD?\nThe BXD family eats cheese.\n\nChecked answer\n{ANSWER}\n\nSources\n" in bench.seen


async def test_a_draft_may_begin_anew(chat: Open) -> None:
    """Another worker's draft, or a fallback, does not go on in the middle of the first one's sentence."""
    bench = chat()
    bench.type("What is BXD?", EOFError())
    await bench.answer(draft("Once upon a"), draft("The BXD family was"), READING, draft("The BXD "), FINAL)
    await bench.end()

    assert f"Once upon a\n(The answer is written anew.)\nThe BXD family was\n{ANSWER}\n\nSources" in bench.seen


@pytest.mark.parametrize("kind", ["pipe", "dumb"])
async def test_elsewhere_whole_answers_are_printed_once(chat: Open, kind: str) -> None:
    """Without a terminal, or one that cannot erase, a waiting sentence is printed once and nothing is erased."""
    bench = chat(terminal=kind == "dumb", kind=kind)
    bench.type("What is BXD?", EOFError())
    waiting = [Reply(Stage.WAITING, f"{count} questions are ahead of yours.") for count in (3, 2)]
    await bench.answer(*waiting, draft("The BXD"), FINAL)
    await bench.end()

    assert f"\n› What is BXD?\n3 questions are ahead of yours.\n{ANSWER}\n\nSources\n" in bench.seen
    assert "\x1b" not in bench.screen.getvalue()
    assert "2 questions" not in bench.screen.getvalue()


async def test_from_a_pipe_all_lines_are_asked_and_every_answer_is_awaited(chat: Open) -> None:
    """At the end of the input the chat stays until the last question has its final answer, quoted above it."""
    bench = chat(terminal=False)
    bench.type("What is BXD?", "", "What is HXB?", EOFError())
    one, two = await bench.arrived(), await bench.arrived()
    await bench.show(one, READING)
    await bench.show(two, FINAL)
    still_running = not bench.running.done()
    await bench.show(one, replace(FINAL, text="It is a family."))
    await bench.end()

    assert still_running
    assert ["", "", "", ""] == bench.prompts
    assert [f"› What is HXB?\n{ANSWER}\n", "› What is BXD?\nIt is a family.\n"] == [
        f"{block.split(chr(10) * 2)[0]}\n" for block in bench.seen.split("\n\n") if block.startswith("› ")
    ][1:]


@pytest.mark.parametrize("error", [BusyError("The inbox is full."), UnavailableError("Redis is away.")])
async def test_a_line_that_is_not_accepted_is_kept_and_tried_again(chat: Open, error: BotError) -> None:
    """One sentence says so; the message is the same each time and the pauses grow."""
    bench = chat()
    bench.reception.refusals = [error] * 8
    bench.type("What is BXD?", EOFError())
    await bench.answer(FINAL)
    await bench.end()

    assert 1 == len(bench.reception.messages)
    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == bench.pauses
    assert 1 == bench.seen.count(f"› What is BXD?\n{error} Your line is kept and tried again; Ctrl-C drops it.\n")


async def test_a_malformed_line_is_refused_with_its_reason(chat: Open) -> None:
    """It is not tried again, and the next one is read."""
    bench = chat()
    bench.reception.refusals = [InvalidRequestError("That is no question.")]
    bench.type("???", "What is BXD?", EOFError())
    await bench.answer(FINAL)
    await bench.end()

    assert "› ???\nThat is no question.\n\n› What is BXD?\n" in bench.seen
    assert [] == bench.pauses


async def test_ctrl_c_drops_a_line_that_waits_to_be_accepted(chat: Open) -> None:
    """The next run does not ask it either."""
    bench = chat()
    bench.reception.refusals = [UnavailableError("Redis is away.")]
    paused = asyncio.Event()

    async def pause() -> None:
        paused.set()
        await asyncio.Event().wait()

    bench.pause = pause
    bench.type("What is BXD?", EOFError())
    await asyncio.wait_for(paused.wait(), DEADLINE_S)
    os.kill(os.getpid(), signal.SIGINT)
    await bench.end()
    again = chat()
    again.type(EOFError())
    await again.end()

    assert "The line was dropped and not asked." in bench.seen
    assert [] == again.reception.messages


async def test_ctrl_c_stops_an_answer_and_then_leaves(chat: Open) -> None:
    """While an answer runs it is stopped, by the person who asked; at the prompt the chat is over."""
    bench = chat()
    bench.type("What is BXD?")
    message = await bench.answer(READING, draft("The BXD fam"))
    await bench.prompted()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(bench.reception.stopped.get(), DEADLINE_S)
    await bench.show(message, Reply(Stage.FINAL, "Stopped, as you asked.", answered=False))
    await bench.prompted()
    os.kill(os.getpid(), signal.SIGINT)
    await bench.end()
    bench.type(EOFError())

    assert [(message.place, message.sender)] == bench.reception.stops
    assert "The BXD fam\n\nStopped, as you asked.\n" in bench.seen
    assert "Checked answer" not in bench.seen


async def test_ctrl_c_gets_the_prompt_back_when_there_is_nothing_to_stop(chat: Open) -> None:
    """Nobody is kept waiting for an answer that may never come; should it come, it is shown above the prompt."""
    bench = chat()
    bench.reception.stoppable = False
    bench.type("What is BXD?")
    message = await bench.answer(READING)
    await bench.prompted()
    os.kill(os.getpid(), signal.SIGINT)
    await bench.prompted()
    await bench.show(message, draft("The BXD"), FINAL)
    bench.type(EOFError())
    await bench.end()

    assert "No longer waiting; an answer that still comes is shown here.\n" in bench.seen
    assert bench.seen.count("\n› What is BXD?\n") == 2
    assert f"\n› What is BXD?\n{ANSWER}\n\nSources\n[1] BXD strains  https://gn.example/bxd\n\n›" in bench.seen


async def test_the_word_stop_is_the_button_of_other_chats(chat: Open) -> None:
    """From a pipe it stops what runs at once; with nothing to stop it says so."""
    bench = chat(terminal=False)
    bench.type("What is BXD?", "Stop!")
    message = await bench.arrived()
    await asyncio.wait_for(bench.reception.stopped.get(), DEADLINE_S)
    await bench.show(message, Reply(Stage.FINAL, "Stopped, as you asked.", answered=False))
    bench.reception.stoppable = False
    bench.type("/stop", EOFError())
    await bench.end()

    assert 1 == len(bench.reception.messages)
    assert "There is nothing of yours to stop here.\n" in bench.seen


async def test_other_commands_are_messages(chat: Open) -> None:
    """What is done with them is not the chat's business."""
    bench = chat()
    commands = ["new", "/help", "forget", "export", "status"]
    bench.type(*commands, "/quit")
    for _ in commands:
        await bench.answer(Reply(Stage.FINAL, "Done.", answered=False))
    await bench.end()

    assert commands == [message.text for message in bench.reception.messages]


async def test_passages_and_opinions_belong_to_the_last_answer(chat: Open) -> None:
    """/quotes, /up and /down carry its handle; before there is one they say so."""
    bench = chat()
    bench.type("/quotes", "/up", "What is BXD?", "/quotes", "/down it is wrong", "/quit")
    await bench.answer(FINAL)
    await bench.end()

    assert [("", "up", ""), ("handle-1", "down", "it is wrong")] == bench.reception.votes
    assert "› /quotes\nThere is no answer with quotes yet.\n" in bench.seen
    assert "› /up\nThere is no answer to rate yet, or it is too old.\n" in bench.seen
    assert "› /quotes\n[1] BXD strains > History\nThey were made by crossing.\n" in bench.seen
    assert "› /down it is wrong\nThank you, noted.\n" in bench.seen


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_question_survives_the_death_of_the_process(chat: Open, tmp_path: Path, terminal: bool) -> None:
    """The next run says that it is open, delivers it again, quotes it above the answer, and forgets its text."""
    first = chat(terminal=terminal)
    first.type("What is BXD?")
    asked = await first.answer(READING, draft("The BXD"))
    await first.die()
    kept = (tmp_path / "terminal" / "transcript.jsonl").read_text()
    again = chat(terminal=terminal)
    delivered = await again.answer(READING, FINAL)
    again.type(EOFError())
    await again.end()

    assert (asked.message_id, asked.order, asked.place) == (delivered.message_id, delivered.order, delivered.place)
    assert "One question of the last time is still open; its answer follows here.\n" in again.seen
    waited = "" if terminal else "Reading the documents …\n"
    assert f'\nYou asked before the restart: "What is BXD?"\n{waited}{ANSWER}\n\nSources\n' in again.seen
    assert ("What is BXD?" in kept, "What is BXD?" in (tmp_path / "terminal" / "transcript.jsonl").read_text()) == (
        True, False,
    )  # fmt: skip


async def test_a_post_is_found_after_the_death_of_the_process(chat: Open) -> None:
    """Its id is its key; what was never posted is not found."""
    first = chat()
    first.type("What is BXD?")
    message = await first.answer(READING)
    await first.die()
    again = chat()
    found = [
        await again.adapter.find(message.place, key, answers=message.message_id)
        for key in (message.request_id, "another")
    ]

    assert [message.request_id, None] == found


async def test_a_final_answer_is_shown_once_whatever_dies(chat: Open) -> None:
    """A worker that died after showing it shows it again, in this process or the next: nothing is printed twice."""
    first = chat()
    first.type("What is BXD?")
    message = await first.answer(READING, FINAL, FINAL, READING)
    await first.prompted()
    await first.prompted()
    await first.show(message, FINAL)
    await first.die()
    again = chat()
    again.type(EOFError())
    await again.show(message, FINAL)
    await again.adapter.post(message.place, FINAL, key=message.request_id, answers=message.message_id)
    await again.end()

    assert 1 == first.seen.count(ANSWER)
    assert ANSWER not in again.seen
    assert "still open" not in again.seen


async def test_an_answer_that_comes_before_its_question_is_delivered_again(chat: Open) -> None:
    """Workers may be faster than the chat after a restart: nobody waits for what was shown already."""
    first = chat(terminal=False)
    first.type("What is BXD?", "What is HXB?")
    one, two = await first.arrived(), await first.arrived()
    await first.die()
    again = chat(terminal=False)
    again.reception.refusals = [UnavailableError("Redis is away.")]
    again.pause = lambda: again.show(two, FINAL)
    again.type(EOFError())
    assert [one.message_id, two.message_id] == [(await again.arrived()).message_id for _ in range(2)]
    await again.show(one, FINAL)
    await again.end()

    assert 2 == again.seen.count(ANSWER)


async def test_files_are_written_for_the_owner_alone(chat: Open, tmp_path: Path) -> None:
    """Their names lead nowhere else, none is overwritten, and the path is said."""
    bench = chat()
    names = ["export.json", "export.json", "../../.ssh/authorized_keys", "\x1b[2J", "..", "x" * 300 + ".json", "README"]
    attachments = tuple(Attachment(name, "application/json", name.encode()) for name in [*names, "README"])
    bench.type("export", EOFError())
    await bench.answer(Reply(Stage.FINAL, "Here it is.", answered=False, attachments=attachments))
    await bench.end()
    files = {path.name: path for path in (tmp_path / "terminal" / "files").iterdir()}

    expected = ["2J", "README", "README-2", "export-2.json", "export.json", "file", "ssh-authorized_keys"]
    assert expected == sorted(name for name in files if not name.startswith("x"))
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in files.values()}
    assert b"export.json" == files["export-2.json"].read_bytes()
    assert f"Written to {files['export-2.json']}\n" in bench.screen.getvalue()
    assert 80 == max(map(len, files))


async def test_a_file_that_cannot_be_written_is_said(chat: Open, tmp_path: Path) -> None:
    """The answer is shown all the same."""
    bench = chat()
    bench.type("export", EOFError())
    message = await bench.arrived()
    (tmp_path / "terminal" / "files").write_text("in the way")
    await bench.show(
        message, Reply(Stage.FINAL, "Here it is.", attachments=(Attachment("a.json", "application/json", b"{}"),))
    )
    await bench.end()

    assert "Here it is.\n\nThe file a.json cannot be written: File exists.\n" in bench.seen


@pytest.mark.parametrize("terminal", [True, False])
async def test_nothing_in_a_reply_reaches_the_terminal_as_control(chat: Open, terminal: bool) -> None:
    """Text, titles, addresses, notes, references and questions of others are printed as they are read."""
    bench = chat(terminal=terminal, width=400)
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\u202e[bold red]x[/] [link=http://evil.example]y[/link] :smile:"
    citation = Citation(1, f"T{evil}\nnext", f"s{evil}", f"https://gn.example/{evil}", "")
    bench.type("What is BXD?", EOFError())
    message = await bench.arrived()
    await bench.show(
        message, Reply(Stage.WAITING, f"W{evil}"),
        draft(f"D{evil}"), draft(f"D{evil} and\x1b"), draft(f"D{evil} and\x1b[2J"),
        Reply(Stage.FINAL, f"F{evil}", (citation,), note=f"N{evil}", reference=f"R{evil}"),
    )  # fmt: skip
    await bench.end()
    shown = bench.seen  # raises where the cursor was moved

    lines = [" ".join(line.split()) for line in shown.split("\n")]
    for begin in ("W", "F", "N", "Reference R") if not terminal else ("D", "F", "N", "Reference R"):
        assert any(
            line.startswith(f"{begin} 31m [bold red]x[/] [link=http://evil.example]y[/link] :") for line in lines
        )
    for control in ("\x07", "\x9b", "\x08", "\u202e", "\x1b[2J", "\x1b]0"):
        assert control not in bench.screen.getvalue()


async def test_orders_in_replies_are_text(chat: Open) -> None:
    """None of the injections used against the agent draws anything but its own letters."""
    bench = chat(terminal=True, width=1000)
    bench.type(*["What is BXD?"] * len(INJECTIONS), EOFError())
    for order in INJECTIONS:
        await bench.answer(draft(order), Reply(Stage.FINAL, order, note=order))
    await bench.end()

    assert "\x1b[1m" not in bench.screen.getvalue().split("leaves", 1)[1]
    assert bench.seen  # raises where the cursor was moved


async def test_long_answers_are_wrapped_at_words(chat: Open) -> None:
    """Streamed or printed whole, no line is longer than the terminal is wide, and none is cut within a word."""
    text = " ".join(f"word{number}語" for number in range(3000))
    bench = chat(width=33)
    bench.type("one", "two", EOFError())
    await bench.answer(
        *(draft(text[:end]) for end in range(1, len(text), 997)), replace(FINAL, text=text, citations=())
    )
    await bench.answer(replace(FINAL, text=text, citations=()))
    await bench.end()
    one, two = (block.split("\n\n")[0] for block in bench.seen.split("\n› ")[1:3])

    assert [text.split(), text.split()] == [block.split()[1:] for block in (one, two)]
    assert 33 >= max(len(line) + line.count("語") for line in f"{one}\n{two}".split("\n"))


async def test_an_answer_is_not_mixed_with_another(chat: Open) -> None:
    """Two that are written at the same time, as after a restart: one grows, the other is printed when it is final."""
    first = chat()
    first.type("What is BXD?")
    one = await first.arrived()
    await first.die()
    again = chat()
    await again.arrived()
    other = replace(one, message_id="other")
    await again.show(one, draft("The BXD family was"))
    await again.show(other, draft("Something"), Reply(Stage.FINAL, "Something else.", answered=False))
    await again.show(one, draft("The BXD family was made"), FINAL)
    again.type(EOFError())
    await again.end()

    assert "The BXD family was\nSomething else.\n" in again.seen
    assert again.seen.endswith(
        f'restart: "What is BXD?"\n{ANSWER}\n\nSources\n[1] BXD strains  https://gn.example/bxd\n\n›\n'
    )
    assert 1 == again.seen.count("Something else.")


async def test_a_removed_reply_is_gone(chat: Open) -> None:
    """Its waiting sentence is erased, nobody waits for it, and an edit of it is refused."""
    bench = chat()
    bench.type("What is BXD?", EOFError())
    message = await bench.answer(READING)
    await bench.adapter.remove(message.place, message.request_id)
    await bench.adapter.remove(message.place, message.request_id)
    with pytest.raises(NotFoundError):
        await bench.show(message, FINAL)
    await bench.end()

    assert "Reading the documents" not in bench.seen


async def test_a_reply_for_another_terminal_is_not_shown(chat: Open) -> None:
    """Where several share a Redis, each shows its own answers only."""
    bench = chat()
    place = Place("terminal", "", "another", audience=Audience.DIRECT)
    with pytest.raises(UnavailableError, match="asked in another terminal"):
        await bench.adapter.post(place, FINAL, key="key", answers="m")
    with pytest.raises(UnavailableError, match="asked in another terminal"):
        await bench.adapter.find(place, "key", answers="m")

    assert ANSWER not in bench.seen


async def test_a_terminal_that_hung_up_ends_the_chat_and_loses_no_answer(chat: Open, tmp_path: Path) -> None:
    """What cannot be written any more is not shown, the process goes on, and the next run shows it."""
    reception, screen = Remembering(), HangsUp()
    lines: queue.Queue[str] = queue.Queue()
    adapter = TerminalAdapter(tmp_path / "terminal", Console(file=screen), lambda _: lines.get())
    running = asyncio.create_task(adapter.run(reception))
    lines.put("What is BXD?")
    message = await asyncio.wait_for(reception.arrived.get(), DEADLINE_S)
    screen.hung_up = True
    for _ in range(2):
        with pytest.raises(UnavailableError, match="The terminal is gone"):
            await adapter.post(message.place, FINAL, key=message.request_id, answers=message.message_id)
    await asyncio.wait_for(running, DEADLINE_S)
    lines.put("")
    again = chat(terminal=False)
    again.type(EOFError())
    await again.answer(FINAL)
    await again.end()

    assert ANSWER in again.seen


class HangsUp(io.StringIO):
    """A terminal that is there until it hangs up."""

    hung_up = False

    def write(self, text: str) -> int:
        if self.hung_up:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


async def test_a_second_process_is_kept_out(chat: Open, tmp_path: Path) -> None:
    """Two that chat with one folder would show each other's answers."""
    bench = chat()
    await bench.prompted()
    other = (
        "import asyncio, pathlib, sys; from adapters.terminal.display import Display; from rich.console import Console;"
        "Display(pathlib.Path(sys.argv[1]), Console()).occupy()"
    )
    done = subprocess.run(
        [sys.executable, "-c", other, str(tmp_path / "terminal")], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], timeout=60,
    )  # fmt: skip

    assert 1 == done.returncode
    assert (
        f"StorageError: Another `locus run` chats in its terminal with {tmp_path / 'terminal'}"
        in done.stderr.replace("bot.errors.", "")
    )


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """The service is told, in a sentence, and can try again."""
    (tmp_path / "terminal").write_text("")
    adapter = TerminalAdapter(tmp_path / "terminal", Console(file=io.StringIO()), lambda _: "")

    with pytest.raises(StorageError, match="cannot be used for the chat in the terminal: File exists."):
        await adapter.run(Remembering())


async def test_nothing_blocks_the_event_loop(chat: Open) -> None:
    """Neither the disk nor a terminal that is held up keeps the other chats waiting."""
    with blockbuster_ctx(["adapters", "bot"]):
        bench = chat()
        bench.type("What is BXD?", "/quotes", EOFError())
        await bench.answer(READING, draft("The BXD"), FINAL)
        await bench.end()

    assert ANSWER in bench.seen


async def test_the_transcript_is_of_this_version(chat: Open, tmp_path: Path) -> None:
    """Each line says so, for the day it changes."""
    bench = chat(terminal=False)
    bench.type("What is BXD?", EOFError())
    message = await bench.answer(READING)
    lines = [json.loads(line) for line in (tmp_path / "terminal" / "transcript.jsonl").read_text().splitlines()]
    await bench.show(message, FINAL)
    await bench.end()

    assert [(1, "asked", message.message_id), (1, "posted", message.request_id)] == [
        (line["v"], line["kind"], line["id"]) for line in lines
    ]


def test_the_other_chat_needs_no_extra() -> None:
    """Importing the package does not import redis: `locus chat` runs without the extra `run`."""
    code = "import sys, adapters.terminal; sys.exit('redis' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode
