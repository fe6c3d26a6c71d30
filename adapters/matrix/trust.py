"""Which devices may read what Locus writes in encrypted rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TrustMode = Literal["first-use", "allow-list"]


@dataclass(frozen=True, slots=True)
class Trust:
    """The choice of the lab.

    Attributes:
        mode: "first-use" trusts every device as it is first seen, and never one whose keys changed; "allow-list" gives
            keys to the devices named below only.
        allowed: @USER:SERVER for all devices of a person, or @USER:SERVER/DEVICE for one.
    """

    mode: TrustMode = "first-use"
    allowed: frozenset[str] = frozenset()

    def accepts(self, user_id: str, device_id: str) -> bool:
        """Tell whether a device may read along."""
        return self.mode == "first-use" or bool({user_id, f"{user_id}/{device_id}"} & self.allowed)
