"""Files: the methods, the address that takes an upload, and the one that gives a file out."""

from __future__ import annotations

import mimetypes
import re

from aiohttp import web

from tests.slack_server.bench import BOT_TOKEN, Bench
from tests.slack_server.call import Call
from tests.slack_server.chat_methods import check_writable
from tests.slack_server.posting import file_json, publish
from tests.slack_server.values import Json, Message, SlackError, StoredFile

MOST_BYTES = 2**30
MOST_COMMENT = 4_000
MOST_ALT = 1_000
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def upload_url(call: Call) -> Json:
    """files.getUploadURLExternal."""
    name = call.required("filename", "length")[0]
    length, world = call.number("length", 0), call.bench.world
    if not 0 < length <= MOST_BYTES:
        raise SlackError("file_upload_size_restricted" if length > 0 else "invalid_arguments")
    alt = call.text("alt_txt")
    if len(alt) > MOST_ALT:
        raise SlackError("alt_txt_too_large")
    file = StoredFile(world.new_id("F"), name, length, world.bot.id, media_type=media_type_of(name), alt=alt)
    world.files[file.id] = file
    return {"upload_url": f"{call.bench.base_url}/upload/{file.id}", "file_id": file.id}


def complete_upload(call: Call) -> Json:
    """files.completeUploadExternal: shows files in a channel, as one message."""
    bench, world = call.bench, call.bench.world
    files: list[StoredFile] = []
    for item in call.items("files", "invalid_arguments") or []:
        file = world.files.get(str(item.get("id")))
        if file is None or file.user != world.bot.id or file.data is None:
            raise SlackError("file_not_found")
        file.title = str(item.get("title") or file.name)
        files.append(file)
    if not files:
        raise SlackError("invalid_arguments")
    if call.text("channel_id"):
        channel = call.channel("channel_id")
        check_writable(call, channel)
        for file in files:
            file.channels.add(channel.id)
        message = Message(
            channel.id,
            world.new_ts(),
            world.bot.id,
            call.text("initial_comment")[:MOST_COMMENT],
            bot_id=world.bot.bot_id,
            app_id=world.app_id,
            subtype="file_share",
            thread_ts=call.text("thread_ts"),
            files=[file.id for file in files],
            parse="links",
        )
        publish(bench, message)
    return {"files": [{**file_json(bench, file.id), "id": file.id} for file in files]}


def file_info(call: Call) -> Json:
    """files.info."""
    file = call.bench.world.files.get(call.required("file")[0])
    if file is None or file.data is None or not _visible(call.bench, file):
        raise SlackError("file_not_found")
    if file.deleted:
        raise SlackError("file_deleted")
    return {"file": file_json(call.bench, file.id), "comments": [], "response_metadata": {"next_cursor": ""}}


def delete_file(call: Call) -> Json:
    """files.delete, of the bot's own."""
    file = call.bench.world.files.get(call.required("file")[0])
    if file is None:
        raise SlackError("file_not_found")
    if file.deleted:
        raise SlackError("file_deleted")
    if file.user != call.bench.world.bot.id:
        raise SlackError("cant_delete_file")
    file.deleted = True
    return {}


def media_type_of(name: str) -> str:
    """Guess a media type from a file's name, as Slack does."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _visible(bench: Bench, file: StoredFile) -> bool:
    """Say whether the bot is somewhere where the file was shown."""
    bot = bench.world.bot.id
    return file.user == bot or any(bot in bench.world.channels[key].members for key in file.channels)


class FileAddresses:
    """What is not a method: the addresses files are sent to and fetched from.

    Args:
        bench: The server's state.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def upload(self, request: web.Request) -> web.Response:
        """Take the bytes of a file, raw or as a form."""
        if (fault := self._bench.faults.take("upload")) and (fault.status or fault.error):
            return web.Response(status=fault.status or 400, text=fault.error)
        file = self._bench.world.files.get(request.match_info["file"])
        if file is None or file.data is not None:
            return web.Response(status=404, text="no such upload")
        if request.content_type.startswith("multipart/"):
            form = await request.post()
            parts = [part for part in form.values() if isinstance(part, web.FileField)]
            data = parts[0].file.read() if parts else b""
        else:
            data = await request.read()
        if len(data) != file.size:
            return web.Response(status=400, text="the length is not the announced one")
        file.data = data
        return web.Response(text=f"OK - {len(data)}")

    async def download(self, request: web.Request) -> web.Response:
        """Give a file to the bot; anybody else is sent to a page that asks to sign in, as Slack does."""
        file = self._bench.world.files.get(request.match_info["file"])
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        allowed = (
            token == BOT_TOKEN
            and self._bench.tokens.get(token) == ""
            and "files:read" in self._bench.grants.scopes
            and file is not None
            and _visible(self._bench, file)
        )
        if not allowed:
            raise web.HTTPFound("/signin")
        if file is None or file.data is None or file.deleted:
            return web.Response(status=404)
        if (fault := self._bench.faults.take("download")) and fault.status:
            return web.Response(status=fault.status)
        if part := _RANGE.fullmatch(request.headers.get("Range", "")):
            end = int(part[2]) + 1 if part[2] else len(file.data)
            return web.Response(status=206, body=file.data[int(part[1]) : end], content_type=file.media_type)
        return web.Response(body=file.data, content_type=file.media_type)

    async def redirect(self, request: web.Request) -> web.Response:
        """Lead to another address, or round in circles."""
        raise web.HTTPFound(request.query.get("to") or "/redirect")

    async def sign_in(self, _: web.Request) -> web.Response:
        """The page that asks to sign in; its status is 200."""
        return web.Response(
            text="<!DOCTYPE html><html><body>Sign in to your workspace</body></html>", content_type="text/html"
        )
