"""What shapes an answer besides the question and the documents: the settings and the program itself."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata

from bot.settings import Settings

SHAPING = (
    "embedding_model",
    "gene_aliases",
    "top_k",
    "answer_threshold",
    "prompt_style",
    "unsupported",
    "max_model_calls",
    "question_tokens",
    "history_tokens",
    "model",
    "lora",
    "model_context",
    "model_kv_type",
    "model_max_tokens",
    "model_temperature",
    "model_top_k",
    "model_top_p",
    "model_min_p",
    "model_repetition_penalty",
    "model_seed",
    "model_thinking",
    "model_timeout_s",
    "remote_url",
    "genenetwork",
    "genenetwork_url",
    "remote_model",
)


def answer_shape(settings: Settings) -> str:
    """Return JSON that differs where the same question may be answered differently. Reads the file of gene names."""
    values = {name: str(getattr(settings, name)) for name in SHAPING}
    if settings.gene_aliases is not None and settings.gene_aliases.is_file():
        values["gene_aliases"] = hashlib.sha256(settings.gene_aliases.read_bytes()).hexdigest()
    return json.dumps({"program": metadata.version("locus-bot"), **values}, sort_keys=True)
