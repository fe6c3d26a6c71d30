"""What Locus writes into its own messages, unseen, to know them again: a field of their content.

It stands within the encryption where a room is encrypted. Handles in it are worth nothing outside of their channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from adapters.matrix.fields import Fields, event_id, record, text
from adapters.matrix.relations import Content

FIELD: Final = "org.genenetwork.locus"


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose message it is.

    Attributes:
        key: Of the post, as the core gives it.
        handle: Of the answer that it shows; "" while there is none.
        part_of: Id of the message in which the answer begins, or "" where that is this one.
        part: Name of this part among those.
    """

    key: str
    handle: str = ""
    part_of: str = ""
    part: str = ""

    def on(self, content: Content) -> Content:
        """Return content with this mark."""
        values: dict[str, JsonValue] = {"key": self.key}
        values |= {"handle": self.handle} if self.handle else {}
        values |= {"part_of": self.part_of, "part": self.part} if self.part_of else {}
        return {**content, FIELD: values}


def read_mark(event: Fields) -> Mark | None:
    """Return the mark of a message or an edit, in clear or decrypted; None without one."""
    content = record(event, "content")
    content = record(content, "m.new_content") or content
    values = record(content, FIELD)
    key = text(values, "key")
    return Mark(key, text(values, "handle"), event_id(values, "part_of"), text(values, "part")) if key else None
