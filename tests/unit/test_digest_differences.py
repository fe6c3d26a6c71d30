"""What is new between two listings of a group."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.digest.datasets import Listed
from bot.digest.differences import NO_ID, KnownDataset, Sight, difference

TYPES = ("Phenotypes", "Genotypes", "Hippocampus mRNA", "Liver mRNA")


def one(name: str, dataset_id: str = "1", type_name: str = "Hippocampus mRNA") -> Listed:
    return Listed("mouse", "BXD", type_name, dataset_id, name, f"Title of {name}")


def known(*listed: Listed) -> tuple[KnownDataset, ...]:
    return difference((), listed, baseline=True).datasets


def test_what_is_there_at_first_is_no_news() -> None:
    """It is known, though nobody has looked at it."""
    found = difference((), [one("A", "1"), one("B", "2")], baseline=True)

    assert [Sight.UNCHECKED, Sight.UNCHECKED] == [entry.sight for entry in found.datasets]


def test_a_new_number_is_new() -> None:
    """It waits until something is learnt about it."""
    found = difference(known(one("A", "1")), [one("A", "1"), one("B", "2")])

    assert (1, "B", Sight.PENDING) == (found.new, found.datasets[1].name, found.datasets[1].sight)


def test_a_new_name_of_a_known_number_is_a_rename() -> None:
    """It is no news, and is known under its new name from then on."""
    found = difference(known(one("A", "1")), [one("A2", "1")])

    assert (0, True, ["A2"]) == (found.new, found.changed, [entry.name for entry in found.datasets])


def test_without_numbers_the_name_counts() -> None:
    """As GeneNetwork has phenotype and genotype datasets without an accession."""
    before = known(one("BXDPublish", NO_ID, "Phenotypes"))
    found = difference(before, [one("BXDPublish", NO_ID, "Phenotypes"), one("BXD2Publish", NO_ID, "Phenotypes")])

    assert (1, "BXD2Publish") == (found.new, found.datasets[1].name)


def test_a_number_that_is_given_later_makes_nothing_new() -> None:
    """And it is what counts from then on."""
    numbered = difference(known(one("BXDPublish", NO_ID, "Phenotypes")), [one("BXDPublish", "602", "Phenotypes")])
    renamed = difference(numbered.datasets, [one("BXDTraits", "602", "Phenotypes")])
    lost = difference(renamed.datasets, [one("BXDTraits", NO_ID, "Phenotypes")])

    assert (0, "602", 0, 0) == (numbered.new, numbered.datasets[0].dataset_id, renamed.new, lost.new)


def test_the_same_number_of_another_type_is_another_dataset() -> None:
    """Numbers count within a type."""
    found = difference(known(one("BXDPublish", "600", "Phenotypes")), [one("BXDGeno", "600", "Genotypes")])

    assert 1 == found.new


def test_a_dataset_that_moved_to_another_type_is_not_new() -> None:
    """A curator has mended its tissue."""
    found = difference(known(one("HC_M2", "112", "Brain mRNA")), [one("HC_M2", "112", "Hippocampus mRNA")])

    assert (0, "Hippocampus mRNA") == (found.new, found.datasets[0].type_name)


def test_what_is_listed_no_more_stays_known() -> None:
    """An incomplete answer must not make it new when it comes back."""
    gone = difference(known(one("A", "1"), one("B", "2")), [one("A", "1")])
    back = difference(gone.datasets, [one("A", "1"), one("B", "2")])

    assert (0, False, 0) == (gone.new, gone.changed, back.new)


listings = st.lists(
    st.builds(
        one,
        st.sampled_from([f"N{number}" for number in range(6)]),
        st.sampled_from([NO_ID, *map(str, range(6))]),
        st.sampled_from(TYPES),
    ),
    max_size=8,
)


@given(listings, listings)
def test_looking_twice_finds_nothing_the_second_time(first: list[Listed], second: list[Listed]) -> None:
    """Whatever was known before, and however odd the listing."""
    after = difference(difference((), first, baseline=True).datasets, second)
    again = difference(after.datasets, second)

    assert 0 == again.new
    assert len(after.datasets) == len(again.datasets)


@given(listings, listings)
def test_every_listed_dataset_is_known_afterwards(first: list[Listed], second: list[Listed]) -> None:
    """Under its own number, or its name where it has none."""
    after = difference(difference((), first, baseline=True).datasets, second)

    assert all(any(entry.is_listed(listed) for entry in after.datasets) for listed in second)
    assert len(after.datasets) == len(after.listed)


@given(listings)
def test_nothing_known_is_ever_lost(first: list[Listed]) -> None:
    """An empty listing takes nothing away."""
    before = difference((), first, baseline=True).datasets

    assert before == difference(before, []).datasets
    assert before == difference(tuple(replace(entry) for entry in before), []).datasets
