"""Producing the text of a kept answer again, from its card alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.agent.cards import AnswerCard
from bot.agent.citations import check_statements
from bot.agent.quoting import quote_answer
from bot.agent.recording import write
from bot.errors import RefusedError, SettingsError
from bot.evidence import Evidence
from bot.generation import Finished, ModelFacts
from bot.ports import LanguageModel, ModelCall
from bot.texts import other_model, replay_needs_model, unsupported


@dataclass(frozen=True, slots=True)
class Replay:
    """A text produced again.

    Attributes:
        text: The text.
        identical: Whether it is that of the card, letter for letter, and each call of the model wrote what it wrote.
        same_model: Whether the model's file is the card's, by its hash; None where a model elsewhere tells no hash.
    """

    text: str
    identical: bool
    same_model: bool | None


async def replay_card(card: AnswerCard, model: LanguageModel | None, *, anyway: bool = False) -> Replay:
    """Produce a card's text again: quotes from the stored passages, a written text from the stored requests.

    Args:
        card: What the answer was made from.
        model: The model set now.
        anyway: Whether another model than the card's may be asked.

    Raises:
        RefusedError: If the model is another one.
        SettingsError: If there is none, and one wrote.
    """
    written = [call for call in card.calls if call.purpose == "answer"]
    if card.model is None or not written:
        return _replay_quotes(card)
    if model is None:
        raise SettingsError(replay_needs_model(_named(card.model)))
    same = model.facts.sha256 == card.model.sha256 if card.model.sha256 and model.facts.sha256 else None
    if (same is False or (same is None and model.facts.name != card.model.name)) and not anyway:
        raise RefusedError(other_model(_named(card.model), _named(model.facts)))
    again = [await _again(call, model) for call in written]
    passages = [numbered.passage for numbered in card.passages]
    checked = check_statements(
        complete_sentences(again[-1]),
        passages,
        unsupported="mark" if card.settings.get("unsupported") == "mark" else "drop",
    )
    text = checked.text if checked.supported else unsupported()
    same_calls = all(_wrote(old) == _wrote(new) for old, new in zip(written, again, strict=True))
    return Replay(text, same_calls and text == card.answer.text, same)


def complete_sentences(call: ModelCall) -> str:
    """Return what a call wrote, without the last sentence where it was cut off."""
    text = call.text.rstrip()
    cut_off = call.finished is None or call.finished.reason in {"length", "deadline"}
    if not cut_off or text.endswith((".", "!", "?")):
        return text
    return text[: max(text.rfind(f"{mark} ") + 1 for mark in ".!?")]


def _replay_quotes(card: AnswerCard) -> Replay:
    if not card.answer.answered:
        # A refusal is decided by the confidence alone, which stands on the card.
        return Replay(card.answer.text, True, None)
    passages = tuple(numbered.passage for numbered in card.passages)
    evidence = Evidence(card.search_for, passages, card.answer.confidence)
    text = quote_answer(card.answer.question, evidence, threshold=0.0).text
    return Replay(text, text == card.answer.text, None)


async def _again(call: ModelCall, model: LanguageModel) -> ModelCall:
    """The same call: with the sampling that was used then, and without touching any conversation's cache."""
    sampling = call.finished.sampling if call.finished is not None else call.request.sampling
    return await write(model, replace(call.request, sampling=sampling, conversation=""), "answer")


def _wrote(call: ModelCall) -> tuple[str, list[tuple[str, object]]]:
    finished: Finished | None = call.finished
    calls = finished.tool_calls if finished is not None else ()
    return call.text, [(one.name, dict(one.arguments)) for one in calls]


def _named(facts: ModelFacts) -> str:
    return f"{facts.name} ({facts.sha256[:12]})" if facts.sha256 else facts.name
