"""Secrets that stand in files instead of variables."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from bot.cli.env_file import EnvFile
from bot.cli.setup_asking import Asker
from bot.cli.setup_work import Work
from bot.errors import SettingsError
from bot.examination import examine_settings
from bot.secret_files import MAX_BYTES, SecretFile
from bot.settings import (
    Settings,
    load_settings,
    secret_file_names,
    secret_names,
    secret_values,
    setting_names,
    setting_problems,
    unknown_names,
)

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-nobody-else-has"


def secret_file(folder: Path, content: bytes = SECRET.encode(), mode: int = 0o600) -> Path:
    """A file as an operator would write it."""
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("name", secret_names())
def test_every_secret_can_stand_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever secrets there will be: those of chats, of models, of Redis."""
    beside = {"LOCUS_SLACK_BOT_TOKEN": "LOCUS_SLACK_APP_TOKEN", "LOCUS_READER_TOKEN": "LOCUS_DASHBOARD_TOKEN"}
    if name in beside:
        monkeypatch.setenv(beside[name], "another-secret-that-is-long")
    monkeypatch.setenv(f"{name}_FILE", str(secret_file(tmp_path)))
    value = getattr(load_settings(), name.removeprefix("LOCUS_").lower())

    assert isinstance(value, SecretStr)
    assert SECRET == value.get_secret_value()


def test_the_address_of_redis_is_a_secret() -> None:
    """It holds a password."""
    assert {"LOCUS_REDIS_URL", "LOCUS_SLACK_BOT_TOKEN", "LOCUS_MATRIX_PASSWORD", "LOCUS_REMOTE_KEY"} <= set(
        secret_names()
    )


