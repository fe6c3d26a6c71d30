"""Settings: one tree, every name known and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import load_settings, setting_names, unknown_names

ROOT = Path(__file__).parents[2]


def test_env_example_names_every_setting_and_no_other() -> None:
    """The example file and the settings hold the same names."""
    named = set(re.findall(r"^#? ?(LOCUS_[A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))

    assert setting_names() == named


def test_env_example_is_valid_with_every_line_switched_on(tmp_path: Path) -> None:
    """Uncommenting all lines of the example gives the defaults."""
    text = re.sub(r"^# (LOCUS_)", r"\1", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    (tmp_path / "all.env").write_text(text)
    read = load_settings(tmp_path / "all.env").model_dump(exclude={"data_dir"})

    assert load_settings().model_dump(exclude={"data_dir"}) == read


def test_a_misspelt_line_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """A line of .env that is no setting stops the start and names what was meant."""
    (tmp_path / ".env").write_text("LOCUS_MODLE=/models/a.gguf\n")

    with pytest.raises(SettingsError, match="LOCUS_MODLE, which is no setting of Locus: did you mean LOCUS_MODEL?"):
        load_settings()


def test_a_misspelt_variable_is_found() -> None:
    """The doctor learns of names in the environment that nobody reads."""
    environment = {"LOCUS_DATADIR": "x", "LOCUS_TOP_K": "3", "HOME": "/"}

    assert {"LOCUS_DATADIR": "LOCUS_DATA_DIR"} == unknown_names(environment)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOCUS_TOP_K", "0", "LOCUS_TOP_K is '0': .*greater than or equal to 1"),
        ("LOCUS_ANSWER_THRESHOLD", "often", "LOCUS_ANSWER_THRESHOLD is 'often': .*valid number"),
        ("LOCUS_GPU_LAYERS", "many", "LOCUS_GPU_LAYERS"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    """The sentence names the variable, its value and what is wrong."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_the_environment_wins_over_the_file_and_options_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Options, then environment, then .env, then defaults."""
    (tmp_path / ".env").write_text("LOCUS_TOP_K=3\nLOCUS_MODEL_SEED=7\nLOCUS_DATA_DIR=/file\n")
    monkeypatch.setenv("LOCUS_TOP_K", "4")
    monkeypatch.setenv("LOCUS_DATA_DIR", "/environment")
    settings = load_settings(data_dir=Path("/option"))

    assert (4, 7, Path("/option")) == (settings.top_k, settings.model_seed, settings.data_dir)
    assert ("a.org", "*.b.org") == load_settings(fetch_allowed_hosts="a.org, *.b.org").fetch_allowed_hosts


def test_lists_are_separated_by_spaces_or_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """All settings of several words are read alike, those of chats too."""
    monkeypatch.setenv("LOCUS_SLACK_CHANNELS", "C1  C2")
    monkeypatch.setenv("LOCUS_TEACHERS", "slack//U1, slack//S1")
    settings = load_settings()

    assert (("C1", "C2"), ("slack//U1", "slack//S1")) == (settings.slack_channels, settings.teachers)
