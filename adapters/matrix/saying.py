"""What Locus says in Matrix about what people do there."""

from __future__ import annotations

from typing import Final

GONE: Final = "This answer is too old, or it belongs to another room: ask the question again."
NO_ANSWER: Final = "I find no answer of mine here: write this in the thread of one."
NOTED: Final = "Thank you, noted."
NO_PASSAGES: Final = "The passages of this answer cannot be shown any more: ask the question again."
NOBODY: Final = "No person is named whom I could ask: your operator can set LOCUS_MATRIX_STEWARD."
TO_CONVERSATION: Final = "Open the conversation"
HANDED_OVER: Final = "I have passed this question on to a person, who will answer here."
NOT_HANDED_OVER: Final = "I could not pass this question on; please tell your operator."
NOT_INVITED: Final = "Locus may not join rooms of people it was not told to trust; ask whoever runs it."
ALONE: Final = "Nobody else is here."
KEY_MISSING: Final = (
    "I cannot read your message: your client has not given me its key. I have asked for the key and answer as soon as "
    "it comes. If it does not, write once more; if that does not help either, let your client send keys to all devices "
    "in this room, or verify mine."
)
NOT_ENCRYPTED: Final = (
    "This room is encrypted but your message was not, so I cannot be sure that it is yours: send it encrypted, please."
)
_SOMEBODY: Final = "Somebody"


def ways(prefix: str) -> str:
    """What can be done in Matrix, besides asking, as Markdown."""
    return (
        "In Matrix, react to an answer with 👍 or 👎 to say whether it was good, with 🛑 to stop it, with 🔁 to have "
        "it written anew, and with 📄 to read the passages it rests on. Where no emoji is at hand, write in its "
        "thread:\n"
        f"- `{prefix} passages`: the passages the answer rests on\n"
        f"- `{prefix} again`: answer anew\n"
        f"- `{prefix} good`, or `{prefix} bad` and what was wrong\n"
        f"- `{prefix} person`: pass the question on to a person\n\n"
        f"Each command can be written after `{prefix}` or after mentioning me; `{prefix} ask` and a question asks it."
    )


def greeting(prefix: str, *, direct: bool) -> str:
    """What is said in a room that Locus has joined, as Markdown."""
    how = (
        "Here, just write."
        if direct
        else "Mention me to ask; I answer in a thread, and follow-ups there need no mention. What is not for me I do "
        "not keep."
    )
    return (
        "Hello, I am Locus. I answer questions about GeneNetwork from its documents, with a link behind every "
        f"statement. {how}\n\n"
        "I store the questions that are put to me, my answers to them and your feedback, on the machine I run on, for "
        f"as long as whoever runs me has set. In a direct room with me, `{prefix} export` shows what I have stored "
        f"about you and `{prefix} forget me` deletes it. `{prefix} help` lists what else I can do."
    )


def handed_over(name: str, *, question: str, answer: str, answered: bool) -> str:
    """What a person reads to whom a question is passed on, as Markdown.

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
        parts += ["I have answered:" if answered else "I found no answer:", answer]
    else:
        parts.append("My answer rests on documents of that room, so it is not repeated here.")
    return "\n\n".join(parts)


def passage(number: int, title: str, heading: str, text: str) -> str:
    """A passage, as Markdown: what the document says is quoted."""
    where = f"[{number}] {title}" + (f", {heading}" if heading else "")
    return f"{where}\n\n" + "\n".join(f"> {line}" for line in text.splitlines())
