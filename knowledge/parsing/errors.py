"""Sentences about documents that cannot be read, and the border where foreign errors stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import BotError, SettingsError, UnreadableError
from bot.extras import installing


def empty(name: str) -> UnreadableError:
    """The file has no bytes, or nothing but white space."""
    return UnreadableError(f"{name} is empty; it was left out.")


def textless(name: str) -> UnreadableError:
    """The file is sound but shows no text."""
    return UnreadableError(f"{name} holds no text; it was left out.")


def scanned(name: str) -> UnreadableError:
    """The PDF has pages but no characters on them."""
    return UnreadableError(f"{name} holds no text (it may be a scan; run it through OCR first); it was left out.")


def binary(name: str, what: str) -> UnreadableError:
    """The bytes are no document; `what` names them with an article ("an image")."""
    return UnreadableError(f"{name} is {what} and not a document Locus can read; it was left out.")


def locked(name: str) -> UnreadableError:
    """The document asks for a password."""
    return UnreadableError(f"{name} is protected by a password; it was left out (save a copy without the password).")


def damaged(name: str, label: str) -> UnreadableError:
    """The bytes begin like the format `label` but break off or contradict themselves."""
    return UnreadableError(f"{name} is a damaged or truncated {label}; it was left out.")


def oversized(name: str, limit_mb: int) -> UnreadableError:
    """The archive would unpack to more than is reasonable."""
    return UnreadableError(f"{name} unpacks to more than {limit_mb} MB; it was left out.")


@contextmanager
def border(name: str, label: str) -> Iterator[None]:
    """Translate whatever a library raises while it reads `name`.

    The libraries behind PDF, Word, RTF, notebooks, HTML and markdown document few of the exceptions that damaged input
    provokes (KeyError, AttributeError, struct.error, RecursionError, ...), so every one of them means the same here.

    Raises:
        UnreadableError: For any error of a library; the cause is kept.
        SettingsError: When the library itself is missing.
    """
    try:
        yield
    except BotError:
        raise
    except ImportError as error:
        # The module name tells an absent extra from a broken install, which must not be hidden.
        if error.name is None or error.name.partition(".")[0] not in {"pypdf", "docx", "striprtf"}:
            raise
        raise SettingsError(
            f"Reading {name} needs the extra 'documents': install it with `{installing('documents')}`."
        ) from error
    except Exception as error:
        raise damaged(name, label) from error
