"""The Slack side of `locus doctor` and `locus setup`: are the tokens good, and has the app what it needs?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

from pydantic import SecretStr

from adapters.slack.client import SLACK_API, SlackClient, SlackReply
from adapters.slack.manifest import manifest_scopes
from bot.checks import Finding, Level, clock_finding
from bot.errors import BotError

PART = "slack"
UPDATE = "update the app with deploy/slack-manifest.yaml and install it again."


async def examine_app(
    token: SecretStr,
    app_token: SecretStr | None,
    *,
    api_url: str = SLACK_API,
    clock: Callable[[], float] = time.time,
) -> list[Finding]:
    """Ask Slack once with each token; nothing is connected.

    Args:
        token: Of the bot.
        app_token: For Socket Mode; None where that is not used.
        api_url: Slack's Web API.
        clock: Seconds since 1970.
    """
    findings = await examine_bot_token(token, api_url=api_url, clock=clock)
    if app_token is not None:
        findings.append(await examine_app_token(app_token, api_url=api_url))
    return findings


async def examine_bot_token(
    token: SecretStr, *, api_url: str = SLACK_API, clock: Callable[[], float] = time.time
) -> list[Finding]:
    """Return whose token it is, which scopes are missing, and whether the clocks agree."""
    try:
        async with SlackClient(token, api_base_url=api_url) as client:
            before = clock()
            reply = await client.call("auth.test")
            after = clock()
    except BotError as error:
        return [Finding.of_sentence(Level.ERROR, PART, str(error))]
    who = f"@{reply.text('user') or 'the bot'} in {reply.text('team') or 'the workspace'} ({reply.text('url')})"
    findings = [Finding(Level.OK, PART, f"Slack knows Locus as {who}.")]
    return [*findings, *_scopes(reply), *_clock(reply, (before + after) / 2)]


async def examine_app_token(token: SecretStr, *, api_url: str = SLACK_API) -> Finding:
    """Say whether Socket Mode can be used; an address is asked for and not connected to."""
    try:
        async with SlackClient(token, api_base_url=api_url) as client:
            await client.call("apps.connections.open")
    except BotError as error:
        fix = (
            "make one with the scope connections:write (Basic Information, App-Level Tokens) and switch Socket Mode on."
        )
        if error.retryable:
            return Finding.of_sentence(Level.ERROR, PART, str(error))
        return Finding(Level.ERROR, PART, "Slack does not take LOCUS_SLACK_APP_TOKEN for Socket Mode.", fix)
    return Finding(Level.OK, PART, "Socket Mode can be used.")


def _scopes(reply: SlackReply) -> Iterator[Finding]:
    header = reply.header("x-oauth-scopes")
    if not header:
        yield Finding(Level.WARNING, PART, "Slack does not say which scopes the token has.", "")
        return
    granted = {scope.strip() for scope in header.split(",")} - {""}
    needed = manifest_scopes()
    if missing := sorted(needed - granted):
        yield Finding(Level.ERROR, PART, f"The app lacks the scopes {', '.join(missing)}.", UPDATE)
    if more := sorted(granted - needed):
        text = f"The app may do more than Locus needs: {', '.join(more)}."
        yield Finding(Level.WARNING, PART, text, UPDATE)
    if granted == needed:
        yield Finding(Level.OK, PART, f"The app has the {len(needed)} scopes of the manifest, and no other.")


def _clock(reply: SlackReply, now: float) -> Iterator[Finding]:
    try:
        said = parsedate_to_datetime(reply.header("date")).timestamp()
    except (TypeError, ValueError):
        return  # a proxy has left it out
    yield clock_finding("Slack's", now - said - 0.5)  # the header has whole seconds
