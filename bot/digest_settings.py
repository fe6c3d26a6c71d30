"""Settings of the digest of new datasets. Part of `bot.settings.Settings`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bot.genenetwork_settings import GeneNetworkSettings


class DigestSettings(GeneNetworkSettings):
    """When digests come, and which are declared by the operator."""

    time_zone: str = Field(
        "",
        max_length=64,
        description="Time zone of digests that name none, such as America/Chicago; empty is this machine's.",
    )
    digest_file: Path | None = Field(
        None,
        description="A TOML file of digests that the operator declares (docs/digest.md); none means only commands.",
    )
    digest_look_h: float = Field(
        24, ge=0.1, le=168, description="Hours from one look at GeneNetwork's list of datasets to the next."
    )
    digest_docs: str = Field(
        "",
        max_length=500,
        description="A git repository whose new folders in general/datasets are a second witness of new datasets, such "
        "as https://github.com/genenetwork/gn-docs; empty does without.",
    )
    digest_model_s: float = Field(
        120,
        ge=0,
        le=3600,
        description="Seconds that the model may take for the sentences of one digest; 0 quotes the documents alone.",
    )
