"""The world at the start: three species, five groups, a dozen datasets, some of which nobody may see."""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Mapping

import numpy as np

from tests.gn_server.values import DatasetRow, Gene, Group, Marker, Publication, Species, TraitRow, Values

MOUSE_MB = dict(
    zip(
        (*map(str, range(1, 20)), "X"),
        (195, 182, 160, 156, 151, 149, 145, 129, 124, 130, 122, 120, 120, 124, 104, 98, 94, 90, 61, 171),
        strict=True,
    )
)
RAT_MB = dict(
    zip(
        (*map(str, range(1, 21)), "X"),
        (282, 266, 177, 183, 173, 147, 145, 133, 122, 112, 90, 52, 114, 115, 111, 90, 90, 88, 62, 56, 159),
        strict=True,
    )
)

SPECIES = (
    Species(1, "mouse", "Mus musculus", "Mouse (Mus musculus, mm10)", 10090, "Mus musculus"),
    Species(2, "rat", "Rattus norvegicus", "Rat (Rattus norvegicus, rn6)", 10116, "Rattus norvegicus"),
    Species(4, "human", "Homo sapiens", "Human (Homo sapiens, hg19)", 9606, "Homo sapiens"),
)
_BXD = tuple(f"BXD{n}" for n in (*range(1, 43), *range(43, 104)) if n not in {3, 4, 7, 10, 17, 26, 35, 37})
_HXB = tuple(f"HXB{n}" for n in (1, 2, 3, 4, 5, 7, 10, 13, 15, 17, 18, 20, 21, 22, 23, 24, 25, 27, 29, 31))
_BXH = tuple(f"BXH{n}" for n in (2, 3, 5, 6, 8, 9, 10, 11, 12, 13))


def groups() -> list[Group]:
    """Return all groups."""
    return [
        Group(
            1, "BXD", "BXD Family", "mouse", "BXD", "riset",
            ("C57BL/6J", "DBA/2J", "B6D2F1", *_BXD), ("C57BL/6J", "DBA/2J"), MOUSE_MB,
        ),
        Group(
            72, "BXD-Longevity", "BXD Aged Longevity", "mouse", "BDL", "riset",
            ("C57BL/6J", "DBA/2J", *_BXD[:24]), ("C57BL/6J", "DBA/2J"), MOUSE_MB,
        ),
        Group(
            4, "HXBBXH", "HXB/BXH Family", "rat", "HRP", "riset",
            ("BN-Lx/Cub", "SHR/OlaIpcv", *_HXB, *_BXH), ("SHR/OlaIpcv", "BN-Lx/Cub"), RAT_MB,
        ),
        Group(
            52, "HSNIH-Palmer", "NIH Heterogeneous Stock (Palmer)", "rat", "HSR", "intercross",
            tuple(f"000{n:X}" for n in range(0x7A10, 0x7A40)), ("HS", "HS"), RAT_MB, "Outbred (individuals)",
        ),
        Group(30, "HLC", "Liver: Normal Gene Expression with Genotypes (Merck)", "human", "HLC", "None",
              tuple(f"HLC{n}" for n in range(1, 13)), ("", ""), {"1": 249.0, "2": 243.0}, "Human cohorts", 1),
    ]  # fmt: skip


PUBLICATIONS = (
    Publication(
        11438585,
        "Genetic control of the mouse cerebellum: identification of quantitative trait loci modulating size and "
        "architecture",
        ("Airey DC", "Lu L", "Williams RW"),
        "J Neurosci",
        2001,
    ),
    Publication(9171835, "Quantitative trait loci for cellular defects in glucose and fatty acid metabolism in "
                "hypertensive rats", ("Aitman TJ", "Gotoda T", "Scott J"), "Nat Genet", 1997),
    Publication(19958391, "Systems genetic analysis of hippocampal neuroanatomy and spatial learning in mice",
                ("Delprato A", "Williams RW"), "Genes Brain Behav", 2015),
)  # fmt: skip

GENES = (
    Gene(
        "Shh",
        ("HHG1", "HLP3", "HPE3", "SMMCI", "Dsh", "Hhg1"),
        20423,
        (
            (16990432, "Sonic hedgehog signals from the notochord pattern the neural tube", "2006-11-02 09:10"),
            (19217425, "Hedgehog acts on migrating cells <b>by</b> a gradient", "2009-03-05 12:00"),
        ),
        ("A morphogen of limbs and neural tube.",),
    ),
    Gene(
        "BRCA2",
        ("FACD", "FAD", "FANCD", "BROVCA2", "FAD1", "FANCD1", "BRCC2", "GLM3", "PNCA2", "XRCC11"),
        675,
        ((21737503, "loads RAD51 onto single-stranded DNA", "2011-09-10 08:00"),),
    ),
    Gene("Comt", ("Comt1", "D16Wsu103e", "D330014B15Rik"), 12846,
         ((20463733, "varies across BXD strains", "2010-05-20 10:00"),)),
)  # fmt: skip

_HIPPOCAMPUS = "Hippocampus mRNA"


