"""What Slack accepts inside of blocks: texts, buttons, menus, inputs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from tests.slack_server.values import Json, SlackError

# Slack's limits for elements, as its Block Kit reference gives them; lengths in characters.
MOST_TEXT = 3_000
MOST_BUTTON = 75
MOST_VALUE = 2_000
MOST_URL = 3_000
MOST_ACTION_ID = 255
MOST_ALT_TEXT = 2_000
MOST_PLACEHOLDER = 150
MOST_OPTIONS = 100
MOST_OPTION_TEXT, MOST_OPTION_VALUE = 75, 150
MOST_INITIAL = 3_000
MOST_LABEL = 75

_TEXT_KEYS = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
_BUTTON_KEYS = {"type", "text", "action_id", "value", "url", "style", "confirm", "accessibility_label", "agent_prompt"}


@dataclass
class BlockFaults:
    """What is wrong with blocks, and where."""

    messages: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Note a fault; `where` is a JSON pointer."""
        self.messages.append(f"{what} [json-pointer:{where}]")

    def only_keys(self, value: Json, keys: Collection[str], where: str) -> None:
        """Note every key that is not one of `keys`."""
        for key in value:
            if key not in keys:
                self.add(where, f"additional property: {key}")

    def error(self, code: str = "invalid_blocks") -> SlackError:
        """Return what the call answers."""
        return SlackError(
            code,
            errors=self.messages,
            response_metadata={"messages": [f"[ERROR] {message}" for message in self.messages]},
        )


def check_text(
    value: object,
    where: str,
    faults: BlockFaults,
    *,
    most: int = MOST_TEXT,
    kinds: tuple[str, ...] = ("mrkdwn", "plain_text"),
) -> None:
    """Check a text object."""
    if not isinstance(value, dict):
        faults.add(where, "missing required field: text")
        return
    if value.get("type") not in kinds:
        faults.add(where + "/type", f"must be {' or '.join(kinds)}")
        return
    faults.only_keys(value, _TEXT_KEYS[value["type"]], where)
    _length(value.get("text"), where + "/text", faults, most)


def check_element(element: object, where: str, faults: BlockFaults, kinds: Collection[str]) -> None:
    """Check an element that has to be one of `kinds`."""
    if not isinstance(element, dict):
        faults.add(where, "must be an object")
        return
    kind = element.get("type")
    if kind not in kinds:
        faults.add(where + "/type", f"unsupported type: {kind}")
        return
    action_id = element.get("action_id")
    if action_id is not None:
        _length(action_id, where + "/action_id", faults, MOST_ACTION_ID)
    if element.get("placeholder") is not None:
        check_text(element["placeholder"], where + "/placeholder", faults, most=MOST_PLACEHOLDER, kinds=("plain_text",))
    match kind:
        case "mrkdwn" | "plain_text":
            check_text(element, where, faults)
        case "image":
            _check_image(element, where, faults)
        case "button":
            _check_button(element, where, faults)
        case "feedback_buttons":
            _check_feedback(element, where, faults)
        case "icon_button":
            check_text(element.get("text"), where + "/text", faults, most=MOST_BUTTON, kinds=("plain_text",))
            if element.get("icon") != "trash":
                faults.add(where + "/icon", "must be trash")
        case "static_select" | "multi_static_select" | "radio_buttons" | "checkboxes" | "overflow":
            _check_options(element, where, faults)
        case "plain_text_input":
            if len(str(element.get("initial_value", ""))) > MOST_INITIAL:
                faults.add(where + "/initial_value", f"must be less than {MOST_INITIAL + 1} characters")
        case _:
            pass


def _length(value: object, where: str, faults: BlockFaults, most: int) -> None:
    if not isinstance(value, str):
        faults.add(where, "must be a string")
    elif not value:
        faults.add(where, "must be more than 0 characters")
    elif len(value) > most:
        faults.add(where, f"must be less than {most + 1} characters")


def _check_image(element: Json, where: str, faults: BlockFaults) -> None:
    url = element.get("image_url")
    if url is None and element.get("slack_file") is None:
        faults.add(where, "missing required field: image_url")
    elif url is not None:
        _length(url, where + "/image_url", faults, MOST_URL)
        if not str(url).startswith(("http://", "https://")):
            faults.add(where + "/image_url", "invalid image url")
    _length(element.get("alt_text"), where + "/alt_text", faults, MOST_ALT_TEXT)


def _check_button(element: Json, where: str, faults: BlockFaults) -> None:
    faults.only_keys(element, _BUTTON_KEYS, where)
    check_text(element.get("text"), where + "/text", faults, most=MOST_BUTTON, kinds=("plain_text",))
    if element.get("value") is not None:
        _value(element["value"], where, faults)
    if (url := element.get("url")) is not None:
        _length(url, where + "/url", faults, MOST_URL)
        if "://" not in str(url) and not str(url).startswith("mailto:"):
            faults.add(where + "/url", "must be a valid url")
    if element.get("style") not in (None, "primary", "danger"):
        faults.add(where + "/style", "must be primary or danger")


def _value(value: object, where: str, faults: BlockFaults) -> None:
    if not isinstance(value, str) or len(value) > MOST_VALUE:
        faults.add(where + "/value", f"must be less than {MOST_VALUE + 1} characters")


def _check_feedback(element: Json, where: str, faults: BlockFaults) -> None:
    faults.only_keys(element, {"type", "action_id", "positive_button", "negative_button"}, where)
    for name in ("positive_button", "negative_button"):
        button, place = element.get(name), f"{where}/{name}"
        if not isinstance(button, dict):
            faults.add(place, f"missing required field: {name}")
            continue
        faults.only_keys(button, {"text", "value", "accessibility_label"}, place)
        check_text(button.get("text"), place + "/text", faults, most=MOST_LABEL, kinds=("plain_text",))
        if button.get("value") is None:
            faults.add(place, "missing required field: value")
        else:
            _value(button["value"], place, faults)


def _check_options(element: Json, where: str, faults: BlockFaults) -> None:
    options = element.get("options")
    if options is None and element.get("option_groups") is not None:
        return
    if not isinstance(options, list) or not 0 < len(options) <= MOST_OPTIONS:
        faults.add(where + "/options", f"must have 1 to {MOST_OPTIONS} items")
        return
    for number, option in enumerate(options):
        place = f"{where}/options/{number}"
        if not isinstance(option, dict):
            faults.add(place, "must be an object")
            continue
        check_text(option.get("text"), place + "/text", faults, most=MOST_OPTION_TEXT)
        _length(option.get("value"), place + "/value", faults, MOST_OPTION_VALUE)
