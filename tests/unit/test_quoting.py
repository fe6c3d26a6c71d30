"""Answers made of quotes."""

from __future__ import annotations

from bot.agent.quoting import MAX_QUOTES, quote_answer
from bot.evidence import Evidence, Home, Passage, Sentence, SentenceKind
from bot.texts import REFUSAL


def passage(source: str, *sentences: tuple[str, float], quotable: bool = True, kind: SentenceKind = "prose") -> Passage:
    """A passage of sentences with their relevance."""
    scored = tuple(Sentence(text, value, quotable, n, kind) for n, (text, value) in enumerate(sentences))
    home = Home(source, source.title(), f"https://genenetwork.org/{source}")
    return Passage(source, " ".join(text for text, _ in sentences), "", (home,), 0.9, scored)


def evidence(*passages: Passage, confidence: float = 0.9) -> Evidence:
    """Evidence of these passages."""
    return Evidence("question", passages, confidence)


def test_the_best_sentence_is_quoted_with_its_source() -> None:
    """An answer is the sentence, its number, and a citation with title, link and quote."""
    answer = quote_answer(
        "q", evidence(passage("a", ("BXD mice are inbred.", 0.9), ("Rats are not.", 0.2))), threshold=0.5
    )
    [citation] = answer.citations

    assert "BXD mice are inbred. [1]" == answer.text
    assert (1, "A", "a", "https://genenetwork.org/a", "BXD mice are inbred.") == (
        citation.n,
        citation.title,
        citation.source,
        citation.url,
        citation.quote,
    )


def test_weak_evidence_is_refused_with_the_closest_documents() -> None:
    """Below the threshold the answer says so and lists documents without quoting them."""
    answer = quote_answer("q", evidence(passage("a", ("X is Y.", 0.9)), confidence=0.2), threshold=0.5)

    assert not answer.answered
    assert answer.text.startswith(REFUSAL)
    assert [("a", "")] == [(citation.source, citation.quote) for citation in answer.citations]


def test_debris_is_never_quoted() -> None:
    """Without a quotable sentence there is no answer, however high the confidence."""
    answer = quote_answer("q", evidence(passage("a", ("BXD1 | 3.4 | f", 0.99), quotable=False)), threshold=0.5)

    assert not answer.answered


def test_a_sentence_is_not_said_twice() -> None:
    """Two documents with nearly the same sentence give one quote."""
    first = passage("a", ("The significance threshold comes from 2000 permutations.", 0.9))
    second = passage("b", ("The significance threshold comes from 2000 random permutations.", 0.89))

    assert 1 == quote_answer("q", evidence(first, second), threshold=0.5).text.count("[")


def test_at_most_four_sentences_are_quoted() -> None:
    """A long passage of relevant sentences is cut to the best ones."""
    long = passage("a", *[(f"Mice{n} eat{n} grain{n} daily{n}.", 0.9) for n in range(8)])

    assert MAX_QUOTES == quote_answer("q", evidence(long), threshold=0.5).text.count("[1]")


def test_a_sentence_that_points_back_brings_the_one_before() -> None:
    """The sentence "It was ..." is quoted with the sentence that says what "it" is."""
    one = passage("a", ("The panel was bred in Memphis.", 0.3), ("It holds 140 strains.", 0.9), ("Birds sing.", 0.1))

    assert "The panel was bred in Memphis. [1] It holds 140 strains. [1]" == (
        quote_answer("q", evidence(one), threshold=0.5).text
    )


def test_a_sentence_that_announces_a_list_brings_the_list() -> None:
    """The items behind a colon belong to the quote."""
    home = Home("a", "A", None)
    sentences = (
        Sentence("The parents are:", 0.9, True, 0),
        Sentence("C57BL/6J;", 0.1, True, 1, "item"),
        Sentence("DBA/2J.", 0.1, True, 2, "item"),
        Sentence("Afterwards it rained.", 0.1, True, 3),
    )
    answer = quote_answer("q", evidence(Passage("a", "", "", (home,), 0.9, sentences)), threshold=0.5)

    assert "The parents are: C57BL/6J; DBA/2J. [1]" == answer.text


def test_passages_of_one_document_share_a_number() -> None:
    """Numbers count documents, in order of first use."""
    one = passage("a", ("Strains were crossed in 1970.", 0.9))
    two = passage("b", ("Rats came from Prague.", 0.88))
    three = passage("a", ("Mice live in Memphis now.", 0.86))

    answer = quote_answer("q", evidence(one, two, three), threshold=0.5)

    assert "Strains were crossed in 1970. [1] Rats came from Prague. [2] Mice live in Memphis now. [1]" == answer.text
    assert "Strains were crossed in 1970. Mice live in Memphis now." == answer.citations[0].quote
