"""The manifest that makes Locus's app in a workspace: what it asks for, and the page that makes the app of it."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_yaml="


class _Scopes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    bot: frozenset[str]


class _OAuth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    scopes: _Scopes


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    oauth_config: _OAuth = Field(description="What the app may do.")


def manifest_text() -> str:
    """Return the manifest as a person pastes it; deploy/slack-manifest.yaml is the same file."""
    return (files("adapters.slack") / "manifest.yaml").read_text(encoding="utf-8")


def manifest_scopes() -> frozenset[str]:
    """Return the scopes of the bot's token."""
    return _Manifest.model_validate(yaml.safe_load(manifest_text())).oauth_config.scopes.bot


def manifest_link() -> str:
    """Return the address that opens Slack's page for a new app with the manifest filled in, comments left out.

    Source:
        docs.slack.dev, "Configuring apps with app manifests", section "Sharing manifests".
    """
    content = TypeAdapter(dict[str, JsonValue]).validate_python(yaml.safe_load(manifest_text()))
    return NEW_APP + quote(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000), safe="")
