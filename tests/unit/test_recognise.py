"""What people type to look something up is told from questions to the documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.live.lookups import (
    CompareLookup,
    CorrelationLookup,
    DatasetLookup,
    DatasetsLookup,
    ExplainLookup,
    FactsLookup,
    GeneLookup,
    GroupsLookup,
    Lookup,
    MappingLookup,
    SearchLookup,
    SpeciesLookup,
    TraitLookup,
    TraitName,
    ValuesLookup,
)
from bot.live.recognising import recognise
from bot.messages import Turn
from tests.hostile_texts import hostile_texts

BXD = TraitName("BXD", "10001")
SHH = TraitName("HC_M2_0606_P", "1436869_at")
EVALUATION = Path(__file__).resolve().parents[3] / "shared" / "eval" / "dev_qa.jsonl"
SITE = "https://genenetwork.org"
TYPED: list[tuple[str, Lookup]] = [
    ("species", SpeciesLookup()),
    ("List species.", SpeciesLookup()),
    ("groups", GroupsLookup()),
    ("groups of rat", GroupsLookup("rat")),
    ("map BXD_10001", MappingLookup(BXD)),
    ("Map bxd_10001, please!", MappingLookup(BXD)),
    ("please map the trait BXD_10001 with R/qtl", MappingLookup(BXD, "rqtl")),
    ("map BXD_10001 using gemma with loco", MappingLookup(BXD)),
    ("can you run a genome scan of 1436869_at in HC_M2_0606_P?", MappingLookup(SHH)),
    ("QTL mapping of HXBBXH 10078 as csv", MappingLookup(TraitName("HXBBXHPublish", "10078"), csv=True)),
    ("map HSR_10308", MappingLookup(TraitName("HSR", "10308"))),
    ("trait BXD_10001", TraitLookup(BXD)),
    ("BXD_10001", TraitLookup(BXD)),
    ("what is BXD_10001?", TraitLookup(BXD)),
    ("BXDPublish/10001", TraitLookup(TraitName("BXDPublish", "10001"))),
    ("values of BXD_10001", ValuesLookup(BXD)),
    ("values of BXD_10001 as csv", ValuesLookup(BXD, csv=True)),
    ("plot HC_M2_0606_P:1436869_at", ValuesLookup(SHH)),
    ("histogram of BXD_10001", ValuesLookup(BXD, "histogram")),
    ("show me the distribution of BXD_10001", ValuesLookup(BXD, "histogram")),
    ("plot BXD_10001 against BXD_10002", CompareLookup(BXD, TraitName("BXD", "10002"))),
    ("correlate BXD_10001 with BXD_10002", CompareLookup(BXD, TraitName("BXD", "10002"))),
    ("correlate BXD_10001 with HC_M2_0606_P", CorrelationLookup(BXD, "HC_M2_0606_P")),
    ("correlate BXD_10001 with HC_M2_0606_P top 25", CorrelationLookup(BXD, "HC_M2_0606_P", 25)),
    ("correlate BXD_10001 with HC_M2_0606_P, top 999", CorrelationLookup(BXD, "HC_M2_0606_P", 50)),
    ("datasets of BXD", DatasetsLookup("BXD")),
    ("datasets HXBBXH", DatasetsLookup("HXBBXH")),
    ("datasets of BXD tissue:hippocampus", DatasetsLookup("BXD", "hippocampus")),
    (
        'list datasets for BXD type:mrna tissue:"optic nerve" text:RMA',
        DatasetsLookup("BXD", "optic nerve", "mrna", "RMA"),
    ),
    ("datasets of HSNIH-Palmer", DatasetsLookup("HSNIH-Palmer")),
    ("dataset HC_M2_0606_P", DatasetLookup("HC_M2_0606_P")),
    ("what is GN112?", DatasetLookup("GN112")),
    ("UTHSC_BXD_Hip_PostD7EtohBS_1121", DatasetLookup("UTHSC_BXD_Hip_PostD7EtohBS_1121")),
    ("explain HSNIH-Rat-Acbc-RSeq-0818", DatasetLookup("HSNIH-Rat-Acbc-RSeq-0818")),
    ("gene Shh", GeneLookup("Shh")),
    ("gene BRCA2?", GeneLookup("BRCA2")),
    ("gene shh", GeneLookup("shh")),
    ("map BXD_10001 with 1000 permutations", MappingLookup(BXD)),
    ("map BXD_10001 with R/qtl and 1,000 permutations", MappingLookup(BXD, "rqtl")),
    ("map 1436869_at", ExplainLookup("1436869_at", "map")),
    ("map 1436869_at with rqtl", ExplainLookup("1436869_at", "map")),
    ("values of 1436869_at", ExplainLookup("1436869_at", "values of")),
    ("correlate 1436869_at with BXDPublish", ExplainLookup("1436869_at", "correlations of")),
    ("What is the mean of BXD_10001?", TraitLookup(BXD)),
    ("peak LOD of 1436869_at in HC_M2_0606_P", TraitLookup(SHH)),
    ("what does BXD_10001 measure?", TraitLookup(BXD)),
    ("where does BXD_10001 map to?", TraitLookup(BXD)),
    ("datasets of bxd", DatasetsLookup("bxd")),
    ("datasets of HXB/BXH", DatasetsLookup("HXB/BXH")),
    ("datasets of cfw type:mrna", DatasetsLookup("cfw", kind="mrna")),
    ("metadata of HC_M2_0606_P", FactsLookup("metadata", "HC_M2_0606_P")),
    (
        f"{SITE}/search?species=mouse&group=BXD&dataset=HC_M2_0606_P&search_terms_or=Shh&search_terms_and=",
        SearchLookup("gene", "Shh dataset:HC_M2_0606_P"),
    ),
    (f"{SITE}/search?dataset=BXDPublish&search_terms_or=brain", SearchLookup("phenotype", "brain dataset:BXDPublish")),
    (f"map {SITE}/show_trait?trait_id=10001&dataset=BXDPublish with 500 permutations",
     MappingLookup(TraitName("BXDPublish", "10001"))),
    ("search genes shh species:mouse", SearchLookup("gene", "shh species:mouse")),
    ("search for phenotypes hippocampus year:2015..2020", SearchLookup("phenotype", "hippocampus year:2015..2020")),
    ("what is 1436869_at?", ExplainLookup("1436869_at")),
    ("rs31443144", ExplainLookup("rs31443144")),
    ("marker D1Mit3", ExplainLookup("D1Mit3")),
    ("tissues of BXD", FactsLookup("tissues", "BXD")),
    ("populations of mouse", FactsLookup("populations", "mouse")),
    ('sets of the family "outbred (individuals)"', FactsLookup("sets", "outbred (individuals)")),
    ("groups of family Reference Populations", FactsLookup("sets", "Reference Populations")),
    ("publications of BXD_10001", FactsLookup("publications", "BXD_10001")),
    (f"{SITE}/show_trait?trait_id=1436869_at&dataset=HC_M2_0606_P", TraitLookup(SHH)),
    (f"<{SITE}/show_trait?trait_id=1436869_at&dataset=HC_M2_0606_P>", TraitLookup(SHH)),
    (f"what is <{SITE}/datasets/HC_M2_0606_P|this>?", DatasetLookup("HC_M2_0606_P")),
    (f"map {SITE}/show_trait?trait_id=10001&dataset=BXDPublish", MappingLookup(TraitName("BXDPublish", "10001"))),
    (
        f"values of {SITE}/show_trait?trait_id=10001&dataset=BXDPublish as csv",
        ValuesLookup(TraitName("BXDPublish", "10001"), csv=True),
    ),
    (
        f"map {SITE}/show_trait?trait_id=10001&dataset=BXDPublish with rqtl",
        MappingLookup(TraitName("BXDPublish", "10001"), "rqtl"),
    ),
    (f"{SITE}/phenotypes/BXD/10007", TraitLookup(TraitName("BXDPublish", "10007"))),
    (f"{SITE}/phenotypes/BXD_10007", ExplainLookup("BXD_10007")),
    (f"{SITE}/genotypes/D1Mit3", ExplainLookup("D1Mit3")),
    (f"{SITE}/genewiki/Shh.", GeneLookup("Shh")),
    (f"{SITE}/gsearch?type=phenotype&terms=diabetes+species:rat", SearchLookup("phenotype", "diabetes species:rat")),
    ("https://info.genenetwork.org/infofile/source.php?GN_AccesionId=873", DatasetLookup("GN873")),
    (
        "https://info.genenetwork.org/species/source.php?SpeciesName=mouse&InbredSetName=BXD",
        DatasetsLookup("BXD"),
    ),
]  # fmt: skip

ORDINARY = """
What is the BXD family?
How do I map a trait?
How do I map a trait with GEMMA?
What does LRS mean?
What is the difference between LOD and LRS?
What is a QTL?
Explain interval mapping
map
mapping
Map of the brain
How can I correlate two traits?
correlate traits with genes
What correlates with alcohol preference?
datasets
Which datasets are there for BXD hippocampus?
What datasets of rats does GeneNetwork have?
dataset access
datasets in GeneNetwork
datasets of mice
gene
gene expression
gene ontology
gene network
gene networks
gene set enrichment
gene therapy
What is the mean of a trait?
Where is the hippocampus?
what does LOD mean?
metadata of a dataset
What is a gene?
gene names in the BXD
Which gene is Shh?
What is the function of Shh?
What groups of mice are there?
search
How do I search for genes?
search the documents for heritability
What is R/qtl?
What is HC?
What is DBA/2J?
What is C57BL/6J?
What is mm10?
What is RNA-Seq?
What is GeneNetwork?
BXD
BXD strains
Shh
Brca2
What is PDNN?
What is the PDNN transform used in HC_M2_0606_P and how does it differ from RMA?
Who made BXD_10001?
Why is BXD_10001 adjusted?
How many strains have values for BXD_10001?
values of heritability
value of a trait
trait
What is a trait?
trait values
plot a trait
plot
histogram
compare strains
compare BXD and HXB
scatter plot
What is SNP browser?
tissues
tissues of mice and rats
tissues used in the study
publications
papers by Williams
papers on BXD
Describe the BXD recombinant inbred strains
link
How do I cite https://genenetwork.org/datasets/HC_M2_0606_P in a paper?
https://github.com/genenetwork/genenetwork2
https://evil.org/show_trait?trait_id=1436869_at&dataset=HC_M2_0606_P
https://genenetwork.org/
https://genenetwork.org/references
Is there a COVID-19 dataset?
What is COVID-19?
state-of-the-art methods
What is a genome-wide association?
What is heritability h2?
Thanks!
hello
csv
What is CSV?
How do I get the data as csv?
Download data in csv
can you show me how the map was made
show me the BXD family
What are the parents of the BXD?
How was the Hippocampus Consortium M430v2 dataset normalised?
What is the meaning of peak LRS 12.77?
What happened in 2010_2011?
What is well-known?
""".strip().splitlines()  # fmt: skip


@pytest.mark.parametrize(("typed", "lookup"), TYPED)
def test_what_is_typed_is_recognised(typed: str, lookup: Lookup) -> None:
    """Each form that the documentation names becomes its lookup."""
    assert lookup == recognise(typed)


@pytest.mark.parametrize("question", ORDINARY)
def test_ordinary_questions_go_to_the_documents(question: str) -> None:
    """A question that can be asked of the documents is not taken for a lookup."""
    assert recognise(question) is None


@pytest.mark.corpus
@pytest.mark.skipif(not EVALUATION.is_file(), reason="no questions of the evaluation here")
def test_no_question_of_the_evaluation_is_taken() -> None:
    """None of the questions by which retrieval is measured is taken for a lookup."""
    questions = [json.loads(line)["question"] for line in EVALUATION.read_text().splitlines() if line.strip()]

    assert [] == [question for question in questions if recognise(question) is not None]


def test_csv_asks_for_the_data_of_the_last_lookup() -> None:
    """A follow-up "csv" gets the data of what was looked up before, and nothing where that was no lookup."""
    before = (Turn("user", "map BXD_10001"), Turn("assistant", "..."))
    after = (*before, Turn("user", "What is a QTL?"), Turn("assistant", "..."))

    for word in ("csv", "as csv", "CSV, please", "the data as a csv file"):
        assert MappingLookup(BXD, csv=True) == recognise(word, before)
    assert recognise("csv", after) is None


def test_links_of_the_configured_site_count_as_genenetworks() -> None:
    """A link to the address in the settings is understood, one to any other host is not."""
    link = "http://127.0.0.1:8080/datasets/HC_M2_0606_P"

    assert recognise(link) is None
    assert DatasetLookup("HC_M2_0606_P") == recognise(link, hosts={"127.0.0.1:8080"})
    assert recognise("https://genenetwork.org.evil.com/datasets/HC_M2_0606_P") is None
    assert recognise("https://user@genenetwork.org/datasets/HC_M2_0606_P") is None


def test_a_link_may_hold_any_name() -> None:
    """Names in links are decoded, blanks and slashes included."""
    found = recognise(f"{SITE}/show_trait?trait_id=1416967_a%2Fb+at&dataset=HC_M2_0606_P")

    assert TraitLookup(TraitName("HC_M2_0606_P", "1416967_a/b at")) == found


@given(st.one_of(hostile_texts, st.text(max_size=600)))
def test_any_text_is_read(text: str) -> None:
    """No text raises, whatever it is made of."""
    recognise(text)
    recognise(f"map {text}")
    recognise(f"https://genenetwork.org/{text}")
