"""The remote model over real HTTP, against servers that behave and servers that do not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from pydantic import SecretStr

from bot.circuit import CircuitBreaker, CircuitState
from bot.engine.fallback import FallbackModel
from bot.engine.remote import RemoteModel, RemotePatience
from bot.engine.remote_errors import RemoteBusyError
from bot.errors import BusyError, InvalidRequestError, SettingsError, UnavailableError
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
)
from tests.openai_server import (
    DONE,
    EVENT_STREAM,
    Kind,
    OpenAiServer,
    cut,
    delta,
    event,
    finish,
    refusal,
    saying,
    slowly,
    stream,
    usage,
)
from tests.servers import LocalServer, Reply

KEY = "sk-very-secret-0123456789"
HELLO = GenerationRequest((ChatMessage("user", "hello"),))
GBNF = Grammar("gbnf", 'root ::= "yes" | "no"')
SCHEMA = Grammar("json_schema", '{"type": "object"}')
WEATHER = ToolSpec("weather", "Tells the weather.", {"type": "object", "properties": {"place": {"type": "string"}}})
CLOCK = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})


class Pauses(list[float]):
    """Remembers the pauses a model would have made, and makes none."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@asynccontextmanager
async def remote(server: LocalServer, **options: Any) -> AsyncIterator[RemoteModel]:
    """A model that speaks to a server and is closed in the end; it makes no pauses."""
    given = {"sleep": Pauses(), "jitter": lambda: 1.0, **options}
    model = RemoteModel(server.url("/v1"), **given)
    try:
        yield model
    finally:
        await model.close()


async def events_of(model: Any, request: GenerationRequest = HELLO) -> list[GenerationEvent]:
    """All events of one generation."""
    return [one async for one in model.generate(request)]


def text_of(events: list[GenerationEvent]) -> str:
    """The text written."""
    return "".join(one.text for one in events if isinstance(one, Text))


def last_of(events: list[GenerationEvent]) -> Finished:
    """The last event."""
    last = events[-1]
    assert isinstance(last, Finished)
    return last


async def test_text_arrives_in_pieces_and_ends_with_what_it_cost() -> None:
    """The pieces of a stream become texts, and the last event carries usage and sampling."""
    with OpenAiServer("llama-server") as server:
        server.replies = [stream(delta(content="Hel"), delta(content="lo"), finish(), usage(12, 2, 8), DONE)]
        async with remote(server) as model:
            events = await events_of(model)

    assert [Text("Hel"), Text("lo")] == events[:-1]
    assert Usage(12, 8, 2) == last_of(events).usage
    assert "stop" == last_of(events).reason
    assert Sampling(0.2, 40, 0.95, 0.05, 1.0) == last_of(events).sampling


@pytest.mark.parametrize("kind", ["llama-server", "vllm", "ollama", "openai"])
async def test_every_server_is_told_apart_and_gets_only_fields_it_knows(kind: Kind) -> None:
    """Each program is recognised, answers, and its context is taken over where it tells one."""
    names = {"llama-server": "llama-server", "vllm": "vLLM", "ollama": "Ollama", "openai": "OpenAI-compatible"}
    contexts = {"llama-server": 8192, "vllm": 16384, "ollama": 2048, "openai": 2048}
    request = GenerationRequest(HELLO.messages, Sampling(top_k=0, stop=("\n\n",), seed=7), grammar=GBNF)
    with OpenAiServer(kind) as server:
        async with remote(server, context=2048) as model:
            events = await events_of(model, request)
            facts = model.facts

    assert "Hello world" == text_of(events)
    assert names[kind] == facts.details["server"]
    assert contexts[kind] == facts.context
    assert ("test-model", "") == (facts.name, facts.sha256)
    assert ["\n\n"] == server.chats[0]["stop"]
    assert 7 == server.chats[0]["seed"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("llama-server", {"grammar": GBNF.text}),
        ("vllm", {"structured_outputs": {"grammar": GBNF.text}}),
        ("ollama", {}),
        ("openai", {}),
    ],
)
async def test_a_grammar_goes_where_the_server_reads_one(kind: Kind, expected: dict[str, object]) -> None:
    """A GBNF grammar is sent under the server's own name for it, and not at all where there is none."""
    with OpenAiServer(kind) as server:
        async with remote(server) as model:
            await events_of(model, GenerationRequest(HELLO.messages, grammar=GBNF))

    names = ("grammar", "structured_outputs", "guided_grammar", "response_format")
    assert expected == {name: server.chats[0][name] for name in names if name in server.chats[0]}


