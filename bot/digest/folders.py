"""A second witness of what is new: the folders that GeneNetwork's documents have for datasets.

The list of datasets is compared with what was there at the first look. Of a group that gave no answer then, nothing can
be said by that: its datasets count as having been there. Where a dataset of such a group has a folder in gn-docs that
was not there at the first look, it is new all the same.
"""

from __future__ import annotations

import re
from typing import Protocol

_SEPARATORS = re.compile(r"[^a-z0-9]+")


class DatasetFolders(Protocol):
    """Knows the folders."""

    async def folders(self) -> frozenset[str]:
        """Return the names of all folders there are now.

        Raises:
            UnavailableError: If that cannot be learnt now.
        """
        ...


def folder_name(name: str) -> str:
    """Return what the name of a dataset and of its folder have in common: "DBA2J-ONH-1212" lies in Dba2j_onh_1212."""
    return _SEPARATORS.sub("_", name.casefold()).strip("_")
