"""What follows "digest subscribe": when, and of what."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bot.digest.interests import KINDS, Interest
from bot.digest.phrases import Phrase, read_phrase
from bot.errors import InvalidRequestError

MAX_NAMES = 20  # of one kind
MAX_NAME_CHARS = 60
_OPTION = re.compile(r"""(?<![A-Za-z])([A-Za-z]+):((?:"[^"]*"|“[^”]*”|[^\s"“”])+)?""")
_NO_QUOTES = str.maketrans("", "", '"“”')
_OPTIONS = {
    "group": "group",
    "groups": "group",
    "type": "type",
    "types": "type",
    "kind": "type",
    "tissue": "tissue",
    "tissues": "tissue",
    "species": "species",
    "quiet": "quiet",
    "zone": "zone",
}
_NAMES = ("group", "type", "tissue", "species", "quiet", "zone")
_KIND_WORDS = {
    "mrna": "mrna",
    "rna": "mrna",
    "expression": "mrna",
    "transcripts": "mrna",
    "phenotype": "phenotype",
    "phenotypes": "phenotype",
    "genotype": "genotype",
    "genotypes": "genotype",
    "markers": "genotype",
    "protein": "protein",
    "proteins": "protein",
    "proteome": "protein",
    "other": "other",
}
_YES = frozenset({"on", "yes", "true"})
_NO = frozenset({"off", "no", "false"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks to be told, and when.

    Attributes:
        phrase: When.
        interest: Of what.
        quiet: True for silence when nothing is new.
        zone: Name of a time zone as it was typed, or "" for the default.
    """

    phrase: Phrase
    interest: Interest
    quiet: bool = True
    zone: str = ""


def read_wish(text: str, *, groups: Collection[str] = (), species: Collection[str] = ()) -> Wish:
    """Return what "weekly mon 9:00 group:BXD type:mrna tissue:hippocampus quiet:off zone:Europe/Berlin" asks for.

    Args:
        text: What follows "digest subscribe".
        groups: Names that GeneNetwork has, if they are known; others are refused then.
        species: Likewise.

    Raises:
        InvalidRequestError: If a word is not understood; the sentence names it and what is possible.
    """
    options: dict[str, str] = {}

    def note(match: re.Match[str]) -> str:
        name, value = _OPTIONS.get(match[1].lower()), (match[2] or "").translate(_NO_QUOTES).strip()
        if name is None:
            near = difflib.get_close_matches(match[1].lower(), _NAMES, 1)
            hint = f"did you mean {near[0]}:?" if near else f"there are {', '.join(f'{one}:' for one in _NAMES)}."
            raise InvalidRequestError(f"{match[1][:40] + ':'!r} is no part of a digest: {hint}")
        if not value:
            raise InvalidRequestError(f"Nothing stands behind {name}: name what you want without a blank before it.")
        if name in options:
            raise InvalidRequestError(f"{name}: stands there twice: put all into one, separated by commas.")
        options[name] = value
        return " "

    cron, rest = _cut_cron(text)
    rest = _OPTION.sub(note, rest)
    interest = make_interest(
        groups=_split(options.get("group", "")),
        kinds=_split(options.get("type", "")),
        tissues=_split(options.get("tissue", "")),
        species=_split(options.get("species", "")),
        known_groups=groups,
        known_species=species,
    )
    if cron and rest.split():
        raise InvalidRequestError(f"{rest.split()[0][:40]!r} stands beside a cron expression: give one of the two.")
    phrase = read_phrase(["cron", *cron.split()] if cron else rest.split())
    return Wish(phrase, interest, read_quiet(options.get("quiet", "on")), options.get("zone", ""))


def make_interest(
    *,
    groups: Iterable[str] = (),
    kinds: Iterable[str] = (),
    tissues: Iterable[str] = (),
    species: Iterable[str] = (),
    known_groups: Collection[str] = (),
    known_species: Collection[str] = (),
) -> Interest:
    """Return a choice of datasets as the names of GeneNetwork have it.

    Raises:
        InvalidRequestError: If a name is not known; the sentence names it and the nearest, or all that are possible.
    """
    return Interest(
        _known(groups, "group", known_groups),
        tuple(dict.fromkeys(_kind(word) for word in _bounded(kinds, "type"))),
        _bounded(tissues, "tissue"),
        _known(species, "species", known_species),
    )


def read_quiet(word: str) -> bool:
    """Return True for "on" and False for "off".

    Raises:
        InvalidRequestError: For any other word.
    """
    if word.lower() not in _YES | _NO:
        raise InvalidRequestError(f"quiet: is on (nothing is said when nothing is new) or off, not {word[:40]!r}.")
    return word.lower() in _YES


def _cut_cron(text: str) -> tuple[str, str]:
    """Return the five fields behind "cron", and the text without them."""
    match = re.search(r"""\bcron:?\s*["“]?((?:[\w*#/,-]+[ \t]+){4}[\w*#/,-]+(?![\w:]))["”]?""", text, re.IGNORECASE)
    if match is None:
        return "", text
    return match[1], text[: match.start()] + " " + text[match.end() :]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _bounded(names: Iterable[str], what: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in names))
    if len(found) > MAX_NAMES:
        raise InvalidRequestError(f"{what}: names more than {MAX_NAMES} things: make several subscriptions.")
    for name in found:
        if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
            raise InvalidRequestError(f"{what}: has a name of 1 to {MAX_NAME_CHARS} characters, not {name[:40]!r}.")
    return found


def _kind(word: str) -> str:
    kind = _KIND_WORDS.get(word.lower())
    if kind is None:
        raise InvalidRequestError(f"{word[:40]!r} is no type of data: there are {', '.join(KINDS)}.")
    return kind


def _known(names: Iterable[str], what: str, known: Collection[str]) -> tuple[str, ...]:
    by_name = {name.casefold(): name for name in known}
    plain = {re.sub(r"[\W_]", "", name.casefold()): name for name in known}  # HXB/BXH is HXBBXH
    found: list[str] = []
    for name in _bounded(names, what):
        right = by_name.get(name.casefold()) or plain.get(re.sub(r"[\W_]", "", name.casefold()))
        if right is None and known:
            near = difflib.get_close_matches(name.casefold(), list(by_name), 3, cutoff=0.5)
            choice = [by_name[one] for one in near] or sorted(known)[:8]
            raise InvalidRequestError(
                f"GeneNetwork has no {what} {name[:40]!r}: there {'are' if len(choice) > 1 else 'is'} "
                f"{', '.join(choice)}{'' if near else ' and others'}."
            )
        found.append(right or name)
    return tuple(dict.fromkeys(found))
