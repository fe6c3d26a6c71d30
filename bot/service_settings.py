"""Settings of the running service: shared state, accepting, conversations, limits. Part of `bot.settings.Settings`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode


def _split(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Words separated by spaces or commas."""


class ServiceSettings(BaseSettings):
    """What `locus run` needs beyond answering."""

    redis_url: SecretStr | None = Field(
        None,
        description="A Redis server (6.2 or later) for shared state, as redis://, rediss:// or unix:// address with "
        "user and password; none means a private server in the data folder.",
    )
    redis_prefix: str = Field(
        "locus", pattern=r"^[A-Za-z0-9_.-]{1,40}$", description="Begins the name of every key in Redis."
    )
    redis_fsync: Literal["everysec", "always"] = Field(
        "everysec",
        description="When the private server writes to the disk itself: each second, or before every answer to Locus. "
        "Killed processes lose nothing; a power cut loses up to two seconds, or nothing with `always`.",
    )

    terminal: Literal["auto", "on", "off"] = Field(
        "auto", description="Whether `locus run` chats in its terminal; auto does where it has one and no other chat."
    )
    answers_at_once: int = Field(
        4, ge=1, le=256, description="Questions that one process answers at the same time, at most."
    )
    queue_limit: int = Field(
        200, ge=1, le=100_000, description="Open questions from which on further ones are politely refused."
    )
    rate_person: int = Field(
        20, ge=0, le=100_000, description="Questions one person may ask within the window; 0 is no limit."
    )
    rate_channel: int = Field(
        60, ge=0, le=100_000, description="Questions that may be asked in one channel within the window; 0 is no limit."
    )
    rate_window_s: float = Field(60, ge=1, le=86_400, description="Length of that sliding window, in seconds.")
    lease_s: float = Field(
        15, ge=1, le=600, description="Seconds without a sign of life after which a worker's questions go to another."
    )
    max_failures: int = Field(
        3, ge=1, le=100, description="Failures of one question after which it is given up with an apology."
    )
    max_deaths: int = Field(
        10, ge=1, le=1000, description="Deaths of its worker after which a question is given up with an apology."
    )
    shutdown_grace_s: float = Field(
        20, ge=0, le=3600, description="Seconds that running answers get to finish when Locus is told to stop."
    )
    duplicates_h: int = Field(
        24,
        ge=1,
        le=720,
        description="Hours for which a message is known after its answer, so that no delivery counts twice.",
    )

    conversation_days: float = Field(
        30, gt=0, le=3650, description="Days after its last message for which a conversation is remembered."
    )
    conversation_tokens: int = Field(
        4000, ge=0, le=1_000_000, description="Tokens of a conversation that are remembered, about; the oldest go."
    )
    retention_days: float = Field(
        90, gt=0, le=3650, description="Days for which answers, feedback and given-up questions are kept."
    )
    answer_cache_h: float = Field(
        24, ge=0, le=8760, description="Hours for which an answer is given again to the same question; 0 is never."
    )
    feedback_kept: int = Field(10_000, ge=1, le=10_000_000, description="Opinions that are kept; the oldest go.")

    administrators: Names = Field(
        (), description="Accounts with all rights, as CHAT/WORKSPACE/USER or CHAT//USER, by id, separated by spaces."
    )
    teachers: Names = Field(
        (),
        description="Who may teach files: people, channels and groups as CHAT/WORKSPACE/ID or CHAT//ID, separated by "
        "spaces; none means everybody in the channel.",
    )
    digest_subscribers: Names = Field(
        (), description="Who may subscribe a channel to digests and end that; written as LOCUS_TEACHERS."
    )
    status_readers: Names = Field((), description="Who may see the status; written as LOCUS_TEACHERS.")
    answer_external: bool = Field(
        False, description="Whether guests and people of other organisations are answered, from public documents only."
    )
    health_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of the health page on this machine (/healthz, /readyz, /metrics); 0 is off.",
    )
    health_host: str = Field("127.0.0.1", description="Address the health page listens on.")
    traces_url: str | None = Field(
        None,
        description="A collector of OpenTelemetry traces (extra tracing), as http://HOST:PORT for OTLP over HTTP; none "
        "makes no traces.",
    )

    @field_validator("traces_url")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://none")
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError(
                "give the collector's address as http://HOST:PORT, without a password, which belongs into "
                "OTEL_EXPORTER_OTLP_HEADERS"
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> ServiceSettings:
        if self.answers_at_once > self.queue_limit:
            raise ValueError(
                f"LOCUS_ANSWERS_AT_ONCE is {self.answers_at_once}, more than LOCUS_QUEUE_LIMIT ({self.queue_limit}): "
                "lower the one or raise the other"
            )
        return self
