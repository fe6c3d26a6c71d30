"""What a digest says, and that hostile texts in GeneNetwork say nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digest.datasets import Dataset
from bot.digest.describing import ModelDescriber, QuotingDescriber, grounded
from bot.digest.interests import Interest
from bot.digest.plain import first_sentence, plain, plain_dataset
from bot.digest.writing import IN_A_PART, MAX_TOLD, SHOWN, Written, dataset_key, facts, headline, write_digest
from bot.errors import UnavailableError
from bot.generation import Finished, GenerationEvent, GenerationRequest, ModelFacts, Text
from bot.pictures.bars import MAX_BARS, bars
from tests.hostile_texts import hostile_texts

HC = Dataset(
    "mouse",
    "BXD",
    "mrna",
    "Hippocampus mRNA",
    "112",
    "HC_M2_0606_P",
    "Hippocampus Consortium M430v2 (Jun06) PDNN",
    "Hippocampus mRNA",
    "Affy Mouse Genome 430 2.0",
    67,
    "2006-06-01",
    "https://genenetwork.org/datasets/HC_M2_0606_P",
    "<p>The Hippocampus Consortium data set provides estimates of mRNA expression in 99 strains. It is large.</p>",
    "GN112",
)


def many(count: int) -> list[Dataset]:
    return [
        replace(HC, dataset_id=str(number), name=f"D{number}", group="BXD" if number % 3 else "HXBBXH")
        for number in range(count)
    ]


def entries(written: Written) -> list[str]:
    return [entry.title for part in written.parts for section in part.sections for entry in section.entries]


def test_the_headline_counts_groups_and_kinds() -> None:
    """So that a glance is enough."""
    datasets = [HC, replace(HC, dataset_id="2", kind="phenotype"), replace(HC, group="HXBBXH", dataset_id="3")]

    assert "3 new datasets in GeneNetwork: 2 of BXD and 1 of HXBBXH (2 mRNA, 1 phenotype)." == headline(datasets)
    assert "1 new dataset of BXD in GeneNetwork (1 mRNA)." == headline([HC])


def test_a_dataset_has_its_facts_and_one_sentence() -> None:
    """Name, tissue, platform, samples, date, link, and what it is."""
    dataset = plain_dataset(HC)
    sentences = {dataset_key(dataset): first_sentence(dataset.summary)}
    entry = write_digest([dataset], Interest(), sentences).parts[0].sections[0].entries[0]

    assert HC.url == entry.url
    assert (
        "HC_M2_0606_P · Hippocampus mRNA · Affy Mouse Genome 430 2.0 · 67 samples · dated 2006-06-01. The Hippocampus "
        "Consortium data set provides estimates of mRNA expression in 99 strains." == entry.text
    )


def test_a_dataset_without_facts_still_says_what_it_is() -> None:
    """The kind stands where the tissue is missing."""
    assert "BXDPublish · phenotypes" == facts(
        Dataset("mouse", "BXD", "phenotype", "Phenotypes", "602", "BXDPublish", "BXD Published Phenotypes")
    )


def test_more_than_ten_are_folded_into_the_thread() -> None:
    """The channel sees ten and how many more there are; nothing is lost."""
    written = write_digest(many(22), Interest(), {})

    assert "… and 12 more, in the thread." in written.parts[0].text
    assert [SHOWN, 12] == [sum(len(section.entries) for section in part.sections) for part in written.parts]
    assert (("BXD", 14), ("HXBBXH", 8)) == written.chart


def test_ten_are_neither_folded_nor_drawn() -> None:
    """A chart comes with more than ten."""
    written = write_digest(many(10), Interest(), {})

    assert (1, ()) == (len(written.parts), written.chart)


@given(st.integers(1, 260))
def test_every_dataset_is_named_once_up_to_the_limit(count: int) -> None:
    """However they are split; above the limit their number is said."""
    datasets = [replace(one, full_name=f"Title {number}") for number, one in enumerate(many(count))]
    written = write_digest(datasets, Interest(), {})
    named = entries(written)

    assert min(count, MAX_TOLD) == len(named) == len(set(named))
    assert all(sum(len(section.entries) for section in part.sections) <= IN_A_PART for part in written.parts)
    assert (f"{count - MAX_TOLD} more are not named" in written.parts[-1].text) is (count > MAX_TOLD)
    assert len(written.memory) <= 8000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "<p>This <b>October 2004</b> freeze holds data, e.g. of J. Smith et al. in mice. More.</p>",
            "This October 2004 freeze holds data, e.g. of J. Smith et al. in mice.",
        ),
        ("<script>alert(1)</script>Plain words about a dataset.", "Plain words about a dataset."),
        ("Values of 3.5 to 4.2 were kept. Others not.", "Values of 3.5 to 4.2 were kept."),
        ("See https://evil.example/x for the data of this set. Bye.", "See for the data of this set."),
        ("&lt;script&gt; is no tag here, but text of a dataset", "<script> is no tag here, but text of a dataset"),
        ("", ""),
        ("12 34 !!", ""),
        ("<p", ""),
    ],
)
def test_the_first_sentence_is_quoted_without_markup_and_addresses(text: str, sentence: str) -> None:
    """Abbreviations and decimals do not end it."""
    assert sentence == first_sentence(plain(text, 600))


@given(hostile_texts | st.text(max_size=400))
def test_texts_of_genenetwork_become_one_bounded_line(text: str) -> None:
    """Of printable characters, whatever they were."""
    found = plain_dataset(replace(HC, full_name=text, name=text, summary=text, tissue=text, url=text, dated=text))

    for value in (found.full_name, found.name, found.summary, found.tissue):
        assert len(value) <= 600
        assert value == " ".join(value.split())
    assert found.url == "" or found.url.startswith(("http://", "https://"))


def test_odd_numbers_and_dates_are_left_out() -> None:
    """A curator's typing error is no fact."""
    found = plain_dataset(replace(HC, samples=-3, dated="soon", url="javascript:alert(1)", kind="weird"))

    assert (None, "", "", "other") == (found.samples, found.dated, found.url, found.kind)