def datasets(groups_by_name: Mapping[str, Group], markers: Mapping[str, tuple[Marker, ...]]) -> list[DatasetRow]:
    """Return all datasets with their traits."""
    bxd, rats = groups_by_name["BXD"], groups_by_name["HXBBXH"]
    date = datetime.date
    made = [
        DatasetRow("BXD", "molecular", 112, "HC_M2_0606_P", "Hippocampus Consortium M430v2 (Jun06) PDNN", _HIPPOCAMPUS,
                   date(2006, 6, 23), accession="GN112", short_name="Hippocampus M430v2 BXD 06/06 PDNN",
                   long_name="Hip_M430v2_0606_PDNN", platform="Affy Mouse Genome 430 2.0 (GPL1261)",
                   normalization="PDNN", average_id=2, samples=71,
                   summary="<p>The Hippocampus Consortium measured gene expression in the hippocampus of adult mice."
                   "<script>alert(1)</script></p><p>It is a <b>reference</b> data set.</p>"),
        DatasetRow("BXD", "molecular", 77, "IBR_M_0204_M", "INIA Brain mRNA M430 (Feb04) MAS5", "Brain mRNA",
                   date(2004, 2, 1), accession="GN11", platform="MOE430", normalization="MAS5", average_id=1,
                   summary="<p>This October 2004 data freeze provides estimates of mRNA expression.</p>"),
        DatasetRow("BXD", "molecular", 1041, "UTHSC_BXD_Hip_PostD7EtohBS_1121", "UTHSC BXD Hippocampus Postnatal Day 7 "
                   "Ethanol Both Sexes Affy Clarion S (Nov21) RMA", _HIPPOCAMPUS, date(2021, 11, 2),
                   long_name="UTHSC_BXD_Hip_PostD7EtohBS_Nov21", study=432, public=1),
        DatasetRow("BXD", "molecular", 871, "JAX_BXD_Hip_Proteome_0219", "JAX BXD Hippocampal Proteome (Feb19)",
                   "Hippocampus Proteome", date(2019, 2, 13), accession="GN873", scale="log2", average_id=3, samples=54,
                   summary="<p>Protein abundance in the hippocampus of 54 strains.</p>"),
        DatasetRow("BXD", "molecular", 391, "DBA2J-ONH-1212", "Howell et al. 2011, DBA/2J Glaucoma Optic Nerve Head "
                   "M430 2.0 (Dec12) RMA", "Optic Nerve Head mRNA", date(2001, 9, 22), accession="GN388"),
        DatasetRow("BXD", "molecular", 113, "HC_M2_0606_M", "Hippocampus Consortium M430v2 (Jun06) MAS5", _HIPPOCAMPUS,
                   date(2006, 6, 23), public=0, average_id=1),
        DatasetRow("BXD", "molecular", 902, "SECRET_BXD_Ret_0819", "Confidential BXD Retina RNA-Seq (Aug19)",
                   "Retina mRNA", date(2019, 8, 19), confidentiality=1),
        DatasetRow("BXD", "molecular", 903, "PRIVATE_BXD_Liv_0919", "Restricted BXD Liver RNA-Seq (Sep19)",
                   "Liver mRNA", date(2019, 9, 1), accession="GN903", rights="private"),
        DatasetRow("BXD", "phenotype", 602, "BXDPublish", "BXD Published Phenotypes", accession="GN602",
                   created=date(2001, 5, 1)),
        DatasetRow("BXD", "genotype", 600, "BXDGeno", "BXD Genotypes", accession="GN600", created=date(2001, 5, 1)),
        DatasetRow("BXD-Longevity", "phenotype", 0, "BXD-LongevityPublish", "BXD Aged Longevity Phenotypes",
                   created=date(2015, 1, 1), public=0),
        DatasetRow("HXBBXH", "phenotype", 0, "HXBBXHPublish", "HXB/BXH Published Phenotypes",
                   created=date(2003, 1, 1)),
        DatasetRow("HXBBXH", "genotype", 0, "HXBBXHGeno", "HXB/BXH Genotypes", created=date(2003, 1, 1)),
        DatasetRow("HXBBXH", "molecular", 242, "HXB_Adrenal_1208", "INSERM Adrenal Gland 230A RAE230A (Dec08) RMA",
                   "Adrenal Gland mRNA", date(2008, 12, 1), accession="GN242"),
        DatasetRow("HSNIH-Palmer", "molecular", 860, "HSNIH-Rat-Acbc-RSeq-0818",
                   "HSNIH-Palmer Nucleus Accumbens Core RNA-Seq (Aug18) rlog", "Nucleus Accumbens mRNA",
                   date(2018, 8, 27), public=1, study=347, average_id=24, long_name="HSNIH-Rat-Acbc-RSeq-Aug18"),
    ]  # fmt: skip
    by_name = {dataset.name: dataset for dataset in made}
    _add_transcripts(by_name["HC_M2_0606_P"], bxd, markers["BXD"])
    _add_transcripts(by_name["HC_M2_0606_M"], bxd, markers["BXD"])
    _add_transcripts(by_name["SECRET_BXD_Ret_0819"], bxd, markers["BXD"])
    _add_transcripts(by_name["PRIVATE_BXD_Liv_0919"], bxd, markers["BXD"])
    _add_transcripts(by_name["HXB_Adrenal_1208"], rats, markers["HXBBXH"])
    _add_phenotypes(by_name["BXDPublish"], bxd, markers["BXD"])
    _add_phenotypes(by_name["HXBBXHPublish"], rats, markers["HXBBXH"])
    longevity = groups_by_name["BXD-Longevity"]
    _add_phenotypes(by_name["BXD-LongevityPublish"], longevity, markers["BXD-Longevity"])
    return made


