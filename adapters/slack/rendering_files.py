"""Files that come with a reply: names that are safe to show, and the answer that is too long for a thread."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from adapters.slack.rendering_sections import section_lines
from adapters.slack.text import harmless_code, sentence
from bot.file_names import name_of_whole_answer, safe_name
from bot.plain_text import clean, one_line, shortened
from bot.replies import Attachment, Reply

MAX_ALT = 1000  # characters; Slack's limit
MAX_CAPTION = 300  # characters, before they are escaped


def safe_attachment(attachment: Attachment) -> Attachment:
    """Return a file with a name and words that are safe to show; the caption is mrkdwn then."""
    return replace(
        attachment,
        name=safe_name(attachment.name),
        alt=shortened(one_line(attachment.alt), MAX_ALT),
        caption=sentence(shortened(one_line(attachment.caption), MAX_CAPTION)),
    )


def whole_answer(reply: Reply, taken: Collection[str]) -> Attachment:
    """Return all of an answer and its sources as plain text, under a name that is not taken."""
    lines = [harmless_code(clean(reply.text)), ""]
    lines += [harmless_code(line) for line in section_lines(reply.sections)]
    for citation in reply.citations:
        lines.append(harmless_code(one_line(f"[{citation.n}] {citation.title} {citation.source}")))
    return Attachment(name_of_whole_answer(taken), "text/plain", "\n".join(lines).strip().encode() + b"\n")
