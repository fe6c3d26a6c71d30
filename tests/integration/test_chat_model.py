"""The chat model: LangChain's own standard tests, and what they do not ask."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any, Literal, cast

import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages import ChatMessage as RoleMessage
from langchain_core.tools import tool
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel
from typing_extensions import TypedDict

from bot.agent.chat_model import LocusChatModel
from bot.agent.messages import AnswerChunk
from bot.agent.model_loop import LoopThread
from bot.engine.options import EngineOptions
from bot.engine.supervisor import LocalModel, open_model
from bot.errors import BotError, BusyError, InvalidRequestError, UnavailableError
from bot.generation import (
    ChatMessage,
    GenerationEvent,
    GenerationRequest,
    Grammar,
    Restarted,
    Sampling,
    Text,
    Thought,
    ToolCall,
    ToolSpec,
    Waiting,
)
from bot.ports import LanguageModel
from tests.gguf_models import write_random_gguf
from tests.port_models import PortModel, finished, obliging, saying, talking

# What a model of random weights cannot do, however tightly its output is constrained. Every other standard test runs on
# such a model too.
NEEDS_INTELLIGENCE = {
    "test_tool_calling": "the argument must be the 3 of the question",
    "test_tool_calling_async": "the argument must be the 3 of the question",
    "test_bind_runnables_as_tools": "the style must be filled in with something",
    "test_agent_loop": "the model must decide by itself to call the tool",
    "test_unicode_tool_call_integration": "the name must be copied from the question",
    "test_tool_calling_with_no_arguments": "the model must call the tool once and then stop",
    "test_json_mode": "the names of the fields stand in the question only",
}

# LangChain marks these parts of its own tests and tools as beta.
beta = pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")


@pytest.fixture(scope="module")
def engine_loop() -> Iterator[LoopThread]:
    """The event loop the engine lives in."""
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def engine(engine_loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageModel]:
    """llama.cpp with random weights."""
    path = write_random_gguf(tmp_path_factory.mktemp("model") / "random.gguf")
    model = engine_loop.run(open_model(EngineOptions(path, context=4096, parallel=4)))
    yield model
    engine_loop.run(model.close())


@pytest.fixture(params=["scripted", "random"])
def language_model(request: pytest.FixtureRequest) -> LanguageModel:
    """The models the standard tests run on; on "random", one of random weights, those run that need no intelligence."""
    name = getattr(request.node, "originalname", "")
    if request.param == "random":
        if name in NEEDS_INTELLIGENCE:
            pytest.skip(f"needs intelligence: {NEEDS_INTELLIGENCE[name]}")
        engine: LanguageModel = request.getfixturevalue("engine")
        return engine
    return PortModel(obliging)


@beta
class TestStandardUnit(ChatModelUnitTests):
    """LangChain's standard unit tests."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return LocusChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": PortModel(obliging)}


@beta
class TestStandardIntegration(ChatModelIntegrationTests):
    """LangChain's standard integration tests."""

    _language_model: LanguageModel

    @pytest.fixture(autouse=True)
    def _take_model(self, language_model: LanguageModel, engine_loop: LoopThread) -> None:
        self._language_model = language_model
        self._loop = engine_loop.loop if isinstance(language_model, LocalModel) else None

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return LocusChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self._language_model, "loop": self._loop}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return False  # one file is loaded; another name is refused, see below

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Any]]:
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        """Ask the same twice in one conversation, so that the prompt is cached the second time."""
        chat = LocusChatModel(model=self._language_model, conversation="c1", loop=self._loop)
        chat.invoke("Hello")
        if not stream:
            return chat.invoke("Hello")
        return added(list(chat.stream("Hello")))


def added(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    full = chunks[0]
    for chunk in chunks[1:]:
        full = full + chunk
    return full


def model_of(*events: GenerationEvent | Exception | str, **options: Any) -> LocusChatModel:
    return LocusChatModel(model=PortModel(saying(*events)), **options)


def asked(chat: LocusChatModel) -> GenerationRequest:
    return cast("PortModel", chat.model).requests[-1]


async def until_open(model: PortModel, expected: int) -> None:
    for _ in range(2000):
        if expected == model.open:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"{model.open} generations are open, not {expected}")


