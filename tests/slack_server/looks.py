"""How a whole message or view looks to a person: its blocks, buttons, links, pictures and whom it calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.slack_server.texts import Link, Reader, Seen
from tests.slack_server.values import Json, Message

_FIELDS = ("text", "fields", "elements", "accessory", "element", "label", "hint", "title", "rows")


@dataclass(frozen=True)
class Button:
    """Something to press; `value` is what it sends."""

    action_id: str
    label: str
    value: str
    block_id: str
    kind: str = "button"


@dataclass
class Look:
    """What a person sees of a message.

    Attributes:
        text: All texts, one block below the other.
        notification: The text that a notification shows.
        pings: See `Seen.pings`; what only the notification's text calls counts as well.
        links: See `Seen.links`.
        images: Pictures that are shown.
        buttons: What can be pressed.
    """

    text: str
    notification: str
    pings: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)


def look_at(message: Message, reader: Reader) -> Look:
    """Read a message."""
    if message.markdown:
        fallback = reader.markdown(message.markdown)
    else:
        fallback = reader.mrkdwn(message.text, parse=message.parse, link_names=message.link_names)
    seen = Seen()
    if message.markdown or not message.blocks:
        seen.add(fallback)
    for block in message.blocks:
        seen.add(_block(block, reader))
    for attachment in message.attachments:
        seen.add(_attachment(attachment, reader))
    pings = seen.pings + [ping for ping in fallback.pings if ping not in seen.pings]
    links = seen.links + [link for link in fallback.links if link not in seen.links]
    blocks = [*message.blocks, *(block for item in message.attachments for block in item.get("blocks", ()))]
    return Look(seen.text, fallback.text, pings, links, seen.images, buttons_of(blocks, reader))


def look_at_blocks(blocks: Sequence[Json], reader: Reader) -> Look:
    """Read the blocks of a modal or of the App Home."""
    seen = Seen()
    for block in blocks:
        seen.add(_block(block, reader))
    return Look(seen.text, "", seen.pings, seen.links, seen.images, buttons_of(blocks, reader))


def elements_of(blocks: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """All pairs of a block and an element with an `action_id` in it."""
    for block in blocks:
        parts = [block.get("accessory"), block.get("element"), *(block.get("elements") or ())]
        for element in parts:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def buttons_of(blocks: Sequence[Json], reader: Reader) -> list[Button]:
    """Return what can be pressed; feedback buttons count as two."""
    found: list[Button] = []
    for block, element in elements_of(blocks):
        block_id, kind = str(block.get("block_id", "")), str(element.get("type"))
        choices = [element]
        if kind == "feedback_buttons":
            choices = [element["positive_button"], element["negative_button"]]
        for choice in choices:
            label = _object(choice.get("text") or choice.get("placeholder"), reader).text
            found.append(Button(element["action_id"], label, str(choice.get("value", "")), block_id, kind))
    return found


def _object(value: object, reader: Reader) -> Seen:
    """Read a text object, a string, an element or a list of them."""
    if isinstance(value, str):
        return reader.plain(value)
    if isinstance(value, list):
        seen = Seen()
        for item in value:
            seen.add(_object(item, reader))
        return seen
    if not isinstance(value, dict):
        return Seen()
    kind = value.get("type")
    if kind == "plain_text":
        return reader.plain(str(value.get("text", "")))
    if kind == "mrkdwn":
        return reader.mrkdwn(str(value.get("text", "")), parse="none" if value.get("verbatim") else "links")
    if kind == "image":
        return Seen(str(value.get("alt_text", "")), images=[str(value.get("image_url") or value.get("slack_file"))])
    if kind in ("rich_text", "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"):
        return _rich_text(value, reader)
    seen = Seen()
    if url := value.get("url"):
        seen.links.append(Link(str(url), ""))
    if kind in ("button", "workflow_button", "icon_button"):
        return seen
    if kind == "feedback_buttons":
        return seen
    for name in _FIELDS:
        if name in value:
            seen.add(_object(value[name], reader))
    return seen


def _block(block: Json, reader: Reader) -> Seen:
    """Read a block."""
    if block.get("type") == "markdown":
        return reader.markdown(str(block.get("text", "")))
    if block.get("type") == "image":
        seen = _object(block, reader)
        seen.add(_object(block.get("title"), reader))
        return seen
    if block.get("type") == "video":
        return Seen(str(block.get("alt_text", "")), images=[str(block.get("thumbnail_url"))])
    return _object(block, reader)


def _rich_text(value: Json, reader: Reader) -> Seen:
    """Read the elements of rich text, whose mentions need no markup."""
    seen = Seen()
    for element in value.get("elements", ()):
        kind = element.get("type")
        if kind == "text":
            seen.text += str(element.get("text", ""))
        elif kind == "link":
            label = str(element.get("text") or element.get("url"))
            seen.links.append(Link(str(element.get("url")), label))
            seen.text += label
        elif kind == "user":
            seen.add(reader.mrkdwn(f"<@{element.get('user_id')}>"), "")
        elif kind == "usergroup":
            seen.add(reader.mrkdwn(f"<!subteam^{element.get('usergroup_id')}>"), "")
        elif kind == "broadcast":
            seen.add(reader.mrkdwn(f"<!{element.get('range')}>"), "")
        elif kind == "channel":
            seen.add(reader.mrkdwn(f"<#{element.get('channel_id')}>"), "")
        elif kind == "emoji":
            seen.text += f":{element.get('name')}:"
        else:
            seen.add(_object(element, reader))
    return seen


def _attachment(attachment: Json, reader: Reader) -> Seen:
    """Read a legacy attachment, such as an unfurled link."""
    seen = Seen()
    for name in ("pretext", "title", "text", "footer"):
        if value := attachment.get(name):
            seen.add(reader.mrkdwn(str(value), parse="links"))
    for name in ("image_url", "thumb_url", "author_icon", "footer_icon"):
        if value := attachment.get(name):
            seen.images.append(str(value))
    for name in ("title_link", "author_link", "from_url", "original_url"):
        if value := attachment.get(name):
            seen.links.append(Link(str(value), ""))
    for block in attachment.get("blocks", ()):
        seen.add(_block(block, reader))
    return seen