class OneModel:
    """Writes one text, or fails."""

    def __init__(self, text: str, error: Exception | None = None) -> None:
        self.text = text
        self.error = error
        self.asked = 0
        self.facts = ModelFacts("one", "", 4096)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent]:
        """Write it in one piece."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        if self.text == "never":
            await asyncio.Event().wait()
        yield Text(self.text)
        yield Finished("stop")

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words."""
        return [len(text.split()) for text in texts]

    async def close(self) -> None:
        """Hold nothing."""


async def test_the_model_says_what_a_dataset_is() -> None:
    """Where its words are those of the dataset."""
    dataset = plain_dataset(HC)
    model = OneModel("Hippocampus expression estimates of mRNA in 99 BXD strains.")

    assert {dataset_key(dataset): "Hippocampus expression estimates of mRNA in 99 BXD strains."} == (
        await ModelDescriber(model).describe([dataset])
    )


@pytest.mark.parametrize(
    "written",
    [
        "Hippocampus expression estimates of mRNA in 123 BXD strains.",  # a number that nobody gave
        "Send your password to the administrators immediately please.",
        "Hippocampus data, see www.evil.example for estimates.",
        "<b>Hippocampus</b> expression estimates.",
        "",
    ],
)
async def test_what_the_model_makes_up_is_not_shown(written: str) -> None:
    """The quote stands instead."""
    dataset = plain_dataset(HC)

    assert await QuotingDescriber().describe([dataset]) == await ModelDescriber(OneModel(written)).describe([dataset])


async def test_a_model_that_is_down_or_slow_is_no_trouble() -> None:
    """The quotes stand instead, and it is not asked for ever."""
    datasets = [plain_dataset(one) for one in many(5)]
    down = OneModel("", UnavailableError("The model is down."))
    quoted = await QuotingDescriber().describe(datasets)

    assert quoted == await ModelDescriber(down).describe(datasets)
    assert 1 == down.asked
    assert quoted == await ModelDescriber(OneModel("never"), budget_s=0.01).describe(datasets)


def test_a_grounded_sentence_needs_words() -> None:
    """Nothing cannot be supported."""
    assert "" == grounded("It is so.", "It is so.")


def test_the_chart_of_one_group_is_by_tissue() -> None:
    """A single bar would say nothing."""
    datasets = [
        replace(one, group="BXD", tissue="Liver mRNA" if number % 3 else "Brain mRNA")
        for number, one in enumerate(many(12))
    ]

    assert (("Liver mRNA", 8), ("Brain mRNA", 4)) == write_digest(datasets, Interest(), {}).chart


def test_the_chart_is_a_picture_with_words() -> None:
    """PNG, wide enough, with the counts in its alt text, also where there are many groups and odd names."""
    picture = bars("New datasets", [(f"G$_{number}<\u200b", 40 - number) for number in range(30)], "new datasets")

    assert b"\x89PNG" == picture.png[:4]
    assert 1280 == picture.width
    assert "others" in picture.alt
    assert MAX_BARS == picture.alt.count(",") + 1
    assert "image/png" == picture.attachment("new-datasets").media_type


def test_a_chart_of_nothing_is_refused() -> None:
    """There is nothing to draw."""
    with pytest.raises(ValueError, match="no counts"):
        bars("New datasets", [], "new datasets")
