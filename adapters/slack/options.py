"""What a lab has chosen for its Slack, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapters.slack.client import SLACK_API
from adapters.slack.rendering import Look

PING_S = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of LOCUS_SLACK_…; docs/settings.md says what each means.

    Attributes:
        mode: How events arrive: over connections that are opened here, or as signed requests.
        http_host: Address that listens for the latter.
        http_port: Port that listens for them; 0 is any free one.
        api_url: Slack's Web API.
        channels: Ids of the channels it answers in; none means wherever it is a member. Direct ones always count.
        follow_threads: Whether follow-ups in a thread it takes part in need no mention.
        streaming: Whether answers are streamed where the workspace allows it.
        native_markdown: Whether messages use `markdown` blocks.
        steward: Id of the channel or person that questions are handed to, or "" for nobody.
        ping_s: Seconds between two signs of life of a connection; after four without an answer it counts as dead.
    """

    mode: Literal["socket", "http"] = "socket"
    http_host: str = "127.0.0.1"
    http_port: int = 3000
    api_url: str = SLACK_API
    channels: frozenset[str] = frozenset()
    follow_threads: bool = True
    streaming: bool = True
    native_markdown: bool = True
    steward: str = ""
    ping_s: float = PING_S

    @property
    def look(self) -> Look:
        """How replies are rendered."""
        return Look(native=self.native_markdown, hand_over=bool(self.steward))
