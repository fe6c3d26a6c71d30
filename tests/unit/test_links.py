"""Public pages of documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.links import Repository, find_origin, parse_remote, public_url, web_link


def write_config(folder: Path, text: str) -> Path:
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("relative", "url"),
    [
        (
            "gn-docs/general/glossary/glossary.md",
            "https://github.com/genenetwork/gn-docs/blob/HEAD/general/glossary/glossary.md",
        ),
        ("gn-docs/general/datasets/Human_1008/summary.rtf", "https://genenetwork.org/datasets/Human_1008"),
        ("gn-docs/general/datasets/A b#1/notes.rtf", "https://genenetwork.org/datasets/A%20b%231"),
        (
            "gn-docs/general/datasets/README.md",
            "https://github.com/genenetwork/gn-docs/blob/HEAD/general/datasets/README.md",
        ),
        (
            "GeneNetworkAPI.jl/docs/src/index.md",
            "https://github.com/senresearch/GeneNetworkAPI.jl/blob/HEAD/docs/src/index.md",
        ),
        ("gn-ai/README.md", "https://github.com/genenetwork/gn-ai/blob/HEAD/README.md"),
        (
            "genenetwork2/doc/Wie geht's?.org",
            "https://github.com/genenetwork/genenetwork2/blob/HEAD/doc/Wie%20geht%27s%3F.org",
        ),
        ("README.md", None),
        ("notes/gn-docs/general/a.md", None),
        ("other/general/datasets/Human_1008/summary.rtf", None),
        ("../gn-docs/a.md", None),
        ("/gn-docs/a.md", None),
        ("", None),
    ],
)
def test_folders_named_like_the_repositories(tmp_path: Path, relative: str, url: str | None) -> None:
    """Copies of GeneNetwork's repositories side by side are known by their names."""
    assert url == public_url(tmp_path, relative, None)


def test_folder_itself_named_like_a_repository(tmp_path: Path) -> None:
    """The folder that was given may be the repository."""
    root = tmp_path / "gn-docs"
    root.mkdir()

    assert "https://genenetwork.org/datasets/X" == public_url(root, "general/datasets/X/summary.rtf", None)
    assert "https://github.com/genenetwork/gn-docs/blob/HEAD/api/README.md" == public_url(root, "api/README.md", None)


