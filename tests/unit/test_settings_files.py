"""docs/settings.md and .env.example say what the settings are, and `locus settings` what holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.settings_files import EXAMPLE, PAGE, example, page
from bot.setting_sections import SECTIONS, described
from bot.settings import Settings, secret_names, setting_names

ROOT = Path(__file__).parents[2]
STALE = "it is not up to date: `make settings` writes it anew"


def shown(*options: str) -> str:
    """What `locus settings` prints."""
    done = CliRunner().invoke(app, ["settings", *options], catch_exceptions=False)
    assert 0 == done.exit_code
    return done.stdout


def test_every_setting_stands_in_one_section() -> None:
    """None is forgotten when a setting is added, and no section is empty."""
    named = [one.name for _, group in described() for one in group]

    assert (len(named), setting_names()) == (len(set(named)), set(named))
    assert [] == [section.title for section, group in described() if not group]
    assert len(SECTIONS) == len({section.title for section in SECTIONS})


def test_every_setting_is_explained() -> None:
    """By a sentence."""
    assert [] == [one.name for _, group in described() for one in group if not one.meaning.endswith(".")]


def test_secrets_are_told_from_other_settings() -> None:
    """As secrets, and none has a default."""
    secrets = [one for _, group in described() for one in group if one.secret]

    assert sorted(secret_names()) == sorted(one.name for one in secrets)
    assert {("secret", "none")} == {(one.takes, one.shown_default) for one in secrets}


def test_what_may_be_given_is_told() -> None:
    """Choices, bounds, and what is no secret."""
    takes = {one.field: one.takes for _, group in described() for one in group}

    assert "`debug`, `info`, `warning`, `error`" == takes["log_level"]
    assert "`auto` or whole number" == takes["gpu_layers"]
    assert ("whole number 1 to 50", "number above 0, to 2") == (takes["top_k"], takes["model_repetition_penalty"])
    assert ("words", "path", "text", "secret") == tuple(
        takes[name] for name in ("sources", "model", "chroma_url", "redis_url")
    )


def test_the_page_is_up_to_date() -> None:
    """Its tables are those that the settings make."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")

    assert page(text) == text, STALE


def test_the_example_is_up_to_date() -> None:
    """It is what the settings make of it."""
    assert example() == (ROOT / EXAMPLE).read_text(encoding="utf-8"), STALE


def test_what_is_written_by_hand_stays() -> None:
    """Before and after the tables; without their marks nothing is written."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")

    assert page(f"Mine.\n{text}Mine too.\n") == f"Mine.\n{text}Mine too.\n"
    with pytest.raises(ValueError, match="lacks the lines"):
        page("# Settings\n")


def test_the_settings_that_hold_are_shown_with_where_they_come_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Options, environment, .env and files; those that have their defaults only where they are asked for."""
    (tmp_path / "key").write_text("the-key-of-the-lab")
    (tmp_path / ".env").write_text("LOCUS_TOP_K=3\nLOCUS_MODEL_SEED=7\n")
    for name, value in (("TOP_K", "4"), ("REMOTE_KEY_FILE", str(tmp_path / "key")), ("REMOTE_URL", "http://a:1/v1")):
        monkeypatch.setenv(f"LOCUS_{name}", value)
    brief = shown("--data-dir", str(tmp_path / "data"))
    rows = {one["name"]: one for one in json.loads(shown("--json"))["settings"]}

    assert f"  LOCUS_DATA_DIR={tmp_path / 'data'}  (option)\n" in brief
    assert "  LOCUS_TOP_K=4  (environment)\n" in brief
    assert "  LOCUS_MODEL_SEED=7  (.env)\n" in brief
    assert "  LOCUS_REMOTE_KEY=(set, not shown)  (file)\n" in brief
    assert "LOCUS_QUEUE_LIMIT" not in brief
    assert "  LOCUS_QUEUE_LIMIT=200  (default)\n" in shown("--all")
    assert setting_names() == set(rows)
    assert ("4", "environment", "Answers") == tuple(rows["LOCUS_TOP_K"][one] for one in ("value", "source", "section"))


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a value that is one, nor a password in an address."""
    for name, field in Settings.model_fields.items():
        if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ())):
            monkeypatch.setenv(f"LOCUS_{name.upper()}", f"canary-of-{name}-0123456789")
    monkeypatch.setenv("LOCUS_REDIS_URL", "redis://locus:canary@127.0.0.1/0")
    monkeypatch.setenv("LOCUS_CHROMA_URL", "http://locus:canary@127.0.0.1:8000")
    monkeypatch.setenv("LOCUS_MATRIX_HOMESERVER", "https://matrix.example.org")
    for options in ((), ("--all",), ("--json",)):
        assert "canary" not in shown(*options)
