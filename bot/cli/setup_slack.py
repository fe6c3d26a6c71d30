"""The step of Slack: making the app, and its two tokens, which are tried at once."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from bot.checks import Level
from bot.cli.setup_work import Work
from bot.errors import InvalidRequestError
from bot.examination import examine_slack_tokens, new_slack_app
from bot.settings import Settings


def set_up_slack(work: Work) -> None:
    """Lead through making the app, ask for its tokens, and write them when Slack takes both."""
    asker, settings = work.asker, work.settings()
    known = settings.slack_bot_token is not None
    if not asker.yes("Connect Slack?", default=known):
        return
    link = new_slack_app()
    if not known:
        asker.say("Open this address in a browser, choose the workspace, and create the app:")
        asker.say(f"\n{link}\n")
        asker.say("Then install it to the workspace (Install App).")
    bot = asker.until(lambda: _bot_token(work, settings))
    app = asker.until(lambda: _app_token(work, settings))
    given = {"LOCUS_SLACK_BOT_TOKEN": bot, "LOCUS_SLACK_APP_TOKEN": app}
    work.keep({name: token for name, token in given.items() if token})
    asker.say("  Invite it in a channel with /invite @locus, once `locus run` has started.")


def _bot_token(work: Work, settings: Settings) -> str:
    """Return a token that Slack takes, or "" for the one that is set.

    Raises:
        InvalidRequestError: If it does not.
    """
    known = settings.slack_bot_token
    token = work.asker.secret("Token of the bot (OAuth & Permissions, xoxb-…)", known=known is not None)
    if token and not token.startswith("xoxb-"):
        raise InvalidRequestError("The token of the bot begins with xoxb-: copy it from OAuth & Permissions.")
    _try(work, settings, bot=SecretStr(token) if token else known)
    return token


def _app_token(work: Work, settings: Settings) -> str:
    """Return a token for Socket Mode that Slack takes, or "" for the one that is set; raises as `_bot_token`."""
    known = settings.slack_app_token
    question = "Token of the app (Basic Information, App-Level Tokens, scope connections:write, xapp-…)"
    token = work.asker.secret(question, known=known is not None)
    if token and not token.startswith("xapp-"):
        raise InvalidRequestError("The token of the app begins with xapp-: make one under App-Level Tokens.")
    _try(work, settings, app=SecretStr(token) if token else known)
    return token


def _try(work: Work, settings: Settings, *, bot: SecretStr | None = None, app: SecretStr | None = None) -> None:
    if bot is None and app is None:
        raise InvalidRequestError("Slack needs both tokens: paste it here.")
    findings = asyncio.run(examine_slack_tokens(bot, app, api_url=settings.slack_api_url))
    for finding in findings:
        work.asker.tell(finding)
    # A scope that is missing can be added later; a token that is refused is of no use.
    if findings and findings[0].level is Level.ERROR:
        raise InvalidRequestError("Slack did not take it: copy it again.")
