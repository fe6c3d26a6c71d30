"""Every sentence the bot says about files; see `bot.texts` for the others."""

from __future__ import annotations

from collections.abc import Sequence

from bot.texts import span_in_words

HOW = 'send a PDF, Word, markdown or text file and write "learn this" with it'
LISTED = 50  # files named in one message
NAMED = 10  # files named in one sentence


def _names(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:NAMED]]
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED:,} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _passages(count: int) -> str:
    return "1 passage" if count == 1 else f"{count:,} passages"


def file_not_read(count: int) -> str:
    """The note below an answer to a question that came with files."""
    files = "The file was not read" if count == 1 else f"The {count} files were not read"
    return f'{files}: to teach me {"it" if count == 1 else "them"}, write "learn this".'


def file_without_words(count: int) -> str:
    """Files without a question."""
    files = "the file" if count == 1 else f"the {count} files"
    return f'I did not read {files}. To teach me {"it" if count == 1 else "them"}, write "learn this".'


def how_to_teach() -> str:
    """`learn this` without a file, and none was sent in the last hour."""
    return f"There is no file with your message: {HOW}."


def teach_elsewhere() -> str:
    """`learn this` where nothing can be fetched, such as beside a conversation."""
    return f"Files are taught in a conversation with me, and not here: {HOW}, mentioning me or in a direct message."


def not_taught_here() -> str:
    """A channel that cannot have documents of its own now, or a person of another organisation."""
    return (
        "This channel has no documents of its own now, because more people can read it than an administrator has "
        "confirmed, or because you are a guest: files cannot be taught or listed here."
    )


def fetching_file(name: str) -> str:
    """While a file is downloaded and read."""
    return f"Reading `{name}` …"


def learning_file(name: str, stored: int, passages: int) -> str:
    """While a file is put into the index."""
    return f"Learning `{name}`, {stored:,} of {_passages(passages)} …"


def teach_busy(name: str) -> str:
    """Another process is writing to the index."""
    return f"Other documents are being read into the index; `{name}` follows by itself."


def file_too_large(name: str, limit_mib: float) -> str:
    """A file over LOCUS_MAX_FILE_MIB."""
    return f"`{name}` is larger than {limit_mib:.4g} MiB, which is the limit here: send a smaller one, or a part of it."


def too_much_text(name: str, limit_chars: int) -> str:
    """A file with more text than is taught at once."""
    return f"`{name}` holds more than {limit_chars:,} characters of text: send it in parts."


def too_many_pages(name: str, pages: int, limit: int) -> str:
    """A PDF that nobody has written."""
    return f"{name} has {pages:,} pages, more than {limit:,}: send it in parts."


def too_slow(name: str, limit_s: float) -> str:
    """Reading a file took too long."""
    return f"{name} could not be read within {limit_s:g} s: save it anew with another program, or send a part of it."


def too_hungry(name: str) -> str:
    """Reading a file took too much memory."""
    return f"{name} needs more memory than a document should: save it anew with another program, or send a part of it."


def reading_failed(name: str) -> str:
    """The process that read a file died or said nonsense."""
    return f"{name} cannot be read: it is damaged, or was made to do harm."


def preview(files: Sequence[tuple[str, str, int, str, bool]], problems: Sequence[str]) -> str:
    """What was read and is not published yet.

    Args:
        files: Name, title, number of passages, first sentences, and whether a file of that name is replaced.
        problems: One sentence for each file that could not be read.
    """
    lines = []
    for name, title, passages, opening, replaces in files:
        line = f"`{name}`: {title}, {_passages(passages)}."
        if replaces:
            line += " It replaces the file of that name that I know."
        if opening:
            line += f" It begins: {opening}"
        lines.append(line)
    lines += problems
    if files:
        them = "it" if len(files) == 1 else "them"
        lines.append(
            f'Nobody finds {them} yet. Write "keep" and answers in this conversation\'s channel, and nowhere else, may '
            f'rest on {them}; write "discard" to drop {them}. After a day {them} would be dropped.'
        )
    return "\n\n".join(lines)


