"""Telling commands from questions: a message is a command only as a whole."""

from __future__ import annotations

import re

from bot.commands.command import Command, CommandName

_COMMANDS = {
    "help": Command("help"),
    "new": Command("new"),
    "new conversation": Command("new"),
    "forget": Command("forget"),
    "forget me": Command("forget"),
    "forget me now": Command("forget", confirmed=True),
    "export": Command("export"),
    "status": Command("status"),
    "scope": Command("scope"),
    "sources": Command("sources"),
    "stop": Command("stop"),
    "learn": Command("learn"),
    "learn this": Command("learn"),
    "learn this file": Command("learn"),
    "learn these": Command("learn"),
    "learn these files": Command("learn"),
    "keep": Command("keep"),
    "keep it": Command("keep"),
    "keep this": Command("keep"),
    "discard": Command("discard"),
    "discard it": Command("discard"),
    "discard this": Command("discard"),
    "files": Command("files"),
    "forget file": Command("forget file"),
    "forget this file": Command("forget file"),
    "digest": Command("digest"),
    "digests": Command("digest", text="list"),
    "tell": Command("tell"),
    "tell me": Command("tell"),
    "tell me later": Command("tell"),
    "don't tell": Command("tell not"),
    "don't tell me": Command("tell not"),
    "do not tell me": Command("tell not"),
}
_WITH_TEXT: tuple[tuple[re.Pattern[str], CommandName], ...] = (
    (re.compile(r"digest (?=(?:help|subscribe|list|preview|pause|resume|unsubscribe)\b)", re.IGNORECASE), "digest"),
    (re.compile(r"forget (?:the )?file (?=\S)", re.IGNORECASE), "forget file"),
)
_LONGEST = 100  # characters; a longer message is none
_LONGEST_WITH_TEXT = 500
_QUOTED = re.compile(r"""["“”„`]+([^"“”„`]+)["“”„`]+[.!]*""")  # as these are written where people are told of them
_PREFIX = re.compile(r"(?:locus[,:]? )?[/!]?(?:locus[,:]? )?", re.IGNORECASE)


def find_command(text: str) -> Command | None:
    """Return the command that the whole of `text` is, or None.

    Capitals, white space around and between words, full stops and exclamation marks at the end, a leading "/", "!" or
    "locus", and quotation marks or backticks around all of it do not count.

    Two commands say more after their name: "digest subscribe ...", "forget file NAME".
    """
    if len(text) > _LONGEST_WITH_TEXT:
        return None
    words = " ".join(text.replace("’", "'").split())
    if quoted := _QUOTED.fullmatch(words):
        words = quoted[1].strip()
    words = _PREFIX.sub("", words, count=1)
    if len(text) <= _LONGEST:
        found = _COMMANDS.get(words.lower().rstrip(".!").rstrip())
        if found is not None:
            return found
    for pattern, name in _WITH_TEXT:
        match = pattern.match(words)
        if match is not None:
            return Command(name, text=words[match.end() :])
    return None
