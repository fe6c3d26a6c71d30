"""What page or section would answer a group of questions: a plain rule, no model.

The title is the question that is nearest to the others, turned into a heading. Where the documents came near at all, it
belongs into the closest that shares a word with the questions, in its title or in the heading above a passage that was
found; else it is a new page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.gaps import Gap
from bot.plain_text import one_line, shortened

MAX_TITLE = 80  # characters
QUESTIONS = 12  # of a skeleton
NEAR = 0.1  # closeness; below it the documents are about something else
_MIN_WORD = 3

_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_OF_WHAT = re.compile(
    r"(?:(?:at|by|for|from|in|of|on|to|with)\s+)?(?:what|which)\s+(?P<what>[\w-]+)\s+(?:is|are|was|were|does|do|did|has|have)\s+(?P<of>.+)",
    re.IGNORECASE,
)
_BEGINNING = re.compile(
    r"(?:(?:what|where|when|why|who|which|how)(?:\s+(?:much|many|long|often))?\s+"
    r"(?:(?:is|are|was|were|does|do|did|can|could|should|would|must|will|has|have)\s+)?"
    r"|(?:is|are|was|were)\s+there\s+|(?:is|are|was|were|does|do|did|can|could|should|would|has|have)\s+)"
    r"(?:(?:i|we|you|one|it)\s+)?(?:find\s+|get\s+)?(?:(?:the|an?|any|some)\s+)?",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:(?:used|done|made|taken)\s+(?:as|at|by|for|in|on|to|with)\s+)?(?:(?:the|an?)\s+)?", re.IGNORECASE
)
_COMMON = frozenset(
    """
    about after all also and any are because been before between both but can could did does down each for from had
    has have here how into its just know like made make many may more most much must not now off once only other our
    out over own same should show some such tell than that the their them then there these they this those through too
    under until used using very want was were what when where which while who why will with would you your
    """.split()
)


@dataclass(frozen=True, slots=True)
class Nearby:
    """A place in the documents that comes near; `heading` is its heading path, or ""."""

    title: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What could be written.

    Attributes:
        title: Of the page or section.
        document: Title of the document that it belongs into as a section; "" for a new page.
        heading: The section there behind which it would stand, or "".
        closeness: How near the documents came when it was asked, 0 to 1 as in `bot.evidence.Evidence`; None where that
            is not known.
        skeleton: Markdown to be filled in, with the questions to answer.
    """

    title: str
    document: str
    heading: str
    closeness: float | None
    skeleton: str


def suggest(gap: Gap, nearby: Sequence[Nearby] = ()) -> Suggestion:
    """Return what could be written for a gap.

    Args:
        gap: The questions.
        nearby: Places that come near, the best first; without any the closest documents of the gap.
    """
    places = [*nearby, *(Nearby(document.title) for document in gap.closest)]
    wanted = _terms(one.question for one in gap.questions)
    closeness = max((one.confidence for one in gap.questions if one.confidence is not None), default=None)
    near = closeness is None or closeness >= NEAR
    place = next((one for one in places if near and wanted & _terms([one.title, one.heading])), None)
    title = title_of(gap.question)
    heading = one_line(place.heading).rsplit(" > ", 1)[-1] if place is not None else ""
    document = one_line(place.title) if place is not None else ""
    return Suggestion(title, document, heading, closeness, _skeleton(gap, title, section=place is not None))


def title_of(question: str) -> str:
    """Return a question as a heading: "How do I cite the database?" is "Cite the database"."""
    asked = one_line(question).rstrip("?!. ")
    match = _OF_WHAT.fullmatch(asked)
    if match is not None and match["what"].lower() not in _COMMON:
        heading = f"{_FILLER.sub('', match['of'], count=1)}: {match['what']}"
    else:
        heading = _BEGINNING.sub("", asked, count=1) if _BEGINNING.match(asked) else asked
    heading = shortened(heading.strip() or asked or one_line(question), MAX_TITLE)
    return heading[:1].upper() + heading[1:]


def _terms(texts: Iterable[str]) -> frozenset[str]:
    words = (word.casefold() for text in texts for word in _WORD.findall(text))
    return frozenset(word.rstrip("s") for word in words if len(word) >= _MIN_WORD and word not in _COMMON)


def _skeleton(gap: Gap, title: str, *, section: bool) -> str:
    wordings = list(dict.fromkeys(one_line(one.question) for one in gap.questions))
    asked = [f"- {_plain(wording)}" for wording in wordings[:QUESTIONS]]
    lines = [
        f"{'##' if section else '#'} {_plain(title)}",
        "",
        "One or two sentences that answer the first question below in full.",
        "",
        "Then what else belongs to it. Each of these questions should find its answer here, in the words of its asker:",
        "",
        *asked,
        "",
        "Sources: …",
        "",
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Return what a person wrote so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
