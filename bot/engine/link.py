"""One child process that holds the model, as the chats' process sees it: started, spoken to, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from bot.engine import frames
from bot.engine.frames import HEAD, MAX_FRAME_BYTES, Frame
from bot.engine.options import OPTIONS, EngineOptions
from bot.engine.sandbox import clean_environment
from bot.errors import SettingsError, UnavailableError

logger = logging.getLogger(__name__)

LOAD_SILENCE_S = 300.0  # without any progress of loading
_CRASHES = (signal.SIGILL, signal.SIGSEGV, signal.SIGBUS)


class ModelLink:
    """A running child; made by `start_child`.

    Attributes:
        facts: What the child said of its model.
        pid: Its process id.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._last_words: deque[str] = deque(maxlen=20)
        self._listening = asyncio.create_task(self._listen_to_errors(), name="model-stderr")
        self.facts: Frame = {}
        self.pid = process.pid

    def send(self, frame: Frame) -> None:
        """Send a frame; silently nothing once the child is gone, which `receive` reports."""
        if not self._writer.is_closing():
            self._writer.write(frames.encode(frame))

    async def receive(self) -> Frame | None:
        """Return the next frame, or None when the child is gone."""
        try:
            head = await self._reader.readexactly(HEAD.size)
            size = int(HEAD.unpack(head)[0])
            if size > MAX_FRAME_BYTES:
                raise UnavailableError("The model's process sent something that cannot be read.")
            return frames.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def kill(self) -> None:
        """End the child at once."""
        # Not by the process' own method, which also asks how it ended: where asyncio asks at the same time, it is lost.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def close(self, grace_s: float = 10.0) -> None:
        """Let the child finish its decode and end; kill it when it takes longer."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        await self._listening

    @property
    def crashed(self) -> bool:
        """True when the processor or the kernel ended it for what its code did."""
        code = self._process.returncode
        return code is not None and -code in _CRASHES

    def epitaph(self) -> str:
        """How it ended, in words, with what it said last."""
        code = self._process.returncode
        words = self._last_words[-1] if self._last_words else ""
        if code is None:
            how = "stopped answering"
        elif code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        else:
            how = f"ended with code {code}"
        return f"{how}{f' ({words})' if words else ''}"

    async def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:
                continue  # longer than the reader keeps, and dropped by it
            if not line:
                return
            text = line.decode("utf-8", "replace").strip()
            if text and "[0x" not in text:  # the trace of addresses after a failed assertion
                self._last_words.append(text[:300])
                logger.debug("model process: %s", text)


async def start_child(options: EngineOptions, progress: Callable[[float], None]) -> ModelLink:
    """Start a child, let it load the model, and return it ready to be asked.

    Args:
        options: The model and how to run it.
        progress: Told the loaded share, 0 to 1.

    Raises:
        SettingsError: If the model cannot be loaded as it is set.
        UnavailableError: If the child died or fell silent.
    """
    ours, theirs = socket.socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "bot.engine.child", str(theirs.fileno()),
            pass_fds=(theirs.fileno(),), env=clean_environment(os.environ), cwd=str(Path(options.path).anchor or "/"),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except BaseException as error:
        ours.close()
        if isinstance(error, OSError):
            raise UnavailableError(f"The model's process cannot be started ({error.strerror}).") from error
        raise
    finally:
        theirs.close()
    link = ModelLink(process, *await asyncio.open_connection(sock=ours, limit=MAX_FRAME_BYTES))
    try:
        link.send({"do": "load", "options": OPTIONS.dump_python(options, mode="json")})
        link.facts = await _loaded(link, options, progress)
    except BaseException:
        link.kill()
        await link.close()
        raise
    return link


async def _loaded(link: ModelLink, options: EngineOptions, progress: Callable[[float], None]) -> Frame:
    while True:
        try:
            frame = await asyncio.wait_for(link.receive(), LOAD_SILENCE_S)
        except TimeoutError:
            raise UnavailableError(
                f"Loading {options.path} made no progress for {LOAD_SILENCE_S:.0f} s: is its disk reachable?"
            ) from None
        if frame is None:
            await link.close()
            raise ChildDiedError(link, options)
        if frame["is"] == "progress":
            progress(float(str(frame["share"])))
        elif frame["is"] == "failed":
            error = frames.unpack_event(frame["error"])  # type: ignore[arg-type]
            raise error if isinstance(error, Exception) else SettingsError("The model cannot be loaded.")
        elif frame["is"] == "ready":
            facts = frame["facts"]
            return facts if isinstance(facts, dict) else {}


class ChildDiedError(UnavailableError):
    """The child died while it loaded the model."""

    def __init__(self, link: ModelLink, options: EngineOptions) -> None:
        self.crashed = link.crashed
        super().__init__(
            f"The process that loads {options.path} {link.epitaph()}: if memory is short, set a smaller "
            "LOCUS_MODEL_CACHE_TOKENS or choose a smaller model; `locus doctor` shows what it needs."
        )
