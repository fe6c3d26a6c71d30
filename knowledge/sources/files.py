"""Folders and single files as sources: which files they offer, and how a file is read without surprises."""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bot.errors import UnavailableError, UnreadableError
from knowledge.documents import SourceFile
from knowledge.links import LinkFinder

MIB = 1024 * 1024

# Files that are clearly no documents. Anything else, also without an extension (README, LICENSE), is offered, and the
# parser decides by content. A file named on its own is offered whatever its extension is.
_SKIPPED = """
    png jpg jpeg gif svg webp bmp tif tiff ico psd mp3 mp4 wav ogg webm mov avi ttf otf woff woff2 eot
    zip gz tgz bz2 xz zst 7z rar tar jar whl exe dll so dylib a o pyc class bin iso deb rpm
    db sqlite sqlite3 pkl npy npz h5 hdf5 rds rdata lmdb mdb gguf onnx safetensors
    py pyi js mjs ts jsx tsx css scss less c h cc cpp hpp java go rs rb pl pm php r jl lua
    scm rkt lisp el hs sh bash zsh bat ps1 sql map lock json jsonl yaml yml toml ini cfg conf ipynb patch diff
    csv tsv xls xlsx ods parquet geno bed vcf fa fasta fastq bam ttl nt rdf
"""  # images, sound, fonts; archives, programs, databases; code and its configuration; tables and other data
SKIPPED_EXTENSIONS = frozenset(f".{extension}" for extension in _SKIPPED.split())
# Errors that concern one folder only; any other (a failing disk, a lost mount) must not look as if files were deleted.
_FOLDER_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP})
SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__"})  # and all hidden ones


@dataclass(frozen=True, slots=True)
class FolderSource:
    """All documents below a folder.

    Attributes:
        name: Stable id: the resolved path, or the address of the repository it is a copy of.
        root: The folder, resolved.
        max_file_bytes: Larger files are offered, but reading them raises.
        repository: Address of the git repository the folder is a copy of, or None when unknown.
    """

    name: str
    root: Path
    max_file_bytes: int
    repository: str | None = None

    def files(self) -> Iterator[SourceFile]:
        """Yield the documents, sorted by path.

        Symbolic links are followed inside the folder only, and nothing is offered twice. A folder that may not be
        listed is offered like a file whose reading raises, so that the report names it.

        Raises:
            UnavailableError: The folder is gone or its disk fails.
        """
        links = LinkFinder(self.root, self.repository)
        for relative, real in _walk(self.root):
            yield _offer(source_text(relative), real, self.max_file_bytes, links.url(relative))


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file.

    Attributes:
        name: Stable id: the resolved path.
        path: The file, resolved.
        max_file_bytes: Reading a larger file raises.
    """

    name: str
    path: Path
    max_file_bytes: int

    def files(self) -> Iterator[SourceFile]:
        """Yield the file."""
        url = LinkFinder(self.path.parent, None).url(self.path.name)
        yield _offer(source_text(self.path.name), str(self.path), self.max_file_bytes, url)


def source_text(path: str) -> str:
    r"""Return a path as text every store and chat can hold: bytes that are no UTF-8 and control characters as \xNN."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def read_file(path: str, source: str, max_bytes: int) -> bytes:
    """Read a regular file; never waits for a pipe or device, and follows no link in the last place.

    Raises:
        UnreadableError: It is too large, no regular file, gone, or may not be read.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise UnreadableError(f"{source} is no regular file; it was left out.")
        # The checks are repeated on what was opened: the file may have been exchanged since.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableError(f"{source} is no regular file; it was left out.")
            if found.st_size > max_bytes:
                raise too_large(source, found.st_size, max_bytes)
            data = stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise UnreadableError(f"{source} is gone since the folder was listed; it was left out.") from error
    except PermissionError as error:
        raise UnreadableError(f"{source} may not be read by this user; it was left out.") from error
    except OSError as error:
        raise UnreadableError(f"{source} cannot be read ({error.strerror}); it was left out.") from error
    if len(data) > max_bytes:
        raise too_large(source, len(data), max_bytes)
    return data


def too_large(source: str, size_bytes: int, max_bytes: int) -> UnreadableError:
    """Return the error for a file over the limit."""
    return UnreadableError(
        f"{source} is {_mib(size_bytes)}, over the limit of {_mib(max_bytes)} (LOCUS_MAX_FILE_MIB); it was left out."
    )


def _mib(size_bytes: int) -> str:
    size = size_bytes / MIB
    return f"{size:.0f} MiB" if size >= 10 else f"{size:.3g} MiB"


def _offer(source: str, real: str, max_bytes: int, url: str | None) -> SourceFile:
    try:
        found = os.lstat(real)
        size, is_folder = found.st_size, stat.S_ISDIR(found.st_mode)
    except OSError:
        size, is_folder = 0, False
    if is_folder:
        return SourceFile(source=source, size_bytes=0, read=functools.partial(_refuse_folder, source))
    return SourceFile(
        source=source, size_bytes=size, read=functools.partial(read_file, real, source, max_bytes), url=url
    )


def _refuse_folder(source: str) -> bytes:
    raise UnreadableError(f"The folder {source} cannot be listed by this user; its documents were left out.")


def _walk(root: Path) -> list[tuple[str, str]]:
    """Return the paths to offer, relative to root and real, sorted by the parts of the relative path.

    Everything that lies in the folder by itself comes first; links are looked at afterwards, so that a file keeps its
    own name where a link leads to it as well.
    """
    top = os.path.realpath(root)
    found: dict[str, str] = {}  # real path to relative path
    folders = {top}
    links: list[str] = []
    _list_folder(top, "", found, folders, links)
    while links:
        links.sort(reverse=True)
        relative = links.pop()
        real = os.path.realpath(f"{top}/{relative}")
        if not real.startswith(top.rstrip("/") + "/") or _is_hidden(real[len(top) :]):
            continue
        if Path(real).is_dir():
            if real not in folders:
                folders.add(real)
                _list_folder(real, relative, found, folders, links)
        elif Path(real).exists() and _is_document(relative):  # not for links that lead nowhere or to themselves
            found.setdefault(real, relative)
    return sorted(((relative, real) for real, relative in found.items()), key=lambda pair: pair[0].split("/"))


def _list_folder(start: str, prefix: str, found: dict[str, str], folders: set[str], links: list[str]) -> None:
    """Collect what lies below a folder, without following links; they are added to `links`."""
    waiting = [(start, prefix)]
    while waiting:
        folder, relative_folder = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            if (folder == start and not prefix) or error.errno not in _FOLDER_ERRORS:
                raise UnavailableError(f"{source_text(folder)} cannot be listed ({error.strerror}).") from error
            if error.errno != errno.ENOENT:
                found.setdefault(folder, relative_folder)
            continue
        for entry in entries:
            relative = f"{relative_folder}/{entry.name}" if relative_folder else entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                links.append(relative)
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED_FOLDERS and entry.path not in folders:
                    folders.add(entry.path)
                    waiting.append((entry.path, relative))
            elif _is_document(entry.name):
                found.setdefault(entry.path, relative)


def _is_document(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() not in SKIPPED_EXTENSIONS


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part in SKIPPED_FOLDERS for part in path.split("/"))