async def test_an_early_vllm_gets_the_early_name_of_a_grammar() -> None:
    """Before 0.11 the field is `guided_grammar`."""
    with OpenAiServer("vllm") as server:
        server.route("/version", Reply(b'{"version": "0.9.2.post1"}'))
        async with remote(server) as model:
            await events_of(model, GenerationRequest(HELLO.messages, grammar=GBNF))

    assert GBNF.text == server.chats[0]["guided_grammar"]
    assert "structured_outputs" not in server.chats[0]


@pytest.mark.parametrize("kind", ["llama-server", "vllm", "ollama", "openai"])
async def test_a_json_schema_goes_to_every_server(kind: Kind) -> None:
    """All of them know `response_format`."""
    with OpenAiServer(kind) as server:
        async with remote(server) as model:
            await events_of(model, GenerationRequest(HELLO.messages, grammar=SCHEMA))

    assert {"type": "object"} == server.chats[0]["response_format"]["json_schema"]["schema"]


async def test_a_schema_that_is_no_json_is_refused() -> None:
    """The error is the request's, before anything is sent."""
    with OpenAiServer() as server:
        async with remote(server) as model:
            with pytest.raises(InvalidRequestError, match="schema"):
                await events_of(model, GenerationRequest(HELLO.messages, grammar=Grammar("json_schema", "{")))

    assert [] == server.chats


@pytest.mark.parametrize(("kind", "field"), [("llama-server", "repeat_penalty"), ("vllm", "repetition_penalty")])
async def test_filters_go_to_servers_that_have_them(kind: Kind, field: str) -> None:
    """Top-k, min-p and the repetition penalty are sent under the server's names."""
    sampling = Sampling(temperature=0.7, top_k=20, top_p=0.8, min_p=0.1, repetition_penalty=1.1, max_tokens=9)
    with OpenAiServer(kind) as server:
        async with remote(server) as model:
            events = await events_of(model, GenerationRequest(HELLO.messages, sampling))

    sent = server.chats[0]
    assert (0.7, 20, 0.8, 0.1, 1.1, 9) == tuple(
        sent[name] for name in ("temperature", "top_k", "top_p", "min_p", field, "max_tokens")
    )
    assert sampling == last_of(events).sampling


