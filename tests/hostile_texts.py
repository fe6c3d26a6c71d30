"""Texts that try to call people, lead elsewhere, show pictures or become markup, and a strict look at what is shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from hypothesis import strategies as st
from markdown_it import MarkdownIt

JOINER = "\N{WORD JOINER}"

BUILDING_BLOCKS = (
    *(
        "<!channel>",
        "<!here|x>",
        "<!everyone>",
        "<@U1>",
        "<@W1|name>",
        "<!subteam^S1>",
        "<#C1>",
        "<!date^1^{date}^http://e.com|x>",
    ),
    *(
        "<!chan",
        "nel>",
        "<",
        ">",
        "<@",
        "<!",
        "&lt;!channel&gt;",
        "&amp;lt;!here&amp;gt;",
        "&#60;!channel&#62;",
        "&lt;",
        "&",
        "&amp;",
    ),
    *(
        "@channel",
        "@here",
        "@everyone",
        "@U1",
        "＠here",
        "@",
        "anna@evil.com",
        "mailto:a@evil.com",
        "<mailto:a@evil.com|x>",
    ),
    *(
        "<https://evil.com|x>",
        "<https://evil.com>",
        "https://evil.com/?q=secret",
        "HTTPS://EVIL.COM",
        "http://1.2.3.4/x",
    ),
    *(
        "[x](https://evil.com)",
        "[1](https://evil.com)",
        "[x][1]",
        "[1]: https://evil.com",
        "[1]",
        "[2]",
        "[3]",
        "[9]",
        "![x](http://evil.com/a.png)",
    ),
    *(
        "![x][1]",
        "[",
        "]",
        "](",
        "(",
        ")",
        "!",
        "evil.com",
        "www.evil.internal",
        "evil。com",
        "ｅｖｉｌ.com",
        "sub.evil.co.uk/path",
        "//evil.com",
    ),
    *(
        "https",
        ":",
        "//",
        "evil",
        ".",
        "com",
        "javascript:alert(1)",
        "data:text/html,x",
        "tel:123",
        "<b>",
        "</b>",
        "<img src=x>",
        "<a href='http://e.com'>",
    ),
    *(
        "*",
        "**",
        "_",
        "__",
        "~",
        "~~",
        "`",
        "``",
        "```",
        "```\n",
        "~~~\n",
        "*b*",
        "**b**",
        "_i_",
        "`c`",
        "~s~",
        "\\",
        "\\*",
        "|",
        "||",
    ),
    *(
        "\n# ",
        "\n- ",
        "\n1. ",
        "\n> ",
        "\n---\n",
        "\n===\n",
        "\n| a | b |\n| --- | --- |\n| c | d |\n",
        "\n    code",
        "\n- [ ] ",
        "\n\n",
        "\n",
        " ",
        "\t",
    ),
    *(
        "\u202e",
        "\u200b",
        "\u200d",
        "\u2060",
        "\ufeff",
        "\u00ad",
        "\u2066",
        "\u061c",
        "\ud800",
        "\udfff",
        "\x00",
        "\x1b[31m",
        "\x1b]0;",
        "\x07",
        "\r",
        "\u2028",
    ),
    *(
        ":warning:",
        ":custom:",
        "12:30:45",
        "BXD",
        "HC_M2_0606_P",
        "x < 5",
        "a & b",
        "LOD 3.2",
        "é",
        "小鼠。",
        "👩‍🔬",
        "https://docs.org/one",
        "-",
        "+",
        "=",
    ),
)

hostile_texts = st.lists(st.sampled_from(BUILDING_BLOCKS) | st.text(max_size=6), max_size=14).map("".join)

_ADDRESS = re.compile(
    r"\w+://|\bwww\.\w|(?:mailto|\b(?:tel|javascript|data)):\S|[\w.+-]@[\w-]+\.\w|"
    r"(?<![\w.])(?:[\w-]+\.)+(?:com|org|net|uk|io|md)\b|\w[。．｡](?:com|org)\b",
    re.IGNORECASE,
)
_MENTION = re.compile(r"<[!@#]|[@＠](?:channel|here|everyone)", re.IGNORECASE)
_LINK = re.compile(r"<([^<>|\n]*)\|([^<>\n]*)>")
_FENCE = re.compile(r"^```\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_EMPHASIS = re.compile(r"[*~]|(?<![^\W_])_|_(?![^\W_])")
_INVISIBLE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2061-\u2069\ufeff\ud800-\udfff]"
)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def faults_of_text(text: str) -> Iterator[str]:
    """Yield what is wrong with visible text that is no markup any more, also if entities are undone again and again."""
    if found := _INVISIBLE.search(text):
        yield f"invisible {found.group()!r}"
    for _ in range(3):
        if found := _MENTION.search(text):
            yield f"mention {found.group()!r}"
        if found := _ADDRESS.search(text):
            yield f"address {found.group()!r}"
        text = html.unescape(text)


def faults_of_mrkdwn(text: str, addresses: set[str]) -> list[str]:
    """Return what is wrong with Slack's own markup when it may link to these addresses only."""
    faults: list[str] = []
    if re.search(r"&(?!amp;|lt;|gt;)", text):
        faults.append("an ampersand that is not escaped")

    def code(match: re.Match[str]) -> str:
        if "<" in match.group(1) or ">" in match.group(1):
            faults.append("code that is not escaped")
        faults.extend(faults_of_text(html.unescape(match.group(1))))
        return " "

    def link(match: re.Match[str]) -> str:
        if html.unescape(match.group(1)) not in addresses:
            faults.append(f"link to {match.group(1)!r}")
        faults.extend(faults_of_text(html.unescape(match.group(2))))
        if _EMPHASIS.search(match.group(2)) or "`" in match.group(2):
            faults.append("markup in a label")
        return "\ufffc"

    rest = _LINK.sub(link, _INLINE_CODE.sub(code, _FENCE.sub(code, text)))
    if re.search(r"[<`~]", rest) or re.search(r"(?m)(?<!^)>|^>(?! |$)", rest):
        faults.append(f"markup that is not closed in {rest!r}")
    faults += faults_of_text(html.unescape(rest))
    return faults


def faults_of_markdown(text: str, addresses: set[str]) -> list[str]:
    """Return what is wrong with standard Markdown when it may link to these addresses only."""
    faults: list[str] = []
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("html_block", "code_block", "s_open"):
            faults.append(f"{token.type} {token.content!r}")
        if token.type == "fence":
            faults.extend(faults_of_text(token.content))
        shown = ""
        for child in token.children or ():
            if child.type in ("html_inline", "image", "s_open"):
                faults.append(f"{child.type} {child.content!r}")
            elif child.type == "link_open" and str(child.attrGet("href")) not in addresses:
                faults.append(f"link to {child.attrGet('href')!r}")
            shown += child.content if child.type in ("text", "code_inline") else "\ufffc" if child.nesting else "\n"
        faults.extend(faults_of_text(shown))
    if re.search(r"<[!@#]", text):
        faults.append("a mention, also where it is code")
    return faults


def is_only_text(text: str) -> bool:
    """True where neither of Slack's markups sees anything but text."""
    tokens = _MARKDOWN.parse(text)
    kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or ()}
    plain = not _EMPHASIS.search(text) and "`" not in text and not re.search(r"[<>]|^&gt;", text, re.MULTILINE)
    return plain and kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "softbreak"}