@tool
def count_traits(group: str) -> int:
    """Count the traits of a group."""
    return len(group)


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


class JokeDict(TypedDict):
    """A joke."""

    setup: str
    punchline: str


async def test_every_setting_reaches_the_model() -> None:
    """The fields of the chat model become those of the request."""
    grammar = Grammar("gbnf", 'root ::= "x"')
    chat = model_of(
        "x",
        sampling=Sampling(top_k=5, stop=("\n",)),
        temperature=0.5,
        max_tokens=9,
        stop="END",
        user="u",
        conversation="c",
        grammar=grammar,
        thinking=True,
        timeout=4,
    )
    await chat.ainvoke("Hello")
    expected = GenerationRequest(
        messages=(ChatMessage("user", "Hello"),),
        sampling=Sampling(temperature=0.5, top_k=5, max_tokens=9, stop=("\n", "END")),
        user="u",
        conversation="c",
        grammar=grammar,
        thinking=True,
        deadline_s=4.0,
    )
    assert expected == asked(chat)


async def test_options_of_one_call_win() -> None:
    """What is bound or given to a call replaces the settings for this call; stop strings are added."""
    chat = model_of("x", sampling=Sampling(temperature=1.0, stop=("A",)), user="u", deadline_s=9)
    bound = chat.bind(user="other", conversation="c", grammar=Grammar("gbnf", "g"), thinking=True, deadline_s=2.0)
    await bound.ainvoke("Hello", stop=["B", ""], temperature=0, seed=7, max_tokens=3)
    expected = GenerationRequest(
        messages=(ChatMessage("user", "Hello"),),
        sampling=Sampling(temperature=0.0, seed=7, max_tokens=3, stop=("A", "B")),
        user="other",
        conversation="c",
        grammar=Grammar("gbnf", "g"),
        thinking=True,
        deadline_s=2.0,
    )
    assert expected == asked(chat)
    await chat.ainvoke("Hello")
    assert Sampling(temperature=1.0, stop=("A",)) == asked(chat).sampling


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"timeout": 0}, "timeout"),
        ({"temprature": 1}, "temprature"),
        ({"model": "other-model"}, "other-model"),
        ({"response_format": {"type": "xml"}}, "response_format"),
    ],
)
async def test_wrong_options_are_refused(options: dict[str, Any], named: str) -> None:
    """An option that is unknown, out of range or for another model ends the call with a sentence that names it."""
    with pytest.raises(InvalidRequestError, match=named):
        await model_of("x").ainvoke("Hello", **options)


def test_wrong_parameters_are_refused_at_once() -> None:
    """A constructor does not take a value out of range, nor a name it does not know."""
    with pytest.raises(InvalidRequestError, match="temperature"):
        model_of("x", temperature=-1)
    with pytest.raises(InvalidRequestError, match="sampling"):
        model_of("x", sampling={"temperature": 1})
    with pytest.raises(ValueError, match="temprature"):
        model_of("x", temprature=1)


async def test_messages_become_the_prompt() -> None:
    """All kinds of messages are translated; a failed tool says so, and finds its name in the call it answers."""
    call = {"name": "count_traits", "args": {"group": "BXD"}, "id": "c1", "type": "tool_call"}
    chat = model_of("x")
    await chat.ainvoke(
        [
            SystemMessage("Be short."),
            RoleMessage(role="user", content="Hello"),
            HumanMessage([{"type": "text", "text": "How "}, "many?"], name="someone"),
            AIMessage(
                [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "I look."}, call], tool_calls=[call]
            ),
            ToolMessage("no such group", tool_call_id="c1", status="error"),
            AIMessageChunk(content="", additional_kwargs={"reasoning_content": "hm"}),
            ToolMessage([{"type": "text", "text": "42"}], tool_call_id="c9", name="other"),
        ]
    )
    expected = (
        ChatMessage("system", "Be short."),
        ChatMessage("user", "Hello"),
        ChatMessage("user", "How many?"),
        ChatMessage("assistant", "I look.", (ToolCall("c1", "count_traits", {"group": "BXD"}),)),
        ChatMessage("tool", "Error: no such group", tool_call_id="c1", tool_name="count_traits"),
        ChatMessage("assistant", ""),
        ChatMessage("tool", "42", tool_call_id="c9", tool_name="other"),
    )
    assert expected == asked(chat).messages


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ([], "at least one message"),
        ([HumanMessage([{"type": "image", "url": "https://example.org/a.png"}])], "image"),
        ([HumanMessage([{"type": "reasoning", "reasoning": "hm"}])], "reasoning"),
        ([RemoveMessage(id="1")], "remove"),
        ([RoleMessage(role="narrator", content="x")], "chat"),
    ],
)
async def test_what_the_model_cannot_read_is_refused(messages: list[BaseMessage], named: str) -> None:
    """Pictures and messages of unknown kinds are not left out in silence."""
    with pytest.raises(InvalidRequestError, match=named):
        await model_of("x").ainvoke(messages)


