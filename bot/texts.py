"""Every sentence the bot says to people."""

from __future__ import annotations

from collections.abc import Sequence

REFUSAL = "The documents do not say."


def refusal(closest: int) -> str:
    """The answer when the evidence is weak; the closest documents follow as sources."""
    if closest == 0:
        return f"{REFUSAL} Nothing in the index comes near this question."
    documents = "document" if closest == 1 else "documents"
    return f"{REFUSAL} The closest {documents}, which may help, are listed below."


def empty_index(command: str = "locus ingest starter") -> str:
    """No document has been indexed yet."""
    return f"No documents are indexed yet: run `{command}`, or `locus ingest PATH` for your own."


def empty_question() -> str:
    """The question holds no letters or digits."""
    return 'The question is empty: type a question, for example "What is the BXD family?"'


def shortened_question(limit: int) -> str:
    """Only the beginning of a very long question is read."""
    return f"The question is very long; its first {limit:,} characters were read."


def model_unavailable(reason: str) -> str:
    """Falling back to quotes because the model cannot answer."""
    return f"The model cannot be used, so the answer quotes the documents instead. {reason}"


def english_documents() -> str:
    """A refused question that does not look like English."""
    return "The documents are in English: a question in English finds more."


def unsupported() -> str:
    """The model wrote, but none of its statements stands in the passages it was given."""
    return (
        "The model wrote nothing that the documents support. The documents that should answer are listed below; "
        "without LOCUS_MODEL, Locus quotes them."
    )


def not_in_the_sources() -> str:
    """Behind a sentence of a model that the passages it cites do not support."""
    return "(not in the sources)"


def budget_spent() -> str:
    """The model used up its calls, tokens or seconds before it had written an answer."""
    return "The model used up what one question may cost: raise LOCUS_MODEL_TIMEOUT_S or LOCUS_QUESTION_TOKENS."


def unknown_answer(answer_id: str) -> str:
    """No card has this handle."""
    return f"There is no answer {answer_id[:40]!r}: `locus ask` prints the handle of each answer, and the oldest go."


def other_model(then: str, now: str) -> str:
    """Replaying with another model than the one that wrote."""
    return f"The answer was written by {then}, but the model set now is {now}: `--anyway` asks that one."


def replay_needs_model(name: str) -> str:
    """Replaying a written answer without a model."""
    return f"The answer was written by {name}: set LOCUS_MODEL to that file to write it again."


def quoting_only() -> str:
    """No model is set; said once, when a chat begins."""
    return "No model is set, so answers quote the documents; `locus model list` shows models that fit this machine."


def loading_model(share: float) -> str:
    """While a model's weights are read; `share` is 0 to 1."""
    return f"Loading the model, {share:.0%} …"


def forgotten_turns(count: int) -> str:
    """The conversation did not fit into what the model reads."""
    messages = "message was" if count == 1 else f"{count} messages were"
    return f"The conversation is longer than the model can read: its first {messages} left out."


def busy_sentence(open_questions: int) -> str:
    """The queue is full."""
    return f"I cannot take this question now: {open_questions:,} others are open. Please ask again in a few minutes."


def inbox_full() -> str:
    """Not even refusals can be queued; for the log, as nobody can be told."""
    return "The inbox is full: nothing more is accepted until some of it is answered."


def too_many_questions(wait_s: float) -> str:
    """A person or channel asked more often than LOCUS_RATE_PERSON or LOCUS_RATE_CHANNEL allow."""
    return f"That were many questions in a short time. Please ask again {in_words(wait_s)}."


def in_words(seconds: float) -> str:
    """Return a duration for people: "in 20 seconds", "in 3 minutes"."""
    if seconds < 90:
        rounded = max(1, round(seconds))
        return f"in {rounded} second{'s' if rounded > 1 else ''}"
    minutes = round(seconds / 60)
    return f"in {minutes} minutes" if minutes < 90 else f"in {round(minutes / 60)} hours"


def malformed_message(part: str) -> str:
    """An event of a chat that cannot be a message; for the log."""
    return f"A message was left out because its {part} is missing, too long or malformed."


def shutting_down() -> str:
    """Told to adapters while Locus stops."""
    return "Locus is stopping and accepts nothing more; the chat delivers it again after the next start."


def reading_documents(documents: int = 0) -> str:
    """Shown at once while an answer is made; `documents` is 0 where nobody knows how many there are."""
    return f"Reading {documents:,} documents …" if documents > 1 else "Reading the documents …"


def queue_position(ahead: int) -> str:
    """Where a question stands in the queue."""
    if ahead == 0:
        return "Your question is next."
    return f"{ahead:,} question{' is' if ahead == 1 else 's are'} ahead of yours."


