"""A local GeneNetwork: a small made-up world behind the addresses, shapes and quirks of the real services.

The names of species, groups and some datasets are GeneNetwork's; every number is drawn from a seeded generator.
"""

from __future__ import annotations

from tests.gn_server.faults import Fault
from tests.gn_server.server import GeneNetworkServer
from tests.gn_server.values import DatasetRow, TraitRow
from tests.gn_server.world import World

__all__ = ["DatasetRow", "Fault", "GeneNetworkServer", "TraitRow", "World"]
