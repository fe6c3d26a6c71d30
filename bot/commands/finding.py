"""Telling commands from questions: a message is a command only as a whole."""

from __future__ import annotations

import re

from bot.commands.command import Command

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
}
_LONGEST = 100  # characters; a longer message is none
_PREFIX = re.compile(r"(?:locus[,:]? )?[/!]?(?:locus[,:]? )?")


def find_command(text: str) -> Command | None:
    """Return the command that the whole of `text` is, or None.

    Capitals, white space around and between words, full stops and exclamation marks at the end, and a leading "/", "!"
    or "locus" do not count.
    """
    if len(text) > _LONGEST:
        return None
    words = " ".join(text.lower().split())
    rest = _PREFIX.sub("", words, count=1)
    return _COMMANDS.get(rest.rstrip(".!").rstrip())
