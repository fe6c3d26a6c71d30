"""Questions in a digest's thread that point at one of its datasets."""

from __future__ import annotations

import pytest

from bot.digest.datasets import Dataset
from bot.digest.interests import Interest
from bot.digest.writing import write_digest
from bot.digest_memory import remembered_datasets
from bot.live.lookups import DatasetLookup
from bot.live.recognising import recognise
from bot.messages import Turn


def dataset(name: str, full_name: str = "", accession: str = "") -> Dataset:
    """A new dataset of BXD mice."""
    return Dataset(
        "mouse", "BXD", "mrna", "Liver mRNA", name, name, full_name=full_name, accession=accession, tissue="Liver"
    )


DATASETS = (
    dataset("LV_A_0101", "Liver (A) of old mice: RMA", "GN901"),
    dataset("LV_B_0202", "Liver B. Second: 1 (BXD): odd · name"),
    dataset("LV_C_0303"),
)


@pytest.fixture
def history() -> list[Turn]:
    """What the conversation of a digest's thread holds."""
    memory = write_digest(DATASETS, Interest(), {}).memory
    return [Turn("user", "What is new?"), Turn("assistant", memory)]


def test_a_digest_is_read_back_as_it_was_remembered(history: list[Turn]) -> None:
    """By accession where there is one, else by name, whatever their titles hold."""
    assert {"GN901", "LV_B_0202", "LV_C_0303"} == set(remembered_datasets(history[1].content))
    assert () == remembered_datasets("1. Something (BXD): else")


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("2", 2),
        ("#2", 2),
        ("number 3?", 3),
        ("Tell me about number 1, please.", 1),
        ("Which tissue is the second one from?", 2),
        ("the last", 3),
        ("What about the third dataset?", 3),
        ("how many samples has the first of them?", 1),
    ],
)
def test_a_question_points_at_a_dataset_by_its_place(question: str, place: int, history: list[Turn]) -> None:
    """In figures or in words, below the digest only."""
    names = remembered_datasets(history[1].content)

    assert DatasetLookup(names[place - 1]) == recognise(question, history)
    assert recognise(question) is None


@pytest.mark.parametrize(
    "question", ["4", "0", "What is the first generation of BXD?", "Who made the second map?", "How many are there?"]
)
def test_other_questions_below_a_digest_go_to_the_documents(question: str, history: list[Turn]) -> None:
    """A place that the digest does not have is none."""
    assert recognise(question, history) is None