async def test_an_answer_says_what_it_cost_and_how_it_ended() -> None:
    """Tokens, the model, the reason of the end, dropped turns and the sampling used come with the message."""
    message = await model_of("Hi").ainvoke("Hello")
    expected = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12, "input_token_details": {"cache_read": 3}}
    assert expected == message.usage_metadata
    facts = {name: message.response_metadata[name] for name in ("model_name", "finish_reason", "dropped_turns")}
    assert {"model_name": "scripted", "finish_reason": "stop", "dropped_turns": 2} == facts
    assert "locus" == message.response_metadata["model_provider"]
    assert 40 == message.response_metadata["sampling"]["top_k"]


async def test_tool_calls_arrive_whole_in_both_ways() -> None:
    """A streamed answer adds up to the calls that `ainvoke` returns, beyond ASCII too."""
    calls = (ToolCall("a", "count_traits", {"group": "Zürich"}), ToolCall("b", "count_traits", {"group": "BXD"}))
    chat = model_of("I look.", finished("tool_calls", *calls))
    bound = chat.bind_tools([count_traits])
    expected = [
        {"name": call.name, "args": dict(call.arguments), "id": call.call_id, "type": "tool_call"} for call in calls
    ]
    assert expected == (await bound.ainvoke("How many?")).tool_calls
    full = added([chunk async for chunk in cast("Any", bound).astream("How many?")])
    assert (expected, "I look.") == (full.tool_calls, full.text)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, "auto"),
        (False, "auto"),
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        ("count_traits", "count_traits"),
        ({"type": "function", "function": {"name": "count_traits"}}, "count_traits"),
        ({"type": "any"}, "required"),
    ],
)
async def test_all_spellings_of_tool_choice(choice: Any, expected: str) -> None:
    """Whatever LangChain calls it, the port sees its own word."""
    chat = model_of("x")
    await chat.bind_tools([count_traits], tool_choice=choice).ainvoke("Hello")
    assert expected == asked(chat).tool_choice


async def test_tools_of_all_kinds_are_described() -> None:
    """Tools, functions, classes and dicts become the port's tools; what is said twice is told once."""

    def add(first: int, second: int) -> int:
        """Add two numbers."""
        return first + second

    given: list[Any] = [count_traits, add, Joke, Joke, Joke.model_json_schema() | {"description": "A joke."}]
    chat = model_of("x")
    await chat.bind_tools(given).ainvoke("Hello")
    tools = asked(chat).tools
    assert ["count_traits", "add", "Joke"] == [described.name for described in tools]
    expected: dict[str, Any] = {"properties": {"group": {"type": "string"}}, "required": ["group"], "type": "object"}
    assert ToolSpec("count_traits", "Count the traits of a group.", expected) == tools[0]


@pytest.mark.parametrize(
    ("tools", "choice", "named"),
    [
        ([count_traits], "other", "other"),
        ([], "any", "no tool was given"),
        ([{"type": "web_search"}], None, "web_search"),
        ([{"title": "a b", "type": "object", "properties": {}}], None, "a b"),
        ([{"title": "t", "properties": {"a": {}}}, {"title": "t", "properties": {"b": {}}}], None, "Two different"),
        ([object()], None, "cannot be described"),
    ],
)
async def test_wrong_tools_are_refused(tools: list[Any], choice: Any, named: str) -> None:
    """A tool that cannot be called, or chosen, is named."""
    with pytest.raises(InvalidRequestError, match=named):
        await model_of("x").bind_tools(tools, tool_choice=choice).ainvoke("Hello")


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("schema", [Joke, JokeDict, Joke.model_json_schema()])
async def test_structured_output(schema: Any, method: Any) -> None:
    """Each method gives an object of the class, or a dict."""
    chat = LocusChatModel(model=PortModel(obliging))
    found = await chat.with_structured_output(schema, method=method).ainvoke("Fill in 'setup' and 'punchline'.")
    expected: object = {"setup": "setup", "punchline": "setup"}
    assert (Joke(setup="setup", punchline="setup") if schema is Joke else expected) == found


