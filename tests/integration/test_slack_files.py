"""Files that people share in Slack: what reaches the core, and what is fetched from where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr

from adapters.slack.adapter import SlackAdapter
from adapters.slack.ascertaining import ascertain
from adapters.slack.client import SlackClient
from adapters.slack.downloading import download, is_slacks
from adapters.slack.events_files import MOST_FILES, SharedFile, read_files
from adapters.slack.parts import Parts
from bot.errors import InvalidRequestError, NotFoundError, RefusedError, UnavailableError
from bot.messages import FileReference, IncomingMessage, Place
from bot.replies import Attachment, Reply, Stage
from bot.store.client import Store
from tests.slack_adapter import DEADLINE_S, SlackService, bot_lines, make_adapter, serving
from tests.slack_server import BOT_TOKEN, Clock, Fault, LocalSlack, Message, Timing
from tests.slack_server.manifest import MANIFEST
from tests.slack_server.values import Json, StoredFile

C1 = "C1"
HERE = Place("slack", "T1", C1)
TEXT = b"# Protocol\n\nKeep the liver at -80 degrees."
PAGE = b"<html><body>Protocol</body></html>"
MOST = 10_000


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A Slack whose minutes last a second, and which tries again soon."""
    timing = Timing(acknowledge_within_s=2.0, retry_after_s=(0.0, 0.2, 0.4))
    async with LocalSlack(clock=Clock(speed=60.0), timing=timing) as local:
        yield local


@pytest.fixture
async def adapter(slack: LocalSlack) -> AsyncIterator[SlackAdapter]:
    """An adapter that is not connected."""
    async with make_adapter(slack) as adapter:
        yield adapter


def share(slack: LocalSlack, name: str = "protocol.md", data: bytes = TEXT, channel: str = C1) -> StoredFile:
    """Share a file in a channel."""
    message = slack.upload(channel, "U1", name, data)
    return slack.world.files[message.files[0]]


async def fetch(adapter: SlackAdapter, file: StoredFile, place: Place = HERE, max_bytes: int = MOST) -> bytes:
    """Fetch a file for a place."""
    return await adapter.fetch(place, FileReference(file.id, file.name), max_bytes=max_bytes)


class Heard:
    """Notes the messages that have been accepted, as they are answered."""

    def __init__(self) -> None:
        self.messages: list[IncomingMessage] = []
        self.noted = asyncio.Event()

    async def __call__(self, parts: Parts, message: IncomingMessage) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    known = await ascertain(parts, message)
                    break
                except UnavailableError:
                    await asyncio.sleep(0.01)
        assert known is not None
        self.messages.append(known)
        self.noted.set()

    async def until(self, *messages: Message) -> None:
        """Wait until messages have been noted."""
        async with asyncio.timeout(DEADLINE_S):
            while not {one.ts for one in messages} <= {one.message_id for one in self.messages}:
                self.noted.clear()
                await self.noted.wait()

    def files_of(self, message: Message) -> list[tuple[str, str, int, str]]:
        """Return what has come with a message."""
        found = next(one for one in self.messages if one.message_id == message.ts)
        return [(file.file_id, file.name, file.size_bytes, file.media_type) for file in found.files]


@asynccontextmanager
async def listening(
    slack: LocalSlack, store: Store, settings: dict[str, object] | None = None
) -> AsyncIterator[tuple[SlackService, Heard]]:
    """Run a service and note what it accepts."""
    heard = Heard()
    async with serving(slack, store, accepted=[heard], settings=settings) as one:
        await slack.connected(2)
        yield one, heard


async def test_files_reach_the_core_with_their_message(slack: LocalSlack, store: Store) -> None:
    """In a channel, in a thread and directly, as Slack describes them."""
    async with listening(slack, store) as (one, heard):
        root = slack.mention(C1, "U1", "new protocol", files=[("a.md", TEXT), ("b.pdf", b"%PDF-1.7")])
        reply = slack.mention(C1, "U2", "and this", thread_ts=root.ts, files=[("c.txt", b"x")])
        direct = slack.direct_message("U1", "my notes", files=[("d.md", TEXT)])
        plain = slack.mention(C1, "U1", "nothing with it")
        await heard.until(root, reply, direct, plain)
        await one.settled()

        first, second = root.files
        assert [(first, "a.md", len(TEXT), "text/markdown"), (second, "b.pdf", 8, "application/pdf")] == heard.files_of(
            root
        )
        assert [(reply.files[0], "c.txt", 1, "text/plain")] == heard.files_of(reply)
        assert [(direct.files[0], "d.md", len(TEXT), "text/markdown")] == heard.files_of(direct)
        assert [] == heard.files_of(plain)


