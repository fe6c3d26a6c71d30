"""Locus's own messages, as this process knows them: what it has shown, so that a look at the room is seldom needed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from adapters.matrix.fields import Fields, event_id, record, text
from adapters.matrix.looking import Looking
from adapters.matrix.marks import Mark, read_mark
from adapters.matrix.nio_gaps import CarefulClient

MOST: Final = 5000


@dataclass(slots=True)
class Post:
    """A message and what belongs to it.

    Attributes:
        event_id: Of the message as it was first sent.
        room: In which it stands.
        root: Of its thread, or "" where it stands in the room itself.
        key: As the core gave it, or "" where that is not known.
        handle: Of the answer that it shows.
        shown: Stands for its content now; "" where that is not known.
        parts: Ids of its further messages and files by their names; None where they are not known.
        redacted: True when it was deleted.
    """

    event_id: str
    room: str
    root: str = ""
    key: str = ""
    handle: str = ""
    shown: str = ""
    parts: dict[str, str] | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """A message of Locus that somebody does something with.

    Attributes:
        key: Of its post.
        handle: Of the answer that it shows, or "".
        root: Of its thread, or "" where it stands in the room itself.
    """

    key: str
    handle: str
    root: str


class Posts:
    """The messages; the ones used last are kept.

    Args:
        client: Logged in.
        looking: Looks at what is not known.
    """

    def __init__(self, client: CarefulClient, looking: Looking) -> None:
        self._client = client
        self._looking = looking
        self._posts: OrderedDict[str, Post] = OrderedDict()
        self._beginnings: OrderedDict[str, str] = OrderedDict()
        self._by_key: dict[str, str] = {}

    def note(self, post: Post) -> Post:
        """Keep what is known of a message."""
        self._posts[post.event_id] = post
        self._posts.move_to_end(post.event_id)
        if post.key:
            self._by_key[post.key] = post.event_id
        while len(self._posts) > MOST:
            gone = self._posts.popitem(last=False)[1]
            self._by_key.pop(gone.key, None)
        return post

    def note_part(self, part: str, beginning: str) -> None:
        """Keep to which message a further one belongs."""
        self._beginnings[part] = beginning
        while len(self._beginnings) > MOST:
            self._beginnings.popitem(last=False)

    def get(self, post_id: str) -> Post | None:
        """Return what is known of a message."""
        return self._posts.get(post_id)

    def find(self, key: str) -> Post | None:
        """Return the message of a key, if it is known and still there."""
        post = self._posts.get(self._by_key.get(key, ""))
        return post if post is not None and not post.redacted else None

    def redacted(self, target: str) -> bool:
        """Take note that an event was deleted; True where it was a message of Locus that is known."""
        post = self._posts.get(target)
        if post is not None:
            post.redacted = True
        return post is not None or target in self._beginnings

    async def own(self, room: str, target: str) -> OwnMessage | None:
        """Return the message of Locus that an event is, or belongs to; None for any other event.

        Raises:
            UnavailableError: If the homeserver does not answer.
        """
        beginning = self._beginnings.get(target, target)
        post = self._posts.get(beginning)
        if post is not None and post.key:
            root = post.root or ("" if beginning == target else beginning)
            return OwnMessage(post.key, post.handle, root) if post.room == room else None
        found = await self._looking.event(room, target)
        if found is None or found[0].get("sender") != self._client.user_id:
            return None
        mark = read_mark(found[0])
        if mark is None:
            return None
        edited = None if mark.handle else await self._looking.latest_mark(room, target)
        return _own(found[0], edited or mark)


def _own(event: Fields, mark: Mark) -> OwnMessage:
    relation = record(record(event, "content"), "m.relates_to")
    root = event_id(relation) if text(relation, "rel_type") == "m.thread" else ""
    return OwnMessage(mark.key, mark.handle, root)