async def test_the_form_is_enforced_by_a_grammar() -> None:
    """The schema reaches the model as the grammar of its text."""
    chat = model_of('{"setup": "a", "punchline": "b"}')
    await chat.with_structured_output(Joke).ainvoke("Tell me a joke.")
    grammar = asked(chat).grammar
    assert grammar is not None
    assert ("json_schema", True) == (grammar.kind, '"required": ["setup", "punchline"]' in grammar.text)


@pytest.mark.parametrize("schema", [Joke, JokeDict])
@pytest.mark.parametrize("reason", ["length", "deadline"])
async def test_a_form_that_was_cut_off_is_an_error(schema: Any, reason: str) -> None:
    """Half a string is not taken for a whole one; with `include_raw` the message and the error come back."""
    chat = model_of('{"setup": "a", "punchline": "half of i', finished(reason))
    with pytest.raises(OutputParserException, match="cut off"):
        await chat.with_structured_output(schema).ainvoke("Tell me a joke.")
    found = cast("dict[str, Any]", await chat.with_structured_output(schema, include_raw=True).ainvoke("Tell me one."))
    assert (None, True) == (found["parsed"], isinstance(found["parsing_error"], OutputParserException))
    assert '{"setup": "a", "punchline": "half of i' == found["raw"].text


async def test_raw_and_parsed_together() -> None:
    """With `include_raw` nothing is lost."""
    chat = model_of('{"setup": "a", "punchline": "b"}')
    found = cast("dict[str, Any]", await chat.with_structured_output(Joke, include_raw=True).ainvoke("A joke."))
    assert (Joke(setup="a", punchline="b"), None) == (found["parsed"], found["parsing_error"])
    assert 12 == found["raw"].usage_metadata["total_tokens"]


def test_an_unknown_method_is_refused() -> None:
    """Only the methods that exist are taken."""
    with pytest.raises(InvalidRequestError, match="xml"):
        model_of("x").with_structured_output(Joke, method=cast("Any", "xml"))


async def test_news_and_thoughts_come_without_text() -> None:
    """Waiting, thoughts and the piece of text arrive in this order, and only the text is text."""
    chat = model_of(Waiting(2), Waiting(1), Thought("let me "), Thought("see"), "Hi")
    chunks = [chunk async for chunk in chat.astream("Hello")]
    assert ["", "", "", "", "Hi", ""] == [chunk.text for chunk in chunks]
    assert [{"ahead": 2}, {"ahead": 1}] == [chunk.additional_kwargs for chunk in chunks[:2]]
    message = await chat.ainvoke("Hello")
    assert ("Hi", {"reasoning_content": "let me see"}) == (message.content, message.additional_kwargs)
    assert ["reasoning", "text"] == [block["type"] for block in message.content_blocks]


RESTARTING = ("Void ", Thought("void"), Restarted(), "Good ", "answer")


async def test_text_before_a_restart_is_void() -> None:
    """`ainvoke`, `invoke` and the sum of a stream hold only what was written after the model began anew."""
    chat = model_of(*RESTARTING)
    chunks = [chunk async for chunk in chat.astream("Hello")]
    assert [True] == [
        chunk.additional_kwargs["restarted"] for chunk in chunks if chunk.additional_kwargs.get("restarted")
    ]
    answered = await chat.ainvoke("Hello")
    in_thread = await asyncio.to_thread(chat.invoke, "Hello")
    for message in (added(chunks), chunks[0] + chunks[1:], answered, in_thread):
        assert ("Good answer", {"restarted": True}) == (message.text, message.additional_kwargs)


