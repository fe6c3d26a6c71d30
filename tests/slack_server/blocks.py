"""What Slack accepts as blocks, by surface; everything else is refused with a pointer to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tests.slack_server.elements import BlockFaults, check_element, check_text
from tests.slack_server.values import Json, SlackError

Surface = Literal["message", "modal", "home"]

# Slack's limits for blocks, as its Block Kit reference gives them; lengths in characters.
MOST_BLOCKS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}
MOST_SECTION = 3_000
MOST_FIELD = 2_000
MOST_FIELDS = 10
MOST_HEADER = 150
MOST_CONTEXT = 10
MOST_ACTIONS = 25
MOST_CONTEXT_ACTIONS = 5
MOST_MARKDOWN = 12_000  # all markdown blocks of a message together
MOST_TABLE_ROWS, MOST_TABLE_COLUMNS, MOST_TABLE = 100, 20, 10_000
MOST_LABEL = 2_000
MOST_BLOCK_ID = 255
# Nothing documents how long all blocks of a message may be together; failures were seen from 11,341 characters of
# text on, and successes with 12,000 of one markdown block.
MOST_IN_ALL = 12_000

_KEYS: dict[str, set[str]] = {
    "section": {"text", "fields", "accessory", "expand"},
    "header": {"text", "level"},
    "divider": set(),
    "image": {"image_url", "slack_file", "alt_text", "title"},
    "context": {"elements"},
    "actions": {"elements"},
    "context_actions": {"elements"},
    "markdown": {"text"},
    "input": {"label", "element", "hint", "optional", "dispatch_action"},
    "rich_text": {"elements"},
    "table": {"rows", "column_settings"},
    "file": {"external_id", "source"},
    "video": {"alt_text", "title", "thumbnail_url", "video_url", "title_url", "description", "author_name"},
}
_ONLY_MESSAGES = {"markdown", "context_actions", "table", "file"}
_SELECTS = {f"{many}_{what}_select" for many in ("multi",) for what in ("static", "users", "conversations", "channels")}
_SELECTS |= {"static_select", "users_select", "conversations_select", "channels_select", "external_select"}
_INTERACTIVE = _SELECTS | {"button", "overflow", "datepicker", "timepicker", "radio_buttons", "checkboxes"}
_INPUTS = (_INTERACTIVE - {"button", "overflow"}) | {
    "plain_text_input",
    "email_text_input",
    "url_text_input",
    "number_input",
    "file_input",
    "rich_text_input",
}


def check_blocks(blocks: Sequence[Json], surface: Surface = "message") -> None:
    """Check the blocks of a message or view.

    Raises:
        SlackError: `invalid_blocks` with the faults and where they are, or `msg_blocks_too_long`.
    """
    faults = BlockFaults()
    if len(blocks) > MOST_BLOCKS[surface]:
        faults.add("/blocks", f"no more than {MOST_BLOCKS[surface]} items allowed")
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        _check_block(block, f"/blocks/{number}", surface, faults, seen)
    markdown = sum(
        len(str(block.get("text", "")))
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "markdown"
    )
    if markdown > MOST_MARKDOWN:
        faults.add("/blocks", f"markdown text of all blocks must be less than {MOST_MARKDOWN + 1} characters")
    if sum(1 for block in blocks if isinstance(block, dict) and block.get("type") == "table") > 1:
        faults.add("/blocks", "only one table is allowed")
    if faults.messages:
        raise faults.error()
    if surface == "message" and text_length(blocks) > MOST_IN_ALL:
        raise SlackError("msg_blocks_too_long")


def text_length(value: object) -> int:
    """Count the characters that people read in blocks."""
    if isinstance(value, dict):
        texts = sum(len(text) for key, text in value.items() if key in ("text", "alt_text") and isinstance(text, str))
        return texts + sum(text_length(item) for item in value.values() if not isinstance(item, str))
    if isinstance(value, list | tuple):
        return sum(text_length(item) for item in value)
    return 0


def _check_block(block: object, where: str, surface: Surface, faults: BlockFaults, seen: set[str]) -> None:
    if not isinstance(block, dict):
        faults.add(where, "must be an object")
        return
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        faults.add(where + "/type", f"unsupported type: {kind}")
        return
    if kind in _ONLY_MESSAGES and surface != "message":
        faults.add(where + "/type", f"unsupported type: {kind}")
    faults.only_keys(block, _KEYS[kind] | {"type", "block_id"}, where)
    block_id = block.get("block_id")
    if block_id is not None:
        if not isinstance(block_id, str) or len(block_id) > MOST_BLOCK_ID:
            faults.add(where + "/block_id", f"must be less than {MOST_BLOCK_ID + 1} characters")
        elif block_id and block_id in seen:
            faults.add(where + "/block_id", f"`block_id` {block_id} already exists")
        else:
            seen.add(block_id)
    match kind:
        case "section":
            _check_section(block, where, faults)
        case "header":
            check_text(block.get("text"), where + "/text", faults, most=MOST_HEADER, kinds=("plain_text",))
        case "context":
            _check_elements(block, where, faults, MOST_CONTEXT, {"mrkdwn", "plain_text", "image"})
        case "actions":
            _check_elements(block, where, faults, MOST_ACTIONS, _INTERACTIVE)
        case "context_actions":
            _check_elements(block, where, faults, MOST_CONTEXT_ACTIONS, {"feedback_buttons", "icon_button"})
        case "markdown":
            if not isinstance(block.get("text"), str) or not block["text"]:
                faults.add(where + "/text", "must be more than 0 characters")
        case "input":
            check_text(block.get("label"), where + "/label", faults, most=MOST_LABEL, kinds=("plain_text",))
            if block.get("hint") is not None:
                check_text(block["hint"], where + "/hint", faults, most=MOST_LABEL, kinds=("plain_text",))
            check_element(block.get("element"), where + "/element", faults, _INPUTS)
        case "image":
            check_element(block, where, faults, {"image"})
        case "table":
            _check_table(block, where, faults)
        case "rich_text":
            if not isinstance(block.get("elements"), list):
                faults.add(where + "/elements", "missing required field: elements")
        case _:
            pass


def _check_section(block: Json, where: str, faults: BlockFaults) -> None:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        faults.add(where, "missing required field: text or fields")
    if block.get("text") is not None:
        check_text(block["text"], where + "/text", faults, most=MOST_SECTION)
    if fields is not None:
        if not isinstance(fields, list) or not 0 < len(fields) <= MOST_FIELDS:
            faults.add(where + "/fields", f"must have 1 to {MOST_FIELDS} items")
        else:
            for number, item in enumerate(fields):
                check_text(item, f"{where}/fields/{number}", faults, most=MOST_FIELD)
    if block.get("accessory") is not None:
        check_element(block["accessory"], where + "/accessory", faults, _INTERACTIVE | {"image"})


def _check_elements(block: Json, where: str, faults: BlockFaults, most: int, kinds: set[str]) -> None:
    elements = block.get("elements")
    if not isinstance(elements, list) or not elements:
        faults.add(where + "/elements", "must have more than 0 items")
        return
    if len(elements) > most:
        faults.add(where + "/elements", f"no more than {most} items allowed")
    action_ids: set[str] = set()
    for number, element in enumerate(elements):
        place = f"{where}/elements/{number}"
        check_element(element, place, faults, kinds)
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if action_id and action_id in action_ids:
            faults.add(place + "/action_id", f"`action_id` {action_id} already exists")
        action_ids.add(str(action_id))


def _check_table(block: Json, where: str, faults: BlockFaults) -> None:
    rows = block.get("rows")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_TABLE_ROWS:
        faults.add(where + "/rows", f"must have 1 to {MOST_TABLE_ROWS} rows")
        return
    for number, row in enumerate(rows):
        if not isinstance(row, list) or not 0 < len(row) <= MOST_TABLE_COLUMNS or len(row) != len(rows[0]):
            faults.add(f"{where}/rows/{number}", f"must have 1 to {MOST_TABLE_COLUMNS} cells, as many as the first row")
            continue
        for cell, value in enumerate(row):
            if not isinstance(value, dict) or value.get("type") not in ("raw_text", "rich_text"):
                faults.add(f"{where}/rows/{number}/{cell}", "unsupported type of cell")
    if text_length(rows) > MOST_TABLE:
        faults.add(where + "/rows", f"all cells must be less than {MOST_TABLE + 1} characters")
