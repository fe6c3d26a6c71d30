"""Reading GeneNetwork's dataset names: what the parts of HC_M2_0606_P stand for.

A dataset abbreviation joins a laboratory or consortium, a tissue, a platform, a month and a normalisation. The words
below are what its curators' abbreviations mean; they let "spleen, May 2009" find Iop_spl_rma_0509.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

# Sections of a dataset's description, each a file of its own below general/datasets/NAME/ in gn-docs.
SECTIONS = {
    "summary": "Summary",
    "cases": "About the cases",
    "tissue": "About the tissue",
    "platform": "About the platform",
    "processing": "About data processing",
    "notes": "Notes",
    "experiment-design": "Experiment design",
    "experiment-type": "Experiment type",
    "contributors": "Contributors",
    "acknowledgment": "Acknowledgment",
    "citation": "Citation",
    "specifics": "Specifics",
}

_PARTS = {
    # tissues
    "acbc": "nucleus accumbens core", "adipose": "adipose fat", "adr": "adrenal gland", "adren": "adrenal gland",
    "amg": "amygdala", "amgcoh": "basolateral amygdala cohort", "amy": "amygdala", "anter": "anterior cingulate cortex",
    "aor": "aorta", "ba": "brain", "bla": "basolateral amygdala", "br": "brain", "cab": "central amygdala",
    "cart": "cartilage", "cb": "cerebellum", "cer": "cerebellum", "cerebet": "cerebellum ethanol", "eye": "eye",
    "fem": "femur bone", "femur": "femur bone", "ft": "fat adipose", "gcb": "cerebellum", "gut": "intestine gut",
    "gutgl": "gut gastrointestinal intestine", "hc": "hippocampus", "hip": "hippocampus", "hipp": "hippocampus",
    "hippratex": "rat hippocampus exon", "hipprecell": "hippocampus precursor cells", "hyp": "hypothalamus",
    "hqf": "neocortex", "il": "infralimbic cortex", "ki": "kidney", "kid": "kidney", "liv": "liver",
    "livp": "liver", "lng": "lung", "lung": "lung", "lv": "liver", "lvf2": "liver F2", "ma": "mammary tumor",
    "mid": "midbrain", "midbrain": "midbrain", "mus": "muscle", "nb": "neonatal blood", "neoc": "neocortex",
    "neocortex": "neocortex", "neut": "neutrophil", "onh": "optic nerve head", "pfc": "prefrontal cortex",
    "mlpfc": "prefrontal cortex", "mlc": "cerebellum", "pit": "pituitary", "pl": "prelimbic cortex", "ret": "retina",
    "rgc": "retinal ganglion cells", "rtc": "regulatory T cells", "rthc": "T helper cells", "sa": "striatum",
    "spl": "spleen", "spls2": "spleen", "st": "striatum", "str": "striatum", "stc": "superior temporal cortex",
    "vfc": "ventrolateral prefrontal cortex", "vta": "ventral tegmental area", "wadip": "white adipose fat",
    "scwat": "subcutaneous white adipose fat", "wb": "whole brain", "wbl": "whole blood",
    "lcm": "laser capture microdissection", "germ": "germ cells",
    # laboratories and consortia
    "candle": "CANDLE", "cms": "stress", "cu": "University of Colorado", "cubr": "University of Colorado brain",
    "dod": "Department of Defense", "ebi": "EMBL-EBI", "epfl": "EPFL Lausanne", "genex": "GeneX",
    "hbtrc": "Harvard Brain Tissue Resource Center", "hms": "Harvard Medical School",
    "hsnih": "heterogeneous stock NIH",
    "hzi": "Helmholtz Braunschweig", "ibr": "INIA brain", "inia": "INIA alcohol", "iop": "Institute of Psychiatry",
    "jax": "Jackson Laboratory", "lisp": "Auwerx Lausanne", "nhlbi": "NHLBI heart",
    "nia": "National Institute on Aging", "niaaa": "NIAAA alcohol", "ohsu": "Oregon Health Science University",
    "oxuk": "Oxford", "oxukhs": "Oxford heterogeneous stock", "psu": "Pennsylvania State University",
    "rti": "Research Triangle Institute", "suh": "Saarland University Homburg", "tigem": "TIGEM Naples",
    "ubc": "University of British Columbia", "ucamc": "University of Colorado Anschutz", "ucla": "UCLA",
    "uconn": "University of Connecticut", "ucsd": "UC San Diego",
    "ut": "University of Tennessee", "uthsc": "University of Tennessee Memphis",
    "utk": "University of Tennessee Knoxville",
    "uva": "University of Virginia", "vcu": "Virginia Commonwealth University", "vu": "Vanderbilt University",
    "lsru": "Luxembourg", "macfas": "macaque cynomolgus monkey", "riken": "RIKEN", "ncsu": "North Carolina State",
    # platforms and kinds
    "m2": "Affymetrix Mouse 430 2.0 M430v2", "m": "Affymetrix M430", "u": "Affymetrix U74Av2", "ilm": "Illumina",
    "ilm6": "Illumina Mouse-6", "ilmstr": "Illumina striatum", "ilmhipp": "Illumina hippocampus",
    "ilmlung": "Illumina lung", "illum": "Illumina", "illumina": "Illumina", "agil": "Agilent", "ex": "exon array",
    "exon": "exon array", "affyexon": "Affymetrix exon array", "affymta1": "Affymetrix MTA 1.0",
    "rseq": "RNA-seq RNA sequencing", "rnaseq": "RNA-seq RNA sequencing", "rna": "RNA", "seq": "sequencing",
    "mirna": "microRNA miRNA", "pro": "proteome protein", "prot": "protein proteome", "protrpn": "protein proteome",
    "met": "metabolite", "metabolog": "metabolome", "fecmet": "fecal metabolome", "geno": "genotypes markers",
    "publish": "phenotypes", "microbiome": "microbiome",
    # treatments
    "cd": "chow diet", "hf": "high fat diet", "hfd": "high fat diet", "etoh": "ethanol alcohol", "sal": "saline",
    "vcusal": "VCU prefrontal cortex saline", "vcuetoh": "VCU prefrontal cortex ethanol",
    "vcuetvssal": "VCU prefrontal cortex ethanol versus saline", "et": "ethanol", "aged": "aged old",
    "nosb": "no stress both sexes", "noeb": "no stress ethanol both sexes",
    "rseb": "restraint stress ethanol both sexes",
    "rssb": "restraint stress saline both sexes", "did": "drinking in the dark alcohol", "cie": "chronic ethanol",
    "dex": "dexamethasone", "pr8m": "influenza PR8 virus", "flu": "influenza", "hiv": "HIV",
    # families
    "mdp": "mouse diversity panel", "hs": "heterogeneous stock", "cc": "Collaborative Cross",
    "ail": "advanced intercross",
    "cfw": "CFW outbred", "mkk": "MIKK medaka", "dros": "Drosophila fly", "droswb": "Drosophila whole body",
    "macaque": "monkey", "lgsm": "LGxSM advanced intercross", "sxm": "Steptoe Morex barley", "gtex": "GTEx human",
    "tg": "transgenic", "axbxa": "AXB BXA", "hxbbxh": "HXB BXH rat",
    # normalisations
    "r": "RMA", "rma": "RMA", "p": "PDNN", "pdnn": "PDNN", "mas5": "MAS5", "rn": "RMA", "rz": "RMA",
    "ss": "SScore", "zscr": "z-score", "log2": "log2", "rankinv": "rank invariant", "ri": "rank invariant",
    "vst": "variance stabilising", "rsn": "robust spline", "q": "quantile", "tpm": "TPM", "rpkm": "RPKM",
}  # fmt: skip
_MONTHS = "January February March April May June July August September October November December".split()
_DATE = re.compile(r"(?:^|\D)(\d{2})(\d{2})$")
_SPLIT = re.compile(r"[_\-\s]+")
_FAMILY = re.compile(r"(bxd|lxs|hxb|bxh|axb|bxa|cxb|akxd|cc|b6d2f2|b6btbrf2|bhf2|mdp)", re.IGNORECASE)
_NAMED = re.compile(r"Summary of DatasetId \d+, Name:\s*(.+?)\s*(?:\.\s|\.?$|\n)")


def dataset_folder(path: str) -> str | None:
    """Return the dataset name if `path` is a section of a dataset description (…/datasets/NAME/section.ext)."""
    parts = PurePosixPath(path).parts
    if len(parts) >= 2 and PurePosixPath(parts[-1]).stem in SECTIONS:
        in_datasets = len(parts) >= 3 and parts[-3] == "datasets"
        if in_datasets or parts[-1].endswith(".rtf"):
            return parts[-2]
    return None


def dataset_title(path: str, summary: str) -> str:
    """Return a title for a section: the name the summary gives, else the folder's, and the section."""
    name = dataset_folder(path) or PurePosixPath(path).stem
    named = _NAMED.search(summary[:600])
    section = SECTIONS.get(PurePosixPath(path).stem, "")
    shown = f"{named.group(1)} ({name})" if named else name
    return f"{shown}: {section}" if section else shown


@lru_cache(maxsize=16384)
def expand_dataset_name(name: str) -> tuple[str, ...]:
    """Return what the parts of a dataset name stand for, unknown parts left out."""
    words: list[str] = []
    for part in _SPLIT.split(name.lower()):
        date = _DATE.search(part)
        if date and 1 <= int(date.group(1)) <= 12:
            words.append(f"{_MONTHS[int(date.group(1)) - 1]} 20{date.group(2)}")
            part = part[: date.start(1)]
        family = _FAMILY.search(part)
        if family and part not in _PARTS:
            words.append(family.group(1).upper())
            for rest in part.split(family.group(1)):
                if rest in _PARTS:
                    words.append(_PARTS[rest])
        elif part in _PARTS:
            words.append(_PARTS[part])
        elif re.fullmatch(r"[a-z]+\d+", part) and (head := part.rstrip("0123456789")) in _PARTS and len(head) > 2:
            words.append(_PARTS[head])
    return tuple(words)
