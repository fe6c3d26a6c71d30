"""What people do with what the app shows: press, submit, type commands, open its tabs, stop a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.slack_server.bench import Bench
from tests.slack_server.deliveries import Delivery
from tests.slack_server.looks import elements_of
from tests.slack_server.posting import message_json, publish
from tests.slack_server.values import Json, Message, View
from tests.slack_server.view_methods import name_blocks


class InteractionActs(Bench):
    """Acts of people towards the app. Each returns its delivery, whose `response` is what the app acknowledged with."""

    def press(
        self, message: Message | View, user: str, action_id: str, value: str | None = None, *, forged: bool = False
    ) -> Delivery:
        """Press a button of a message or view.

        Args:
            message: What it is in.
            user: Who presses.
            action_id: Of the button.
            value: Which of several with the same `action_id`, as of feedback buttons; None for the only one. Of a
                forged press, what it sends.
            forged: True sends the press though there is no such button, as after an edit or by a liar.

        Raises:
            ValueError: If the person sees no such button.
        """
        blocks = message.blocks if isinstance(message, Message) else message.content["blocks"]
        found = self._element(blocks, action_id, value)
        if isinstance(message, Message) and (message.deleted or message.seen_only_by not in ("", user)):
            found = None
        if found is None and not forged:
            raise ValueError(f"{user} sees no button {action_id} with the value {value}")
        action: Json = {"type": "button", "action_id": action_id, "block_id": "b", "value": value}
        action = {**(found or action), "action_ts": self.world.new_ts()}
        payload = self._interaction("block_actions", user) | {"actions": [action], "state": {"values": {}}}
        if isinstance(message, View):
            payload["container"] = {"type": "view", "view_id": message.id}
            payload["view"] = self._view_json(message)
            return self.deliveries.send("interactive", payload)
        return self.deliveries.send("interactive", payload | self._message_place(message, user))

    def submit(self, view: View, values: Mapping[str, object] | None = None) -> Delivery:
        """Submit a modal.

        Args:
            view: The modal.
            values: What the person entered, by `action_id`: a string for text inputs and menus, or the whole state
                of the element.

        Raises:
            ValueError: If it is not open or has no such input.
        """
        if not view.open:
            raise ValueError(f"the view {view.id} is closed")
        state: dict[str, Json] = {}
        inputs = {element["action_id"]: (block, element) for block, element in elements_of(view.content["blocks"])}
        for action_id, value in (values or {}).items():
            if action_id not in inputs:
                raise ValueError(f"the view has no input {action_id}")
            block, element = inputs[action_id]
            state.setdefault(block["block_id"], {})[action_id] = _entered(element, value)
        payload = self._interaction("view_submission", view.user)
        payload |= {"view": self._view_json(view, state), "response_urls": []}
        return self.deliveries.send("interactive", payload)

    def close_view(self, view: View) -> Delivery | None:
        """Close a modal; the app is told only if it asked for that."""
        view.open = False
        self.changed()
        if not view.content.get("notify_on_close"):
            return None
        payload = self._interaction("view_closed", view.user) | {"view": self._view_json(view), "is_cleared": False}
        return self.deliveries.send("interactive", payload)

    def slash(self, command: str, user: str, channel: str, text: str = "") -> Delivery:
        """Type a slash command, such as "/locus".

        Raises:
            ValueError: If the manifest declares no such command.
        """
        if command not in self.grants.commands:
            raise ValueError(f"{command} is not a valid command")
        world, place = self.world, self.world.channels[channel]
        names = {"im": "directmessage", "private": "privategroup"}
        payload: Json = {
            "token": "local",
            "team_id": world.team.id,
            "team_domain": world.team.domain,
            "channel_id": channel,
            "channel_name": names.get(place.kind, place.name),
            "user_id": user,
            "user_name": world.users[user].name,
            "command": command,
            "text": text,
            "api_app_id": world.app_id,
            "is_enterprise_install": "false",
            "response_url": self.new_response_url(channel, user),
            "trigger_id": self.new_trigger(user),
        }
        return self.deliveries.send("slash_commands", payload)

    def shortcut(self, callback_id: str, user: str, message: Message | None = None) -> Delivery:
        """Use a shortcut, of a message or a global one.

        Raises:
            ValueError: If the manifest declares no such shortcut.
        """
        kind = "global" if message is None else "message"
        if self.grants.shortcuts.get(callback_id) != kind:
            raise ValueError(f"there is no {kind} shortcut {callback_id}")
        payload = self._interaction("shortcut" if message is None else "message_action", user)
        payload |= {"callback_id": callback_id, "action_ts": self.world.new_ts()}
        if message is not None:
            place = self.world.channels[message.channel]
            payload |= {
                "message_ts": message.ts,
                "message": message_json(self, message),
                "channel": {"id": place.id, "name": place.name or "directmessage"},
                "response_url": self.new_response_url(message.channel, user, message.ts),
            }
        return self.deliveries.send("interactive", payload)

    def open_home(self, user: str, tab: str = "home") -> Delivery | None:
        """Open the app's tab "home" or "messages"; the direct conversation is made if need be."""
        channel = self.world.direct(user)
        event: Json = {"type": "app_home_opened", "user": user, "channel": channel.id, "tab": tab}
        views = self.world.views.values()
        home = next((view for view in views if view.user == user and view.content["type"] == "home"), None)
        if tab == "home" and home:
            event["view"] = self._view_json(home)
        return self.emit(event)

    def stop_stream(self, message: Message, user: str) -> Delivery | None:
        """Stop a message that is being streamed, as the client's own stop button does.

        Raises:
            ValueError: If it is not being streamed.
        """
        if message.stream is None or message.stream.state != "streaming":
            raise ValueError(f"the message {message.ts} is not being streamed")
        message.stream.state = "stopped_by_user"
        self.changed()
        event = {"type": "agent_session_stopped", "user": user, "channel": message.channel, "thread_ts": message.root}
        return self.emit(event, channel=message.channel)

    def apply_response(self, delivery: Delivery) -> None:
        """Show what an acknowledgement carries: an ephemeral reply, errors of a modal, its next page."""
        payload, response = delivery.payload, delivery.response or {}
        if delivery.kind == "slash_commands" and (response.get("text") or response.get("blocks")):
            self.respond(payload["channel_id"], payload["user_id"], response)
        elif payload.get("type") == "view_submission":
            self._apply_to_view(self.world.views[payload["view"]["id"]], response)
        self.changed()

    def respond(self, channel: str, user: str, response: Json, thread_ts: str = "") -> None:
        """Show a reply to a command or interaction: to one person, or to all where `response_type` says so."""
        bot, public = self.world.bot, response.get("response_type") == "in_channel"
        message = Message(
            channel,
            self.world.new_ts(),
            bot.id,
            str(response.get("text", "")),
            bot_id=bot.bot_id,
            app_id=self.world.app_id,
            blocks=list(response.get("blocks") or ()),
            thread_ts=thread_ts,
            seen_only_by="" if public else user,
            parse="links",
            unfurl=frozenset(kind for kind in ("links", "media") if response.get(f"unfurl_{kind}", True) is not False),
        )
        publish(self, message)

    def _apply_to_view(self, view: View, response: Json) -> None:
        action = response.get("response_action")
        if action == "errors":
            view.errors = dict(response.get("errors", {}))
        elif action in ("update", "push"):
            content = name_blocks(response["view"], self.world.new_id("b"))
            if action == "update":
                view.content, view.errors = content, {}
            else:
                pushed = View(self.world.new_id("V"), view.user, content, self.world.new_id("hash."))
                pushed.root_id = view.root_id or view.id
                self.world.views[pushed.id] = pushed
        else:
            for shown in [view] if action is None else self.world.shown_views(view.user):
                shown.open = False

    def _interaction(self, kind: str, user: str) -> Json:
        if not self.grants.interactive:
            raise ValueError("the manifest does not enable interactivity")
        world, person = self.world, self.world.users[user]
        return {
            "type": kind,
            "user": {"id": user, "username": person.name, "name": person.name, "team_id": person.team},
            "api_app_id": world.app_id,
            "token": "local",
            "trigger_id": self.new_trigger(user),
            "team": {"id": world.team.id, "domain": world.team.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _message_place(self, message: Message, user: str) -> Json:
        place = self.world.channels[message.channel]
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": place.id,
            "is_ephemeral": bool(message.seen_only_by),
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        value: Json = {
            "container": container,
            "channel": {"id": place.id, "name": place.name or "directmessage"},
            "response_url": self.new_response_url(place.id, user, message.ts),
        }
        if not message.seen_only_by:
            value["message"] = message_json(self, message)
        return value

    def _element(self, blocks: list[Json], action_id: str, value: str | None) -> Json | None:
        """Return the action that pressing an element sends, or None if there is no such element."""
        for block, element in elements_of(blocks):
            if element["action_id"] != action_id:
                continue
            choices = [element]
            if element["type"] == "feedback_buttons":
                choices = [element["positive_button"], element["negative_button"]]
            for choice in choices:
                if value in (None, choice.get("value")):
                    text = choice.get("text") or element.get("text")
                    kind, block_id = element["type"], block.get("block_id", "b")
                    action = {"type": kind, "action_id": action_id, "block_id": block_id, "text": text}
                    return action | ({"value": choice["value"]} if "value" in choice else {})
        return None

    def _view_json(self, view: View, state: Json | None = None) -> Json:
        world = self.world
        value = view.as_json(world.team.id, world.app_id, world.bot.bot_id, state)
        copied: Json = json.loads(json.dumps(value))
        return copied


def _entered(element: Json, value: object) -> Json:
    """Return the state of an input."""
    if isinstance(value, dict):
        return value
    if str(element["type"]).endswith("select") or element["type"] == "radio_buttons":
        options = element.get("options", ())
        chosen = next((option for option in options if option["value"] == value), {"value": value})
        if element["type"] in ("static_select", "radio_buttons"):
            return {"type": element["type"], "selected_option": chosen}
        noun = element["type"].removesuffix("s_select")
        return {"type": element["type"], f"selected_{noun}": value}
    return {"type": element["type"], "value": value}