def model_busy() -> str:
    """The model's queue is full; the question is tried again by itself."""
    return "The model is busy with other questions; yours is tried again in a few seconds."


def behind_own_question() -> str:
    """A question behind another of the same conversation that is being answered."""
    return "The question before this one is answered first."


def stopped() -> str:
    """An answer that was stopped."""
    return "Stopped, as you asked."


def run_again() -> str:
    """Above the addresses that a live answer was made from."""
    return "To run this again"


def not_set_up_here(command: str) -> str:
    """A command of a part that this service does not have."""
    return f'"{command}" is not set up in this Locus: the person who runs it can say why.'


def nothing_to_stop() -> str:
    """Somebody said stop, and nothing of theirs was open."""
    return "There is nothing of yours to stop here."


def given_up(reference: str) -> str:
    """A question that failed again and again."""
    return (
        "I am sorry: this question failed several times and I gave it up. Please ask it again in other words, or tell "
        f"your operator the reference {reference}."
    )


def cached_answer(age: str) -> str:
    """The note below an answer that was given before."""
    return (
        f'The same question was answered {age} ago and nothing it rests on has changed. Write "again" for a new answer.'
    )


def span_in_words(seconds: float) -> str:
    """Return a length of time for people: "20 seconds", "3 minutes", "2 days"."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            count = round(seconds / unit)
            return f"{count} {name}{'s' if count > 1 else ''}"
    count = max(1, round(seconds))
    return f"{count} second{'s' if count > 1 else ''}"


def not_allowed_here() -> str:
    """Guests and people of other organisations, where they are not answered."""
    return "I may not answer here: only people of this organisation are answered. Please ask the one who set me up."


def unknown_place(channel_id: str) -> str:
    """No channel has this handle."""
    return f"There is no channel {channel_id[:40]!r}: `locus scope list` shows those that were seen."


def place_changed(channel_id: str, audience: str) -> str:
    """A channel's audience changed while somebody vouched for it."""
    return f"The channel {channel_id} is {audience} by now: look at `locus scope list` and confirm it again."


def malformed_administrator(account: str) -> str:
    """An entry of LOCUS_ADMINISTRATORS that names no account."""
    return (
        f"LOCUS_ADMINISTRATORS names {account[:80]!r}, which is no account: write CHAT/WORKSPACE/USER, such as "
        "slack/T012AB3CD/U012AB3CD."
    )


def malformed_permission(setting: str, entry: str) -> str:
    """An entry of LOCUS_TEACHERS or a setting like it that names nobody."""
    return (
        f"{setting} names {entry[:80]!r}, which is no person, channel or group: write CHAT/WORKSPACE/ID, such as "
        "slack//U012AB3CD, slack//C012AB3CD or slack//S012AB3CD."
    )


def not_permitted(what: str, setting: str) -> str:
    """Somebody asked for what only some may do; `what` such as "see the status"."""
    return f"You may not {what} here: the person who runs Locus decides who may, with {setting}."


def unknown_request(reference: str) -> str:
    """No request has this reference."""
    return (
        f"There is no request {reference[:40]!r}: finished ones are known for LOCUS_DUPLICATES_H hours, and "
        "`locus inbox list` shows the open and given-up ones."
    )


def ambiguous_reference(beginning: str, references: Sequence[str]) -> str:
    """Several requests begin like this."""
    shown = ", ".join(references[:5])
    return f"{len(references)} requests begin with {beginning[:40]!r}, such as {shown}: write more of the reference."


def not_given_up(reference: str) -> str:
    """Trying again what has not failed."""
    return f"Request {reference} was not given up: `locus inbox show {reference}` says how it stands."


def apology_on_its_way(reference: str) -> str:
    """Trying again while the person is being told that it failed."""
    return f"The apology for request {reference} is still being posted: try again when it is visible."


def nothing_to_drop(reference: str) -> str:
    """Dropping what is finished, or ends by itself."""
    return f"Request {reference} is finished or about to be: there is nothing to drop."


def drop_needs_yes(reference: str) -> str:
    """Dropping where nobody can be asked."""
    return f"Dropping request {reference} cannot be undone: say `--yes` where no terminal can ask."


def chat_away(chat: str) -> str:
    """No process is connected to a chat, or the one that is does not answer."""
    return f"No process that is connected to the chat {chat} answers; what is to be shown there waits for it."


def chat_failed(chat: str) -> str:
    """An adapter failed in a way that it should not."""
    return f"The chat {chat} failed in an unforeseen way; the log of the process that is connected to it tells how."


def asked_before_restart(question: str) -> str:
    """Above an answer in a terminal whose question was typed in an earlier run."""
    return f'You asked before the restart: "{question}"'