async def test_filters_a_server_does_not_have_are_reported_as_off() -> None:
    """The sampling that was used says what was not done."""
    with OpenAiServer("openai") as server:
        async with remote(server) as model:
            events = await events_of(model, GenerationRequest(HELLO.messages, Sampling(top_k=20, min_p=0.1)))

    assert (0, 0.0, 1.0) == (
        last_of(events).sampling.top_k,
        last_of(events).sampling.min_p,
        last_of(events).sampling.repetition_penalty,
    )


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("kind", ["llama-server", "vllm"])
async def test_thinking_is_switched_by_the_template(kind: Kind, thinking: bool) -> None:
    """The switch goes into the arguments of the chat template."""
    with OpenAiServer(kind) as server:
        async with remote(server) as model:
            await events_of(model, GenerationRequest(HELLO.messages, thinking=thinking))

    assert {"enable_thinking": thinking} == server.chats[0]["chat_template_kwargs"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_a_thought_and_no_text(field: str) -> None:
    """Both names of the field are understood."""
    with OpenAiServer("vllm") as server:
        server.replies = [stream(delta(**{field: "Hm."}), delta(content="Yes."), finish(), DONE)]
        async with remote(server) as model:
            events = await events_of(model)

    assert [Thought("Hm."), Text("Yes.")] == events[:-1]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_a_thinking_block_in_the_text_is_taken_out(size: int) -> None:
    """A server that leaves the block in the text gets it taken out, however the text is cut."""
    written = "\n<think>a < b, </thin no</think>\n\nYes <think> is a word."
    pieces = [written[start : start + size] for start in range(0, len(written), size)]
    with OpenAiServer("vllm") as server:
        server.replies = [saying(*pieces)]
        async with remote(server) as model:
            events = await events_of(model)

    assert "a < b, </thin no" == "".join(one.text for one in events if isinstance(one, Thought))
    assert "Yes <think> is a word." == text_of(events)


async def test_text_that_only_begins_like_a_thinking_block_is_kept() -> None:
    """What was held back comes out at the end."""
    with OpenAiServer() as server:
        server.replies = [saying("<thi")]
        async with remote(server) as model:
            events = await events_of(model)

    assert "<thi" == text_of(events)


async def test_tool_calls_are_put_together() -> None:
    """Names and arguments that come in pieces become calls, several side by side."""

    def piece(index: int, **function: str) -> dict[str, object]:
        return {"index": index, "function": function}

    with OpenAiServer("llama-server") as server:
        server.replies = [
            stream(
                delta(tool_calls=[{**piece(0, name="weather", arguments=""), "id": "a", "type": "function"}]),
                delta(tool_calls=[piece(0, arguments='{"place": "Mem')]),
                delta(tool_calls=[{**piece(1, name="clock", arguments="{}"), "id": "b"}]),
                delta(tool_calls=[piece(0, arguments='phis\\u001b"}')]),
                finish("tool_calls"),
                DONE,
            )
        ]
        async with remote(server) as model:
            events = await events_of(model, GenerationRequest(HELLO.messages, tools=(WEATHER, CLOCK)))

    assert "tool_calls" == last_of(events).reason
    assert (ToolCall("a", "weather", {"place": "Memphis "}), ToolCall("b", "clock", {})) == last_of(events).tool_calls
    assert "auto" == server.chats[0]["tool_choice"]
    assert ["weather", "clock"] == [tool["function"]["name"] for tool in server.chats[0]["tools"]]


async def test_calls_that_all_have_the_number_0_are_kept_apart() -> None:
    """Ollama's way: whole calls with the same index, and "stop" as the reason."""
    call = {"index": 0, "id": "call_1", "function": {"name": "clock", "arguments": "{}"}}
    with OpenAiServer("ollama") as server:
        server.replies = [
            stream(delta(tool_calls=[call]), delta(tool_calls=[{**call, "id": "call_2"}]), finish(), DONE)
        ]
        async with remote(server) as model:
            events = await events_of(model, GenerationRequest(HELLO.messages, tools=(CLOCK,)))

    assert ["call_1", "call_2"] == [call.call_id for call in last_of(events).tool_calls]
    assert "tool_calls" == last_of(events).reason


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("llama-server", "required"), ("vllm", {"type": "function", "function": {"name": "clock"}})],
)
async def test_one_named_tool_is_forced(kind: Kind, expected: object) -> None:
    """llama-server, which takes an object for "auto", gets that one tool and "required"; a grammar is left out."""
    request = GenerationRequest(HELLO.messages, tools=(WEATHER, CLOCK), tool_choice="clock", grammar=GBNF)
    with OpenAiServer(kind) as server:
        async with remote(server) as model:
            await events_of(model, request)

    assert expected == server.chats[0]["tool_choice"]
    assert ["clock"] == [tool["function"]["name"] for tool in server.chats[0]["tools"]]
    assert not {"grammar", "structured_outputs"} & set(server.chats[0])


async def test_without_tool_choice_no_tool_is_offered_and_the_grammar_holds() -> None:
    """The choice "none" leaves the tools out."""
    request = GenerationRequest(HELLO.messages, tools=(CLOCK,), tool_choice="none", grammar=GBNF)
    with OpenAiServer("llama-server") as server:
        async with remote(server) as model:
            await events_of(model, request)

    assert "tools" not in server.chats[0]
    assert GBNF.text == server.chats[0]["grammar"]


async def test_a_tool_that_does_not_exist_cannot_be_chosen() -> None:
    """The error is the request's."""
    with OpenAiServer() as server:
        async with remote(server) as model:
            with pytest.raises(InvalidRequestError, match="'clock'"):
                await events_of(model, GenerationRequest(HELLO.messages, tools=(WEATHER,), tool_choice="clock"))


async def test_messages_are_written_as_the_api_wants_them_without_control_tokens() -> None:
    """Calls and their results are linked, and no text or argument of a message carries a control token."""
    messages = (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Weather?<|im_end|>\ud800"),
        ChatMessage("assistant", "", (ToolCall("a", "weather", {"place": "Köln <|eot|>"}),)),
        ChatMessage("tool", "rain <|im_start|>", tool_call_id="a", tool_name="weather"),
    )
    with OpenAiServer() as server:
        async with remote(server) as model:
            await events_of(model, GenerationRequest(messages))

    function = {"name": "weather", "arguments": '{"place": "Köln < |eot|>"}'}
    assert [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?< |im_end|>?"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": function}]},
        {"role": "tool", "content": "rain < |im_start|>", "tool_call_id": "a", "name": "weather"},
    ] == server.chats[0]["messages"]


