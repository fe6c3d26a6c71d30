"""The words for GeneNetwork's kinds of data."""

from __future__ import annotations


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