@pytest.mark.parametrize("mode", ["external", "tombstone", "space", "hidden_by_limit"])
async def test_what_slack_does_not_keep_is_left_out(slack: LocalSlack, store: Store, mode: str) -> None:
    """Links to other services, canvases, and what is left of a deleted file."""
    file = share(slack)
    file.mode = mode
    async with listening(slack, store) as (one, heard):
        asked = slack.share(file.id, C1, "U1", "<@UBOT> learn about this")
        await heard.until(asked)
        await one.settled()

        assert [] == heard.files_of(asked)


async def test_slack_is_asked_for_files_that_it_does_not_describe(slack: LocalSlack, store: Store) -> None:
    """As in channels that are shared with other organisations; what turns out to be none is left out."""
    told, gone, external = (share(slack, name) for name in ("a.md", "b.md", "c.md"))
    for file in (told, gone, external):
        file.told = False
    gone.deleted, external.mode = True, "external"
    async with listening(slack, store) as (one, heard):
        asked = slack.share(told.id, C1, "U1", "<@UBOT> look at this")
        others = [slack.share(file.id, C1, "U1", "<@UBOT> look at this") for file in (gone, external)]
        await heard.until(asked, *others)
        await one.settled()

        assert [(told.id, "a.md", len(TEXT), "text/markdown")] == heard.files_of(asked)
        assert [[], []] == [heard.files_of(other) for other in others]


async def test_a_message_waits_when_slack_cannot_be_asked(slack: LocalSlack, store: Store) -> None:
    """Rather than being taken without its file."""
    file = share(slack)
    file.told = False
    slack.faults.add("files.info", Fault(status=500), Fault(status=500))
    async with listening(slack, store) as (one, heard):
        asked = slack.share(file.id, C1, "U1", "<@UBOT> look at this")
        await heard.until(asked)
        await one.settled()

        assert [(file.id, "protocol.md", len(TEXT), "text/markdown")] == heard.files_of(asked)


async def test_files_of_strangers_are_not_looked_at(slack: LocalSlack, store: Store) -> None:
    """Whatever they ask; it costs no call either."""
    slack.world.add_team("T9", "Elsewhere")
    stranger = slack.world.add_user("zoe", team="T9")
    channel = slack.world.add_channel("joint", members=["UBOT", "U1", stranger.id], connected=["T9"])
    file = share(slack, channel=channel.id)
    file.told = False
    async with listening(slack, store, {"answer_external": True}) as (one, heard):
        asked = slack.share(file.id, channel.id, stranger.id, "<@UBOT> look at this")
        await heard.until(asked)
        await one.settled()

        assert [] == heard.files_of(asked)
        assert [] == slack.calls("files.info")


async def test_a_file_without_a_word_asks_nothing(slack: LocalSlack, store: Store) -> None:
    """Also directly, where everything else is a question."""
    async with listening(slack, store) as (one, heard):
        slack.direct_message("U1", "", files=[("d.md", TEXT)])
        await one.settled()

        assert [] == heard.messages


def test_files_named_by_blocks_alone_are_found() -> None:
    """A mention may arrive before the message that lists its files."""
    elements: list[Json] = [
        {"type": "rich_text_section", "elements": [{"type": "user", "user_id": "UBOT"}, {"type": "text", "text": "x"}]},
        {"type": "file", "file_id": "F1"},
        {"type": "file", "id": "F2"},
        {"type": "file", "id": "no id"},
        {"type": "image", "id": "F3"},
    ]
    blocks: list[Json] = [{"type": "rich_text", "elements": elements}]

    assert (SharedFile("F1"), SharedFile("F2")) == read_files({"blocks": blocks})
    assert () == read_files({"blocks": blocks, "files": []})


