"""Where GeneNetwork's services are and how they are asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneNetworkOptions:
    """How the client behaves.

    Attributes:
        site: The site, such as https://genenetwork.org: GN2's REST API stands below /api/v_pre1, people's pages below
            it, the service of gene names at /gn3.
        gn3: GN3's REST API as the proxy names it, such as https://genenetwork.org/api3; "" does without.
        sparql: The SPARQL endpoint; "" does without.
        contact: Told in the User-Agent.
        pause_s: Seconds between the end of a request and the next.
        quick_s: Longest time of a call that looks something up, in seconds.
        compute_s: Longest time of a call that computes (mapping, correlation), in seconds.
        wait_s: Longest time that a call waits for its turn, in seconds.
        max_bytes: Largest answer.
        fresh_s: Seconds for which a remembered answer is given without asking; then it is asked whether it changed.
        retries: Further attempts of a call that may be repeated.
        failures: Failures in a row after which a service is left alone.
        pause_after_failures_s: Seconds it is left alone first.
    """

    site: str = "https://genenetwork.org"
    gn3: str = "https://genenetwork.org/api3"
    sparql: str = ""
    contact: str = ""
    pause_s: float = 0.25
    quick_s: float = 30.0
    compute_s: float = 600.0
    wait_s: float = 120.0
    max_bytes: int = 64 * 2**20
    fresh_s: float = 3600.0
    retries: int = 2
    failures: int = 5
    pause_after_failures_s: float = 30.0

    @property
    def gn2(self) -> str:
        """GN2's REST API."""
        return f"{self.site}/api/v_pre1"

    @property
    def user_agent(self) -> str:
        """What every request is signed with."""
        return f"Locus ({self.contact})" if self.contact else "Locus"
