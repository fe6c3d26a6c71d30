"""A text that grows in a room is as safe as a whole one, and does not change its look as more comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.matrix.rendering import MatrixMessage, render
from bot.replies import Reply, Stage
from tests.matrix_texts import Look, faults_of_body, faults_of_html, matrix_texts

ANSWER = """# The **BXD** family

The BXD family [1] has *many* strains, **recombinant inbred** ones: see `BXD1` and the _first_ paper [2].
They come from C57BL/6J and DBA/2J (2 * 3 crosses), as HC_M2_0606_P shows.

- **First** entry [1]
- second entry
  - with `code of it` within
1. one
2. *two* three

> A quotation with **bold words** in it [2].

| Strain | LOD score |
| --- | ---: |
| BXD1 | 3.2 [1] |
| BXD2 | **4** |

```r
x <- read.csv("a")
y <- x * 2
```

See [the page](https://docs.org/bxd) and ***both*** of them.
"""


def draft(text: str) -> MatrixMessage:
    return render(Reply(Stage.DRAFT, text)).first


def words(message: MatrixMessage) -> list[str]:
    return Look(message.html).text.split()


@pytest.mark.parametrize("start", [0, ANSWER.index("- **First"), ANSWER.index("| Strain"), ANSWER.index("```r")])
def test_what_is_visible_only_grows(start: int) -> None:
    """At every moment the words are the first ones of the complete answer, without a sign of unfinished markup."""
    text = ANSWER[start:]
    whole = words(render(Reply(Stage.FINAL, text.replace("[the page](https://docs.org/bxd)", "the page"))).first)
    shown = 0
    for end in range(len(text) + 1):
        visible = words(draft(text[:end]))
        if visible == ["…"]:
            assert 0 == shown
            continue
        assert whole[: len(visible)] == visible
        assert shown <= len(visible)
        shown = len(visible)
    assert len(whole) - 2 <= shown


def test_emphasis_is_shown_while_it_is_written() -> None:
    """It does not appear only when its end arrives."""
    assert "<p>The <strong>recombinant inbred</strong></p>" == draft("The **recombinant inbred str").html
    assert "<p>The <em>first</em></p>" == draft("The *first pa").html
    assert "<p>See <code>x y</code></p>" == draft("See `x y z").html


def test_tables_are_shown_row_by_row() -> None:
    """Never as bars and dashes."""
    text = "Scores:\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3"

    assert "<p>Scores:</p>" == draft(text[:20]).html
    assert draft(text).html.endswith("<tbody><tr><td>1</td><td>2</td></tr></tbody></table>")


def test_programs_are_shown_line_by_line() -> None:
    """As program from the first line on."""
    assert '<p>So:</p><pre><code class="language-r">x &lt;- 1</code></pre>' == draft("So:\n\n```r\nx <- 1\ny <").html
    assert "<p>So:</p>" == draft("So:\n\n```r").html


def test_nothing_is_linked_before_the_answer_is_complete() -> None:
    """Marks are text, and links their labels."""
    assert "<p>BXD [1] and the page of it</p>" == draft("BXD [1] and [the page](https://evil.com) of it ").html


@pytest.mark.parametrize("text", ["Reading the documents …", "2 questions are ahead of yours."])
def test_sentences_of_the_core_are_shown_whole(text: str) -> None:
    """They do not grow, so nothing of them is held back."""
    assert text == render(Reply(Stage.WAITING, text)).first.body


@settings(max_examples=400, deadline=None)
@given(matrix_texts, st.integers(0, 500))
def test_every_beginning_is_safe(text: str, end: int) -> None:
    """What is visible at any moment calls nobody and links nothing."""
    for message in (draft(text[:end]), draft(text)):
        assert [] == faults_of_body(message.body, set())
        assert [] == faults_of_html(message.html, set())
        assert [] == Look(message.html).links