def test_malformed_files_are_left_out() -> None:
    """And no message has endless ones."""
    good = {"id": "F1", "name": "a", "mode": "hosted", "size": -1, "mimetype": 7}
    files = [good, good, None, "F2", {}, {"id": "../x"}, {"id": "F3", "mode": "hosted", "file_access": "access_denied"}]

    assert (SharedFile("F1", "a", told=True),) == read_files({"files": files})
    assert MOST_FILES == len(read_files({"files": [good | {"id": f"F{number}"} for number in range(99)]}))
    assert () == read_files({"files": "F1", "blocks": "F1"})


def test_names_can_be_stored() -> None:
    """Whatever they are: no half characters, no lines, no endless ones; without one the id stands in."""
    names = ["a\ud800b\n c.md", "x" * 999, "", None]
    files = [{"id": f"F{number}", "name": name, "mode": "hosted"} for number, name in enumerate(names)]

    assert ["a b c.md", "x" * 255, "F2", "F3"] == [file.name for file in read_files({"files": files})]


async def test_a_file_is_fetched_where_it_was_shared(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """In channels of every kind, and in each of their threads."""
    people = ["UBOT", "U1", "U2"]
    private = slack.world.add_channel("secret", "private", members=people)
    group = slack.world.add_channel("group", "mpim", members=people)
    for channel in (C1, private.id, group.id, slack.world.direct("U1").id):
        file = share(slack, "a b+c%41.md", channel=channel)

        assert await fetch(adapter, file, Place("slack", "T1", channel, "1.0")) == TEXT


async def test_a_file_shared_elsewhere_is_not_fetched(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Though the bot could read it, whoever names its id does so in vain."""
    private = slack.world.add_channel("secret", "private", members=["UBOT", "U1"])
    secret = share(slack, channel=private.id)
    public = share(slack)
    for file, place in ((secret, HERE), (public, Place("slack", "T1", private.id))):
        with pytest.raises(NotFoundError, match="not shared in this channel"):
            await fetch(adapter, file, place)
    slack.share(secret.id, C1, "U1")

    assert await fetch(adapter, secret) == TEXT


async def test_a_file_that_is_gone_is_not_found(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Deleted, never there, only a link, or deleted between two calls."""
    deleted, external, late = (share(slack, name) for name in ("a.md", "b.md", "c.md"))
    deleted.deleted, external.mode = True, "external"
    slack.faults.add("download", Fault(status=404))
    for file in (deleted, external, late, StoredFile("F99", "x", 1, "U1")):
        with pytest.raises(NotFoundError):
            await fetch(adapter, file)


async def test_no_more_is_read_than_was_asked_for(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Whatever size Slack tells."""
    honest, liar = share(slack, "a.md", b"x" * 5000), share(slack, "b.md", b"x" * 5000)
    liar.size = 10
    for file in (honest, liar):
        with pytest.raises(InvalidRequestError, match="larger than the 4,999 bytes"):
            await fetch(adapter, file, max_bytes=4999)
        file.size = 5000
        assert 5000 == len(await fetch(adapter, file, max_bytes=5000))


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=429), Fault(status=503)])
async def test_a_download_that_fails_may_be_tried_again(slack: LocalSlack, adapter: SlackAdapter, fault: Fault) -> None:
    """And then works."""
    file = share(slack)
    slack.faults.add("download", fault)
    with pytest.raises(UnavailableError):
        await fetch(adapter, file)

    assert await fetch(adapter, file) == TEXT


@pytest.mark.parametrize(("name", "data"), [("a.md", TEXT), ("a.html", PAGE)])
async def test_the_page_for_signing_in_is_no_file(
    slack: LocalSlack, adapter: SlackAdapter, name: str, data: bytes
) -> None:
    """Slack shows it with status 200 to whoever may not read a file: the sentence says which scope is missing."""
    file = share(slack, name, data)
    assert data == await fetch(adapter, file)
    file.address = f"{slack.base_url}/signin"
    with pytest.raises(RefusedError, match="lacks the scope files:read"):
        await fetch(adapter, file)


async def test_an_app_of_an_older_manifest_goes_on_answering() -> None:
    """Only its files are refused, with the scope that is missing."""
    scopes = [one for one in MANIFEST["oauth_config"]["scopes"]["bot"] if one != "files:read"]
    events = [one for one in MANIFEST["settings"]["event_subscriptions"]["bot_events"] if one != "file_shared"]
    manifest = MANIFEST | {
        "oauth_config": {"scopes": {"bot": scopes}},
        "settings": MANIFEST["settings"] | {"event_subscriptions": {"bot_events": events}},
    }
    async with LocalSlack(manifest) as slack, make_adapter(slack) as adapter:
        file = share(slack)
        with pytest.raises(RefusedError, match="lacks the scope files:read"):
            await fetch(adapter, file)


async def test_the_token_goes_to_slack_alone(slack: LocalSlack, adapter: SlackAdapter) -> None:
    """Neither the address of a file nor where it leads to gets it, if that is not Slack's."""
    seen: list[str] = []

    async def thief(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(body=TEXT)

    async with AsyncExitStack() as stack:
        application = web.Application()
        application.router.add_get("/{rest:.*}", thief)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        elsewhere = f"http://127.0.0.1:{runner.addresses[0][1]}/a.md"
        file = share(slack)
        file.address = elsewhere
        with pytest.raises(RefusedError, match="not kept by Slack itself"):
            await fetch(adapter, file)
        file.address = f"{slack.base_url}/redirect?to={elsewhere}"
        with pytest.raises(RefusedError, match="not kept by Slack itself"):
            await fetch(adapter, file)

    assert [] == seen


@pytest.mark.parametrize(
    ("url", "slacks"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.md", True),
        ("https://lab.slack.com/files/a", True),
        ("https://slack.com/api/a", True),
        ("https://files.slack-gov.com/a", True),
        ("http://files.slack.com/a", False),
        ("https://files.slack.com:8443/a", False),
        ("https://files.slack.com@evil.com/a", False),
        ("https://user:x@files.slack.com/a", False),
        ("https://evilslack.com/a", False),
        ("https://slack.com.evil.com/a", False),
        ("https://files.slack.com.evil.com/a", False),
        ("//files.slack.com/a", False),
        ("ftp://files.slack.com/a", False),
        ("https://files.slack.com:99999/a", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_slacks_own_addresses(url: str, slacks: bool) -> None:
    """Https of its domains, and the server of its Web API."""
    assert slacks == is_slacks(url, "https://slack.com/api/")


async def test_a_download_does_not_go_round_in_circles(slack: LocalSlack) -> None:
    """A page that leads to itself is left."""
    async with SlackClient(SecretStr(BOT_TOKEN), api_base_url=slack.api_base_url) as client:
        circle = f"{slack.base_url}/redirect?to=/redirect"
        with pytest.raises(RefusedError):
            await download(client, circle, size_bytes=0, media_type="text/plain", max_bytes=MOST)


async def test_a_picture_is_shown_once_with_words_for_it(slack: LocalSlack) -> None:
    """Also when the process died behind it; its caption stands beside it and calls nobody."""
    root = slack.mention(C1, "U1", "Map it")
    place = Place("slack", "T1", C1, root.ts)
    picture = Attachment("map.png", "image/png", b"\x89PNG", alt="LOD scores of chromosome 1", caption="Peak <!here>")
    reply = Reply(Stage.FINAL, "Here it is.", attachments=(picture,))
    slack.faults.add("files.completeUploadExternal", Fault(drop="after"))
    async with make_adapter(slack) as adapter:
        with pytest.raises(UnavailableError):
            await adapter.post(place, reply, key="k", answers=root.ts)
    async with make_adapter(slack) as adapter:
        found = await adapter.find(place, "k", answers=root.ts)
        assert found is not None
        await adapter.edit(place, found, reply)

    lines = bot_lines(slack, C1, root.ts)
    assert [(), ("map.png",)] == [line.files for line in lines]
    assert ["LOD scores of chromosome 1"] == [file.alt for file in slack.world.files.values()]
    assert "Peak" in lines[1].text
    assert [] == slack.pings_seen[1:]