def measured(
    group: Group,
    markers: tuple[Marker, ...],
    name: str,
    *,
    at: tuple[str, float],
    mean: float,
    effect: float,
    noise: float,
    every: int = 1,
) -> Values:
    """Return values of a trait that depends on the marker nearest to a position.

    Args:
        group: Whose samples.
        markers: The group's.
        name: Seeds the noise.
        at: Chromosome and Mb.
        mean: Of the trait.
        effect: Half the difference between the homozygotes.
        noise: Standard deviation of the rest.
        every: Every how many-th sample has a value.
    """
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    near = min(markers, key=lambda marker: (marker.chr != at[0], abs(marker.mb - at[1])))
    values: Values = {}
    for place, sample in enumerate(group.samples):
        value = mean + effect * near.alleles[place] + float(generator.normal(0.0, noise))
        error = round(abs(float(generator.normal(noise / 3, noise / 10))), 4)
        cases = int(generator.integers(3, 12))
        if place % every == 0:
            values[sample] = (round(value, 4), error or None, cases)
    return values


def _add_transcripts(dataset: DatasetRow, group: Group, markers: tuple[Marker, ...]) -> None:
    rows = (
        ("1436869_at", "Shh", "sonic hedgehog (hedgehog)", "5", 28.457155, ("5", 28.0), 9.28, 0.21),
        ("1449183_at", "Comt", "catechol-O-methyltransferase", "16", 18.407, ("16", 18.4), 11.02, 0.62),
        ("1418908_at", "Pam", "peptidylglycine alpha-amidating monooxygenase", "1", 97.85, ("3", 55.0), 12.4, 0.18),
        ("100001_at", "Cd3g", "CD3d antigen, gamma polypeptide", "9", 44.970689, ("9", 45.0), 8.14, 0.08),
        ("1416967_a/b at", "Sox2", "SRY-box containing gene 2; probe + intron", "3", 34.65, ("3", 34.0), 7.9, 0.1),
    )
    for number, (name, symbol, description, chromosome, mb, at, mean, effect) in enumerate(rows):
        values = measured(
            group, markers, f"{dataset.name}/{name}", at=at, mean=mean, effect=effect, noise=0.25
        )  # fmt: skip
        stored: Values = {sample: (value, error, None) for sample, (value, error, _) in values.items()}
        aliases = next(("; ".join(gene.aliases) for gene in GENES if gene.symbol == symbol), "")
        dataset.traits.append(
            TraitRow(99602 + number, name, description, stored, symbol, aliases, chromosome, mb)
        )  # fmt: skip


def _add_phenotypes(dataset: DatasetRow, group: Group, markers: tuple[Marker, ...]) -> None:
    central = "Central nervous system, morphology: "
    rows = (
        (10001, central + "Cerebellum weight, whole, bilateral in adults of both sexes [mg]", "CBLWT2", 11438585,
         ("8", 49.0), 61.4, 2.39, 2.5),
        (10002, central + "Cerebellum weight after adjustment for covariance with brain size [mg]", "ADJCBLWT",
         11438585, ("8", 50.0), 52.1, 1.81, 2.5),
        (10007, central + "Internal granule layer IGL of the cerebellum [mm3]", "AdjIGLVol", 11438585,
         ("8", 95.7), 18.2, 1.24, 1.6),
        (10078, "Metabolism: maximal/basal glucose uptake of adipocytes [ratio]", "GLUPT", 9171835,
         ("4", 47.2), 2.66, 0.4, 0.5),
        (12315, central + "Hippocampus weight [mg]", "HPWT", 19958391, ("1", 172.0), 29.4, 1.4, 1.6),
        (24001, "Behavior: locomotion after saline, not published [cm]", "LOCO", None,
         ("11", 60.0), 3000.0, 120.0, 400.0),
    )  # fmt: skip
    papers = {paper.pubmed_id: paper for paper in PUBLICATIONS}
    for place, (number, description, abbreviation, pubmed, at, mean, effect, noise) in enumerate(rows):
        values = measured(
            group, markers, f"{dataset.name}/{number}", at=at, mean=mean, effect=effect, noise=noise, every=2
        )  # fmt: skip
        dataset.traits.append(
            TraitRow(
                4 + place,
                str(number),
                description,
                values,
                abbreviation=abbreviation,
                authors=papers[pubmed].authors if pubmed else ("Anonymous A",),
                pubmed_id=pubmed,
            )
        )