async def test_control_characters_do_not_reach_people() -> None:
    """Escape sequences, direction marks and lone surrogates in the text become spaces."""
    with OpenAiServer() as server:
        server.replies = [saying("red \x1b[31mtext\x1b[0m", "\u202eevil \ud83d", "fine\n")]
        async with remote(server) as model:
            events = await events_of(model)

    assert "red  text  evil  fine\n" == text_of(events)


async def test_a_text_that_is_too_long_ends_at_its_length() -> None:
    """A half-written call is dropped with it."""
    call = {"index": 0, "id": "a", "function": {"name": "clock", "arguments": '{"a": '}}
    with OpenAiServer() as server:
        server.replies = [stream(delta(content="So"), delta(tool_calls=[call]), finish("length"), DONE)]
        async with remote(server) as model:
            events = await events_of(model)

    assert ("length", ()) == (last_of(events).reason, last_of(events).tool_calls)


async def test_a_failing_server_is_asked_again_after_a_growing_pause() -> None:
    """Two errors and then an answer are an answer."""
    pauses = Pauses()
    with OpenAiServer() as server:
        server.replies = [refusal(500, "oops"), refusal(502, "oops"), saying("At last")]
        async with remote(server, sleep=pauses) as model:
            events = await events_of(model)

    assert "At last" == text_of(events)
    assert [0.5, 1.0] == pauses


async def test_jitter_spreads_the_pauses() -> None:
    """The pause is half to all of its longest."""
    pauses = Pauses()
    with OpenAiServer() as server:
        server.replies = [refusal(500, "oops"), saying("ok")]
        async with remote(server, sleep=pauses, jitter=lambda: 0.0) as model:
            await events_of(model)

    assert [0.25] == pauses


async def test_retry_after_is_waited_out() -> None:
    """The server says how long."""
    pauses = Pauses()
    with OpenAiServer() as server:
        server.replies = [refusal(429, "slow down", headers={"Retry-After": "7"}), saying("ok")]
        async with remote(server, sleep=pauses) as model:
            await events_of(model)

    assert [7.0] == pauses


@pytest.mark.parametrize(("status", "error"), [(429, BusyError), (503, UnavailableError)])
async def test_a_long_retry_after_is_reported(status: int, error: type[Exception]) -> None:
    """Nobody waits for an hour; the error says when."""
    with OpenAiServer() as server:
        server.replies = [refusal(status, "later", headers={"Retry-After": "3600"})]
        async with remote(server) as model:
            with pytest.raises(error) as caught:
                await events_of(model)

    assert isinstance(caught.value, RemoteBusyError | UnavailableError)
    assert 3600 == caught.value.retry_after_s
    assert 1 == len(server.chats)


async def test_after_the_last_attempt_the_error_is_raised() -> None:
    """Three attempts, then the sentence."""
    with OpenAiServer() as server:
        server.replies = [refusal(500, "CUDA error")]
        async with remote(server) as model:
            with pytest.raises(UnavailableError, match="CUDA error"):
                await events_of(model)

    assert 3 == len(server.chats)


async def test_nothing_is_asked_twice_once_text_has_come() -> None:
    """A stream that breaks off in the middle is an error, for its beginning is out."""
    with OpenAiServer() as server:
        server.replies = [cut(delta(content="The")), saying("never")]
        async with remote(server) as model:
            events = []
            with pytest.raises(UnavailableError, match="broke off"):
                async for one in model.generate(HELLO):
                    events.append(one)

    assert [Text("The")] == events
    assert 1 == len(server.chats)


