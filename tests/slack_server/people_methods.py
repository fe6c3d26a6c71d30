"""The methods about accounts, and small things: auth.test, users.info, bots.info, user groups, reactions."""

from __future__ import annotations

from tests.slack_server.call import Call
from tests.slack_server.values import Json, SlackError


def auth_test(call: Call) -> Json:
    """auth.test."""
    world = call.bench.world
    return {
        "url": f"https://{world.team.domain}.slack.com/",
        "team": world.team.name,
        "team_id": world.team.id,
        "user": world.bot.name,
        "user_id": world.bot.id,
        "bot_id": world.bot.bot_id,
        "is_enterprise_install": False,
    }


def users_info(call: Call) -> Json:
    """users.info."""
    user = call.user()
    return {"user": user.as_json(stranger=user.team != call.bench.world.team.id)}


def bots_info(call: Call) -> Json:
    """bots.info."""
    bot = call.bench.world.bot_named(call.text("bot"))
    if bot is None:
        raise SlackError("bot_not_found")
    app_id = call.bench.world.app_id if bot is call.bench.world.bot else "A9"
    return {"bot": {"id": bot.bot_id, "deleted": False, "name": bot.name, "user_id": bot.id, "app_id": app_id}}


def team_info(call: Call) -> Json:
    """team.info."""
    team = call.bench.world.teams.get(call.text("team") or call.bench.world.team.id)
    if team is None:
        raise SlackError("team_not_found")
    return {"team": {"id": team.id, "name": team.name, "domain": team.domain}}


def group_members(call: Call) -> Json:
    """usergroups.users.list."""
    group = call.bench.world.user_groups.get(call.required("usergroup")[0])
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group[1])}


def add_reaction(call: Call) -> Json:
    """reactions.add."""
    call.required("channel", "timestamp", "name")
    channel = call.channel()
    call.member_of(channel)
    if channel.archived:
        raise SlackError("is_archived")
    message = call.message(channel, call.text("timestamp"))
    users = message.reactions.setdefault(call.text("name").strip(":"), [])
    if call.bench.world.bot.id in users:
        raise SlackError("already_reacted")
    users.append(call.bench.world.bot.id)
    call.bench.changed()
    return {}


def remove_reaction(call: Call) -> Json:
    """reactions.remove."""
    call.required("channel", "timestamp", "name")
    channel = call.channel()
    message = call.message(channel, call.text("timestamp"))
    users = message.reactions.get(call.text("name").strip(":"), [])
    if call.bench.world.bot.id not in users:
        raise SlackError("no_reaction")
    users.remove(call.bench.world.bot.id)
    if not users:
        del message.reactions[call.text("name").strip(":")]
    call.bench.changed()
    return {}