def too_many_previews(own: bool) -> str:
    """More previews wait than are kept."""
    if own:
        return 'You have files in several conversations that wait for your "keep" or "discard": decide on those first.'
    return "Too many files wait for a decision now: send this one again later."


def too_many_taught(limit: int) -> str:
    """A channel with as many files as it may have."""
    return f'This channel has {limit} files, as many as it may have: "files" lists them, "forget file NAME" makes room.'


def nothing_to_keep() -> str:
    """`keep` or `discard` without a preview."""
    return f"No file of yours waits here; a preview is dropped after a day. To teach one, {HOW}."


def not_yours_to_keep() -> str:
    """`keep` or `discard` by somebody else."""
    return "A file waits here, but only the person who sent it may keep or discard it."


def kept(names: Sequence[str], passages: int) -> str:
    """After `keep`."""
    them = "it" if len(names) == 1 else "them"
    return (
        f"Learnt: {_names(names)}, {_passages(passages)}. Answers in this channel may rest on {them} from now on, and "
        f'in no other. "files" lists what I was taught here, "forget file NAME" takes it back.'
    )


def discarded(names: Sequence[str]) -> str:
    """After `discard`."""
    return f"Dropped: {_names(names)}. Nothing of {'it' if len(names) == 1 else 'them'} was kept."


def no_files() -> str:
    """`files` in a channel where nothing was taught."""
    return f"I was taught no files here. To teach me one, {HOW}."


def files_text(files: Sequence[tuple[str, str, int, float, bool]], waiting: Sequence[str]) -> str:
    """What was taught in a channel.

    Args:
        files: Name, title, number of passages, age in seconds, and whether the person who asks taught it.
        waiting: Names of the person's files that wait for a decision in this conversation.
    """
    lines = []
    if files:
        number = "1 file" if len(files) == 1 else f"{len(files):,} files"
        lines.append(f"I was taught {number} here, found in this channel only:\n")
        for name, title, passages, age_s, own in files[:LISTED]:
            by = " by you" if own else ""
            lines.append(f"- `{name}`: {title}, {_passages(passages)}, taught {span_in_words(age_s)} ago{by}")
        if len(files) > LISTED:
            lines.append(f"- and {len(files) - LISTED:,} more")
        lines.append('\n"forget file NAME" takes one back.')
    if waiting:
        lines.append(f'\n{_names(waiting)} of yours still wait{"s" if len(waiting) == 1 else ""} for "keep".')
    return "\n".join(lines).strip()


def which_file(names: Sequence[str]) -> str:
    """`forget this file` where several were taught."""
    return f'Several files were taught in this conversation, {_names(names)}: write "forget file" and the name of one.'


def none_taught_here() -> str:
    """`forget this file` where none was taught."""
    return (
        'No file was taught in this conversation: "files" lists those of the channel; write "forget file" and a name.'
    )


def unknown_file(name: str) -> str:
    """`forget file NAME` with a name that is not known."""
    return f'I was taught no file `{name}` here: "files" lists those that I know.'


def may_not_forget(name: str) -> str:
    """Somebody who neither taught a file nor may teach."""
    return f"Only the person who taught `{name}`, those who may teach here and administrators may have it forgotten."


def forgotten_file(name: str) -> str:
    """After `forget file`."""
    return f"Forgotten: `{name}`. No answer rests on it any more; what was answered before stays in the chat."


def unknown_lesson(channel_id: str, name: str) -> str:
    """No such file, on the command line."""
    return f"Channel {channel_id[:40]!r} was taught no file {name[:100]!r}: `locus files list` shows them."


def forget_file_needs_yes(name: str) -> str:
    """Forgetting a file where nobody can be asked."""
    return f"The file {name[:100]!r} would be forgotten for good: say `--yes` where no terminal can ask."


def no_such_path(path: str) -> str:
    """`learn PATH` in a terminal with a path that leads to no file."""
    return f"There is no file {path[:200]}: write `learn` and the path of a file that you may read."