@beta
async def test_protocol_events_say_that_the_model_began_anew() -> None:
    """Events cannot take text back; the message they make says so."""
    stream = await model_of(*RESTARTING).astream_events("Hello", version="v3")
    message = await stream.output
    assert (True, "Good answer") == (message.additional_kwargs["restarted"], message.text[-11:])


def test_plain_chunks_keep_their_sum() -> None:
    """Adding to a chunk of another kind does not lose what follows an earlier restart."""
    begun = AIMessageChunk(content="void") + AnswerChunk(content="", additional_kwargs={"restarted": True})
    full = begun + AnswerChunk(content="Good ") + AIMessageChunk(content="answer")
    assert ("Good answer", AIMessageChunk) == (full.text, type(full))
    assert "again" == (full + AnswerChunk(content="again", additional_kwargs={"restarted": True})).text


async def test_an_agent_keeps_no_void_text() -> None:
    """The message in an agent's state is the answer after the restart, also while its pieces are streamed."""
    agent = create_agent(model_of(*RESTARTING), tools=[])
    question: Any = {"messages": [HumanMessage("Hello")]}
    pieces: list[str] = []
    state: dict[str, Any] = {}
    async for kind, part in cast("Any", agent).astream(question, stream_mode=["messages", "values"]):
        if kind == "messages":
            pieces.append(part[0].text)
        else:
            state = part
    assert ["Void ", "", "", "Good ", "answer", ""] == pieces
    final = state["messages"][-1]
    assert ("Good answer", AIMessage) == (final.text, type(final))


async def test_an_agent_calls_tools() -> None:
    """`create_agent` runs the tool the model called and hands its result back."""

    def reply(request: GenerationRequest) -> Iterator[GenerationEvent]:
        last = request.messages[-1]
        if last.role == "tool":
            yield Text(f"There are {last.content}.")
            yield finished()
        else:
            yield finished("tool_calls", ToolCall("a", "count_traits", {"group": "BXD"}))

    agent = create_agent(LocusChatModel(model=PortModel(reply)), tools=[count_traits])
    question: Any = {"messages": [HumanMessage("How many?")]}
    state = await cast("Any", agent).ainvoke(question)
    assert "There are 3." == state["messages"][-1].text


async def test_closing_a_stream_frees_the_generation() -> None:
    """A reader who goes away after the first piece leaves nothing running."""
    model = PortModel(talking, pause_s=0.001)
    stream = cast("AsyncGenerator[AIMessageChunk]", LocusChatModel(model=model).astream("Hello"))
    async with aclosing(stream) as chunks:
        async for _ in chunks:
            break
        assert 1 == model.open
    await until_open(model, 0)


