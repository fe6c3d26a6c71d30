"""What `locus doctor` finds, against real servers: settings, Slack, Matrix, GeneNetwork, clocks, digests, documents."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import sqlite3
import time
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from adapters.matrix.examination import examine_server
from adapters.slack.examination import examine_app, examine_bot_token
from adapters.slack.manifest import manifest_link, manifest_scopes, manifest_text
from bot.checks import Finding, Level, clock_finding
from bot.cli.app import main
from bot.cli.ingesting import ingest_documents
from bot.engine.devices import GpuDevice
from bot.examination import examine, examine_settings, examining, machine, unreadable_settings
from bot.examination.genenetwork import examine_genenetwork
from bot.examination.knowledge import examine_knowledge
from bot.settings import Settings, load_settings
from bot.store.examination import examine_redis
from tests.gn_server import GeneNetworkServer
from tests.gn_server.faults import Fault
from tests.matrix_server.synapse import Synapse
from tests.redis_servers import RedisServer, free_port
from tests.slack_server import APP_TOKEN, BOT_TOKEN, LocalSlack
from tests.slack_server.manifest import MANIFEST

BOT, APP = SecretStr(BOT_TOKEN), SecretStr(APP_TOKEN)


def levels(findings: Iterable[Finding], part: str = "") -> list[Level]:
    """The levels of the findings of a part, in order."""
    return [finding.level for finding in findings if part in ("", finding.part)]


def app(scopes: Iterable[str]) -> dict[str, Any]:
    """The manifest of an app with these scopes."""
    made: dict[str, Any] = copy.deepcopy(MANIFEST)
    made["oauth_config"]["scopes"]["bot"] = sorted(scopes)
    return made


def settings_of(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[Finding]:
    """What is found of a .env file and variables."""
    file = folder / "lab.env"
    file.write_text(text)
    file.chmod(0o600)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return list(examine_settings(load_settings(file), environment, file))


# Settings


def test_plain_settings_are_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said how many are set."""
    (finding,) = settings_of(tmp_path, "LOCUS_TOP_K=5\n", monkeypatch, LOCUS_MODEL_SEED="3")

    assert (Level.OK, True) == (finding.level, finding.text.startswith("2 are set"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LOCUS_SLACK_APP_TOKEN=xapp-1\n", "LOCUS_SLACK_BOT_TOKEN is not, so it does nothing"),
        ("LOCUS_MATRIX_USER=@locus:lab.example\n", "LOCUS_MATRIX_HOMESERVER is not"),
        ("LOCUS_REMOTE_KEY=abc\n", "LOCUS_REMOTE_URL is not"),
        ("LOCUS_LORA=a.gguf\n", "LOCUS_MODEL is not"),
        ("LOCUS_SLACK_BOT_TOKEN=xapp-1\nLOCUS_SLACK_APP_TOKEN=xapp-1\n", "LOCUS_SLACK_BOT_TOKEN does not begin with"),
        ("LOCUS_MATRIX_HOMESERVER=https://m.example\nLOCUS_MATRIX_PASSWORD=abc\n", "only needed to log in"),
        ("LOCUS_DIGEST_FILE=a.toml\nLOCUS_GENENETWORK=off\n", "nothing new is ever found"),
        ("LOCUS_HEALTH_PORT=8080\nLOCUS_HEALTH_HOST=0.0.0.0\n", "asks nobody for a password"),
    ],
)
def test_contradictions_are_found(text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with what to do, and without any value of a secret."""
    found = [one for one in settings_of(tmp_path, text, monkeypatch) if one.level is not Level.OK]

    assert [True] == [words in one.text and bool(one.fix) for one in found]
    assert not any(secret in f"{one.text}{one.fix}" for one in found for secret in ("xapp-1", "abc"))


def test_a_misspelt_variable_is_found_with_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment; nothing else would tell."""
    found = settings_of(tmp_path, "", monkeypatch, LOCUS_TOPK="5", LOCUS_QQQQQ="1")

    assert [Level.OK, Level.WARNING, Level.WARNING] == levels(found)
    assert "did you mean LOCUS_TOP_K?" in [one.fix for one in found]


def test_secrets_that_others_can_read_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the mode of the file; one without secrets may be read."""
    closed = settings_of(tmp_path, "LOCUS_REMOTE_URL=http://a/v1\nLOCUS_REMOTE_KEY=abcdef\n", monkeypatch)
    file = tmp_path / "lab.env"
    file.chmod(0o644)
    opened = list(examine_settings(load_settings(file), os.environ, file))
    file.write_text("LOCUS_TOP_K=5\n")
    plain = list(examine_settings(load_settings(file), os.environ, file))

    assert [Level.OK] == levels(closed)
    assert "chmod 600" in opened[-1].fix
    assert [Level.OK] == levels(plain)


def test_settings_that_cannot_be_read_are_told_all_at_once(tmp_path: Path) -> None:
    """Not only the first: every wrong line and value, and misspelt variables beside them."""
    file = tmp_path / "lab.env"
    file.write_text("LOCUS_TOP_K=0\nLOCUS_MODLE=a.gguf\nLOCUS_LOG_FORMAT=xml\n")
    found = unreadable_settings({"LOCUS_DATADIR": "x"}, file)

    assert [Level.ERROR] * 3 + [Level.WARNING] == levels(found)
    assert [] == [name for name in ("TOP_K", "MODLE", "LOG_FORMAT", "DATADIR") if name not in str(found)]
    assert [] == unreadable_settings({}, tmp_path / "none.env")


# Slack


async def test_an_app_of_the_manifest_is_well() -> None:
    """Who it is, its scopes, the clock and Socket Mode; nothing is connected."""
    async with LocalSlack(app(manifest_scopes())) as slack:
        found = await examine_app(BOT, APP, api_url=f"{slack.base_url}/api/")
        called = [call.method for call in slack.calls()]

    assert [Level.OK] * 4 == levels(found)
    assert "@locus in " in found[0].text
    assert ["auth.test", "apps.connections.open"] == called


async def test_scopes_are_compared_with_the_manifest() -> None:
    """A missing one is an error that names it, one too many a warning."""
    scopes = (manifest_scopes() - {"usergroups:read"}) | {"pins:read"}
    async with LocalSlack(app(scopes)) as slack:
        found = await examine_bot_token(BOT, api_url=f"{slack.base_url}/api/")

    assert [Level.OK, Level.ERROR, Level.WARNING, Level.OK] == levels(found)
    assert "lacks the scopes usergroups:read." in found[1].text
    assert "more than Locus needs: pins:read." in found[2].text


async def test_tokens_that_slack_does_not_take_are_errors() -> None:
    """Each by its own setting, and never shown."""
    async with LocalSlack() as slack:
        api_url = f"{slack.base_url}/api/"
        wrong = await examine_app(SecretStr("xoxb-revoked"), SecretStr("xapp-revoked"), api_url=api_url)
    away = await examine_app(BOT, APP, api_url=f"http://127.0.0.1:{free_port()}/api/")

    assert [Level.ERROR] * 2 == levels(wrong)
    assert ("LOCUS_SLACK_BOT_TOKEN" in str(wrong[0]), "LOCUS_SLACK_APP_TOKEN" in wrong[1].text) == (True, True)
    assert "revoked" not in str(wrong)
    assert [Level.ERROR] * 2 == levels(away)


async def test_a_clock_that_is_off_is_found() -> None:
    """By the time in Slack's answers: a minute is a warning, an hour an error."""
    async with LocalSlack(app(manifest_scopes())) as slack:
        api_url = f"{slack.base_url}/api/"
        late = await examine_bot_token(BOT, api_url=api_url, clock=lambda: time.time() - 60)
        ahead = await examine_bot_token(BOT, api_url=api_url, clock=lambda: time.time() + 3600)

    assert [Level.WARNING] == levels(late, "clock")
    assert "s behind Slack's" in late[-1].text
    assert [Level.ERROR] == levels(ahead, "clock")


def test_a_clock_may_be_off_by_a_few_seconds() -> None:
    """Answers take their time, and headers have whole seconds."""
    assert [Level.OK, Level.WARNING, Level.ERROR] == [clock_finding("it", apart).level for apart in (-4, 6, -301)]


def test_the_link_makes_an_app_of_the_manifest() -> None:
    """It holds all of it but the comments, and fits into an address."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(manifest_link()).query)

    assert {"new_app", "manifest_yaml"} == set(query)
    assert yaml.safe_load(manifest_text()) == yaml.safe_load(query["manifest_yaml"][0])
    assert 8000 > len(manifest_link())


# Matrix


async def test_a_homeserver_is_known_by_its_versions(synapse: Synapse) -> None:
    """And by its clock."""
    found = await examine_server(synapse.url)
    late = await examine_server(f"{synapse.url}/", clock=lambda: time.time() + 60)

    assert [Level.OK, Level.OK] == levels(found)
    assert [Level.OK, Level.WARNING] == levels(late)


async def test_what_is_no_homeserver_is_an_error() -> None:
    """Also where something else answers, or nothing."""
    async with GeneNetworkServer() as other:
        something = await examine_server(other.url)
    nothing = await examine_server(f"http://127.0.0.1:{free_port()}")

    assert [Level.ERROR, Level.ERROR] == levels([*something, *nothing])
    assert "is no Matrix homeserver" in something[0].text
    assert "does not answer" in nothing[0].text


# GeneNetwork


def gn_settings(server: GeneNetworkServer, **more: object) -> Settings:
    """Settings with the local GeneNetwork."""
    values = {"genenetwork_url": server.url, "genenetwork_gn3_url": server.gn3_url, "contact": "lab@example.org"}
    return Settings.model_validate({**values, **more})


async def test_genenetwork_is_asked_once() -> None:
    """For the shortest list it has; without a contact, its operators cannot reach the lab."""
    async with GeneNetworkServer() as server:
        well = await examine_genenetwork(gn_settings(server))
        asked = len(server.requests)
        nameless = await examine_genenetwork(gn_settings(server, contact=""))

    assert ([Level.OK, Level.OK], 1) == (levels(well), asked)
    assert (Level.OK, "set LOCUS_CONTACT to an address of the lab.") == (nameless[0].level, nameless[0].fix)
    assert "It agrees with GeneNetwork's." == well[1].text


async def test_without_genenetwork_documents_still_answer() -> None:
    """So it is a warning, and nothing at all where the settings say off."""
    async with GeneNetworkServer() as server:
        server.fail("*", Fault.page(503))
        (down,) = await examine_genenetwork(gn_settings(server))
    (off,) = await examine_genenetwork(Settings.model_validate({"genenetwork": "off"}))

    assert (Level.WARNING, True) == (down.level, "503" in down.text)
    assert Level.OK is off.level


# The machine


def test_the_time_zone_and_declared_digests_are_read(tmp_path: Path) -> None:
    """A wrong zone, a wrong file, and UTC where nobody chose it are told."""
    declared = tmp_path / "digests.toml"
    declared.write_text('[[digest]]\nname = "x"\nchannel = "nowhere"\nwhen = "often"\n')
    wrong = list(machine.examine_time(Settings(time_zone="Mars/Olympus")))
    chosen = list(machine.examine_time(Settings(time_zone="America/Chicago", digest_file=declared)))

    assert [Level.ERROR] == levels(wrong)
    assert [Level.OK, Level.ERROR] == levels(chosen)
    assert "America/Chicago, where it is " in chosen[0].text


def test_a_machine_in_utc_is_asked_for_the_zone_of_its_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless somebody chose UTC, or there is no chat that digests could come to."""
    monkeypatch.setenv("TZ", "UTC")
    homeserver = "https://matrix.lab.example"

    assert [Level.WARNING] == levels(machine.examine_time(Settings(matrix_homeserver=homeserver)))
    assert [Level.OK] == levels(machine.examine_time(Settings(matrix_homeserver=homeserver, time_zone="UTC")))
    assert [Level.OK] == levels(machine.examine_time(Settings()))


def test_a_gpu_that_llama_cpp_cannot_use_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver is loaded but the build is for CPUs; worse where layers are wanted there."""
    driver = tmp_path / "version"
    driver.write_text("NVRM")
    gpu = GpuDevice("CUDA0", "NVIDIA H200", 100 * 2**30, 139 * 2**30)
    monkeypatch.setattr(machine, "installed_gpu_devices", lambda: ())
    unusable = list(machine.examine_gpus(Settings(), driver))
    wanted = list(machine.examine_gpus(Settings(gpu_layers=-1), driver))
    missing = list(machine.examine_gpus(Settings(gpu_layers=20), tmp_path / "none"))
    none = list(machine.examine_gpus(Settings(), tmp_path / "none"))
    monkeypatch.setattr(machine, "installed_gpu_devices", lambda: (gpu,))
    usable = list(machine.examine_gpus(Settings(), driver))

    assert [Level.WARNING, Level.ERROR, Level.ERROR, Level.OK, Level.OK] == levels(
        [*unusable, *wanted, *missing, *none, *usable]
    )
    assert "NVIDIA H200, 100.0 of 139.0 GiB free" in usable[0].text


async def test_the_clock_of_a_redis_server_elsewhere_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on this machine has the same clock."""
    port = free_port()
    with RedisServer(port=str(port), requirepass="right") as _:
        url = f"redis://:right@127.0.0.1:{port}"
        here = await examine_redis(url, clock=lambda: time.time() + 900)
        monkeypatch.setattr("bot.store.examination.is_loopback", lambda _host: False)
        elsewhere = await examine_redis(url, clock=lambda: time.time() + 900)

    assert [] == levels(here, "clock")
    if levels(elsewhere, "clock"):  # servers say what time it is from version 7 on
        assert [Level.ERROR] == levels(elsewhere, "clock")


# Documents


def test_an_index_that_was_not_synced_for_long_is_found(tmp_path: Path) -> None:
    """A folder of the lab may have changed; the documents that come with Locus do so with it only."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "a.md").write_text("# BXD\n\nThe BXD strains were made by crossing C57BL/6J and DBA/2J mice.\n")
    settings = Settings.model_validate({"data_dir": tmp_path / "data"})
    asyncio.run(ingest_documents(settings, [str(tmp_path / "lab")]))
    fresh = list(examine_knowledge(settings))
    with sqlite3.connect(tmp_path / "data" / "index" / "catalogue.sqlite") as connection:
        connection.execute("UPDATE sources SET synced_at = '2020-01-01T00:00:00+00:00'")
    connection.close()
    stale = list(examine_knowledge(settings))

    assert [Level.OK] == levels(fresh, "source")
    assert "(today)" in next(one.text for one in fresh if one.part == "index")
    assert [Level.WARNING] == levels(stale, "source")
    assert "run `locus ingest`" in stale[-1].fix


# All together


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs `locus doctor` with further words; returns its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["locus", "doctor", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    return run


def test_settings_that_cannot_be_read_end_the_doctor_with_a_report(
    printed: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """For people and for programs, with exit code 1."""
    (tmp_path / ".env").write_text("LOCUS_TOP_K=0\nLOCUS_MODLE=a.gguf\n")
    code, shown = printed()
    json_code, told = printed("--json")

    assert (1, 1) == (code, json_code)
    assert "did you mean LOCUS_MODEL?" in shown
    assert "2 errors." in shown
    assert ["settings"] * 2 == [one["part"] for one in json.loads(told)["findings"]]


async def test_one_doctor_looks_at_everything(tmp_path: Path, synapse: Synapse) -> None:
    """Every part is told of, what is away keeps no other from being looked at, and no secret is shown."""
    port = free_port()
    async with LocalSlack(app(manifest_scopes())) as slack, GeneNetworkServer() as genenetwork:
        with RedisServer(port=str(port), requirepass="hunter22"):
            settings = gn_settings(
                genenetwork,
                data_dir=tmp_path / "data",
                slack_bot_token=BOT_TOKEN,
                slack_app_token=APP_TOKEN,
                slack_api_url=f"{slack.base_url}/api/",
                matrix_homeserver=synapse.url,
                matrix_user="@nobody:localhost",
                redis_url=f"redis://:hunter22@127.0.0.1:{port}",
                remote_url=f"http://127.0.0.1:{free_port()}/v1",
                time_zone="America/Chicago",
            )
            found = await examine(settings, tmp_path / ".env")
    worst = {part: max(levels(found, part), key=list(Level).index) for part in {one.part for one in found}}

    parts = "version settings disk index embedding slack matrix redis genenetwork clock".split()
    assert set() == {*parts, "time zone", "remote model", "gpu"} - worst.keys()
    assert {"matrix", "remote model"} == {part for part, level in worst.items() if level is Level.ERROR}
    assert {"index"} == {part for part, level in worst.items() if level is Level.WARNING}
    assert [] == [word for word in (BOT_TOKEN, APP_TOKEN, "hunter22") if word in str(found)]


async def test_a_part_that_cannot_be_looked_at_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it raised is no text of somebody else's."""

    def broken(_: Settings) -> Finding:
        raise ZeroDivisionError("secret text")

    monkeypatch.setattr(examining, "examine_gpus", broken)
    monkeypatch.setattr(examining, "examine_knowledge", lambda _: [])
    found = await examine(Settings.model_validate({"data_dir": tmp_path, "genenetwork": "off"}), tmp_path / ".env")

    assert ["It could not be looked at (ZeroDivisionError)."] == [one.text for one in found if one.part == "gpu"]
    assert {Level.ERROR} == set(levels(found, "gpu"))
    assert [Level.OK] == levels(found, "version")
