"""What `locus doctor` looks at, one kind of part in each module; `locus setup` asks the same of what is typed."""

from __future__ import annotations

from bot.examination.chats import (
    examine_homeserver,
    examine_matrix,
    examine_slack,
    examine_slack_tokens,
    new_slack_app,
)
from bot.examination.examining import examine
from bot.examination.settings import examine_settings, unreadable_settings

__all__ = [
    "examine",
    "examine_homeserver",
    "examine_matrix",
    "examine_settings",
    "examine_slack",
    "examine_slack_tokens",
    "new_slack_app",
    "unreadable_settings",
]
