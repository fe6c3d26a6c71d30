"""Settings of the Matrix adapter. Part of `bot.settings.Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from bot.service_settings import Names
from bot.slack_settings import SlackSettings


class MatrixSettings(SlackSettings):
    """What `locus run` needs to be on a Matrix homeserver."""

    matrix_homeserver: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+/?$",
        description="Address of the homeserver's client-server API, such as https://matrix.example.org; none means "
        "that Matrix is off.",
    )
    matrix_user: str = Field(
        "",
        pattern=r"^(@[^:\s]+:\S+|[^@:\s]*)$",
        description="The account, such as @locus:example.org, or its local part.",
    )
    matrix_password: SecretStr | None = Field(
        None,
        description="Password of the account, used once; `locus matrix login` asks for it, so that it need not be "
        "here.",
    )
    matrix_access_token: SecretStr | None = Field(
        None, description="A session that was made elsewhere, instead of a password."
    )
    matrix_device_id: str = Field("", description="Device of that session, where the homeserver does not name it.")
    matrix_store_passphrase: SecretStr | None = Field(
        None,
        description="Encrypts the keys on the disk; without it, a random one is kept beside them. It cannot be changed "
        "afterwards.",
    )
    matrix_encryption: bool = Field(
        True, description="Whether Locus takes part in encrypted rooms; without, it never writes there."
    )
    matrix_trust: Literal["first-use", "allow-list"] = Field(
        "first-use",
        description="Whose devices can read in encrypted rooms: all, each with the keys it was first seen with, or "
        "those of LOCUS_MATRIX_TRUSTED.",
    )
    matrix_trusted: Names = Field(
        (), description="Users (@ada:example.org) or single devices (@ada:example.org/DEVICE) for LOCUS_MATRIX_TRUST."
    )
    matrix_allowed_users: Names = Field((), description="Ids of users whose invitations are accepted.")
    matrix_allowed_servers: Names = Field(
        (),
        description="Server names, such as example.org: invitations of all their users are accepted. If this and "
        "LOCUS_MATRIX_ALLOWED_USERS are empty, those of its own homeserver.",
    )
    matrix_rooms: Names = Field(
        (), description="Ids of the rooms it answers in, separated by spaces; none means wherever it is a member."
    )
    matrix_follow_threads: bool = Field(
        True, description="Whether follow-ups in a thread it takes part in need no mention."
    )
    matrix_command_prefix: str = Field(
        "!locus", pattern=r"^\S{1,40}$", description="What a command begins with, as in `!locus help`."
    )
    matrix_msgtype: Literal["notice", "text"] = Field(
        "notice", description="Type of its messages: notices, which other bots do not answer, or ordinary text."
    )
    matrix_edit_interval_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Seconds between two edits of an answer that is being written; Synapse allows one message in 5 s "
        "unless its administrator lifts the limit.",
    )

    matrix_steward: str = Field(
        "",
        pattern=r"^(!\S+)?$",
        description="Id of the room to which questions for a person are passed on (`!locus person`); empty for none.",
    )
    matrix_offer_reactions: bool = Field(
        False,
        description="Whether Locus reacts to its own answers with 👍 and 👎, so that others need only press them; two "
        "more messages for each answer.",
    )

    @field_validator("matrix_homeserver")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value is not None else None

    @model_validator(mode="after")
    def _matrix_is_complete(self) -> MatrixSettings:
        if self.matrix_trust == "allow-list" and self.matrix_encryption and not self.matrix_trusted:
            raise ValueError(
                "LOCUS_MATRIX_TRUST is allow-list but LOCUS_MATRIX_TRUSTED names nobody: nobody could read what Locus "
                "writes in encrypted rooms"
            )
        return self
