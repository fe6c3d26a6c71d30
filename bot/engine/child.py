"""The model's process: reads requests from a socket, runs them in one owner thread, sends events back.

It is a process of its own because llama.cpp ends the whole process on a failed assertion, and because a model file is
untrusted: before the file is opened, this process gives up network, programs and writing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence

from bot.engine import frames
from bot.engine.batching import BatchingLoop
from bot.engine.frames import HEAD, MAX_FRAME_BYTES, Frame
from bot.engine.jobs import JobEvent
from bot.engine.loaded import LoadedModel, load_model, warm
from bot.engine.options import OPTIONS, EngineOptions
from bot.engine.sandbox import confine, die_with_parent
from bot.errors import BotError, InvalidRequestError

PROGRESS_EVERY_S = 0.1


class ModelProcess:
    """The process' side of the conversation."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._told = 0.0

    def run(self) -> int:
        """Serve until the other side closes; returns the exit code."""
        first = self._receive()
        if first is None:
            return 0
        options = OPTIONS.validate_python(first["options"])
        confined = confine(amx=options.amx)
        try:
            model = load_model(options, self._progress)
        except BotError as error:
            self._send({"is": "failed", "error": frames.pack_event(error)})
            return 1
        loop = BatchingLoop(
            model.context, parallel=options.parallel, queue_length=options.queue_length, emit=self._emit
        )
        ready: Frame = {"is": "ready", "facts": _facts(model, options, confined)}
        owner = threading.Thread(target=self._own, args=(model, loop, ready), name="llama-owner", daemon=True)
        owner.start()
        while (frame := self._receive()) is not None:
            self._handle(frame, model, loop)
        loop.close()
        owner.join()
        model.context.close()
        return 0

    def _own(self, model: LoadedModel, loop: BatchingLoop, ready: Frame) -> None:
        """Warm up and serve, in this one thread: OpenMP keeps workers for every thread that ever computed, and as soon
        as there are more of them than cores, all of them sleep where they would have waited for each other (measured:
        a third slower).
        """
        try:
            warm(model.context)
            self._send(ready)
            loop.run()
        except BaseException as error:
            # The context can no longer be trusted: the other side starts a new process.
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
            os._exit(1)

    def _handle(self, frame: Frame, model: LoadedModel, loop: BatchingLoop) -> None:
        kind, number = frame["do"], frame.get("id")
        if kind == "ping":
            busy_s = time.monotonic() - since if (since := loop.busy_since) else 0.0
            load = loop.load
            self._send({"is": "pong", "busy_s": busy_s, "load": {name: getattr(load, name) for name in load.__slots__}})
        elif kind == "cancel" and isinstance(number, int):
            loop.cancel(number)
        elif kind == "count" and isinstance(number, int):
            texts = frame["texts"] if isinstance(frame["texts"], list) else []
            counts = [len(model.context.tokenize(str(text), special=False)) for text in texts]
            self._send({"is": "counts", "id": number, "counts": counts})
        elif kind == "generate" and isinstance(number, int):
            try:
                job = model.job(number, frames.unpack_request(frame["request"]), float(str(frame["deadline_s"])))
            except BotError as error:
                self._emit([(number, error)])
            except (ValueError, RecursionError) as error:
                wrong = str(error).partition("\n")[0]
                self._emit([(number, InvalidRequestError(f"The request cannot be put to the model: {wrong}."))])
            else:
                loop.submit(job)

    def _progress(self, share: float) -> None:
        now = time.monotonic()
        if share >= 1 or now - self._told > PROGRESS_EVERY_S:
            self._told = now
            self._send({"is": "progress", "share": share})

    def _emit(self, events: Sequence[tuple[int, JobEvent]]) -> None:
        self._send({"is": "events", "events": [[number, *frames.pack_event(event)] for number, event in events]})

    def _send(self, frame: Frame) -> None:
        with self._sending, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(frames.encode(frame))

    def _receive(self) -> Frame | None:
        """Return the next frame, or None when the other side has closed."""
        head = self._exactly(HEAD.size)
        if head is None:
            return None
        size = int(HEAD.unpack(head)[0])
        if size > MAX_FRAME_BYTES:
            return None
        data = self._exactly(size)
        return frames.decode(data) if data is not None else None

    def _exactly(self, count: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self._connection.recv(count - len(parts))
            except ConnectionResetError:
                return None
            if not part:
                return None
            parts += part
        return bytes(parts)


def _facts(model: LoadedModel, options: EngineOptions, confined: dict[str, bool]) -> Frame:
    card = model.card
    return {
        "name": card.name,
        "context": model.limit,
        "details": {
            "architecture": card.architecture,
            "quantization": card.quantization,
            "memory": model.plan.describe(),
            "gpu_layers": str(model.plan.gpu_layers),
            "kv_type": options.kv_type,
            "cache_tokens": str(model.context.cells),
            "template": "ChatML in place of the file's" if model.template.is_fallback else "the file's",
            "tools": model.template.format.family,
            "confined": ", ".join(sorted(name for name, given in confined.items() if given)) or "no",
        },
    }


def main() -> None:
    """Run as `python -m bot.engine.child FD`, FD being a connected local socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the chat's to handle
    die_with_parent()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        code = ModelProcess(connection).run()
    sys.exit(code)


if __name__ == "__main__":
    main()
