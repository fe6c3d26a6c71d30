"""The arithmetic of the local GeneNetwork: markers of a group, genome scans, rank correlations."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tests.gn_server.values import Group, Marker, TraitRow

FEWEST_SHARED = 6  # pairs with five shared samples or fewer are dropped (GN2)


def make_markers(group: Group, *, step_mb: float) -> tuple[Marker, ...]:
    """Return markers about every `step_mb` with the alleles of all samples; neighbours are mostly alike."""
    generator = np.random.default_rng(zlib.crc32(group.name.encode()))
    markers: list[Marker] = []
    number = 10_000_000_000
    for chromosome, length in group.chromosomes_mb.items():
        alleles = generator.choice([-1, 1], size=len(group.samples))
        for position in np.arange(3.0, length, step_mb):
            # An RI line has about four crossovers per Morgan of the F2 map: 0.02 per Mb.
            flips = generator.random(len(group.samples)) < min(0.5, 0.02 * step_mb)
            alleles = np.where(flips, -alleles, alleles)
            shown = alleles.copy()
            for place, sample in enumerate(group.samples):
                if sample in group.parents:
                    shown[place] = -1 if sample == group.parents[0] else 1
                elif sample == "B6D2F1":
                    shown[place] = 0
            number += 1
            name = "rs31443144" if not markers else f"rsm{number}"
            mb = 3.010274 if not markers else round(float(position), 6)
            markers.append(Marker(name, chromosome, mb, tuple(int(allele) for allele in shown)))
    return tuple(markers)


class Scan:
    """Marker regression of one trait over all markers of its group; `lod` and `additive` are by marker."""

    def __init__(self, group: Group, markers: Sequence[Marker], trait: TraitRow) -> None:
        places = [place for place, sample in enumerate(group.samples) if sample in trait.values]
        values = np.array([trait.values[group.samples[place]][0] for place in places])
        alleles = np.array([marker.alleles for marker in markers], dtype=np.float64)[:, places]
        centred, residual = values - values.mean(), alleles - alleles.mean(axis=1, keepdims=True)
        spread = (residual**2).sum(axis=1)
        product = residual @ centred
        with np.errstate(divide="ignore", invalid="ignore"):
            shared = np.nan_to_num(product**2 / (spread * (centred**2).sum()))
            self.additive: npt.NDArray[np.float64] = np.nan_to_num(product / spread)
        self.lod: npt.NDArray[np.float64] = -len(places) / 2 * np.log10(1 - np.minimum(shared, 1 - 1e-12))
        self.markers = markers

    @property
    def peak(self) -> int:
        """Place of the best marker."""
        return int(np.argmax(self.lod))

    def lrs(self, place: int) -> float:
        """LRS at a marker: 2 ln 10 LOD."""
        return float(self.lod[place]) * 2 * math.log(10)

    def p_value(self, place: int) -> float:
        """Of the chi square with one degree of freedom that LRS is."""
        return math.erfc(math.sqrt(self.lrs(place) / 2))


def rank_correlation(first: TraitRow, second: TraitRow) -> tuple[float, float, int] | None:
    """Return Spearman's rho, its p (normal approximation) and the number of shared samples; None for too few."""
    shared = [sample for sample in first.values if sample in second.values]
    if len(shared) < FEWEST_SHARED:
        return None
    ranks = [
        np.argsort(np.argsort([trait.values[sample][0] for sample in shared])).astype(float)
        for trait in (first, second)
    ]
    rho = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    p_value = math.erfc(abs(math.atanh(max(-0.999999, min(0.999999, rho)))) * math.sqrt(len(shared) - 3) / math.sqrt(2))
    return rho, p_value, len(shared)
