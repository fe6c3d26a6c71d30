"""Settings of the model that writes the answers, here or elsewhere. Part of `bot.settings.Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from bot.digest_settings import DigestSettings
from bot.service_settings import Names


class ModelSettings(DigestSettings):
    """Which model writes, how, and on what."""

    model: Path | None = Field(
        None, description="A GGUF model that writes the answers (extra llama); none means quoting the documents."
    )
    lora: Names = Field(
        (), description="LoRA adapters (GGUF) for the model, as PATH or PATH:SCALE, separated by spaces or commas."
    )
    model_context: int = Field(
        4096, ge=512, le=1_048_576, description="Tokens of prompt and answer of one question, at most."
    )
    model_cache_tokens: int = Field(
        0,
        ge=0,
        le=16_777_216,
        description="Tokens of all running and remembered conversations together that the model holds in memory; 0 "
        "means up to four contexts, as memory allows.",
    )
    model_kv_type: Literal["f16", "q8_0"] = Field(
        "f16", description="Number format of that memory; q8_0 takes about half."
    )
    model_parallel: int = Field(16, ge=1, le=64, description="Answers that are written at the same time, at most.")
    model_queue: int = Field(64, ge=1, le=10_000, description="Questions that may wait for the model.")
    model_threads: int = Field(0, ge=0, le=256, description="Threads of the model; 0 means one per core.")
    model_max_tokens: int = Field(400, ge=16, le=8192, description="Longest written answer, in tokens.")
    model_temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Randomness of the model; 0 is always the likeliest word. Unset, like the four below: what the "
        "model's file recommends, else 0.2.",
    )
    model_top_k: int | None = Field(
        None, ge=0, le=1000, description="Choose among this many likeliest tokens only; 0 is off. Unset: file, else 40."
    )
    model_top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Choose among the likeliest tokens that together have this probability. Unset: file, else 0.95.",
    )
    model_min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Leave out tokens below this share of the likeliest one's probability. Unset: file, else 0.05.",
    )
    model_repetition_penalty: float | None = Field(
        None, gt=0, le=2, description="Above 1, words just used become less likely. Unset: file, else 1 (off)."
    )
    model_seed: int = Field(0, ge=0, le=4_294_967_295, description="Seed of the model's random numbers.")
    model_thinking: bool = Field(False, description="Let a reasoning model think before it answers; slower.")
    model_timeout_s: float = Field(
        300, gt=0, le=3600, description="Longest time for one written answer, waiting included, in seconds."
    )
    model_hang_s: float = Field(
        120, ge=5, le=3600, description="Seconds without a sign of life after which the model is started again."
    )
    gpu_layers: Literal["auto"] | int = Field(
        "auto", description="Layers of the model on the GPU: auto (as many as fit), -1 (all), or a number."
    )
    tensor_split: Names = Field(
        (), description="Share of each of several GPUs, such as `3 1`; none means by their free memory."
    )
    flash_attention: Literal["auto", "on", "off"] = Field(
        "auto", description="Flash attention of llama.cpp: auto is on with a GPU or a q8_0 cache, off on a CPU."
    )
    remote_url: str | None = Field(
        None,
        description="An OpenAI-compatible API (llama-server, vLLM, Ollama) that writes instead, as "
        "http://HOST:PORT/v1; LOCUS_MODEL, where set, steps in when it is down.",
    )
    remote_model: str = Field("", description="Name of the model there; empty means its only one.")
    remote_key: SecretStr | None = Field(None, description="Key for that API.")
    remote_timeout_s: float = Field(120, gt=0, le=3600, description="Seconds to wait for the first word of that API.")

    @field_validator("gpu_layers", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value

    @field_validator("tensor_split")
    @classmethod
    def _shares(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(share.replace(".", "", 1).isdigit() for share in value):
            raise ValueError("give numbers separated by spaces, such as 3 1")
        return value