def still_open(count: int) -> str:
    """When a terminal's chat begins and questions of the last time have no answer yet."""
    if count == 1:
        return "One question of the last time is still open; its answer follows here."
    return f"{count:,} questions of the last time are still open; their answers follow here."


def kept_and_tried_again(reason: str) -> str:
    """A line typed in a terminal could not be accepted."""
    return f"{reason} Your line is kept and tried again; Ctrl-C drops it."


def line_dropped() -> str:
    """A line that was tried again and is not wanted any more."""
    return "The line was dropped and not asked."


def waiting_no_longer() -> str:
    """Somebody in a terminal pressed Ctrl-C, and there is nothing that could be stopped."""
    return "No longer waiting; an answer that still comes is shown here."


def written_anew() -> str:
    """A draft that does not go on where it was."""
    return "(The answer is written anew.)"


def file_written(path: str) -> str:
    """A file that came with an answer."""
    return f"Written to {path}"


def file_not_written(name: str, reason: str) -> str:
    """A file that came with an answer and could not be written."""
    return f"The file {name} cannot be written: {reason}."


def no_quotes() -> str:
    """/quotes before there was an answer."""
    return "There is no answer with quotes yet."


def opinion_stored(stored: bool) -> str:
    """/up or /down in a terminal."""
    return "Thank you, noted." if stored else "There is no answer to rate yet, or it is too old."


def other_terminal() -> str:
    """A reply for the terminal of another data folder; for the log."""
    return "This was asked in another terminal: its answer waits until `locus run` serves that one."


def terminal_gone() -> str:
    """Nobody can read any more what is written; for the log."""
    return "The terminal is gone: its answers wait until `locus run` is started in another one."


def terminal_folder_unusable(folder: str, reason: str) -> str:
    """Where the chat in the terminal keeps its questions."""
    return f"The folder {folder} cannot be used for the chat in the terminal: {reason}."


def terminal_in_use(folder: str) -> str:
    """A second chat in a terminal on the same data folder."""
    return f"Another `locus run` chats in its terminal with {folder}: end it, or set LOCUS_TERMINAL=off for this one."


def help_text(*, direct: bool, digests: bool = False, tells: bool = False) -> str:
    """What can be asked and typed.

    Args:
        direct: In a direct conversation.
        digests: Where channels can be told of new datasets.
        tells: Where people can be told later what the documents do not answer now.
    """
    conversation = (
        'Here everything is one conversation until you write "new".' if direct else "Each thread is a conversation."
    )
    return (
        "Ask me anything about GeneNetwork, and I answer from its documents with a source behind every statement. "
        f"{conversation}\n\n"
        'Of GeneNetwork\'s data I show what you name: "BXD_10001", "map BXD_10001", "values of BXD_10001" (with '
        '"as csv" as a file), "correlate BXD_10001 with HC_M2_0606_P", "plot BXD_10001 against BXD_10002", '
        '"datasets of BXD tissue:hippocampus", "gene Shh", "search phenotypes cerebellum", "rs31443144", or a '
        "link to its page.\n\n"
        "These words, as a whole message, are commands:\n"
        "- help: this text\n"
        "- stop: stop my answer to your question\n"
        "- again: answer your last question anew\n"
        "- new: begin a direct conversation anew\n"
        "- status: what I have read, and how busy I am\n"
        "- sources: where it comes from\n"
        "- scope: which documents I see here\n"
        "- export: what is stored about you, as a file; in a direct message\n"
        "- forget me: delete what is stored about you\n"
        "- learn this: read the file that you send with it, and show you what it holds\n"
        "- keep: let answers in this channel, and nowhere else, rest on it\n"
        "- discard: drop it\n"
        "- files: which files I was taught here\n"
        "- forget this file: take back the file that was taught in this conversation\n"
        "- forget file NAME: take back any other of this channel"
        + (
            "\n- tell me: tell you here when the documents answer your last question that they did not, or whose "
            "answer you have voted down"
            "\n- don't tell me: withdraw that"
            if tells
            else ""
        )
        + ("\n- digest help: how this channel is told of new datasets in GeneNetwork" if digests else "")
    )


def conversation_restarted() -> str:
    """After `new`."""
    return "We begin anew: I no longer look at what was said here before."


def threads_are_conversations() -> str:
    """`new` in a channel."""
    return "In a channel each thread is a conversation of its own: to begin anew, ask in a new thread."


def direct_threads_are_conversations() -> str:
    """`new` in direct messages where each message begins a thread."""
    return (
        "Each new message to me here begins a conversation of its own: just ask. I look at what was said before in its "
        'thread only; "new" in a thread lets me forget that.'
    )


