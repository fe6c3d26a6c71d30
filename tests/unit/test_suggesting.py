"""What is suggested to be written for a gap."""

from __future__ import annotations

import pytest

from bot.evidence import Citation
from bot.gaps import Gap, OpenQuestion
from bot.mending.suggesting import Nearby, suggest, title_of


def gap(*questions: str, documents: tuple[str, ...] = (), confidence: float | None = None) -> Gap:
    """Questions of a group, with the documents that are closest."""
    closest = tuple(Citation(n, title, f"{n}.md", None, "") for n, title in enumerate(documents, start=1))
    asked = tuple(
        OpenQuestion(f"r{number}", one, 1000.0 - number, True, 0, closest, ("public",), confidence)
        for number, one in enumerate(questions)
    )
    return Gap(questions[0], asked, closest)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How do I cite the GeneNetwork database?", "Cite the GeneNetwork database"),
        ("What is the BXD family?", "BXD family"),
        ("Where can I find the raw counts?", "Raw counts"),
        ("Which tissue was used for the proteome of old mice?", "Proteome of old mice: tissue"),
        ("At which temperature was the mouse room kept?", "Mouse room kept: temperature"),
        ("What colour is the zebrafinch buffer?", "Zebrafinch buffer: colour"),
        ("Is there a 10x set?", "10x set"),
        ("Shh expression in cerebellum", "Shh expression in cerebellum"),
        ("???", "???"),
    ],
)
def test_a_question_becomes_a_heading(question: str, title: str) -> None:
    """The words that ask are left out."""
    assert title == title_of(question)


def test_a_document_that_shares_a_word_gets_a_section() -> None:
    """The closest of them, with how close it came."""
    made = suggest(gap("How are buffers stored?", documents=("Mapping", "Buffer recipes"), confidence=0.41))

    assert ("Buffer recipes", "", 0.41) == (made.document, made.heading, made.closeness)
    assert made.skeleton.startswith("## ")


def test_a_heading_that_is_found_now_comes_first() -> None:
    """The section is suggested behind it, by its last part."""
    near = [Nearby("Protocols", "Wet lab > Buffer storage"), Nearby("Buffer recipes")]
    made = suggest(gap("How are buffers stored?"), near)

    assert ("Protocols", "Buffer storage") == (made.document, made.heading)


def test_what_no_document_has_a_word_of_is_a_new_page() -> None:
    """Common words do not count."""
    made = suggest(gap("What is the price of a zebrafinch?", documents=("What is the BXD family?",)))

    assert ("Price of a zebrafinch", "", None) == (made.title, made.document, made.closeness)
    assert made.skeleton.startswith("# Price of a zebrafinch\n")


def test_documents_that_are_far_away_are_no_place() -> None:
    """A word in common is not enough where what was found has nothing to do with the question."""
    made = suggest(gap("Who feeds the mice?", documents=("Families of mice",), confidence=0.02))

    assert ("", 0.02) == (made.document, made.closeness)


def test_the_skeleton_lists_each_wording_once_and_as_text() -> None:
    """What people wrote is no markup."""
    made = suggest(gap("Is [this](http://x) *so*?", "Is [this](http://x) *so*?", "Second wording?"))

    assert 1 == made.skeleton.count("\\[this\\](http://x) \\*so\\*?\n")
    assert "- Second wording?\n" in made.skeleton
