"""What days in chats share beside their scenes: what is said in them, how it is told, how they are started."""

from __future__ import annotations

import argparse
import asyncio
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass

from tests.gn_server import GeneNetworkServer

WIDTH = 100  # characters of a printed line
COMMENT = "It is about rats as well."
DIGEST = "digest subscribe weekly mon 9:00 group:BXD"
NEW_DATASET = "UTHSC_BXD_Liver_1126"
TITLE = "UTHSC BXD Aged Liver RNA-Seq (Nov26) TPM"
SUMMARY = "Livers of aged BXD mice were sequenced."

FILE = "Perfusion.md"
PROTOCOL = (
    "# Perfusion protocol\n\nMice are perfused with 20 ml of chilled phosphate buffer. The pump runs at 4 ml/min.\n\n"
    "## Fixation\n\nThe buffer is followed by 40 ml of formaldehyde.\n"
)


@dataclass(frozen=True, slots=True)
class Said:
    """A message as a person sees it now.

    Attributes:
        author: Who wrote it.
        text: What it says.
        by_bot: Whether that was Locus.
        complete: True for an answer of Locus after which nothing comes.
        note: On how it is shown, or "".
        files: Names of what hangs on it.
        below: What can be pressed below it.
    """

    author: str
    text: str
    by_bot: bool
    complete: bool = False
    note: str = ""
    files: Sequence[str] = ()
    below: str = ""


def rows_of(line: Said) -> Iterator[str]:
    """Yield how a message looks in a transcript."""
    margin = "    " if line.by_bot else ""
    note = f" ({line.note})" if line.note else ""
    yield f"{margin}{line.author}{note}:"
    for text in (line.text or ("" if line.files else "…")).split("\n"):
        for row in textwrap.wrap(text, WIDTH) or ([] if line.files else [""]):
            yield f"{margin}  {row}".rstrip()
    if line.files:
        yield f"{margin}  [file {', '.join(line.files)}]"
    if line.below:
        yield f"{margin}  {line.below}"


def main(name: str, play: Callable[[Callable[[str], None], bool], Coroutine[None, None, None]]) -> None:
    """Read the options and play.

    Args:
        name: Of the module.
        play: Plays a day; takes what takes the lines, and whether most is left out.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    parser.add_argument("--short", action="store_true", help="a few scenes only")
    options = parser.parse_args()
    asyncio.run(play(_print, options.short))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def genenetwork_settings(server: GeneNetworkServer) -> dict[str, str]:
    """Return the settings by which Locus asks the local GeneNetwork."""
    return {
        "LOCUS_GENENETWORK_URL": server.url,
        "LOCUS_GENENETWORK_GN3_URL": server.gn3_url,
        "LOCUS_GENENETWORK_PAUSE_S": "0",
    }
