"""What people see of Slack's two markups, and whom it calls: strict, so that nothing that might ping is missed."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.slack_server.world import World

_MARKUP = re.compile(r"<([^<>\n]*)>")
_URL = re.compile(r"(?:https?|ftp)://[^\s<>|\"'`]+|mailto:[^\s<>|]+|\bwww\.[^\s<>|]+", re.IGNORECASE)
# Names of hosts without a scheme that clients turn into links; only common endings, as Slack's clients do.
_BARE_HOST = re.compile(
    r"(?<![\w@./-])(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+(?:com|org|net|edu|gov|io|dev|ai|app|info|xyz|co|uk|de|me|ru)\b(?:[/?#][^\s<>|]*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+\b")
_BROADCASTS = ("channel", "here", "everyone", "group")
_BARE_NAME = re.compile(r"(?<![\w@])@([\w.-]+)")
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Link:
    """An address a person can follow; `written` is False where a client would make the link out of plain text."""

    url: str
    label: str
    written: bool = True


@dataclass
class Seen:
    """What a person sees of a text.

    Attributes:
        text: Mentions, channels and links by their names; the marks of bold, code and the like stay as they are
            in Slack's markup, and are left out of Markdown.
        pings: Whom it notifies: "@channel", "@here", "@everyone", "@name" of a person or "@handle" of a group.
        links: What can be followed.
        images: Addresses of pictures that are fetched when it is shown.
    """

    text: str = ""
    pings: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def add(self, other: Seen, separator: str = "\n") -> None:
        """Append what is seen below."""
        self.text += (separator if self.text and other.text else "") + other.text
        self.pings += other.pings
        self.links += other.links
        self.images += other.images


def typed(text: str) -> str:
    """Return what reaches an app when a person types `text`: the three characters of Slack's markup escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unescaped(text: str) -> str:
    """Undo the three entities, once."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class Reader:
    """Reads texts as a person in the workspace sees them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def plain(self, text: str) -> Seen:
        """Read a text object of type plain_text: nothing in it is markup, and nothing is linked."""
        return Seen(text)

    def mrkdwn(self, text: str, *, parse: str = "none", link_names: bool = False) -> Seen:
        """Read Slack's own markup.

        Args:
            text: As it was sent.
            parse: "none" links only what is marked up; all others link bare addresses, and "links" does nothing more.
                "full" calls people by bare names, and so may "client", of which nothing is documented.
            link_names: True calls groups, and is taken to call people, by bare names.
        """
        seen, place = Seen(), 0
        for match in _MARKUP.finditer(text):
            self._bare(seen, text[place : match.start()], parse, link_names)
            self._markup(seen, match.group(1))
            place = match.end()
        self._bare(seen, text[place:], parse, link_names)
        return seen

    def _bare(self, seen: Seen, text: str, parse: str, link_names: bool) -> None:
        shown = _unescaped(text)
        seen.text += shown
        if parse in ("full", "client") or link_names:
            seen.pings += self.bare_names(shown)
        if parse != "none":
            seen.links += bare_links(shown)

    def _markup(self, seen: Seen, inside: str) -> None:
        """Read what stands between angle brackets."""
        target, bar, label = inside.partition("|")
        label = _unescaped(label)
        if target.startswith("@"):
            user = self._world.users.get(target[1:])
            name = f"@{user.name}" if user else f"@{target[1:]}"
            seen.pings.append(name)
            seen.text += name
        elif target.startswith("#"):
            channel = self._world.channels.get(target[1:])
            seen.text += f"#{channel.name if channel else label or target[1:]}"
        elif target.startswith("!"):
            self._command(seen, target[1:], label)
        elif re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", target) or "://" in target:
            url = _unescaped(target)
            seen.links.append(Link(url, label or url))
            seen.text += label if bar and label else url
        else:
            seen.text += f"<{_unescaped(inside)}>"

    def _command(self, seen: Seen, command: str, label: str) -> None:
        """Read what begins with an exclamation mark."""
        name, _, rest = command.partition("^")
        if name in _BROADCASTS:
            seen.pings.append(f"@{name}")
            seen.text += f"@{name}"
        elif name == "subteam":
            handle, _ = self._world.user_groups.get(rest.split("|")[0], (label.lstrip("@") or rest, []))
            seen.pings.append(f"@{handle}")
            seen.text += f"@{handle}"
        elif name == "date":
            parts = rest.split("^")
            if len(parts) > 2:
                seen.links.append(Link(_unescaped(parts[2]), label))
            seen.text += label
        else:
            seen.text += label or f"<!{command}>"

    def bare_names(self, text: str) -> list[str]:
        """Return whom names after an @ would call."""
        names = {user.name for user in self._world.users.values()}
        names |= {handle for handle, _ in self._world.user_groups.values()}
        found = (match.group(1).rstrip(".-") for match in _BARE_NAME.finditer(text))
        return [f"@{name}" for name in found if name.lower() in _BROADCASTS or name in names]

    def markdown(self, text: str) -> Seen:
        """Read standard Markdown.

        How Slack translates mentions in it is not documented: everything that looks like one, in either spelling and
        wherever it stands, counts as a ping.
        """
        seen = Seen()
        for match in _MARKUP.finditer(text):
            inside = match.group(1)
            if inside[:1] in ("@", "!"):
                marked = Seen()  # only what it calls counts here; the text is read below
                self._markup(marked, inside)
                seen.pings += marked.pings
        seen.pings += self.bare_names(_MARKUP.sub(" ", text))
        lines: list[str] = []
        cells: list[str] | None = None  # of the row of a table that is being read
        for token in _MARKDOWN.parse(text):
            if token.type == "tr_open":
                cells = []
            elif token.type == "tr_close":
                lines.append(" | ".join(cells or ()))
                cells = None
            elif token.type == "inline":
                (lines if cells is None else cells).append(_inline(token, seen))
            elif token.type in ("fence", "code_block", "html_block"):
                lines.append(token.content.rstrip("\n"))
                if token.type == "html_block":
                    seen.links += bare_links(token.content)
        seen.text = "\n".join(lines)
        return seen


def bare_links(text: str) -> list[Link]:
    """Return what a client would turn into links in a text without markup."""
    found = [match.group(0) for match in _URL.finditer(text)]
    rest = _URL.sub(" ", text)
    found += [match.group(0) for match in _EMAIL.finditer(rest)]
    found += [match.group(0) for match in _BARE_HOST.finditer(_EMAIL.sub(" ", rest))]
    return [Link(address, address, written=False) for address in found]


def _inline(token: Token, seen: Seen) -> str:
    """Return the text of a paragraph, heading or cell, and note its links and images."""
    parts: list[str] = []
    opened: list[tuple[str, int]] = []
    for child in token.children or ():
        if child.type == "link_open":
            opened.append((str(child.attrGet("href")), len(parts)))
        elif child.type == "link_close":
            url, start = opened.pop()
            seen.links.append(Link(html.unescape(url), "".join(parts[start:])))
        elif child.type == "image":
            seen.images.append(str(child.attrGet("src")))
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif child.type in ("text", "code_inline", "html_inline"):
            parts.append(child.content)
            if not opened and child.type != "code_inline":
                seen.links += bare_links(child.content)
    return "".join(parts)
