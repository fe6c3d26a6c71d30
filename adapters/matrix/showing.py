"""Brings a room to what a reply looks like: one message, its continuation and files, edited in place."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
from collections import OrderedDict
from typing import Final, Literal

from adapters.matrix.looking import Looking
from adapters.matrix.marks import Mark
from adapters.matrix.pictures import file_content
from adapters.matrix.posts import Post, Posts
from adapters.matrix.relations import Content, edit_of, in_thread, transaction_id
from adapters.matrix.rendering import MatrixMessage, MsgType, Rendered, render
from adapters.matrix.sending import Sender, leniently
from adapters.matrix.transfers import Transfers
from adapters.matrix.work import OwnedWork
from bot.errors import InvalidRequestError, NotFoundError, RefusedError
from bot.replies import Attachment, Reply

logger = logging.getLogger(__name__)

MOST_THREADS: Final = 5000
LONG: Final = 4000  # characters of a reply that is not rendered on the event loop
MOST_EDITS: Final = 50  # of a message that are deleted with it


class Showing:
    """Shows replies in one session.

    Args:
        sender: Sends events.
        posts: Knows what was shown.
        looking: Looks at what is not known.
        transfers: Uploads files.
        work: Owns what is done beside.
        msgtype: Of messages.
    """

    def __init__(
        self,
        sender: Sender,
        posts: Posts,
        looking: Looking,
        transfers: Transfers,
        work: OwnedWork,
        *,
        msgtype: Literal["notice", "text"] = "notice",
    ) -> None:
        self._sender = sender
        self._posts = posts
        self._looking = looking
        self._transfers = transfers
        self._work = work
        self._msgtype: MsgType = "m.notice" if msgtype == "notice" else "m.text"
        self._last: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._session = secrets.token_hex(6)
        self._revision = 0

    def saw(self, room: str, root: str, event_id: str) -> None:
        """Take note of the newest event of a thread."""
        self._last[room, root] = event_id
        self._last.move_to_end((room, root))
        while len(self._last) > MOST_THREADS:
            self._last.popitem(last=False)

    async def post(self, room: str, root: str, reply: Reply, *, key: str) -> Post:
        """Show a reply as a new message; the same key gives the same message.

        Raises:
            UnavailableError: If the homeserver is away.
            RefusedError: If Locus may not write there.
            InvalidRequestError: If the room does not hold the thread.
        """
        rendered = await _rendered(reply)
        content = self._content(rendered.first, Mark(key, reply.handle))
        event_id = await self._sender.send(room, self._threaded(content, room, root), transaction_id(key))
        if root:
            self.saw(room, root, event_id)
        # The homeserver may have had it before, with other words.
        known = self._posts.get(event_id)
        post = known or self._posts.note(Post(event_id, room, root, key, reply.handle, _digest(content), {}))
        if known is not None or reply.final:
            await self._bring(post, reply, rendered)
        return post

    async def edit(self, post: Post, reply: Reply) -> None:
        """Show a reply in place of an earlier one. Raises as `post`.

        Raises:
            NotFoundError: If the message was deleted.
        """
        if post.redacted:
            raise NotFoundError("The message was deleted.")
        await self._bring(post, reply, await _rendered(reply))

    async def say(self, room: str, root: str, message: MatrixMessage, *, key: str) -> str:
        """Say something that is no answer, once, and return its id. Raises as `post`."""
        content = Mark(key).on(message.content(self._msgtype))
        return await self._sender.send(room, self._threaded(content, room, root), transaction_id(key))

    async def remove(self, post: Post) -> None:
        """Delete a message with all that belongs to it. Raises as `post`."""
        parts = await self._parts(post)
        for event_id in (post.event_id, *parts.values()):
            await self._sender.redact(post.room, event_id, transaction_id(event_id, revision="removed"))
        post.redacted = True
        self._work.begin("deleting edits", self._remove_edits(post))

    async def _remove_edits(self, post: Post) -> None:
        """Delete what a message said in the meantime: clients do not show it any more, but a homeserver keeps it."""
        for event_id in (await self._looking.edits(post.room, post.event_id))[:MOST_EDITS]:
            removing = self._sender.redact(post.room, event_id, transaction_id(event_id, revision="removed"))
            await leniently(removing, "deleting an edit")

    async def _bring(self, post: Post, reply: Reply, rendered: Rendered) -> None:
        content = self._content(rendered.first, Mark(post.key, reply.handle))
        now = _digest(content)
        edit = edit_of(content, post.event_id)
        if not reply.final:
            if now != post.shown and await self._sender.draft(post.room, edit, self._next(post.event_id)):
                post.shown = now
            return
        if now != post.shown:
            post.shown = ""  # until it is known
            await self._sender.send(post.room, edit, self._next(post.event_id))
            post.shown = now
        post.handle = reply.handle
        await self._bring_parts(post, rendered)

    async def _bring_parts(self, post: Post, rendered: Rendered) -> None:
        """Bring further messages and files to what they should show, in their order."""
        known = await self._parts(post)
        post.parts = None  # until all of it is done
        wanted: dict[str, str] = {}
        for number, message in enumerate(rendered.continuation, 1):
            name = f"{number}"
            content = self._content(message, Mark(post.key, post.handle, post.event_id, name))
            wanted[name] = await self._show_part(post, name, content, known.get(name))
        for number, file in enumerate(rendered.files):
            name = f"file {number} {hashlib.blake2b(file.data, digest_size=8).hexdigest()}"
            if name in known:
                wanted[name] = known[name]
            elif event_id := await self._show_file(post, name, file):
                wanted[name] = event_id
        for name, event_id in known.items():
            if name not in wanted:
                await self._sender.redact(post.room, event_id, transaction_id(event_id, revision="removed"))
        post.parts = wanted

    async def _show_part(self, post: Post, name: str, content: Content, known: str | None) -> str:
        if known is not None:
            await self._sender.send(post.room, edit_of(content, known), self._next(known))
            return known
        root = post.root or post.event_id
        event_id = await self._sender.send(
            post.room,
            self._threaded(content, post.room, root),
            transaction_id(f"{post.event_id} {name} {_digest(content)}"),
        )
        self.saw(post.room, root, event_id)
        self._posts.note_part(event_id, post.event_id)
        return event_id

    async def _show_file(self, post: Post, name: str, file: Attachment) -> str:
        """Show a file and return the id of its message; "" where the homeserver does not take it."""
        root = post.root or post.event_id
        try:
            uploaded = await self._transfers.upload(post.room, file)
            described = " ".join(text for text in (file.caption, file.alt) if text)
            content = Mark(post.key, post.handle, post.event_id, name).on(file_content(file, uploaded, alt=described))
            threaded = self._threaded(content, post.room, root)
            event_id = await self._sender.send(post.room, threaded, transaction_id(f"{post.event_id} {name}"))
        except (InvalidRequestError, RefusedError) as error:
            logger.warning("a file was not shown: %s", error)
            return ""
        self.saw(post.room, root, event_id)
        self._posts.note_part(event_id, post.event_id)
        return event_id

    async def _parts(self, post: Post) -> dict[str, str]:
        if post.parts is None:
            post.parts = await self._looking.parts_of(post.room, post.root or post.event_id, post.event_id)
            for event_id in post.parts.values():
                self._posts.note_part(event_id, post.event_id)
        return post.parts

    def _content(self, message: MatrixMessage, mark: Mark) -> Content:
        return mark.on(message.content(self._msgtype))

    def _threaded(self, content: Content, room: str, root: str) -> Content:
        return in_thread(content, root, self._last.get((room, root), "")) if root else content

    def _next(self, event_id: str) -> str:
        """Return the transaction id of the next edit: a homeserver would take an old one for done already."""
        self._revision += 1
        return transaction_id(event_id, revision=f"{self._session} {self._revision}")


async def _rendered(reply: Reply) -> Rendered:
    """Return what to send for a reply; a long one takes a quarter of a second."""
    return render(reply) if len(reply.text) < LONG else await asyncio.to_thread(render, reply)


def _digest(content: Content) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