@pytest.mark.parametrize(
    ("remote", "repository"),
    [
        ("https://github.com/genenetwork/gn-docs", Repository("github.com", "genenetwork/gn-docs")),
        ("https://github.com/genenetwork/gn-docs.git/", Repository("github.com", "genenetwork/gn-docs")),
        ("git+https://GitHub.com/a/b.git", Repository("github.com", "a/b")),
        ("git@github.com:a/b.git", Repository("github.com", "a/b")),
        ("github.com:a/b", Repository("github.com", "a/b")),
        ("ssh://git@github.com:22/a/b.git", Repository("github.com", "a/b")),
        ("https://user:token@github.com/a/b.git", Repository("github.com", "a/b")),
        ("https://gitlab.com/group/sub/name.git", Repository("gitlab.com", "group/sub/name")),
        ("https://codeberg.org/a/b", Repository("codeberg.org", "a/b")),
        ("https://github.com/a", None),
        ("https://github.com/a/b/tree/main", None),
        ("https://github.com/a/../b", None),
        ("https://git.genenetwork.org/a/b", None),
        ("https://github.com.evil.example/a/b", None),
        ("https://[broken/a/b", None),
        ("file:///srv/git/a/b", None),
        ("/srv/git/a/b.git", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_remotes(remote: str, repository: Repository | None) -> None:
    """All spellings of a remote on a public forge are understood, without the user part; others give nothing."""
    assert repository == parse_remote(remote)


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("https://github.com/a/b.git", "https://github.com/a/b/blob/HEAD/docs/x%20y.md"),
        ("https://gitlab.com/g/s/b.git", "https://gitlab.com/g/s/b/-/blob/HEAD/docs/x%20y.md"),
        ("https://codeberg.org/a/b.git", "https://codeberg.org/a/b/src/branch/HEAD/docs/x%20y.md"),
        ("https://git.example.org/a/b.git", None),
    ],
)
def test_repository_that_was_given(repository: str, url: str | None) -> None:
    """The address of a git source decides alone."""
    assert url == public_url(None, "docs/x y.md", repository)


def test_fork_of_gn_docs_links_datasets_to_genenetwork() -> None:
    """Dataset pages are the same whoever holds the copy of gn-docs."""
    url = public_url(None, "general/datasets/X/cases.rtf", "https://github.com/me/gn-docs")

    assert "https://genenetwork.org/datasets/X" == url


def test_origin_of_an_ancestor(tmp_path: Path) -> None:
    """The remote of the enclosing repository gives the links, with the path inside that repository."""
    write_config(
        tmp_path,
        '[core]\n\tbare = false\n[remote "upstream"]\n\turl = https://github.com/no/no\n'
        '[remote "origin"] # ours\n\tURL = "git@github.com:me/notes.git" ; comment\n',
    )
    root = tmp_path / "docs"
    root.mkdir()

    assert "https://github.com/me/notes/blob/HEAD/docs/a/b.md" == public_url(root, "a/b.md", None)


def test_nearest_repository_wins(tmp_path: Path) -> None:
    """A known folder name beats the repository around it, and a clone's own remote beats its name."""
    write_config(tmp_path, '[remote "origin"]\nurl = https://github.com/me/bot\n')
    write_config(tmp_path / "gn-ai", '[remote "origin"]\nurl = https://github.com/fork/gn-ai\n')

    assert "https://github.com/genenetwork/gn-docs/blob/HEAD/a.md" == public_url(tmp_path, "gn-docs/a.md", None)
    assert "https://github.com/fork/gn-ai/blob/HEAD/a.md" == public_url(tmp_path, "gn-ai/a.md", None)
    assert "https://github.com/me/bot/blob/HEAD/a.md" == public_url(tmp_path, "a.md", None)


def test_repository_without_public_remote_gives_no_links(tmp_path: Path) -> None:
    """A private repository does not borrow the address of the one around it."""
    write_config(tmp_path, '[remote "origin"]\nurl = https://github.com/me/bot\n')
    write_config(tmp_path / "private", "[core]\n")

    assert public_url(tmp_path, "private/a.md", None) is None


def test_git_file_of_a_work_tree(tmp_path: Path) -> None:
    """Work trees and submodules, whose .git is a file, are understood."""
    main = write_config(tmp_path / "main", '[remote "origin"]\nurl = https://github.com/me/main\n')
    (main / ".git" / "worktrees" / "w").mkdir(parents=True)
    (main / ".git" / "worktrees" / "w" / "commondir").write_text("../..\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {main}/.git/worktrees/w\n")

    assert "https://github.com/me/main" == find_origin(tree / ".git")


def test_names_that_are_no_utf8_keep_their_bytes() -> None:
    """Bytes of a file name are percent-encoded as they are on the disk."""
    assert "https://github.com/a/b/blob/HEAD/%FF.md" == public_url(None, "\udcff.md", "https://github.com/a/b")
    assert public_url(None, "\ud800.md", "https://github.com/a/b") is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://genenetwork.org/show_trait?trait_id=1436869_at&dataset=HC_M2_0606_P", True),
        ("javascript:alert(1)", False),
        ("https://user:secret@genenetwork.org/", False),
        ("https://genenetwork.org/ and more", False),
        ("https:///nowhere", False),
        ("file:///etc/passwd", False),
        ("https://genenetwork.org/\x1b]8;;", False),
        ('https://genenetwork.org/"><b', False),
        (None, False),
    ],
)
def test_only_plain_web_addresses_of_a_document_become_links(written: str | None, expected: bool) -> None:
    """What a document says of its own address is a claim: other schemes, secrets and markup are dropped."""
    assert (written if expected else None) == web_link(written)
