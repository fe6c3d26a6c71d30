"""A real server on the loopback that speaks the OpenAI chat API in the manner of several programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from tests.servers import LocalServer, Reply, Request

Kind = Literal["llama-server", "vllm", "ollama", "openai"]
EVENT_STREAM = {"Content-Type": "text/event-stream"}
# What OpenAI's own API takes, of the fields Locus can send; it refuses any other.
OPENAI_FIELDS = frozenset(
    (
        "model messages stream stream_options temperature top_p seed max_tokens stop tools tool_choice response_format"
    ).split()
)


def event(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(**fields: object) -> bytes:
    """An event with a piece of the answer."""
    return event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


def finish(reason: str = "stop") -> bytes:
    """The event that says why the text ended."""
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def usage(prompt: int, new: int, cached: int = 0) -> bytes:
    """The event that says what it cost."""
    details = {"cached_tokens": cached}
    return event(
        {
            "choices": [],
            "usage": {"prompt_tokens": prompt, "completion_tokens": new, "prompt_tokens_details": details},
        }
    )


DONE = b"data: [DONE]\n\n"


def stream(*parts: bytes) -> Reply:
    """A complete answer of the given events."""
    return Reply(b"".join(parts), headers=EVENT_STREAM)


def saying(*pieces: str, reason: str = "stop") -> Reply:
    """A complete answer of the given pieces of text."""
    return stream(
        delta(role="assistant", content=""), *(delta(content=piece) for piece in pieces), finish(reason), DONE
    )


def slowly(server: LocalServer, *parts: bytes) -> Reply:
    """An answer that stops coming after the given events, until the server stops."""

    def sent() -> Iterator[bytes]:
        yield from parts
        server.stopping.wait(30)

    return Reply(sent(), headers=EVENT_STREAM)


def cut(*parts: bytes) -> Reply:
    """An answer that breaks off, though its length promises more."""
    return Reply(b"".join(parts), headers={**EVENT_STREAM, "Content-Length": "100000"})


def refusal(status: int, message: str, *, headers: dict[str, str] | None = None, **fields: object) -> Reply:
    """An error as these servers send it."""
    body = json.dumps({"error": {"code": status, "message": message, **fields}}).encode()
    return Reply(body, status, {"Content-Type": "application/json", **(headers or {})})


class OpenAiServer(LocalServer):
    """Plays one of the programs; a context manager.

    It answers chats with the queued replies, the last one again and again, and "Hello world" when there is none; what
    the real program refuses is refused before. It asks for a key when it has one.

    Args:
        kind: Which program.
        models: Names of its models.
        key: What it wants as bearer token.

    Attributes:
        replies: The replies to come, each a `Reply` or a function of the request's body.
    """

    def __init__(self, kind: Kind = "openai", *, models: Iterable[str] = ("test-model",), key: str = "") -> None:
        super().__init__()
        self.kind = kind
        self.replies: list[Reply | Callable[[dict[str, Any]], Reply]] = []
        self._models = list(models)
        self._key = key
        self.route("/v1/models", self._keyed(lambda _: _json(self._listed())))
        self.route("/v1/chat/completions", self._keyed(self._chat))
        if kind == "llama-server":
            self.route("/props", _json({"default_generation_settings": {"n_ctx": 8192}, "build_info": "b9000"}))
            self.route("/tokenize", lambda request: _json({"tokens": json.loads(request.body)["content"].split()}))
        elif kind == "vllm":
            self.route("/version", _json({"version": "0.14.0"}))
        elif kind == "ollama":
            self.route("/api/version", _json({"version": "0.13.2"}))

    @property
    def api(self) -> str:
        """The address of the API."""
        return self.url("/v1")

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of the chats asked for, in order."""
        return [json.loads(one.body) for one in self.requests if one.path == "/v1/chat/completions"]

    def _keyed(self, route: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
        def answer(request: Request) -> Reply:
            if self._key and request.headers.get("Authorization") != f"Bearer {self._key}":
                return refusal(401, "Invalid API Key")
            return route(request)

        return answer

    def _listed(self) -> dict[str, object]:
        owner = {"llama-server": "llamacpp", "vllm": "vllm", "ollama": "library", "openai": "system"}[self.kind]
        extra = {"max_model_len": 16384} if self.kind == "vllm" else {}
        return {"object": "list", "data": [{"id": name, "owned_by": owner, **extra} for name in self._models] or None}

    def _chat(self, request: Request) -> Reply:
        body = json.loads(request.body)
        if body["model"] not in self._models and self.kind != "llama-server":
            return refusal(404, f"The model `{body['model']}` does not exist.", type="NotFoundError")
        if self.kind == "llama-server" and "grammar" in body and body.get("tools"):
            return refusal(400, "Cannot use custom grammar constraints with tools.")
        if self.kind == "llama-server" and isinstance(body.get("tool_choice", ""), dict):
            raise AssertionError("llama-server takes this for auto")
        if self.kind == "vllm" and body.get("top_k") == 0:
            return refusal(400, "top_k must be -1 (disable), or at least 1, got 0.")
        if self.kind == "openai" and (unknown := set(body) - OPENAI_FIELDS):
            return refusal(400, f"Unrecognized request arguments supplied: {', '.join(sorted(unknown))}")
        if not self.replies:
            return saying("Hello", " world")
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply if isinstance(reply, Reply) else reply(body)


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})