@pytest.mark.parametrize("content", [b"\n", b"\r\n", b"", b"\n\n"])
def test_the_end_of_the_line_is_no_part_of_it(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As editors and echo write it; spaces inside stay."""
    monkeypatch.setenv("LOCUS_REMOTE_KEY_FILE", str(secret_file(tmp_path, b"a b" + content)))
    key = load_settings().remote_key

    assert key is not None
    assert "a b" == key.get_secret_value()


def test_a_dotenv_file_may_name_it_too(tmp_path: Path) -> None:
    """The other lines of .env are still looked at: a misspelt one is refused, with the nearest name."""
    env_file = tmp_path / "lab.env"
    env_file.write_text(f"LOCUS_REMOTE_KEY_FILE={secret_file(tmp_path)}\n")
    key = load_settings(env_file).remote_key
    env_file.write_text("LOCUS_REMOTE_KEY_FIEL=/x\n")

    assert key is not None
    assert SECRET == key.get_secret_value()
    with pytest.raises(SettingsError, match="did you mean LOCUS_REMOTE_KEY_FILE"):
        load_settings(env_file)


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for every setting."""
    env_file = tmp_path / "lab.env"
    env_file.write_text("LOCUS_REMOTE_KEY_FILE=/not/there\n")
    monkeypatch.setenv("LOCUS_REMOTE_KEY_FILE", str(secret_file(tmp_path)))

    assert [SECRET] == secret_values(load_settings(env_file))


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_secret_that_is_given_twice_is_refused(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both names are in the sentence, and neither value."""
    monkeypatch.setenv("LOCUS_REMOTE_KEY_FILE", str(secret_file(tmp_path)))
    env_file = tmp_path / "lab.env"
    if where == "environment":
        monkeypatch.setenv("LOCUS_REMOTE_KEY", "another")
    else:
        env_file.write_text("LOCUS_REMOTE_KEY=another\n")

    with pytest.raises(SettingsError, match="LOCUS_REMOTE_KEY and LOCUS_REMOTE_KEY_FILE are both set") as caught:
        load_settings(env_file)

    assert not re.search(f"another|{SECRET}", str(caught.value))


def test_an_empty_name_of_a_file_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an empty value is no value."""
    monkeypatch.setenv("LOCUS_REMOTE_KEY_FILE", "")
    monkeypatch.setenv("LOCUS_REMOTE_KEY", "another")

    assert ["another"] == secret_values(load_settings())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"one\ntwo\n", "more than one line"),
        (b"one\0two", "more than one line"),
        (b"x" * (MAX_BYTES + 1), "longer than 64 KiB"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    """It names the variable and the file, and nothing of what is in it."""
    path = secret_file(tmp_path, content)

    with pytest.raises(SettingsError, match=words) as caught:
        SecretFile("LOCUS_REMOTE_KEY", path).read()

    assert str(caught.value).startswith(f"LOCUS_REMOTE_KEY_FILE names {path}, which")
    assert "one\n" not in str(caught.value)


def test_what_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes into, a name that no file has, and none at all."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    sentences = []
    for path in (tmp_path, pipe, tmp_path / "none", Path("a\0b"), tmp_path / ("x" * 300)):
        with pytest.raises(SettingsError) as caught:
            SecretFile("LOCUS_REMOTE_KEY", path).read()
        sentences.append(str(caught.value))

    expected = ["no file", "no file", "not there", "no possible path", "cannot be read"]
    assert [True] * 5 == [words in sentence for words, sentence in zip(expected, sentences, strict=True)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    """It says who must be let."""
    with pytest.raises(SettingsError, match="let the account of Locus read it"):
        SecretFile("LOCUS_REMOTE_KEY", secret_file(tmp_path, mode=0)).read()


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is missing does not hide other mistakes, and makes no second one of its own."""
    monkeypatch.setenv("LOCUS_SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("LOCUS_SLACK_APP_TOKEN_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("LOCUS_TOP_K", "0")
    problems = setting_problems()

    assert ["LOCUS_SLACK_APP_TOKEN_FILE", "LOCUS_TOP_K"] == [problem.split()[0] for problem in problems]


def test_a_misspelt_name_of_a_file_is_found() -> None:
    """And one of a setting that is no secret is no setting."""
    environment = {"LOCUS_REMOTE_KEYFILE": "x", "LOCUS_REMOTE_KEY_FILE": "x", "LOCUS_TOP_K_FILE": "x"}

    assert {"LOCUS_REMOTE_KEYFILE": "LOCUS_REMOTE_KEY_FILE", "LOCUS_TOP_K_FILE": "LOCUS_TOP_K"} == (
        unknown_names(environment)
    )


def test_no_setting_has_the_name_of_a_secrets_file() -> None:
    """LOCUS_DIGEST_FILE, for one, is a setting of its own."""
    assert set() == setting_names() & secret_file_names()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_file_that_everybody_can_read_is_found(
    mode: int, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor says how to close it; a group's right is the operator's choice."""
    monkeypatch.setenv("LOCUS_REMOTE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("LOCUS_REMOTE_KEY_FILE", str(secret_file(tmp_path, mode=mode)))
    found = [finding.fix for finding in examine_settings(load_settings(), os.environ, tmp_path / "none.env")]

    assert warned == any("chmod o-rwx" in fix for fix in found)


def test_what_is_typed_into_the_guide_takes_the_files_place(tmp_path: Path) -> None:
    """Both together would be refused."""
    env_file = tmp_path / ".env"
    env_file.write_text(f"LOCUS_REMOTE_KEY_FILE={secret_file(tmp_path)}\n")
    Work(Asker(Console(quiet=True)), EnvFile(env_file), None).keep({"LOCUS_REMOTE_KEY": "typed"})

    assert ["typed"] == secret_values(load_settings(env_file))
    assert "_FILE" not in env_file.read_text()


def test_every_secret_is_named_where_files_are_explained() -> None:
    """docs/settings.md lists the secrets, and no other setting, in its section about files."""
    section = (ROOT / "docs" / "settings.md").read_text().split("## Secrets from files")[1].split("\n## ")[0]
    listed = {name for name in re.findall(r"`(LOCUS_[A-Z0-9_]+)`", section) if not name.endswith("_FILE")}

    assert set(secret_names()) == listed


def test_a_secret_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the settings' own text nor by what is written down of them."""
    monkeypatch.setenv("LOCUS_REMOTE_KEY_FILE", str(secret_file(tmp_path)))
    settings: Settings = load_settings()

    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
