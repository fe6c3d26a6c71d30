"""Targets beside figures: what was aimed at, and whether it was met."""

from __future__ import annotations

from dataclasses import dataclass

FLOOR_SHARE = 1.10  # of the physical floor, the most that is allowed anywhere


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a ratio; one of the two is given.

    Attributes:
        at_most: Upper bound.
        at_least: Lower bound.
    """

    at_most: float | None = None
    at_least: float | None = None

    def judged(self, ratio: float, floor: float = 0.0) -> tuple[str, str]:
        """Return the target and the verdict as they are printed.

        Args:
            ratio: What was measured.
            floor: The least ratio physics allows; where `FLOOR_SHARE` of it is above the upper bound, that decides.
        """
        if self.at_least is not None:
            return f"≥ {self.at_least:.2f}", "met" if ratio >= self.at_least else "not met"
        assert self.at_most is not None
        bound = max(self.at_most, FLOOR_SHARE * floor)
        target = f"≤ {bound:.2f}" if bound == self.at_most else f"≤ {bound:.2f} (floor; {self.at_most:.2f} asked)"
        return target, "met" if ratio <= bound else "not met"
