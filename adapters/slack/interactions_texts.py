"""What Locus says in Slack about what people press and type there."""

from __future__ import annotations

from typing import Final

GONE: Final = "This answer is too old, or it belongs to another channel: ask the question again."
NOTED: Final = "Thank you, noted."
NO_PASSAGES: Final = "The passages of this answer cannot be shown any more: ask the question again."
PRESS_AGAIN: Final = "Slack did not open the window in time: press the button once more."
ASKED_AGAIN_ALREADY: Final = "You have asked this again already; the new answer stands in the thread."
FAILED: Final = "Something went wrong here; please try it again, and tell your operator if it happens twice."
NOBODY: Final = "No person is named whom I could ask: your operator can set LOCUS_SLACK_STEWARD."
TO_CONVERSATION: Final = "Open the conversation"
HANDED_OVER: Final = "I have passed this question on to a person, who will answer here."
HANDED_OVER_ALREADY: Final = "This question was passed on to a person already."
NOT_HANDED_OVER: Final = "I could not pass this question on; please tell your operator."
NOT_HERE: Final = "I may not answer in this channel: ask in another one, or in a direct message."
INVITE_FIRST: Final = "I am not in this channel, so I could not post digests here: /invite me first, then subscribe."
EMPTY_ASK: Final = "Write your question after it: /locus ask What is the BXD family?"
UNKNOWN: Final = (
    "I do not know this command. To ask a question write /locus ask QUESTION; /locus help lists the others."
)
SLASH_HELP: Final = (
    "In Slack each of them can also be typed after /locus, where only you see the reply. /locus ask QUESTION asks in "
    "this channel, where everybody sees question and answer."
)
IN_DIRECT: Final = "I have sent it to you in a direct message."

COMMENT_TITLE: Final = "What was wrong?"
COMMENT_LABEL: Final = "Comment"
COMMENT_HINT: Final = "For those who look after the documents; your vote is stored already."
PASSAGES_TITLE: Final = "Passages"
ASK_TITLE: Final = "Ask about this"
ASK_LABEL: Final = "Your question"
ASK_HINT: Final = "Question and answer are shown in the thread of this message."
ASK_DEFAULT: Final = "What do the documents say about this?"
SEND: Final = "Send"
ASK: Final = "Ask"
CLOSE: Final = "Close"

HOME_TITLE: Final = "Locus"
HOME_ABOUT: Final = (
    "I answer questions about GeneNetwork from its documents, with a link behind every statement. Mention me in a "
    "channel, or write to me in the Messages tab; follow-ups need no mention where I take part in a thread."
)
HOME_MORE: Final = (
    "Below an answer you can read the passages it rests on, say whether it was good, or ask again. In the menu of any "
    'message "Ask Locus about this" asks about it, and /locus help lists what can be typed.'
)
HOME_DIGESTS: Final = "Digests of new datasets in your channels"
HOME_NO_DIGESTS: Final = (
    "None of your channels gets a digest of new datasets. To begin one, type /locus digest subscribe weekly mon 9:00 "
    "in a channel; /locus digest help tells more."
)
HOME_DIRECT: Final = "to you alone"
HOME_PAUSED: Final = "paused"
HOME_DATA: Final = "What is stored about you: your questions, my answers to them, and your feedback."
EXPORT: Final = "Export"
FORGET: Final = "Forget me"
FORGET_TITLE: Final = "Delete what is stored?"
FORGET_TEXT: Final = (
    "Your questions, my answers to them and your feedback would be deleted from what I have stored. Messages in Slack "
    "stay. It cannot be undone."
)
FORGET_YES: Final = "Delete"
FORGET_NO: Final = "Keep"

PROMPTS_TITLE: Final = "Questions to begin with"
DEFAULT_PROMPTS: Final = (
    ("The BXD family", "What is the BXD family?"),
    ("QTL mapping", "How does QTL mapping work?"),
    ("LOD scores", "What does a LOD score of 3 mean?"),
)

_SOMEBODY: Final = "Somebody"


def prompt_about(title: str) -> str:
    """A question that a person may begin with, about a document."""
    return f"What do the documents say about {title}?"


def asks(name: str, question: str) -> str:
    """A question that is shown in a channel for the person who typed it as a command."""
    return f"{name or _SOMEBODY} asks: {question}"


def asks_about(name: str, author: str, question: str) -> str:
    """A question about a message, shown in its thread for the person who asks."""
    return f"{name or _SOMEBODY} asks about the message of {author or _SOMEBODY.lower()}: {question}"


def with_message(question: str, author: str, message: str) -> str:
    """A question with the message that it is about, which is marked as somebody's words."""
    quoted = "\n".join(f"> {line}" for line in message.splitlines())
    return f"{question}\n\nThis is about the following message, written by {author or _SOMEBODY.lower()}:\n{quoted}"


def handed_over(name: str, *, question: str, answer: str, answered: bool) -> str:
    """What a person is told whom a question is passed on to, as Markdown.

    Args:
        name: Of the one who asks for a person.
        question: As asked, or "" where it may not be shown there.
        answer: What Locus has said, or "" where that may not be shown there.
        answered: False where that was that the documents do not say.
    """
    parts = [f"{name or _SOMEBODY} asks for a person's help with a question."]
    if question:
        parts.append("\n".join(f"> {line}" for line in question.splitlines()))
    if answer:
        parts += ["My answer was:" if answered else "I found no answer:", answer]
    else:
        parts.append("The answer rests on documents that may not be shown here; it stands in the conversation.")
    return "\n\n".join(parts)


def more_passages(count: int) -> str:
    """Below the passages that are shown."""
    return f"… and {count:,} more"


def heading_path(heading: str) -> str:
    """Above a passage: where in its document it stands."""
    return f"In: {heading}"
