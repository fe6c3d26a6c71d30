"""How the parts of the running service are: what the health page shows, and what the log says once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

logger = logging.getLogger(__name__)

MAX_REASONS = 10  # logged while a part is away; a part that invents reasons does not fill the log


class State(StrEnum):
    """How a part is."""

    OK = "ok"
    DEGRADED = "degraded"  # it does its work, but not as it should
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it was last reported.

    Attributes:
        state: How it is.
        reason: One sentence for a person, "" where it is well.
        since: Seconds since 1970 from which on it is in that state.
    """

    state: State
    reason: str
    since: float


class Health:
    """Collects what the parts report. Used on one event loop.

    Args:
        expected: Parts that count as down until they first report.
        clock: Seconds since 1970.
    """

    def __init__(self, expected: Iterable[str] = (), *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        now = clock()
        self._parts = {name: Part(State.DOWN, "It has not started yet.", now) for name in expected}
        self._logged: dict[str, set[str]] = {}  # reasons of parts that are away

    def report(self, part: str, state: State = State.OK, reason: str = "") -> None:
        """Say how a part is, as often as it is known; the log hears of changes only.

        Args:
            part: Its name, such as "redis" or "chat slack".
            state: How it is.
            reason: One sentence for a person; without message texts, names and secrets.
        """
        known = self._parts.get(part)
        since = known.since if known is not None and known.state is state else self._clock()
        self._parts[part] = Part(state, "" if state is State.OK else reason, since)
        logged = self._logged.get(part)
        if state is State.OK:
            if logged is not None:
                del self._logged[part]
                logger.info("%s is back", part, extra={"part": part})
            return
        if logged is None:
            logged = self._logged[part] = set()
        said = f"{state} {reason}"
        if said not in logged and len(logged) < MAX_REASONS:
            logged.add(said)
            logger.warning("%s is %s: %s", part, state, reason, extra={"part": part, "state": str(state)})

    def forget(self, part: str) -> None:
        """Leave out a part that was ended on purpose."""
        self._parts.pop(part, None)
        self._logged.pop(part, None)

    def find(self, part: str) -> Part | None:
        """Return how a part is, or None where it never reported."""
        return self._parts.get(part)

    @property
    def parts(self) -> Mapping[str, Part]:
        """All parts as they were last reported."""
        return dict(self._parts)

    def ready(self) -> bool:
        """True when no part is down."""
        return all(part.state is not State.DOWN for part in self._parts.values())

    def as_json(self) -> dict[str, object]:
        """Return everything as plain values: {"ready": …, "parts": {name: {"state", "reason", "since"}}}."""
        return {
            "ready": self.ready(),
            "parts": {
                name: {
                    "state": str(part.state),
                    "reason": part.reason,
                    "since": datetime.fromtimestamp(part.since, UTC).isoformat(timespec="seconds"),
                }
                for name, part in sorted(self._parts.items())
            },
        }
