"""A model named in the settings, without what it needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.language_model import open_language_model
from bot.settings import Settings
from tests.gguf_models import write_random_gguf


async def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without llama-cpp-python the sentence says which extra to install, and no process is started."""
    model = write_random_gguf(tmp_path / "random.gguf")
    monkeypatch.setitem(sys.modules, "llama_cpp", None)

    with pytest.raises(SettingsError, match="LOCUS_MODEL needs the extra 'llama': install it"):
        async with open_language_model(Settings(model=model, data_dir=tmp_path), lambda _share: None):
            pass
