"""Follow-up questions: told from questions that stand alone, and made complete with one short call of the model."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from bot.agent.passages import unfenced
from bot.agent.prompts import load_prompt
from bot.agent.recording import write
from bot.errors import BotError
from bot.generation import ChatMessage, GenerationRequest, Sampling
from bot.messages import Turn
from bot.ports import MAX_QUESTION_CHARS, LanguageModel, ModelCall

logger = logging.getLogger(__name__)

MAX_TOKENS = 60
MAX_CHARS = 300  # a longer rewriting is no question any more
TURNS = 4  # what is read of the conversation
TURN_CHARS = 400  # and of each turn
FEW_WORDS = 2  # so few words of content need what was said before

_POINTING = re.compile(
    r"\b(it|its|itself|they|them|their|theirs|he|she|his|hers|him|this|these|those|ones?|there|then|same|such|"
    r"others?|another|else|instead|latter|former|above|previous|mentioned)\b",
    re.IGNORECASE,
)
_THAT = re.compile(r"\bthat\b(?!\s+(?:is|are|was|were|has|have|had|can|could|will|would|do|does|did)\b)", re.IGNORECASE)
_DUMMY = re.compile(
    r"\b(?:is|was|does|would|will|can|did)\s+it\s+(?:\w+\s+){0,3}?(?:to|that|possible|mean|take|cost)\b"
    r"|\b(?:is|are|was|were|will|would)\s+there\b|\bthere\s+(?:is|are|was|were)\b"
    r"|\bthe same (?:as|time)\b|\bthis (?:website|site|bot|tool|resource)\b|\bat the same\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"\b(?:gene|strain|trait|dataset|marker|mouse|mice|one|tool|page|file)s?\s+that\b", re.IGNORECASE
)
_BEGINNING = re.compile(
    r"(?:and|but|or|so|also|what about|how about|what of|why not|then|ok|okay|yes|no|which one|more|any|for example)\b",
    re.IGNORECASE,
)
_DEFINITION = re.compile(r"(?:(?:what|who)(?:['’]s| is| are)|define|explain|describe)\s+(?!the\b)", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:[/-][^\W_]+)*")
_NAME = re.compile(r"(?=.*[A-Z])(?=.*\d)|[A-Z]{2}|[a-z][A-Z]")
_NUMBER = re.compile(r"\d+")
_EMPTY = frozenset(
    """a an and any are as at be by can could did do does for from get give had has have how i if in is it its many may
    me mean means much my need of on or our please should show some tell than that the their them then there these they
    thing this to us use was we were what when where which who whom whose why will with would you your explain define
    describe about example examples more list know one ones""".split()
)


def stands_alone(question: str, history: Sequence[Turn]) -> bool:
    """True when a question can be understood without the turns before it.

    The rules, in order: without history it does; one that begins by going on ("and for rats?") does not; one that
    points back ("its", "those") does not, unless the word only fills a place ("is it possible to"); one with a name of
    its own (BXD, Brca2) and one that asks what something is do; one with two words of content or fewer does not.
    """
    if not history:
        return True
    text = " ".join(question.split())
    if _BEGINNING.match(text):
        return False
    pointing = _RELATIVE.sub(" ", _DUMMY.sub(" ", text))
    if _POINTING.search(pointing) or _THAT.search(pointing):
        return False
    content = _content(text)
    if any(_NAME.search(word) for word in _WORD.findall(text)):
        return True
    return len(content) > FEW_WORDS or bool(content and _DEFINITION.match(text))


async def rewrite_follow_up(
    model: LanguageModel, question: str, history: Sequence[Turn], *, user: str, deadline_s: float
) -> tuple[str, ModelCall | None]:
    """Return a follow-up as a question that stands alone, and the call that was made.

    Where the model fails or writes something else than such a question, the question comes back as it is.
    """
    turns = "\n".join(
        f"{'Person' if turn.role == 'user' else 'Locus'}: {_line(turn.content)[:TURN_CHARS]}"
        for turn in history[-TURNS:]
    )
    prompt = load_prompt("follow_up").format(history=turns, question=_line(question)[:MAX_QUESTION_CHARS])
    request = GenerationRequest(
        (ChatMessage("user", prompt),),
        Sampling(temperature=0.0, max_tokens=MAX_TOKENS),
        user=user,
        deadline_s=deadline_s,
    )
    try:
        call = await write(model, request, "rewrite")
    except BotError as error:
        logger.info("a follow-up was left as it is: %s", error)
        return question, None
    return accept(call.text, question, history), call


def accept(written: str, question: str, history: Sequence[Turn]) -> str:
    """Return what the model wrote if it is the question made complete, else the question.

    It must be one short line, share a word of content with the question or the conversation, and bring in no name and
    no number of its own.
    """
    lines = [line for line in written.strip().splitlines() if line.strip()]
    text = _line(lines[0]) if lines else ""
    text = re.sub(r"^(?:standalone |rewritten |complete )?question:\s*", "", text, flags=re.IGNORECASE).strip(" \"'`*")
    if not text or len(text) > MAX_CHARS or re.search(r"[<>@\[\]{}]|://", text):
        return question
    known = f"{question} " + " ".join(turn.content for turn in history)
    names = {word.lower() for word in _WORD.findall(text) if _NAME.search(word)} | set(_NUMBER.findall(text))
    if not _content(text) & _content(known) or any(name not in known.lower() for name in names):
        return question
    return text


def _line(text: str) -> str:
    return " ".join(unfenced(text).split())


def _content(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if word not in _EMPTY}
