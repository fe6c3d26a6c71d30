"""Which messages are about an answer of Locus, and which are questions."""

from __future__ import annotations

import pytest

from adapters.matrix.answers_touched import is_aside
from adapters.matrix.marks import FIELD, Mark, read_mark


@pytest.mark.parametrize(
    ("text", "prefixed", "reply", "expected"),
    [
        ("passages", True, False, True),
        ("Passages.", False, True, True),
        ("passages", False, False, False),
        ("again", False, True, True),
        ("person", True, True, True),
        ("good", True, True, True),
        ("good", False, True, False),
        ("bad The mouse is wrong", True, True, True),
        ("bad The mouse is wrong", False, True, False),
        ("badly behaved mice?", True, True, False),
        ("passages about BXD", True, True, False),
        ("", True, True, False),
    ],
)
def test_words_about_answers(text: str, prefixed: bool, reply: bool, expected: bool) -> None:
    """A whole message, after the prefix or in a thread; an opinion, which may hold other words, after the prefix."""
    assert expected == is_aside(text, prefixed=prefixed, reply=reply)


def test_a_mark_is_read_from_messages_and_edits() -> None:
    """Whatever else people write into that field is no mark."""
    mark = Mark("key", "handle", "$first", "2")
    content = mark.on({"body": "x"})
    strange: list[object] = [7, None, [], {}, {"key": 7}, {"handle": "h"}]

    assert mark == read_mark({"content": content})
    assert mark == read_mark({"content": {"body": "* x", "m.new_content": content}})
    assert [None] * len(strange) == [read_mark({"content": {FIELD: one}}) for one in strange]
