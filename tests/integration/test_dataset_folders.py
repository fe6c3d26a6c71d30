"""Folders of datasets in a real git repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.bootstrap import make_dataset_folders
from bot.digest.folders import folder_name
from bot.errors import InvalidRequestError, SettingsError
from bot.settings import Settings
from knowledge import dataset_folders
from knowledge.dataset_folders import GitDatasetFolders
from knowledge.fetching import FetchPolicy


async def test_the_folders_of_a_copy_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders only; a repository without the place has none."""

    async def synced(address: str, **_: object) -> Path:
        assert "https://github.com/genenetwork/gn-docs.git" == address
        return tmp_path

    monkeypatch.setattr(dataset_folders, "sync_repository", synced)
    source = GitDatasetFolders("https://github.com/genenetwork/gn-docs", FetchPolicy(("github.com",)), tmp_path)
    none = await source.folders()
    place = tmp_path / "general" / "datasets"
    (place / "Dba2j_onh_1212").mkdir(parents=True)
    (place / "README.md").write_text("x")
    (place / "Link").symlink_to(tmp_path)

    assert frozenset() == none
    assert frozenset({"Dba2j_onh_1212"}) == await source.folders()


def test_a_dataset_and_its_folder_have_a_name_in_common() -> None:
    """GeneNetwork's documents write it in their own way."""
    assert "dba2j_onh_1212" == folder_name("DBA2J-ONH-1212") == folder_name("Dba2j_onh_1212")


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    """At the start, with the setting's name."""
    with pytest.raises(InvalidRequestError, match="is no git repository"):
        GitDatasetFolders("gn-docs", FetchPolicy(()), tmp_path)
    with pytest.raises(SettingsError, match="LOCUS_DIGEST_DOCS: 'gn-docs' is no git repository"):
        make_dataset_folders(Settings(digest_docs="gn-docs"))

    assert None is make_dataset_folders(Settings())
