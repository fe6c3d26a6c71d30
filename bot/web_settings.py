"""Settings of the web pages. Part of `bot.settings.Settings`."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from bot.addresses import safe_url
from bot.digest_settings import DigestSettings
from bot.service_settings import Names

MIN_TOKEN = 16  # characters; tokens are made by machines and not typed


class WebSettings(DigestSettings):
    """Who may see the web pages, and under which address people reach them; they listen on LOCUS_HEALTH_PORT."""

    public_url: str = Field(
        "",
        description="Address under which people reach the web pages, such as https://locus.lab.example or "
        "https://lab.example/locus; chats then link to them. Empty: links are not shown.",
    )
    dashboard_token: SecretStr | None = Field(
        None,
        description="What the data steward signs in to the dashboard with, 16 characters at least; without it, and "
        "without LOCUS_PROXY_USER_HEADER, the dashboard is off.",
    )
    reader_token: SecretStr | None = Field(
        None,
        description="What everybody else in the lab signs in with, to see the pages of answers; none means that the "
        "dashboard's token is needed for these too.",
    )
    proxy_user_header: str = Field(
        "",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="Header in which the lab's own proxy names who is signed in, such as X-Remote-User; empty means "
        "that no header is believed.",
    )
    trusted_proxies: Names = Field(
        (), description="Addresses or networks of that proxy, separated by spaces; the header of others is ignored."
    )
    stewards: Names = Field(
        (), description="Names in that header which may see the whole dashboard; the others see the pages of answers."
    )

    dashboard_scopes: Names = Field(
        (),
        description="Private scopes, as `locus feedback gaps` names them, whose unanswered questions the dashboard "
        "shows beside those of public places, separated by spaces; `all` shows every one, direct messages included.",
    )

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (safe_url(value) is None or parts.query or parts.fragment):
            raise ValueError("give an http or https address without user, query and fragment")
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                raise ValueError(f"{one} is no address or network, such as 10.0.0.5 or 10.0.0.0/24") from error
        return value

    @field_validator("dashboard_token", "reader_token")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_TOKEN:
            raise ValueError(f"it is shorter than {MIN_TOKEN} characters: make one with `openssl rand -hex 24`")
        return value

    @model_validator(mode="after")
    def _access_is_complete(self) -> WebSettings:
        if bool(self.proxy_user_header) != bool(self.trusted_proxies):
            raise ValueError("LOCUS_PROXY_USER_HEADER and LOCUS_TRUSTED_PROXIES belong together: set both, or neither")
        if self.reader_token is not None and self.dashboard_token is None and not self.proxy_user_header:
            raise ValueError("LOCUS_READER_TOKEN is set but LOCUS_DASHBOARD_TOKEN is not: set that too")
        if (
            self.reader_token is not None
            and self.dashboard_token is not None
            and self.reader_token.get_secret_value() == self.dashboard_token.get_secret_value()
        ):
            raise ValueError("LOCUS_READER_TOKEN and LOCUS_DASHBOARD_TOKEN are the same: make two")
        return self
