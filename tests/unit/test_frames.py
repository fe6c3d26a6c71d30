"""What the two processes say to each other survives the way, and what is no frame is an error with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine import frames
from bot.engine.frames import HEAD
from bot.errors import BotError, BusyError, InvalidRequestError, SettingsError, UnavailableError
from bot.generation import (
    ChatMessage,
    Finished,
    GenerationEvent,
    GenerationRequest,
    Grammar,
    Restarted,
    Sampling,
    Text,
    Thought,
    ToolCall,
    ToolSpec,
    Usage,
    Waiting,
)

REQUEST = GenerationRequest(
    (
        ChatMessage("system", "Cite."),
        ChatMessage("assistant", "", (ToolCall("id1", "search", {"query": "BXD", "top_k": 3}),)),
        ChatMessage("tool", "none", (), "id1", "search"),
        ChatMessage("user", "Was ist ein QTL? 🧬"),
    ),
    Sampling(temperature=0.7, seed=2**40, stop=("a", "b")),
    user="u",
    conversation="c",
    tools=(ToolSpec("search", "Finds.", {"type": "object", "properties": {"query": {"type": "string"}}}),),
    tool_choice="required",
    grammar=Grammar("gbnf", 'root ::= "x"'),
    thinking=True,
    deadline_s=12.5,
)
EVENTS: list[GenerationEvent] = [
    Waiting(3),
    Text("é"),
    Thought("hm"),
    Restarted(),
    Finished(
        "tool_calls", (ToolCall("x", "search", {"query": ["a", None, 1.5]}),), Usage(5, 3, 2), 4, Sampling(stop=("z",))
    ),
]


def sent(frame: frames.Frame) -> frames.Frame:
    """A frame after its way through the socket."""
    data = frames.encode(frame)
    assert len(data) - HEAD.size == HEAD.unpack(data[: HEAD.size])[0]
    return frames.decode(data[HEAD.size :])


def test_a_request_arrives_as_it_was() -> None:
    """All of it: messages, tools, sampling, grammar."""
    assert REQUEST == frames.unpack_request(sent({"request": frames.pack_request(REQUEST)})["request"])


@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_arrives(text: str) -> None:
    """Also lone surrogates, which chats send and UTF-8 cannot write."""
    request = GenerationRequest((ChatMessage("user", text),))

    assert request == frames.unpack_request(sent({"request": frames.pack_request(request)})["request"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_arrives_as_it_was(event: GenerationEvent) -> None:
    """Every kind of event."""
    value = sent({"event": frames.pack_event(event)})["event"]

    assert isinstance(value, list)
    assert event == frames.unpack_event(value)


@pytest.mark.parametrize("kind", [InvalidRequestError, SettingsError, BusyError, UnavailableError])
def test_an_error_arrives_as_its_kind(kind: type[BotError]) -> None:
    """With its sentence."""
    found = frames.unpack_event(frames.pack_event(kind("Do this.")))

    assert (kind, "Do this.") == (type(found), str(found))


@pytest.mark.parametrize("name", ["annotations", "Exception", "__doc__", "system"])
def test_no_name_from_the_other_side_makes_anything_but_an_error_of_ours(name: str) -> None:
    """A name that is no error of ours becomes "unavailable"."""
    assert UnavailableError is type(frames.unpack_event([name, "x"]))


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]", b"\xff", b"\x80\x04K\x01.", b"[" * 100_000],
    ids=["empty", "cut", "list", "bytes", "pickle", "deep"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """In one sentence; nothing of it is executed."""
    with pytest.raises(UnavailableError, match="cannot be read"):
        frames.decode(data)
