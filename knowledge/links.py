"""Public pages of documents: where a reader finds on the web what Locus read from a folder or a repository.

A dataset's folder of gn-docs has a page on genenetwork.org; any other file is shown by the host of its repository. The
repository of a file is told, nearest first, from a `.git` folder's remote "origin" or from the name of GeneNetwork's
own repositories, for copies without `.git`. Only public forges get links, and never with the user part of a remote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

# What stands between a repository and a path in the addresses of each forge; HEAD is the default branch on all three.
FORGES = {
    "github.com": "/blob/HEAD/",
    "gitlab.com": "/-/blob/HEAD/",
    "codeberg.org": "/src/branch/HEAD/",
}
# Folder names that stand for GeneNetwork's public repositories where no .git folder tells more.
KNOWN_REPOSITORIES = {
    "gn-docs": "genenetwork",
    "gn-gemtext-threads": "genenetwork",
    "genenetwork2": "genenetwork",
    "genenetwork3": "genenetwork",
    "gn-ai": "genenetwork",
    "GeneNetworkAPI.jl": "senresearch",
}
DATASET_PAGE = "https://genenetwork.org/datasets/"
_WEB_LINK = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]{1,2000}")
_MAX_CONFIG_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/:].*)")  # git@github.com:owner/name.git
_SECTION = re.compile(r'\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
_URL_LINE = re.compile(r'\s*url\s*=\s*"?([^"#;]*?)"?\s*(?:[#;].*)?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Repository:
    """A public repository.

    Attributes:
        host: One of `FORGES`.
        path: "owner/name", with more parts before the name on GitLab.
    """

    host: str
    path: str

    def url_of(self, path: str) -> str | None:
        """Return the public page of a path inside the repository, or None where the path cannot be written."""
        encoded = _encode(path)
        if encoded is None:
            return None
        parts = PurePosixPath(path).parts
        in_dataset = len(parts) == 4 and parts[:2] == ("general", "datasets") and parts[3].lower().endswith(".rtf")
        if in_dataset and self.path.rpartition("/")[2] == "gn-docs":
            return DATASET_PAGE + encoded.split("/")[2]
        return f"https://{self.host}/{self.path}{FORGES[self.host]}{encoded}"


def parse_remote(remote: str) -> Repository | None:
    """Understand the address of a git remote; None when it is not on a public forge."""
    remote = remote.strip().removeprefix("git+")
    if "://" in remote:
        try:
            split = urlsplit(remote)
            scheme, host, path = split.scheme, split.hostname or "", split.path
        except ValueError:
            return None
        if scheme not in {"https", "http", "ssh", "git"}:
            return None
    elif scp := _SCP_LIKE.fullmatch(remote):
        host, path = scp["host"], scp["path"]
    else:
        return None
    host = host.lower().rstrip(".").removeprefix("www.")
    parts = path.strip("/").removesuffix(".git").split("/")
    if host not in FORGES or not all(_NAME.fullmatch(part) for part in parts):
        return None
    if len(parts) < 2 or (len(parts) > 2 and host != "gitlab.com"):
        return None
    return Repository(host, "/".join(parts))


def public_url(root: Path | None, relative: str, repository: str | None) -> str | None:
    """Return the public page of a document, or None where none can be derived.

    Args:
        root: The folder that was given, or None for a repository known by its address only.
        relative: The document's path below it, with forward slashes.
        repository: The address of the git repository that `root` is a copy of, or None when unknown.
    """
    return LinkFinder(root, repository).url(relative)


class LinkFinder:
    """Derives the public pages of one source's documents; looks at each folder once.

    Args:
        root: As for `public_url`.
        repository: As for `public_url`.
    """

    def __init__(self, root: Path | None, repository: str | None) -> None:
        self._root = root.absolute() if root is not None else None
        self._given = parse_remote(repository) if repository is not None else None
        self._repository_given = repository is not None
        self._found: dict[Path, tuple[Repository | None, Path]] = {}

    def url(self, relative: str) -> str | None:
        """Return the public page of the document at `relative`, or None."""
        pure = PurePosixPath(relative)
        if not relative or pure.is_absolute() or ".." in pure.parts:
            return None
        if self._repository_given:
            return self._given.url_of(str(pure)) if self._given else None
        if self._root is None:
            return None
        path = self._root / relative
        repository, top = self._repository_of(path.parent)
        return repository.url_of(path.relative_to(top).as_posix()) if repository else None

    def _repository_of(self, folder: Path) -> tuple[Repository | None, Path]:
        """Return the nearest repository a folder belongs to, and that repository's top folder."""
        passed: list[Path] = []
        found = self._found.get(folder)
        while found is None:
            passed.append(folder)
            found = self._repository_at(folder)
            if found is None and folder.parent == folder:
                found = (None, folder)
            folder = folder.parent
            found = found or self._found.get(folder)
        self._found.update(dict.fromkeys(passed, found))
        return found

    def _repository_at(self, folder: Path) -> tuple[Repository | None, Path] | None:
        """Return what a folder itself tells; None when its parent has to be asked."""
        origin = find_origin(folder / ".git")
        if origin is not None:
            return parse_remote(origin), folder
        if self._root in (folder, folder.parent) and folder.name in KNOWN_REPOSITORIES:
            return Repository("github.com", f"{KNOWN_REPOSITORIES[folder.name]}/{folder.name}"), folder
        return None


def find_origin(git_dir: Path) -> str | None:
    """Return the address of the remote "origin", "" for a repository without one, None where there is none.

    Args:
        git_dir: The `.git` of a work tree: a folder, or the file that stands for it in work trees and submodules.
    """
    try:
        if git_dir.is_file():
            pointer = _load(git_dir).partition("gitdir:")[2].strip()
            if not pointer:
                return None
            git_dir = git_dir.parent / pointer
            common = git_dir / "commondir"
            if common.is_file():
                git_dir = git_dir / _load(common).strip()
        config = git_dir / "config"
        return _parse_origin(_load(config)) if config.is_file() else None
    except (OSError, ValueError):
        return None


def _load(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(_MAX_CONFIG_BYTES).decode("utf-8", "replace")


def _parse_origin(config: str) -> str:
    """Read remote.origin.url from the text of a git config file (git-config(1), "Syntax")."""
    inside = False
    for line in config.splitlines():
        if section := _SECTION.match(line):
            inside = section[1].lower() == "remote" and section[2] == "origin"
            line = line[section.end() :]
        if inside and (entry := _URL_LINE.fullmatch(line)):
            return entry[1].strip()
    return ""


def _encode(path: str) -> str | None:
    """Percent-encode a path; names that are no UTF-8 keep their bytes, other lone surrogates give None."""
    try:
        return quote(path.encode("utf-8", "surrogateescape"), safe="/")
    except UnicodeEncodeError:
        return None


def web_link(text: str | None) -> str | None:
    """Return a link a document names for itself if it is a plain http(s) address, else None."""
    if not text or not _WEB_LINK.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.hostname and not parts.username and not parts.password else None
