"""The bolt application: what is to be known of every request before a listener gets it."""

from __future__ import annotations

import logging

from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.client import Identity

logger = logging.getLogger(__name__)

# The library's warnings hold the payloads they are about.
_silent = logging.getLogger(f"{__name__}.library")
_silent.setLevel(logging.CRITICAL)


def make_app(
    client: AsyncWebClient, identity: Identity, accepting: AsyncMiddleware, signing_secret: SecretStr | None
) -> AsyncApp:
    """Return an application without listeners, in which everything that has none is acknowledged.

    Args:
        client: Of the bot.
        identity: Who the bot is; the library would ask Slack during the first event and lose it where that fails.
        accepting: Runs after the check of the signature and before everything else.
        signing_secret: Of the app; None in Socket Mode, where nothing is signed.
    """

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=identity.team_id,
            bot_token=client.token,
            bot_id=identity.bot_id,
            bot_user_id=identity.user_id,
        )

    app = AsyncApp(
        name="locus",
        logger=_silent,
        client=client,
        signing_secret=signing_secret.get_secret_value() if signing_secret else "",
        authorize=authorize,
        before_authorize=accepting,
        raise_error_for_unhandled_request=True,
    )
    app.error(_failed)
    return app


async def _failed(error: Exception) -> BoltResponse | None:
    """Acknowledge what nobody listens to, since Slack would deliver it again; tell of everything else."""
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200, body="")
    logger.error("what somebody did in Slack could not be handled", exc_info=error)
    return None
