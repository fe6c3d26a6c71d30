"""The catalogue that digests are made from."""

from __future__ import annotations

import datetime

import pytest

from bot.digest.datasets import DatasetCatalogue, Listed, Listing
from bot.errors import UnavailableError
from tests.genenetwork import client_of
from tests.gn_server import Fault, GeneNetworkServer


def names(listing: Listing, group: str = "BXD", species: str = "mouse") -> set[str]:
    """Return the names listed in a group."""
    return {one.name for one in listing.groups[(species, group)]}


async def test_one_call_lists_everything() -> None:
    """The menu holds all groups; one without an entry is unknown, and numbers may be missing."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        catalogue: DatasetCatalogue = opened.catalogue
        listing = await catalogue.listed()

    assert ["/api3/version", "/api3/menu/generate/json"] == server.paths
    assert {"HC_M2_0606_P", "BXDPublish", "BXDGeno", "SECRET_BXD_Ret_0819"} <= names(listing)
    assert "HC_M2_0606_M" not in names(listing)
    assert frozenset({("human", "HLC")}) == listing.unknown
    assert "None" == next(one.dataset_id for one in listing.groups[("rat", "HXBBXH")] if one.name == "HXBBXHGeno")


async def test_a_second_look_asks_again_and_sees_what_changed() -> None:
    """A remembered answer never stands in for a new one."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        before = await opened.catalogue.listed()
        world = server.world
        world.add_dataset("Fresh_BXD_Liver_1126", created=datetime.date(2003, 1, 1))
        world.publish("HC_M2_0606_M")
        world.rename("DBA2J-ONH-1212", "ONH_DBA2J_1212")
        world.remove("IBR_M_0204_M")
        after = await opened.catalogue.listed()

    assert {"Fresh_BXD_Liver_1126", "HC_M2_0606_M", "ONH_DBA2J_1212"} == names(after) - names(before)
    assert {"DBA2J-ONH-1212", "IBR_M_0204_M"} == names(before) - names(after)
    number = {one.name: one.dataset_id for one in (*before.groups[("mouse", "BXD")], *after.groups[("mouse", "BXD")])}
    assert number["DBA2J-ONH-1212"] == number["ONH_DBA2J_1212"]


async def test_details_of_what_is_public() -> None:
    """Metadata complete the list; without them the list's date is taken."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        listing = await opened.catalogue.listed()
        by_name = {one.name: one for rows in listing.groups.values() for one in rows}
        proteome = await opened.catalogue.details(by_name["JAX_BXD_Hip_Proteome_0219"])
        rats = await opened.catalogue.details(by_name["HSNIH-Rat-Acbc-RSeq-0818"])

    assert proteome is not None
    assert rats is not None
    assert ("protein", "GN873", 54, "2019-02-13") == (
        proteome.kind,
        proteome.accession,
        proteome.samples,
        proteome.dated,
    )
    assert f"{server.url}/datasets/JAX_BXD_Hip_Proteome_0219" == proteome.url
    assert ("mouse", "BXD", "871") == (proteome.species, proteome.group, proteome.dataset_id)
    assert ("mrna", "2018-08-27", "rat") == (rats.kind, rats.dated, rats.species)


async def test_nothing_is_told_of_what_is_not_public() -> None:
    """Whatever the menu shows, and also the moment after it was made confidential."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        listing = await opened.catalogue.listed()
        by_name = {one.name: one for rows in listing.groups.values() for one in rows}
        for name in ("SECRET_BXD_Ret_0819", "PRIVATE_BXD_Liv_0919", "BXD-LongevityPublish"):
            assert await opened.catalogue.details(by_name[name]) is None
        assert await opened.catalogue.details(by_name["HC_M2_0606_P"]) is not None
        server.world.make_confidential("HC_M2_0606_P")
        assert await opened.catalogue.details(by_name["HC_M2_0606_P"]) is None
        server.world.publish("SECRET_BXD_Ret_0819")
        assert await opened.catalogue.details(by_name["SECRET_BXD_Ret_0819"]) is not None


async def test_a_title_that_is_another_ones_name_tells_nothing() -> None:
    """GN2 finds datasets by title and number too."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        odd = Listed("mouse", "BXD", "x", "9", "Hippocampus Consortium M430v2 (Jun06) PDNN", "y")
        assert await opened.catalogue.details(odd) is None


@pytest.mark.parametrize("path", ["/api/v_pre1/dataset/*", "/api3/metadata/*", "/api3/menu/*"])
async def test_what_cannot_be_told_now_is_unavailable_and_not_hidden(path: str) -> None:
    """The digest asks again later."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        listed = (await opened.catalogue.listed()).groups[("mouse", "BXD")][0]
        server.fail(path, Fault.page(503))
        with pytest.raises(UnavailableError):
            if path.startswith("/api3/menu"):
                await opened.catalogue.listed()
            await opened.catalogue.details(listed)


@pytest.mark.parametrize(
    "fault",
    [Fault.json({}), Fault.json({"datasets": {}}), Fault.page(500), Fault.cut_off(100), Fault.json([])],
)
async def test_an_empty_or_broken_menu_is_no_list(fault: Fault) -> None:
    """It never means that all datasets are gone."""
    async with GeneNetworkServer() as server, client_of(server) as opened:
        server.fail("/api3/menu/generate/json", fault)
        with pytest.raises(UnavailableError):
            await opened.catalogue.listed()


async def test_without_gn3_the_menu_of_gn2_is_taken() -> None:
    """Types, numbers and names are the same."""
    async with GeneNetworkServer() as server, client_of(server) as one, client_of(server, gn3=False) as other:
        assert await one.catalogue.listed() == await other.catalogue.listed()


async def test_without_any_menu_every_group_is_asked() -> None:
    """Only public rows are listed then; groups without an answer are unknown."""
    async with GeneNetworkServer(gn3="none") as server, client_of(server) as opened:
        server.fail("/api/v_pre1/gen_dropdown", Fault.page(404))
        server.fail("/api/v_pre1/datasets/HXBBXH", Fault.page(500))
        listing = await opened.catalogue.listed()
        by_name = {one.name: one for one in listing.groups[("mouse", "BXD")]}

        assert {("human", "HLC"), ("rat", "HXBBXH"), ("mouse", "BXD-Longevity")} == listing.unknown
        assert {"SECRET_BXD_Ret_0819", "HC_M2_0606_M"} & names(listing) == set()
        assert ("", "112") == (by_name["HC_M2_0606_P"].type_name, by_name["HC_M2_0606_P"].dataset_id)
        assert "Phenotypes" == by_name["BXDPublish"].type_name
        found = await opened.catalogue.details(by_name["HC_M2_0606_P"])
        assert found is not None
        assert ("Hippocampus mRNA", "mrna", "2006-06-23") == (found.type_name, found.kind, found.dated)


async def test_a_service_that_goes_away_between_groups_gives_no_list() -> None:
    """Half a list could be taken for the whole."""
    async with GeneNetworkServer(gn3="none") as server, client_of(server) as opened:
        server.fail("/api/v_pre1/gen_dropdown", Fault.page(404))
        server.fail("/api/v_pre1/datasets/HXBBXH", Fault.page(503))
        with pytest.raises(UnavailableError):
            await opened.catalogue.listed()
