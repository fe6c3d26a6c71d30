"""Settings of the Slack adapter. Part of `bot.settings.Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from bot.service_settings import Names, ServiceSettings


class SlackSettings(ServiceSettings):
    """What `locus run` needs to be in a Slack workspace."""

    slack_bot_token: SecretStr | None = Field(
        None, description="Token of the app's bot (xoxb-…); none means that Slack is off."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="Token for Socket Mode (xapp-…), which needs no public address."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="Signing secret of the app, for LOCUS_SLACK_MODE=http."
    )
    slack_mode: Literal["socket", "http"] = Field(
        "socket", description="How events arrive: over a connection that Locus opens, or as signed requests to it."
    )
    slack_http_host: str = Field("127.0.0.1", description="Address that listens for Slack's requests in http mode.")
    slack_http_port: int = Field(3000, ge=0, le=65_535, description="Port that listens for them; 0 is any free one.")
    slack_api_url: str = Field(
        "https://slack.com/api/", pattern=r"^https?://", description="Slack's Web API; another one for tests."
    )
    slack_channels: Names = Field(
        (), description="Ids of the channels it answers in, separated by spaces; none means wherever it is a member."
    )
    slack_follow_threads: bool = Field(
        True, description="Whether follow-ups in a thread it takes part in need no mention."
    )
    slack_streaming: Literal["auto", "off"] = Field(
        "auto", description="Whether answers are streamed where the workspace allows it; off edits a message instead."
    )
    slack_native_markdown: bool = Field(
        True, description="Whether messages use markdown blocks; off writes mrkdwn for old workspaces."
    )
    slack_catch_up_h: float = Field(
        24,
        ge=0,
        le=168,
        description="Hours for which questions that were asked while Locus was away are still answered; 0 is none. "
        "Never beyond LOCUS_DUPLICATES_H.",
    )
    slack_steward: str = Field(
        "", description='Id of the channel or person that "Ask a person" hands a question to; empty hides the button.'
    )

    @model_validator(mode="after")
    def _slack_is_complete(self) -> SlackSettings:
        if self.slack_bot_token is not None:
            if self.slack_mode == "socket" and self.slack_app_token is None:
                raise ValueError(
                    "LOCUS_SLACK_BOT_TOKEN is set but LOCUS_SLACK_APP_TOKEN is not: Socket Mode needs both; the app's "
                    "page shows them, or set LOCUS_SLACK_MODE=http"
                )
            if self.slack_mode == "http" and self.slack_signing_secret is None:
                raise ValueError(
                    "LOCUS_SLACK_MODE is http but LOCUS_SLACK_SIGNING_SECRET is not set: without it anybody could send "
                    "requests in Slack's name"
                )
        return self
