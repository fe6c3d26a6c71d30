"""`locus answer show` and `locus answer replay`."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from bot.agent.cards import ANSWERS_FOLDER, AnswerCard, CardStore, card_json
from bot.agent.replay import Replay
from bot.bootstrap import open_application
from bot.cli.render import print_line, print_sources
from bot.generation import Sampling
from bot.plain_text import without_controls
from bot.settings import Settings

EXCERPT_CHARS = 160  # shown of a passage


def show_answer(settings: Settings, answer_id: str, *, as_json: bool) -> None:
    """Print a card; raises as `CardStore.load`."""
    card = CardStore(settings.data_dir / ANSWERS_FOLDER).load(answer_id)
    if as_json:
        sys.stdout.write(card_json(card) + "\n")
    else:
        print_card(Console(highlight=False), card)


async def replay_answer(settings: Settings, answer_id: str, *, anyway: bool) -> int:
    """Print the text produced again; return 0 where it is identical, else 1."""
    async with open_application(settings) as application:
        replay = await application.replay(answer_id, anyway=anyway)
    console = Console(highlight=False)
    console.print(Text(without_controls(replay.text)))
    console.print()
    console.print(Text(verdict(replay), style="green" if replay.identical else "red"))
    return 0 if replay.identical else 1


def verdict(replay: Replay) -> str:
    """Return one sentence on a replay."""
    same = "The text is identical." if replay.identical else "The text differs from the one that was given."
    if replay.same_model is False:
        return f"{same} Another model wrote it than the one on the card."
    return same


def print_card(console: Console, card: AnswerCard) -> None:
    """Print a card for reading."""
    answer = card.answer
    print_line(console, "Question", answer.question)
    if card.search_for != answer.question:
        print_line(console, "Searched", card.search_for)
    for turn in card.history:
        print_line(console, "Before", f"{turn.role}: {turn.content}")
    console.print()
    console.print(Text(without_controls(answer.text)))
    print_sources(console, answer)
    console.print()
    print_line(
        console, "Answer", f"{answer.answer_id}, {card.created_at}, {answer.mode}, scopes {' '.join(card.scopes)}"
    )
    if card.model is not None:
        print_line(console, "Model", f"{card.model.name}, sha256 {card.model.sha256 or 'not told'}, seed {card.seed}")
    print_line(console, "Settings", ", ".join(f"{name} {value}" for name, value in card.settings.items()))
    print_line(console, "Evidence", f"confidence {answer.confidence:.2f}")
    for one in card.passages:
        text = " ".join(one.passage.text.split())[:EXCERPT_CHARS]
        print_line(console, f"[{one.number}]", f"{one.passage.home.source} sha256 {one.sha256[:16]}: {text}")
    for call in card.calls:
        usage = call.finished.usage if call.finished is not None else None
        cost = f"{usage.prompt_tokens} tokens read, {usage.new_tokens} written" if usage is not None else "broken off"
        sampling = call.finished.sampling if call.finished is not None else call.request.sampling
        print_line(
            console, "Call", f"{call.purpose}: {len(call.request.messages)} messages, {cost}, {_sampling(sampling)}"
        )
    for use in card.tool_uses:
        print_line(console, "Tool", f"{use.name} {dict(use.arguments)}: {' '.join(use.result.split())[:EXCERPT_CHARS]}")
    print_line(console, "Times", ", ".join(f"{name} {value:.0f} ms" for name, value in answer.timings_ms.items()))


def _sampling(sampling: Sampling) -> str:
    return f"temperature {sampling.temperature}, top_k {sampling.top_k}, top_p {sampling.top_p}, seed {sampling.seed}"
