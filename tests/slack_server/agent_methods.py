"""The methods of Slack's agent view: status, suggested prompts, titles, sessions."""

from __future__ import annotations

from tests.slack_server.call import Call
from tests.slack_server.values import Json, SlackError

MOST_LOADING_MESSAGES = 10
MOST_PROMPTS = 4
MOST_TITLE = 200
_STATUSES = ("active", "processing", "suspended", "closed")


def _thread(call: Call, *, needed: bool = True) -> tuple[str, str]:
    """Return the channel and thread of a call.

    Raises:
        SlackError: `channel_not_found`, `not_in_channel` or `invalid_thread_ts`.
    """
    call.required("channel_id")
    channel, thread = call.channel("channel_id"), call.text("thread_ts")
    call.member_of(channel)
    if (needed or thread) and not call.bench.world.has_thread(channel.id, thread):
        raise SlackError("invalid_thread_ts")
    return channel.id, thread


def set_status(call: Call) -> Json:
    """assistant.threads.setStatus; an empty status takes it away."""
    place = _thread(call)
    loading = call.items("loading_messages", "invalid_arguments")
    if loading and len(loading) > MOST_LOADING_MESSAGES:
        raise SlackError("invalid_arguments")
    status, agent = call.text("status"), call.bench.agent
    agent.statuses.append((*place, status))
    if status:
        agent.status[place] = status
    else:
        agent.status.pop(place, None)
    call.bench.changed()
    return {}


def set_prompts(call: Call) -> Json:
    """assistant.threads.setSuggestedPrompts."""
    if not call.bench.grants.agent:
        raise SlackError("not_agent_app")
    place = _thread(call, needed=False)
    prompts = call.items("prompts", "invalid_arguments") or []
    if not prompts or len(prompts) > MOST_PROMPTS or not all(p.get("title") and p.get("message") for p in prompts):
        raise SlackError("invalid_arguments")
    call.bench.agent.prompts[place] = prompts
    call.bench.changed()
    return {}


def set_title(call: Call) -> Json:
    """assistant.threads.setTitle."""
    if not call.bench.grants.agent:
        raise SlackError("not_agent_app")
    place = _thread(call)
    title = call.required("title")[0]
    if len(title) > MOST_TITLE:
        raise SlackError("invalid_arguments")
    call.bench.agent.titles[place] = title
    call.bench.changed()
    return {}


def set_session(call: Call) -> Json:
    """agents.sessions.setStatus."""
    bench = call.bench
    if not bench.policies.agent_sessions:
        raise SlackError("feature_disabled")
    status = call.required("status")[0]
    if status not in _STATUSES:
        raise SlackError("invalid_status")
    if not call.text("thread_ts"):
        raise SlackError("thread_ts_required")
    channel = call.channel("channel_id")
    if bench.world.bot.id not in channel.members:
        raise SlackError("not_authorized")
    place = _thread(call)
    if title := call.text("title"):
        if len(title) > MOST_TITLE:
            raise SlackError("invalid_arguments")
        bench.agent.titles.setdefault(place, title)
    bench.agent.sessions[place] = status
    if "agent_session_stopped" not in bench.grants.events:
        call.warnings.append("missing_agent_session_stopped_event_subscription")
    bench.changed()
    return {"status": status, "agent_status": status, "title": bench.agent.titles.get(place, "")}


def rename_session(call: Call) -> Json:
    """agents.sessions.rename."""
    if not call.bench.policies.agent_sessions:
        raise SlackError("feature_disabled")
    place = _thread(call)
    if place not in call.bench.agent.sessions:
        raise SlackError("session_not_found")
    call.bench.agent.titles[place] = call.required("title")[0]
    call.bench.changed()
    return {}
