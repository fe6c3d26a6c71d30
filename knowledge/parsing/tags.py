"""Repair of HTML source before it is parsed: words in angle brackets, and nesting without end."""

from __future__ import annotations

import re

_FORMATTING = frozenset(
    {
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i",
        "ins", "kbd", "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub",
        "sup", "time", "tt", "u", "var",
    }
)  # fmt: skip
_CLOSING_ITSELF = frozenset(
    {
        "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "colgroup",
        "rp", "rt", "html", "head", "body",
    }
)  # fmt: skip
_VOID = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
        "wbr",
    }
)  # fmt: skip
BLOCK_TAGS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
        "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4",
        "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "ol", "p", "pre", "section",
        "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
_OTHER = frozenset(
    {
        "applet", "audio", "basefont", "bgsound", "blink", "button", "canvas", "colgroup", "datalist", "desc",
        "font", "frame", "frameset", "head", "iframe", "keygen", "listing", "map", "marquee", "math", "meter",
        "nav", "noembed", "noframes", "noscript", "object", "optgroup", "option", "output", "picture",
        "plaintext", "progress", "rb", "rp", "rt", "rtc", "ruby", "script", "select", "slot", "spacer", "style",
        "svg", "template", "textarea", "title", "video", "xmp",
    }
)  # fmt: skip
KNOWN_TAGS = _FORMATTING | _CLOSING_ITSELF | _VOID | BLOCK_TAGS | _OTHER
_MATH = re.compile(r"m[a-z]{1,14}|annotation|semantics|none|[a-z]+[:-][a-z:-]*")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s<>/]*)")

# Browsers stop at 512; a hand-made page stays far below these, and the parser's time grows with the depth.
_MAX_DEPTH = 100
_MAX_FORMATTING_DEPTH = 8
_MAX_TABLE_DEPTH = 8


def is_tag(name: str) -> bool:
    """Tell whether a name in angle brackets is HTML (or MathML, or a namespaced element) and not a placeholder."""
    name = name.lower()
    return name in KNOWN_TAGS or _MATH.fullmatch(name) is not None


def repair(source: str) -> str:
    """Return HTML whose placeholders (`<dataset>`) are text and whose nesting is bounded.

    The depth is counted without a parser, so end tags that are left out count as open; beyond the limit, start tags are
    dropped and their text stays.
    """
    formatting = blocks = tables = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal formatting, blocks, tables
        closing, name = match.group(1), match.group(2).lower()
        step = -1 if closing else 1
        if name in _CLOSING_ITSELF or name in _VOID:
            return match.group()
        if name in _FORMATTING:
            formatting = max(0, formatting + step)
            return match.group() if closing or formatting <= _MAX_FORMATTING_DEPTH else _dropped(match)
        if not is_tag(name):
            return "&lt;" + match.group()[1:]
        if name == "table":
            tables = max(0, tables + step)
            return match.group() if closing or tables <= _MAX_TABLE_DEPTH else _dropped(match)
        blocks = max(0, blocks + step)
        return match.group() if closing or blocks <= _MAX_DEPTH else _dropped(match)

    return _TAG.sub(replace, source)


def _dropped(match: re.Match[str]) -> str:
    # <wbr> is void and shows nothing, and it takes over the attributes that follow the name.
    return "<wbr"