async def test_cancelling_a_call_frees_the_generation() -> None:
    """A cancelled task takes its generation along."""
    model = PortModel(talking, pause_s=0.01)
    task = asyncio.create_task(LocusChatModel(model=model).ainvoke("Hello"))
    await until_open(model, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 == model.open


def test_closing_a_synchronous_stream_frees_the_generation() -> None:
    """The same from a thread; the generation is closed when the stream is."""
    model = PortModel(talking, pause_s=0.001)
    with closing(cast("Any", LocusChatModel(model=model).stream("Hello"))) as chunks:
        assert "word " == next(chunks).text
    assert 0 == model.open


@pytest.mark.parametrize("error", [BusyError("Too many wait."), UnavailableError("The model is down.")])
async def test_errors_pass_unchanged(error: BotError) -> None:
    """What the model raises is what the caller sees, in all ways to ask, and nothing stays open."""
    chat = model_of("Hi", error)
    with pytest.raises(type(error), match=str(error)):
        await chat.ainvoke("Hello")
    with pytest.raises(type(error), match=str(error)):
        await asyncio.to_thread(chat.invoke, "Hello")
    with pytest.raises(type(error), match=str(error)):
        _ = [chunk async for chunk in chat.astream("Hello")]
    assert 0 == cast("PortModel", chat.model).open


def test_a_stream_without_an_end_is_an_error() -> None:
    """A model that stops in the middle did not answer."""
    chat = LocusChatModel(model=PortModel(lambda _: [Text("Hi")]))
    with pytest.raises(UnavailableError, match="before its answer was complete"):
        chat.invoke("Hello")


async def test_threads_reach_the_loop_that_owns_the_model() -> None:
    """Synchronous calls from other threads run on the loop of the first asynchronous one."""
    chat = model_of("Hi there")
    await chat.ainvoke("Hello")
    assert "Hi there" == (await asyncio.to_thread(chat.invoke, "Hello")).text
    assert 2 == await asyncio.to_thread(chat.get_num_tokens, "two words")
    assert {asyncio.get_running_loop()} == set(cast("PortModel", chat.model).loops)


def test_without_a_loop_one_thread_serves_all() -> None:
    """Parallel synchronous calls share one loop, and asynchronous ones from elsewhere go there too."""
    chat = model_of("Hi")
    assert ["Hi"] * 8 == [message.text for message in chat.batch(["Hello"] * 8)]

    async def elsewhere() -> list[str]:
        return [(await chat.ainvoke("Hello")).text, added([chunk async for chunk in chat.astream("Hello")]).text]

    assert ["Hi", "Hi"] == asyncio.run(elsewhere())
    loops = set(cast("PortModel", chat.model).loops)
    assert (1, True) == (len(loops), loops.pop().is_running())


def test_a_stream_from_another_loop_is_closed_there() -> None:
    """Closing, on one loop, a stream of a model on another frees the generation."""
    model = PortModel(talking, pause_s=0.001)
    thread = LoopThread()
    chat = LocusChatModel(model=model, loop=thread.loop)

    async def elsewhere() -> None:
        async with aclosing(cast("AsyncGenerator[AIMessageChunk]", chat.astream("Hello"))) as chunks:
            async for _ in chunks:
                break
        await until_open(model, 0)

    asyncio.run(elsewhere())
    assert [thread.loop] == model.loops
    thread.close()


async def test_a_call_that_would_block_its_own_loop_is_refused() -> None:
    """`invoke` on the loop the model needs would wait for ever, and says so instead."""
    chat = model_of("Hi")
    with pytest.raises(InvalidRequestError, match="ainvoke"):
        chat.invoke("Hello")
    await chat.ainvoke("Hello")
    with pytest.raises(InvalidRequestError, match="ainvoke"):
        list(chat.stream("Hello"))


def test_one_chat_model_serves_several_runs() -> None:
    """A loop that was closed is forgotten."""
    chat = model_of("Hi")
    assert ["Hi", "Hi"] == [asyncio.run(chat.ainvoke("Hello")).text for _ in range(2)]
    assert "Hi" == chat.invoke("Hello").text


def test_a_loop_that_ends_under_a_call_ends_the_call() -> None:
    """A reader in a thread is told that the model was shut down, and does not wait for ever."""
    model = PortModel(talking, pause_s=0.01)
    thread = LoopThread()
    chat = LocusChatModel(model=model, loop=thread.loop)
    stream = chat.stream("Hello")
    next(iter(stream))
    thread.close()
    with pytest.raises(UnavailableError, match="shut down"):
        list(stream)
    with pytest.raises(UnavailableError, match="not running"):
        chat.invoke("Hello")


def test_a_loop_thread_ends_with_the_chat_model() -> None:
    """Nothing is left behind by a chat model that is no longer used."""
    before = set(threading.enumerate())
    chat = model_of("Hi")
    chat.invoke("Hello")
    (begun,) = set(threading.enumerate()) - before
    assert begun.is_alive()
    del chat
    gc.collect()
    begun.join(10)
    assert not begun.is_alive()


def test_cached_answers_depend_on_how_they_were_made() -> None:
    """LangChain's cache tells apart samplings, grammars and thinking, and not people."""
    chat = model_of("x")
    others = [
        chat.model_copy(update={"sampling": replace(chat.sampling, seed=1)}),
        chat.model_copy(update={"grammar": Grammar("gbnf", "g")}),
        chat.model_copy(update={"thinking": True}),
    ]
    keys = [model._get_llm_string() for model in (chat, *others)]
    assert 4 == len(set(keys))
    assert keys[0] == chat.model_copy(update={"user": "someone"})._get_llm_string()


def test_a_chat_model_says_how_large_a_prompt_may_be() -> None:
    """LangChain's middleware reads the context from the profile."""
    profile = model_of("x").profile
    assert profile is not None
    assert (4096, True) == (profile["max_input_tokens"], profile["tool_calling"])
