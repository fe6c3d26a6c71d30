"""Links to GeneNetwork's pages for people; every name in them is encoded."""

from __future__ import annotations

from urllib.parse import quote, urlencode

INFO = "https://info.genenetwork.org"


class Links:
    """Addresses of pages below a site.

    Args:
        site: Such as https://genenetwork.org.
    """

    def __init__(self, site: str) -> None:
        self.site = site

    def trait(self, dataset: str, trait: str) -> str:
        """The page of a trait, with its tools."""
        return f"{self.site}/show_trait?{urlencode({'trait_id': trait, 'dataset': dataset})}"

    def dataset(self, name: str) -> str:
        """The page of a dataset, by name or accession."""
        return f"{self.site}/datasets/{quote(name, safe='')}"

    def group(self, species: str, group: str) -> str:
        """The page about a group."""
        return f"{INFO}/species/source.php?{urlencode({'SpeciesName': species, 'InbredSetName': group})}"

    def phenotype(self, group: str, number: str) -> str:
        """The page with the metadata of a phenotype."""
        return f"{self.site}/phenotypes/{quote(group, safe='')}/{quote(number, safe='')}"

    def marker(self, name: str) -> str:
        """The page of a marker."""
        return f"{self.site}/genotypes/{quote(name, safe='')}"

    def publication(self, pubmed_id: str) -> str:
        """The page of a publication."""
        return f"{self.site}/publications/{quote(pubmed_id, safe='')}"

    def search(self, kind: str, query: str) -> str:
        """The results of a search over everything."""
        return f"{self.site}/gsearch?{urlencode({'type': kind, 'terms': query})}"

    def gene(self, symbol: str) -> str:
        """What people wrote about a gene."""
        return f"{self.site}/genewiki/{quote(symbol, safe='')}"

    def home(self) -> str:
        """The site, where species, groups and datasets are chosen."""
        return f"{self.site}/"
