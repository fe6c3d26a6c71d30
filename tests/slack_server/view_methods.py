"""The methods that show modals and the App Home: views.open, push, update, publish."""

from __future__ import annotations

from tests.slack_server.blocks import check_blocks
from tests.slack_server.call import Call
from tests.slack_server.elements import BlockFaults, check_text
from tests.slack_server.values import Json, SlackError, View

TRIGGER_LIFE_S = 3.0
MOST_VIEWS = 3  # modals above one another
# Slack's limits for views; lengths in characters, the whole view in bytes of JSON.
MOST_TITLE = 24
MOST_METADATA = 3_000
MOST_CALLBACK_ID = 255

_MODAL_KEYS = {"title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled"}
_KEYS = {"type", "blocks", "private_metadata", "callback_id", "external_id"}


def open_view(call: Call) -> Json:
    """views.open."""
    user = _trigger(call)
    return _show(call, user)


def push_view(call: Call) -> Json:
    """views.push."""
    user = _trigger(call)
    shown = call.bench.world.shown_views(user)
    if len(shown) >= MOST_VIEWS:
        raise SlackError("push_limit_reached")
    return _show(call, user, shown[0].id if shown else "")


def update_view(call: Call) -> Json:
    """views.update."""
    content = _content(call)
    view = call.bench.world.views.get(call.text("view_id"))
    if external := call.text("external_id"):
        views = call.bench.world.views.values()
        view = next((item for item in views if item.content.get("external_id") == external), None)
    if view is None or not view.open:
        raise SlackError("not_found")
    if call.text("hash") not in ("", view.hash):
        raise SlackError("hash_conflict")
    view.content, view.errors = content, {}
    view.hash = call.bench.world.new_id("hash.")
    call.bench.changed()
    return {"view": _as_json(call, view)}


def publish_view(call: Call) -> Json:
    """views.publish."""
    user = call.user("user_id")
    content = _content(call)
    if content["type"] != "home":
        raise SlackError("invalid_arguments")
    if not call.bench.grants.home_tab:
        raise SlackError("not_enabled")
    world = call.bench.world
    view = next(
        (item for item in world.views.values() if item.user == user.id and item.content["type"] == "home"), None
    )
    if view and call.text("hash") not in ("", view.hash):
        raise SlackError("hash_conflict")
    if view is None:
        view = View(world.new_id("V"), user.id, content, "")
        world.views[view.id] = view
    view.content, view.hash = content, world.new_id("hash.")
    call.bench.changed()
    return {"view": _as_json(call, view)}


def check_view(content: Json) -> None:
    """Check a view.

    Raises:
        SlackError: `invalid_arguments` with what is wrong and where.
    """
    kind = content.get("type")
    if kind not in ("modal", "home"):
        raise SlackError("invalid_arguments", response_metadata={"messages": ["[ERROR] unsupported type of view"]})
    faults = BlockFaults()
    faults.only_keys(content, _KEYS | (_MODAL_KEYS if kind == "modal" else set()), "/view")
    if kind == "modal":
        check_text(content.get("title"), "/view/title", faults, most=MOST_TITLE, kinds=("plain_text",))
        for name in ("submit", "close"):
            if content.get(name) is not None:
                check_text(content[name], f"/view/{name}", faults, most=MOST_TITLE, kinds=("plain_text",))
    blocks = content.get("blocks")
    if not isinstance(blocks, list):
        faults.add("/view", "missing required field: blocks")
        raise faults.error("invalid_arguments")
    if kind == "modal" and content.get("submit") is None and any(block.get("type") == "input" for block in blocks):
        faults.add("/view/submit", "missing required field: submit")
    if len(str(content.get("private_metadata", ""))) > MOST_METADATA:
        faults.add("/view/private_metadata", f"must be less than {MOST_METADATA + 1} characters")
    if len(str(content.get("callback_id", ""))) > MOST_CALLBACK_ID:
        faults.add("/view/callback_id", f"must be less than {MOST_CALLBACK_ID + 1} characters")
    try:
        check_blocks(blocks, "modal" if kind == "modal" else "home")
    except SlackError as error:
        faults.messages += list(error.fields.get("errors", ()))  # type: ignore[call-overload]
    if faults.messages:
        raise faults.error("invalid_arguments")


def name_blocks(content: Json, new_id: str) -> Json:
    """Give blocks without a `block_id` one, as Slack does."""
    blocks = [{"block_id": f"{new_id}-{number}", **block} for number, block in enumerate(content["blocks"])]
    return {**content, "blocks": blocks}


def _content(call: Call) -> Json:
    content = call.mapping("view", "invalid_arguments")
    if content is None:
        call.required("view")
        raise SlackError("invalid_arguments")
    check_view(content)
    return name_blocks(content, call.bench.world.new_id("b"))


def _trigger(call: Call) -> str:
    """Use a trigger up and return the person it came from."""
    trigger, bench = call.required("trigger_id")[0], call.bench
    if trigger not in bench.triggers:
        raise SlackError("exchanged_trigger_id" if trigger.startswith("trigger.") else "invalid_trigger_id")
    user, at = bench.triggers.pop(trigger)
    if bench.clock.now() - at > TRIGGER_LIFE_S * max(1.0, bench.clock.speed):
        raise SlackError("expired_trigger_id")
    return user


def _show(call: Call, user: str, root: str = "") -> Json:
    content, world = _content(call), call.bench.world
    if content["type"] != "modal":
        raise SlackError("invalid_arguments")
    view = View(world.new_id("V"), user, content, world.new_id("hash."), root_id=root)
    world.views[view.id] = view
    call.bench.changed()
    return {"view": _as_json(call, view)}


def _as_json(call: Call, view: View) -> Json:
    world = call.bench.world
    return view.as_json(world.team.id, world.app_id, world.bot.bot_id)
