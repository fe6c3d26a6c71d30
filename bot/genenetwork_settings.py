"""Settings of GeneNetwork's live data. Part of `bot.settings.Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.matrix_settings import MatrixSettings


class GeneNetworkSettings(MatrixSettings):
    """Where GeneNetwork is asked, and how politely."""

    genenetwork: Literal["on", "off"] = Field(
        "on", description="Whether GeneNetwork is asked for live data; off answers from documents alone."
    )
    genenetwork_url: str = Field(
        "https://genenetwork.org",
        pattern=r"^https?://[^\s?#]+$",
        description="GeneNetwork's site, or a mirror: its REST API stands below /api/v_pre1.",
    )
    genenetwork_gn3_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+|none)?$",
        description="GeneNetwork's newer REST API (search, metadata, menu), with or without /api behind it; empty is "
        "/api3 of LOCUS_GENENETWORK_URL, `none` does without.",
    )
    genenetwork_sparql_url: str = Field(
        "none",
        pattern=r"^(https?://[^\s?#]+|none)$",
        description="A SPARQL endpoint with GeneNetwork's graph, such as https://sparql.genenetwork.org/sparql; `none` "
        "does without.",
    )
    genenetwork_contact: str = Field(
        "", max_length=200, description="Contact told to GeneNetwork in the User-Agent; empty means LOCUS_CONTACT."
    )
    genenetwork_pause_s: float = Field(
        0.25, ge=0, le=60, description="Seconds between two requests to GeneNetwork, which are never made at once."
    )
    genenetwork_timeout_s: float = Field(
        30, gt=0, le=600, description="Longest wait for GeneNetwork to look something up, in seconds."
    )
    genenetwork_compute_s: float = Field(
        600, gt=0, le=3600, description="Longest wait for GeneNetwork to compute (mapping, correlation), in seconds."
    )
    genenetwork_fresh_s: float = Field(
        3600,
        ge=0,
        le=604_800,
        description="Seconds for which an answer of GeneNetwork is given again without asking whether it changed.",
    )
    genenetwork_max_mib: int = Field(64, ge=1, le=1024, description="Largest answer taken from GeneNetwork, in MiB.")