@pytest.mark.parametrize(
    "reply",
    [
        cut(delta(role="assistant")),
        stream(delta(role="assistant")),
        stream(b"data: {broken\n\n"),
        stream(b"data: [1, 2]\n\n"),
        stream(b'data: {"choices": [{"delta": {"content": 5}}]}\n\n'),
        stream(b"data: \xff\xfe\n\n"),
        stream(b"data: " + b"[" * 100_000 + b"\n\n"),
        stream(event({"error": {"message": "engine died", "code": 500}})),
        stream(b'error: {"code": 500, "message": "slot gone"}\n\n'),
        stream(b"data: " + b"x" * (2 << 20) + b"\n\n"),
        stream(b"x" * (2 << 20)),
        Reply(b'{"choices": []}', headers={"Content-Type": "application/json"}),
        Reply(b"<html>", headers={"Content-Type": "text/html"}),
        stream(delta(tool_calls=[{"index": 0, "function": {"name": "clock", "arguments": "{"}}]), finish(), DONE),
        stream(delta(tool_calls=[{"index": 0, "function": {"name": "clock", "arguments": "[]"}}]), finish(), DONE),
        stream(*(delta(tool_calls=[{"index": n, "function": {"name": "clock"}}]) for n in range(65)), finish(), DONE),
    ],
)
async def test_an_answer_that_cannot_be_read_is_an_unavailable_model(reply: Reply) -> None:
    """Whatever a broken server sends becomes one sentence, after it was asked again."""
    with OpenAiServer() as server:
        server.replies = [reply]
        async with remote(server) as model:
            with pytest.raises(UnavailableError, match="The remote model at"):
                await events_of(model)

    assert 3 == len(server.chats)


async def test_a_stream_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of one answer are counted, comments too."""
    monkeypatch.setattr("bot.engine.remote_stream.MAX_BYTES", 10_000)
    with OpenAiServer() as server:
        server.replies = [stream(b": ping\n" * 2000, delta(content="x"), finish(), DONE)]
        async with remote(server) as model:
            with pytest.raises(UnavailableError, match="for one answer"):
                await events_of(model)


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (refusal(401, "Invalid API Key"), "LOCUS_REMOTE_KEY"),
        (refusal(403, "Forbidden"), "LOCUS_REMOTE_KEY"),
        (refusal(404, 'model "x" not found, try pulling it first'), "LOCUS_REMOTE_MODEL"),
        (refusal(404, "The model `x` does not exist."), "LOCUS_REMOTE_MODEL"),
        (refusal(404, "File Not Found"), "LOCUS_REMOTE_URL"),
        (Reply(b'{"detail": "Not Found"}', 404), "LOCUS_REMOTE_URL"),
    ],
)
async def test_a_wrong_setting_is_named_and_not_tried_again(reply: Reply, name: str) -> None:
    """Key, model and address each have their sentence."""
    with OpenAiServer() as server:
        server.replies = [reply]
        async with remote(server) as model:
            with pytest.raises(SettingsError, match=name):
                await events_of(model)

    assert 1 == len(server.chats)


async def test_a_request_the_server_does_not_take_is_the_requests_fault() -> None:
    """The server's reason is in the sentence."""
    with OpenAiServer("llama-server") as server:
        server.replies = [refusal(400, "failed to parse grammar")]
        async with remote(server) as model:
            with pytest.raises(InvalidRequestError, match="failed to parse grammar"):
                await events_of(model)

    assert 1 == len(server.chats)


async def test_the_oldest_turns_go_where_the_prompt_is_too_long() -> None:
    """System message and last turn stay, a tool's result never stands alone, and what was left out is counted."""
    call = ToolCall("a", "clock", {})
    messages = (
        ChatMessage("system", "s"),
        ChatMessage("user", "one"),
        ChatMessage("assistant", "", (call,)),
        ChatMessage("tool", "noon", tool_call_id="a", tool_name="clock"),
        ChatMessage("user", "two"),
        ChatMessage("assistant", "2"),
        ChatMessage("user", "three"),
    )
    with OpenAiServer("llama-server") as server:
        server.replies = [
            refusal(400, "request exceeds the available context size", type="exceed_context_size_error")
        ] * 2
        server.replies.append(saying("ok"))
        async with remote(server) as model:
            events = await events_of(model, GenerationRequest(messages))

    assert ["s", "three"] == [message["content"] for message in server.chats[-1]["messages"]]
    assert ["s", "two", "2", "three"] == [message["content"] for message in server.chats[1]["messages"]]
    assert 5 == last_of(events).dropped_turns


async def test_a_question_that_is_too_long_by_itself_is_refused() -> None:
    """Where nothing may go, the sentence says so."""
    with OpenAiServer("vllm") as server:
        server.replies = [refusal(400, "This model's maximum context length is 4096 tokens.")]
        async with remote(server) as model:
            with pytest.raises(InvalidRequestError, match="too long"):
                await events_of(model)


