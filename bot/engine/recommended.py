"""The instruction models Locus recommends, from the data file beside this module."""

from __future__ import annotations

from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class RecommendedModel(BaseModel):
    """One model file on Hugging Face.

    Attributes:
        name: What `locus model pull` takes.
        repository: OWNER/NAME.
        file: The file in it.
        licence: Of the weights.
        memory_gib: Memory, main or of the GPU, that the weights and a cache of some thousand tokens take.
        note: One line for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    repository: str
    file: str
    licence: str
    memory_gib: float = Field(gt=0)
    note: str


def recommended_models() -> tuple[RecommendedModel, ...]:
    """Return the recommended models, smallest memory first."""
    text = (files("bot.engine") / "recommended_models.json").read_text(encoding="utf-8")
    found = TypeAdapter(tuple[RecommendedModel, ...]).validate_json(text)
    return tuple(sorted(found, key=lambda one: one.memory_gib))
