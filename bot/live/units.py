"""Units of GeneNetwork's figures, and how they are written."""

from __future__ import annotations

import math

from bot.pictures.figures import shown_number

LRS_PER_LOD = 2 * math.log(10)  # 4.605...


def lod_from_lrs(lrs: float) -> float:
    """Convert a likelihood ratio statistic (dimensionless, >= 0) to a LOD score: LRS / (2 ln 10).

    Raises:
        ValueError: If it is negative, NaN or infinite.

    Source:
        GeneNetwork glossary (LOD = LRS / 4.61).
    """
    if not (lrs >= 0 and math.isfinite(lrs)):
        raise ValueError(f"an LRS is a number from 0 on, not {lrs}")
    return lrs / LRS_PER_LOD


def lrs_from_lod(lod: float) -> float:
    """Convert a LOD score to a likelihood ratio statistic: LOD x 2 ln 10; raises as `lod_from_lrs`."""
    if not (lod >= 0 and math.isfinite(lod)):
        raise ValueError(f"a LOD score is a number from 0 on, not {lod}")
    return lod * LRS_PER_LOD


def position(chromosome: str, position_mb: float | None, assembly: str = "") -> str:
    """Return a place in a genome, such as "Chr 5: 28.457 Mb (mm10)"; "" where the chromosome is not known.

    Args:
        chromosome: Its name.
        position_mb: In megabases, or None.
        assembly: Whose positions these are, as GeneNetwork's menu names it; none is claimed without.
    """
    if not chromosome:
        return ""
    if position_mb is None:
        return f"Chr {chromosome}"
    return f"Chr {chromosome}: {position_mb:.3f} Mb{f' ({assembly})' if assembly else ''}"


def mean_with_error(mean: float, se: float, n: int) -> str:
    """Return a mean with its standard error and the number of strains, such as "9.28 ± 0.031 (SE, n = 71)"."""
    if not math.isfinite(se):
        return f"{shown_number(mean)} (n = {n})"
    return f"{shown_number(mean)} ± {shown_number(se, 2)} (SE, n = {n})"


def scale(kind: str, data_scale: str) -> str:
    """Return what the values of a dataset are, such as "transcript abundance, log2".

    Args:
        kind: "mrna", "protein", "phenotype", ...
        data_scale: As GeneNetwork names it, such as "log2"; may be "".
    """
    names = {"mrna": "transcript abundance", "protein": "protein abundance"}
    name = names.get(kind, "")
    return ", ".join(part for part in (name, data_scale) if part)


def unit_of(description: str) -> str:
    """Return the unit that ends a phenotype's description in brackets, such as "mg"; "" where there is none.

    Source:
        GeneNetwork's phenotype descriptions: "... in adults of both sexes [mg]".
    """
    text = description.rstrip(" .")
    if not text.endswith("]") or "[" not in text:
        return ""
    unit = text[text.rindex("[") + 1 : -1].strip()
    return unit if 0 < len(unit) <= 40 else ""
