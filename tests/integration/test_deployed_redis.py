"""The Redis of deploy/: its configuration and its start script, with a real server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.errors import SettingsError
from bot.settings import Settings
from bot.store.facts import read_facts
from bot.store.opening import open_store
from tests.redis_servers import free_port, redis_binary

REDIS = Path(__file__).parents[2] / "deploy" / "redis"
PASSWORD = "0123456789abcdef0123456789abcdef"


def _environment(folder: Path, port: int, password: str) -> dict[str, str]:
    """Return what the container has, with its three places in a folder."""
    (folder / "bin").mkdir()
    (folder / "bin" / "redis-server").symlink_to(redis_binary())
    for name in ("run", "data"):
        (folder / name).mkdir()
    text = (REDIS / "redis.conf").read_text().replace("port 6379", f"port {port}\nbind 127.0.0.1")
    text = text.replace("/run/redis", str(folder / "run")).replace("dir /data", f"dir {folder / 'data'}")
    (folder / "redis.conf").write_text(text)
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "REDIS_PASSWORD": password,
        "REDIS_RUN": str(folder / "run"),
        "REDIS_CONF": str(folder / "redis.conf"),
    }


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a server listens that was started by the script."""
    number = free_port()
    environment = _environment(tmp_path, number, PASSWORD)
    with subprocess.Popen(["/bin/sh", str(REDIS / "start.sh")], env=environment, stdout=subprocess.DEVNULL) as server:
        yield number
        server.terminate()


async def test_locus_accepts_the_server_and_may_do_its_work(port: int, tmp_path: Path) -> None:
    """Version, persistence and memory policy are as docs/state.md asks, and the user may store and read."""
    url = SecretStr(f"redis://locus:{PASSWORD}@127.0.0.1:{port}/0")
    async with open_store(Settings(data_dir=tmp_path, redis_url=url), patience_s=60) as store:
        await store.call("SET", store.key("counter"), "1")
        facts = await read_facts(store, where="deploy")
        stored = await store.call("GET", store.key("counter"))

    assert "1" == stored
    assert facts.append_only
    assert "noeviction" == facts.policy


async def test_nobody_gets_in_without_the_password(port: int, tmp_path: Path) -> None:
    """There is no user without one."""
    known = SecretStr(f"redis://locus:{PASSWORD}@127.0.0.1:{port}/0")
    async with open_store(Settings(data_dir=tmp_path, redis_url=known), patience_s=60):
        pass
    for url in (f"redis://127.0.0.1:{port}/0", f"redis://locus:wrong@127.0.0.1:{port}/0"):
        with pytest.raises(SettingsError):
            async with open_store(Settings(data_dir=tmp_path, redis_url=SecretStr(url))):
                pass


@pytest.mark.parametrize("password", ["", "short", "with space and more than 16", "nopass > ~* +@all 1234"])
def test_a_password_that_could_say_more_is_refused(password: str, tmp_path: Path) -> None:
    """It is written into a file of rules: letters and digits only, and enough of them."""
    environment = _environment(tmp_path, free_port(), password)
    done = subprocess.run(["/bin/sh", str(REDIS / "start.sh")], env=environment, capture_output=True, check=False)

    assert 64 == done.returncode
    assert b"REDIS_PASSWORD" in done.stderr
    assert [] == list((tmp_path / "run").iterdir())
