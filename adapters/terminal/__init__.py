"""The terminal as a chat: `direct` asks the application itself, `adapter` stands behind the port of all chats."""

from __future__ import annotations

from adapters.terminal.adapter import TerminalAdapter
from adapters.terminal.direct import TerminalChat
from adapters.terminal.reading import LineInput

__all__ = ["LineInput", "TerminalAdapter", "TerminalChat"]
