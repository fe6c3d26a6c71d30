"""Which grammar a request gets; that llama.cpp obeys it is shown in tests/integration/test_loaded_model.py."""

from __future__ import annotations

import re

import pytest

from bot.engine.grammars import either, token_grammar
from bot.engine.output_parser import THINKING_MARKS
from bot.engine.sampler import TokenGrammar
from bot.engine.tool_formats import HERMES
from bot.errors import InvalidRequestError
from bot.generation import ChatMessage, GenerationRequest, Grammar, ToolSpec

TOOL = ToolSpec("search", "Finds.", {"type": "object", "properties": {"top_k": {"type": "integer"}}})
OWN = Grammar("gbnf", 'root ::= "[" digit "]"\ndigit ::= [1-2]')


def request(
    *, grammar: Grammar | None = None, tools: tuple[ToolSpec, ...] = (), tool_choice: str = "auto"
) -> GenerationRequest:
    """A request of one message."""
    return GenerationRequest((ChatMessage("user", "q"),), grammar=grammar, tools=tools, tool_choice=tool_choice)


def gbnf(asked: GenerationRequest, *, thinks: bool = False) -> TokenGrammar:
    """The grammar of a request that has one."""
    found = token_grammar(asked, HERMES, thinks=thinks)
    assert found is not None
    return found


def test_without_tools_and_grammar_the_text_is_free() -> None:
    """Also with tools that may not be called."""
    assert token_grammar(request(), HERMES, thinks=False) is None
    assert token_grammar(request(tools=(TOOL,), tool_choice="none"), HERMES, thinks=True) is None


def test_a_grammar_of_its_own_holds_from_the_first_token() -> None:
    """As it was given."""
    assert TokenGrammar(OWN.text) == gbnf(request(grammar=OWN))


def test_tools_that_may_be_called_leave_the_text_free_until_a_call_begins() -> None:
    """A lazy grammar, triggered by the opening mark."""
    found = gbnf(request(tools=(TOOL,)))

    assert found.gbnf == HERMES.grammar([TOOL])
    assert [re.search(found.patterns[0], text) is not None for text in ("I call", "I <tool_call>")] == [False, True]


@pytest.mark.parametrize("choice", ["required", "search"])
def test_a_call_that_must_be_made_holds_from_the_first_token(choice: str) -> None:
    """No trigger."""
    assert TokenGrammar(HERMES.grammar([TOOL], choice=choice)) == gbnf(request(tools=(TOOL,), tool_choice=choice))


@pytest.mark.parametrize("closing", [closing for _, closing in THINKING_MARKS if closing != "<|end|>"])
def test_after_thoughts_the_grammar_begins_with_the_closing_mark(closing: str) -> None:
    """llama.cpp feeds the matched text to the grammar, so the grammar must begin with just that."""
    found = gbnf(request(grammar=OWN), thinks=True)
    match = re.search(found.patterns[0], f"well{closing}\n\n")

    assert match is not None
    assert f"{closing}\n\n" == match[1]
    assert f'"{closing}"' in found.gbnf.partition("\n")[0]


def test_text_in_the_same_token_as_the_closing_mark_does_not_trigger() -> None:
    """The grammar might refuse it, and llama.cpp would end the process."""
    (pattern,) = gbnf(request(grammar=OWN), thinks=True).patterns

    assert re.search(pattern, "well</think>.") is None


def test_two_grammars_keep_their_own_rules() -> None:
    """Names are told apart; literals, character classes and comments stay as they are."""
    joined = either('root ::= "root" x # x\nx ::= [a-z"]', "root ::= x\nx ::= [0-9]{1,3}")

    assert (
        'root ::= a-root | b-root\na-root ::= "root" a-x # x\na-x ::= [a-z"]\nb-root ::= b-x\nb-x ::= [0-9]{1,3}\n'
        == joined
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "cannot be read"), ("[]", "is no JSON object"), ('{"type": "matrix"}', "has the type 'matrix'")],
)
def test_a_schema_that_cannot_be_followed_is_refused(text: str, sentence: str) -> None:
    """In one sentence, before the model is asked."""
    with pytest.raises(InvalidRequestError, match=sentence):
        token_grammar(request(grammar=Grammar("json_schema", text)), HERMES, thinks=False)


def test_a_tool_that_does_not_exist_cannot_be_chosen() -> None:
    """The sentence names those that do."""
    with pytest.raises(InvalidRequestError, match="There is no tool 'find' to choose: use one of search."):
        token_grammar(request(tools=(TOOL,), tool_choice="find"), HERMES, thinks=False)