def forget_explained() -> str:
    """`forget me`, which has to be confirmed."""
    return (
        "I would delete what I have stored of your questions and my answers to them, your open questions, your "
        "feedback with its comments, what you wanted to be told later, files of yours that wait for your word, and "
        "copies of those answers kept for others who ask the same. Messages in the chat itself stay: delete those "
        'yourself. Files that you taught belong to their channel and stay too: "files" lists them there, "forget file '
        'NAME" takes one back. It cannot be undone. To do it, write "forget me now".'
    )


def forgotten(things: int) -> str:
    """After `forget me now`."""
    if things == 0:
        return "There was nothing stored about you."
    deleted = "1 thing stored about you was" if things == 1 else f"{things:,} things stored about you were"
    return f"Done: {deleted} deleted. Messages in the chat itself are still there."


def export_elsewhere() -> str:
    """`export` where others read along."""
    return 'Others would read it here: write "export" to me in a direct message.'


def exported(left_out: int) -> str:
    """With the file of `export`."""
    sentence = "This is what is stored about you, as JSON."
    if left_out:
        things = "thing does" if left_out == 1 else "things do"
        sentence += f" {left_out:,} older {things} not fit into the file: your operator can give you all of it."
    return sentence


def scope_text(*, own: bool, direct: bool) -> str:
    """Which documents answers rest on in a place; `own` where its own documents are seen there."""
    if not own:
        return "Here I answer from the public documents only."
    place = "conversation" if direct else "channel"
    return (
        f"Here I answer from the public documents, and from those that belong to this {place} if it has any: these are "
        "seen nowhere else."
    )


def sources_text(sources: Sequence[tuple[str, int, bool]], *, more: int = 0) -> str:
    """Where documents come from: name, number of documents, and whether they are seen in this place only."""
    if not sources:
        return "I have read no documents that are seen here."
    lines = [
        f"- {name}: {documents:,} document{'' if documents == 1 else 's'}{', seen here only' if own else ''}"
        for name, documents, own in sources
    ]
    if more:
        lines.append(f"- and {more:,} more")
    return "\n".join(["I have read:", *lines])


def status_text(*, revision: int, age_s: float, documents: int, model: str, open_questions: int) -> str:
    """The state of the service, for everybody."""
    if revision == 0:
        index = "No documents are indexed yet."
    else:
        count = f"{documents:,} document{'' if documents == 1 else 's'}"
        index = f"I have read {count} (revision {revision}, {span_in_words(age_s)} old)."
    how = f"Answers are written by {model}." if model else "Answers quote the documents; no model is set."
    if open_questions == 0:
        busy = "No other question is open."
    else:
        busy = f"{open_questions:,} other question{' is' if open_questions == 1 else 's are'} open."
    return f"{index} {how} {busy}"


def scopes_left_out(scopes: Sequence[str]) -> str:
    """Questions of private places that are not shown unless their scopes are named."""
    shown = ", ".join(scopes[:5]) + (", ..." if len(scopes) > 5 else "")
    return f"Questions asked in private are left out; `--scope SCOPE` or `--scope all` shows them: {shown}"


def malformed_account(account: str) -> str:
    """A person on the command line who is none."""
    return f"{account[:80]!r} is no account: write CHAT/WORKSPACE/USER, such as slack/T012AB3CD/U012AB3CD."


def forget_needs_yes(account: str) -> str:
    """Forgetting where nobody can be asked."""
    return f"What is stored of {account[:80]} would be deleted for good: say `--yes` where no terminal can ask."


def confirm_needs_yes(channel_id: str) -> str:
    """Widening who sees a channel's documents is asked first, and nobody is there to answer."""
    return f"Confirming channel {channel_id[:40]} needs your word: run it in a terminal, or with --yes."


def commands_elsewhere() -> str:
    """A command in a process that only connects to a chat."""
    return "This can be asked by mentioning me or in a direct message."


_WITHOUT_DOCUMENTS = "; nothing here is from the documents."


def live_note(fetched: str) -> str:
    """Below an answer that was made from GeneNetwork's data and not from the documents."""
    return f"Live data from GeneNetwork, fetched {fetched}{_WITHOUT_DOCUMENTS}"


def live_note_with_documents(note: str) -> str:
    """The same below an answer that names documents, or that a model wrote from both."""
    return note.replace(_WITHOUT_DOCUMENTS, "; the documents are named where they were used.")


def looking_up() -> str:
    """In place of an answer, while GeneNetwork is asked."""
    return "Looking this up in GeneNetwork ..."


def computing(doing: str, seconds: float) -> str:
    """In place of an answer, while GeneNetwork computes for a long time."""
    return f"GeneNetwork {doing}: {seconds:.0f} s so far. Write stop to end it."


def live_unavailable(reason: str) -> str:
    """Below an answer from the documents to what GeneNetwork itself should have answered."""
    return f"{reason} This answer rests on the documents alone."
