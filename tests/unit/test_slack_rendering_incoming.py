"""What people write in Slack, read as people see it."""

from __future__ import annotations

import pytest
from hypothesis import given

from adapters.slack.text_incoming import first_mention, mentions, read_text
from tests.hostile_texts import hostile_texts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<@UBOT> what is a LOD?", "what is a LOD?"),
        ("<@UBOT>: what is a LOD?", "what is a LOD?"),
        ("<@UBOT|locus>, what?", "what?"),
        ("hello <@UBOT> , what?", "hello, what?"),
        ("what is a LOD, <@UBOT>?", "what is a LOD?"),
        ("<@U1|anna> says <@U2> knows <@U3>", "@anna says @Bo knows @someone"),
        ("see <#C1|general> and <#C2>", "see #general and #a channel"),
        ("<!here> <!subteam^S1|@lab> <!subteam^S2>", "@here @lab @a group"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
        ("<https://a.org/x?y=1&amp;z=2>", "https://a.org/x?y=1&z=2"),
        ("<https://a.org/x|the page>", "the page (https://a.org/x)"),
        ("<http://a.org|a.org>", "a.org"),
        ("<mailto:a@b.org|a@b.org>", "a@b.org"),
        ("x &lt; 5 &amp;&amp; y &gt; 3", "x < 5 && y > 3"),
        ("&amp;lt;!channel&amp;gt;", "&lt;!channel&gt;"),
        ("one\ntwo  words", "one\ntwo words"),
        ("right\u202eleft \ud800", "right left"),
        ("<@UBOT>", ""),
        ("", ""),
    ],
)
def test_incoming_text_is_read_as_people_see_it(written: str, read: str) -> None:
    """Entities are undone once, the bot's own mention goes, other markup becomes what it shows."""
    assert read == read_text(written, bot_user="UBOT", names={"U2": "Bo"})


@given(hostile_texts)
def test_any_incoming_text_can_be_read(text: str) -> None:
    """Nothing in it is an error, and no lone surrogate reaches the core."""
    read_text(text, bot_user="UBOT").encode()


def test_who_is_mentioned_is_told() -> None:
    """Names beside the id do not matter, and text that looks like a mention is none."""
    text = "<@U1|anna> ask <@UBOT>, &lt;@U2&gt;"

    assert mentions(text, "UBOT")
    assert not mentions(text, "U2")
    assert "U1" == first_mention(text)
    assert "" == first_mention("nobody")
