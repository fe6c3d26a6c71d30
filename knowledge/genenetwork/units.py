"""Conversions between GeneNetwork's statistics, and the words for its kinds of data."""

from __future__ import annotations

import math

LRS_PER_LOD = 2 * math.log(10)  # 4.605..., GeneNetwork glossary: LOD = LRS / 4.61


def lod_from_lrs(lrs: float) -> float:
    """Convert a likelihood ratio statistic (dimensionless, >= 0) to a LOD score: LRS / (2 ln 10).

    Raises:
        ValueError: If it is negative or NaN.
    """
    if not lrs >= 0:
        raise ValueError(f"an LRS is a number from 0 on, not {lrs}")
    return lrs / LRS_PER_LOD


def kind_of(type_name: str) -> str:
    """Return "mrna", "phenotype", "genotype", "protein" or "other" for a type of the menu or a tissue.

    A molecular type is called after its tissue ("Hippocampus mRNA", "Liver Proteome").
    """
    words = type_name.casefold()
    if "phenotype" in words:
        return "phenotype"
    if "genotype" in words:
        return "genotype"
    if "prote" in words:
        return "protein"
    if any(word in words for word in ("metabol", "methyl", "microbiom", "lipid", "mirna", "dna", "atac")):
        return "other"
    return "mrna" if "rna" in words else "other"