async def test_a_redirect_is_not_followed_and_the_key_stays_here() -> None:
    """Another host never hears of the key."""
    with LocalServer() as elsewhere, OpenAiServer(key=KEY) as server:
        for path in ("/v1/models", "/v1/chat/completions"):
            server.route(path, Reply(b"", 307, {"Location": elsewhere.url(path, host="localhost")}))
        async with remote(server, key=SecretStr(KEY)) as model:
            with pytest.raises(SettingsError, match="redirects"):
                await events_of(model)
        server.route("/v1/models", Reply(b'{"data": [{"id": "m"}]}'))
        async with remote(server, key=SecretStr(KEY)) as model:
            with pytest.raises(SettingsError, match="redirects"):
                await events_of(model)

    assert [] == elsewhere.requests


async def test_the_key_is_sent_and_appears_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    """Neither logs nor errors nor the object's text show it."""
    caplog.set_level(logging.DEBUG)
    with OpenAiServer(key=KEY) as server:
        async with remote(server, key=SecretStr(KEY)) as model:
            events = await events_of(model)
            server.replies = [refusal(500, "oops")]
            with pytest.raises(UnavailableError) as caught:
                await events_of(model)
            shown = f"{model!r} {vars(model)!r} {caught.value!r} {model.facts!r}"

    assert "Hello world" == text_of(events)
    assert KEY not in caplog.text + shown
    assert caplog.records


async def test_a_wrong_key_is_reported_by_the_first_question() -> None:
    """The server that wants another key is not asked for a chat."""
    with OpenAiServer(key="other") as server:
        async with remote(server, key=SecretStr(KEY)) as model:
            with pytest.raises(SettingsError, match="LOCUS_REMOTE_KEY"):
                await events_of(model)

    assert [] == server.chats


@pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    """The sentence names the setting only."""
    with pytest.raises(SettingsError) as caught:
        RemoteModel("http://127.0.0.1:1/v1", key=SecretStr(key))

    assert "LOCUS_REMOTE_KEY" in str(caught.value)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://host/v1", "http://:80/v1", "http://host:port/v1", "http://user:pass@host/v1"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    """Passwords in it are refused and not shown."""
    with pytest.raises(SettingsError, match="LOCUS_REMOTE_URL") as caught:
        RemoteModel(url)

    assert "pass@" not in str(caught.value)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes straight to the server."""
    with LocalServer() as proxy, OpenAiServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        async with remote(server) as model:
            events = await events_of(model)

    assert "Hello world" == text_of(events)
    assert [] == proxy.requests


@pytest.mark.parametrize(("models", "reason"), [((), "lists no model"), (("a", "b"), r"several models.*\(a, b\)")])
async def test_a_model_must_be_named_where_there_is_not_just_one(models: tuple[str, ...], reason: str) -> None:
    """The sentence names the setting."""
    with OpenAiServer("ollama", models=models) as server:
        async with remote(server) as model:
            with pytest.raises(SettingsError, match=reason) as caught:
                await events_of(model)

    assert "LOCUS_REMOTE_MODEL" in str(caught.value)


async def test_a_named_model_is_asked_for() -> None:
    """The name of the setting is sent."""
    with OpenAiServer("ollama", models=("a", "b")) as server:
        async with remote(server, model="b") as model:
            await events_of(model)

    assert "b" == server.chats[0]["model"]


async def test_the_server_is_inspected_once() -> None:
    """Two questions ask once what the server is."""
    with OpenAiServer("vllm") as server:
        async with remote(server) as model:
            await events_of(model)
            await events_of(model)

    assert ["/v1/models", "/version", *["/v1/chat/completions"] * 2] == server.paths


async def test_a_server_that_is_away_is_unavailable() -> None:
    """Nothing listens there."""
    with OpenAiServer() as server:
        pass
    async with remote(server) as model:
        with pytest.raises(UnavailableError, match="cannot be reached"):
            await events_of(model)


@pytest.mark.parametrize("parts", [(), (delta(role="assistant", content=""), b": ping\n\n")])
async def test_a_first_token_that_does_not_come_is_waited_for_once(parts: tuple[bytes, ...]) -> None:
    """Neither an empty piece nor a comment counts as one, and a slow server is not asked again."""
    with OpenAiServer() as server:
        server.replies = [slowly(server, *parts)]
        async with remote(server, patience=RemotePatience(first_token_s=0.2)) as model:
            with pytest.raises(UnavailableError, match="wrote nothing for too long"):
                await events_of(model, GenerationRequest(HELLO.messages, deadline_s=5))

    assert 1 == len(server.chats)


async def test_a_text_that_stops_coming_is_an_error() -> None:
    """The pause between two pieces is limited."""
    with OpenAiServer() as server:
        server.replies = [slowly(server, delta(content="The"))]
        async with remote(server, patience=RemotePatience(next_token_s=0.2)) as model:
            with pytest.raises(UnavailableError, match="wrote nothing for too long"):
                await events_of(model)


@pytest.mark.parametrize(("parts", "text"), [((delta(content="The"),), "The"), ((), "")])
async def test_at_the_deadline_the_text_ends_where_it_is(parts: tuple[bytes, ...], text: str) -> None:
    """What has come is kept."""
    with OpenAiServer() as server:
        server.replies = [slowly(server, *parts)]
        async with remote(server) as model:
            events = await events_of(model, GenerationRequest(HELLO.messages, deadline_s=0.3))

    assert text == text_of(events)
    assert "deadline" == last_of(events).reason
    assert last_of(events).sampling.temperature == 0.2


async def test_no_pause_reaches_beyond_the_deadline() -> None:
    """With no time for another attempt the error comes at once."""
    pauses = Pauses()
    with OpenAiServer() as server:
        server.replies = [refusal(503, "loading", headers={"Retry-After": "15"})]
        async with remote(server, sleep=pauses) as model:
            with pytest.raises(UnavailableError):
                await events_of(model, GenerationRequest(HELLO.messages, deadline_s=10))

    assert [] == pauses


async def test_closing_the_stream_hangs_up() -> None:
    """A cancelled answer frees the server, and the next question is answered."""
    hung_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    with OpenAiServer() as server:

        def endless(_: dict[str, Any]) -> Reply:
            def parts() -> Any:
                try:
                    while not server.stopping.wait(0.01):
                        yield delta(content="more ")
                finally:
                    loop.call_soon_threadsafe(hung_up.set)

            return Reply(parts(), headers=EVENT_STREAM)

        server.replies = [endless]
        async with remote(server) as model:
            async with aclosing(model.generate(HELLO)) as events:
                first = await anext(events)
            await asyncio.wait_for(hung_up.wait(), 10)
            server.replies = []
            again = await events_of(model)

    assert Text("more ") == first
    assert "Hello world" == text_of(again)


async def test_a_server_that_keeps_failing_is_left_alone_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """After five failures nothing is sent; after the pause one question goes through and closes the circuit."""
    now = [0.0]
    circuit = CircuitBreaker("The remote model", failures=5, pause_s=10, clock=lambda: now[0])
    with OpenAiServer() as server:
        server.replies = [refusal(500, "oops")]
        async with remote(server, circuit=circuit) as model:
            for _ in range(4):
                with pytest.raises(UnavailableError):
                    await events_of(model)
            asked = len(server.chats)
            opened = circuit.state
            now[0] = 11
            server.replies = []
            events = await events_of(model)

    assert (5, CircuitState.OPEN) == (asked, opened)
    assert "Hello world" == text_of(events)
    assert CircuitState.CLOSED is circuit.state
    assert ["left alone", "answers again"] == [
        next(word for word in ("left alone", "answers again") if word in record.message)
        for record in caplog.records
        if record.name == "bot.circuit"
    ]


async def test_whoever_leaves_at_the_last_event_has_had_an_answer() -> None:
    """The circuit closes although the generator was not read to its end."""
    now = [0.0]
    circuit = CircuitBreaker("The remote model", failures=1, pause_s=10, clock=lambda: now[0])
    with OpenAiServer() as server:
        server.replies = [refusal(500, "oops"), saying("ok")]
        async with remote(server, circuit=circuit) as model:
            with pytest.raises(UnavailableError):
                await events_of(model)
            now[0] = 11
            async with aclosing(model.generate(HELLO)) as events:
                async for one in events:
                    if isinstance(one, Finished):
                        break

    assert CircuitState.CLOSED is circuit.state


async def test_tokens_are_counted_by_llama_server_and_estimated_elsewhere() -> None:
    """The fake llama-server counts words; elsewhere 3.5 bytes are one token."""
    texts = ["one two three", "", "1234567", "12345678"]
    with OpenAiServer("llama-server") as counting, OpenAiServer("openai") as other:
        async with remote(counting) as first, remote(other) as second:
            counted = await first.count_tokens(texts)
            estimated = await second.count_tokens(texts)
    async with remote(other) as away:
        without = await away.count_tokens(texts)

    assert [3, 0, 1, 1] == counted
    assert [4, 0, 2, 3] == estimated
    assert estimated == without


async def test_nothing_blocks_the_event_loop() -> None:
    """Certificates are read in a thread, and everything else waits without blocking."""
    with OpenAiServer() as server, blockbuster_ctx(["bot"]):
        async with remote(server) as model:
            events = await events_of(model)

    assert "Hello world" == text_of(events)


async def test_a_closed_model_says_so() -> None:
    """Closing twice is fine; asking afterwards is not."""
    with OpenAiServer() as server:
        async with remote(server) as model:
            await events_of(model)
            await model.close()
            await model.close()
            with pytest.raises(UnavailableError, match="closed"):
                await events_of(model)


async def test_many_questions_at_once_are_answered() -> None:
    """Twenty generations over one client do not mix."""
    with OpenAiServer() as server:
        server.replies = [lambda body: saying(body["messages"][0]["content"])]
        async with remote(server) as model:
            requests = [GenerationRequest((ChatMessage("user", f"q{number}"),)) for number in range(20)]
            answers = await asyncio.gather(*(events_of(model, request) for request in requests))

    assert [f"q{number}" for number in range(20)] == [text_of(events) for events in answers]


async def test_the_second_model_answers_where_the_first_is_away() -> None:
    """No sign of the failure is seen but in the facts."""
    with OpenAiServer("llama-server") as first, OpenAiServer("vllm", models=["second"]) as second:
        first.replies = [refusal(503, "Loading model")]
        async with remote(first) as primary, remote(second) as secondary:
            model = FallbackModel(primary, secondary)
            events = await events_of(model)
            facts = model.facts
            counted = await model.count_tokens(["one two"])
            await model.close()

    assert "Hello world" == text_of(events)
    assert Restarted() not in events
    assert ("test-model", 8192, "second") == (facts.name, facts.context, facts.details["fallback"])
    assert [2] == counted


async def test_the_second_model_begins_anew_where_the_first_broke_off() -> None:
    """What the first had written is declared void."""
    with OpenAiServer() as first, OpenAiServer() as second:
        first.replies = [cut(delta(content="The"))]
        async with remote(first) as primary, remote(second) as secondary:
            events = await events_of(FallbackModel(primary, secondary))

    assert [Text("The"), Restarted(), Text("Hello"), Text(" world")] == events[:-1]


@pytest.mark.parametrize(
    ("reply", "error"), [(refusal(401, "no"), SettingsError), (refusal(400, "bad grammar"), InvalidRequestError)]
)
async def test_errors_that_another_model_would_not_mend_are_passed_on(reply: Reply, error: type[Exception]) -> None:
    """The second model is not asked."""
    with OpenAiServer() as first, OpenAiServer() as second:
        first.replies = [reply]
        async with remote(first) as primary, remote(second) as secondary:
            with pytest.raises(error):
                await events_of(FallbackModel(primary, secondary))

    assert [] == second.requests


async def test_where_both_are_away_the_second_error_is_raised() -> None:
    """Whoever asked then quotes."""
    with OpenAiServer() as first, OpenAiServer() as second:
        first.replies = [refusal(500, "first")]
        second.replies = [refusal(500, "second")]
        async with remote(first) as primary, remote(second) as secondary:
            with pytest.raises(UnavailableError, match="second"):
                await events_of(FallbackModel(primary, secondary))


async def test_the_second_model_gets_the_time_that_is_left() -> None:
    """A deadline holds for both together; with none left the first error is raised."""
    now = [0.0]

    def fail_late(_: dict[str, Any]) -> Reply:
        now[0] += 90
        return refusal(503, "busy", headers={"Retry-After": "100"})

    with OpenAiServer() as first, OpenAiServer() as second:
        first.replies = [fail_late]
        second.replies = [slowly(second)]
        async with remote(first) as primary, remote(second) as secondary:
            model = FallbackModel(primary, secondary, clock=lambda: now[0])
            begin = time.monotonic()
            events = await events_of(model, GenerationRequest(HELLO.messages, deadline_s=90.3))
            waited_s = time.monotonic() - begin
            with pytest.raises(UnavailableError, match="busy"):
                await events_of(model, GenerationRequest(HELLO.messages, deadline_s=80))

    assert "deadline" == last_of(events).reason
    assert waited_s < 30
    assert 1 == len(second.chats)
