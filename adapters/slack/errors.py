"""The border to Slack: what its Web API and the client library answer, as the errors of `bot.errors`.

UnavailableError
├── RateLimitedError       nothing was done; knows `retry_after_s`
├── OutcomeUnknownError    it may have been done or not: no answer, a broken one, or a failure inside Slack
└── StreamOpenError        the message is being streamed and cannot be edited before its stream ends
NotFoundError              the message, thread or file is gone
└── StreamOverError        the message is not being streamed any more
    └── StreamStoppedError a person pressed Stop
RefusedError               this place, and for good
└── NoStreamsError         messages cannot be streamed in this workspace; ordinary ones can be posted
    └── NoStreamsHereError not in a channel of this kind
SettingsError              the token, or its rights
└── MissingScopeError      the manifest grants less than is used
InvalidRequestError        Slack does not understand the call, which is a mistake of ours
└── ContentError           Slack does not take the blocks or the length; plain text is worth a try

A code that has no line here becomes UnavailableError with a pause of a minute: Slack gains codes without notice and
many of them pass, and the core gives up by itself after a day, whereas RefusedError would lose the question at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from bot.errors import BotError, InvalidRequestError, NotFoundError, RefusedError, SettingsError, UnavailableError
from bot.plain_text import without_controls

RATE_PAUSE_S: Final = 10.0  # where Slack names no time
FAILURE_PAUSE_S: Final = 2.0  # after a failure inside Slack or on the way
MIGRATION_PAUSE_S: Final = 300.0  # while a workspace is moved
STRANGE_PAUSE_S: Final = 60.0  # after a code that nobody knows here
LONGEST_PAUSE_S: Final = 600.0  # a longer Retry-After is not believed
MANIFEST: Final = "deploy/slack-manifest.yaml"


class RateLimitedError(UnavailableError):
    """Slack asks to wait; nothing was done."""


class OutcomeUnknownError(UnavailableError):
    """Whether it was done is unknown: look before doing it again."""


class StreamOpenError(UnavailableError):
    """The message is being streamed: its stream has to end before it is edited."""


class StreamOverError(NotFoundError):
    """The message is not being streamed any more, by its age or because it never was."""


class StreamStoppedError(StreamOverError):
    """A person stopped the stream."""


class NoStreamsError(RefusedError):
    """No message can be streamed in this workspace; an ordinary one can be posted."""


class NoStreamsHereError(NoStreamsError):
    """Slack does not do this in channels of this kind."""


class MissingScopeError(SettingsError):
    """The token lacks a scope of the manifest."""


class ContentError(InvalidRequestError):
    """Slack does not take the blocks or the length of a message."""


Make = Callable[[], BotError]


def _refused(sentence: str) -> Make:
    return lambda: RefusedError(sentence)


def _gone(sentence: str) -> Make:
    return lambda: NotFoundError(sentence)


def _setting(sentence: str) -> Make:
    return lambda: SettingsError(sentence)


def _later(sentence: str, pause_s: float) -> Make:
    return lambda: UnavailableError(sentence, retry_after_s=pause_s)


def _unknown() -> BotError:
    return OutcomeUnknownError(FAILED, retry_after_s=FAILURE_PAUSE_S)


FAILED = "Slack failed while it handled a call of Locus, which looks whether it was done and tries again."
AWAY = "Slack does not answer; Locus goes on as soon as it does."
GARBLED = "Slack, or a proxy before it, sent an answer that cannot be read: check LOCUS_SLACK_API_URL."
LIMITED = "Slack asks Locus to send less; it goes on in a while."
MOVING = "The Slack workspace is being moved to an organisation; Locus goes on when that is over."
NO_CHANNEL = "Slack shows Locus no such channel: invite Locus to the channel, or ask there again."
NOT_MEMBER = "Locus is not in this channel: invite it with /invite."
ARCHIVED = "This channel is archived, so nobody can post there: unarchive it to go on."
READ_ONLY = "The workspace does not let Locus post here: ask its administrators, or ask in another channel."
LOCKED = "This thread is locked: ask in a new one."
NO_THREADS = "This message or channel takes no replies in a thread: ask in another channel."
ONLY_THREADS = "This channel takes messages in threads only: ask in a thread."
NO_MESSAGES_TAB = f"Direct messages to the app are off: switch its messages tab on, as in {MANIFEST}."
SUSPENDED = "The organisation's administrators have suspended messages in this channel: ask them."
NO_RIGHT = "Slack does not let Locus do this here: ask the workspace's administrators."
NOT_OWN = "Slack does not let Locus change this message, since it is not its own or too old."
KEPT = "The workspace keeps all messages, so Locus cannot delete its own: ask its administrators."
NO_DIRECT = "Slack does not do this in a channel of this kind: ask in another one."
NOT_READER = "The person is not in this channel, so nothing can be shown to them there: invite them."
NO_FILES = "The workspace takes no such file: it is too large, or files are off; ask its administrators."
NO_SPACE = "The workspace's space for files is full: delete some, or ask its administrators."
MESSAGE_GONE = "The message is gone: somebody deleted it."
THREAD_GONE = "The thread is gone: somebody deleted the message it began with."
PERSON_GONE = "Slack knows no such person in this workspace: ask somebody else."
GROUP_GONE = "Slack knows no such user group in this workspace: check its id, which begins with S."
NO_GROUPS = "This workspace has no user groups, which need a paid plan: name people or channels instead."
FILE_GONE = "The file is gone: upload it again."
TOKEN = "Slack does not accept the bot token: install the app again and set LOCUS_SLACK_BOT_TOKEN."  # noqa: S105
TOKEN_KIND = "Slack wants a token of another kind: set LOCUS_SLACK_BOT_TOKEN to the one that begins with xoxb-."  # noqa: S105
NETWORK = "The workspace does not allow calls from this network: add this machine's address to its allow-list."
TWO_FACTORS = "The workspace wants a second factor that the app's owner has not set up: set it up."
ORGANISATION = "The app is not installed for this workspace of the organisation: install it there."
STREAMED = "The message is still being written; Locus ends that first."
STREAM_OVER = "Slack has ended the live text of this message; the rest is shown by editing it."
STOPPED = "Somebody pressed Stop."
NO_STREAMS = "Slack shows no live text in this workspace; answers are shown by editing a message."
NOT_TAKEN = "Slack does not take a message as Locus has formatted it; it is shown as plain text."
MISTAKE = "Slack does not understand a call of Locus ({code} in {method}): please report this."
STRANGE = "Slack refused a call of Locus for a reason it does not know ({code} in {method}); it tries again."
SCOPE = f"The Slack app lacks the scope {{scope}}: update the app with {MANIFEST}, then install it again."

_GROUPS: Mapping[Make, str] = {
    _refused(NO_CHANNEL): "channel_not_found invalid_channel",
    _refused(NOT_MEMBER): "not_in_channel",
    _refused(ARCHIVED): "is_archived is_inactive",
    _refused(READ_ONLY): "restricted_action restricted_action_read_only_channel posting_to_channel_denied",
    _refused(LOCKED): "restricted_action_thread_locked",
    _refused(NO_THREADS): "restricted_action_non_threadable_channel cannot_reply_to_message",
    _refused(ONLY_THREADS): "restricted_action_thread_only_channel",
    _refused(NO_MESSAGES_TAB): "messages_tab_disabled",
    _refused(SUSPENDED): "ekm_access_denied",
    _refused(NO_RIGHT): (
        "access_denied no_permission enterprise_is_restricted as_user_not_supported is_bot cant_broadcast_message "
        "not_authorized slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked "
        "slack_connect_lists_sharing_blocked"
    ),
    _refused(
        NOT_OWN
    ): "cant_update_message edit_window_closed cant_delete_message cant_delete_file message_not_owned_by_app",
    _refused(KEPT): "compliance_exports_prevent_deletion",
    lambda: NoStreamsHereError(NO_DIRECT): "channel_type_not_supported method_not_supported_for_channel_type",
    _refused(NOT_READER): "user_not_in_channel",
    _refused(NO_FILES): "file_uploads_disabled file_upload_size_restricted snippet_too_large blocked_file_type",
    _refused(NO_SPACE): "storage_limit_reached",
    _gone(MESSAGE_GONE): "message_not_found",
    _gone(THREAD_GONE): "thread_not_found invalid_thread_ts session_not_found",
    _gone(PERSON_GONE): "user_not_found users_not_found user_disabled user_not_visible cannot_dm_bot",
    _gone(FILE_GONE): "file_not_found file_deleted",
    _gone(GROUP_GONE): "no_such_subteam",
    _refused(NO_GROUPS): "plan_upgrade_required",
    _setting(TOKEN): "invalid_auth not_authed account_inactive token_revoked token_expired",
    _setting(TOKEN_KIND): "not_allowed_token_type",
    _setting(NETWORK): "accesslimited",
    _setting(TWO_FACTORS): "two_factor_setup_required",
    _setting(ORGANISATION): "team_access_not_granted team_not_found",
    lambda: StreamOpenError(STREAMED, retry_after_s=FAILURE_PAUSE_S): "streaming_state_conflict",
    lambda: StreamOverError(STREAM_OVER): "message_not_in_streaming_state",
    lambda: StreamStoppedError(STOPPED): "stopped_by_user",
    lambda: NoStreamsError(NO_STREAMS): (
        "unknown_method method_deprecated deprecated_endpoint feature_disabled feature_not_enabled not_agent_app"
    ),
    # `invalid_arguments` is here because Slack says it of some malformed blocks too.
    lambda: ContentError(NOT_TAKEN): (
        "invalid_blocks invalid_blocks_format invalid_attachments invalid_chunks invalid_arguments msg_too_long "
        "msg_blocks_too_long block_mismatch markdown_text_conflict too_many_attachments too_many_contact_cards "
        "attachment_payload_limit_exceeded"
    ),
    _later(LIMITED, RATE_PAUSE_S): "message_limit_exceeded",
    _later(MOVING, MIGRATION_PAUSE_S): "team_added_to_org org_login_required external_channel_migrating",
    # Of the first two Slack says itself that part of the work may have been done; of the others nothing is known.
    _unknown: (
        "internal_error fatal_error service_unavailable request_timeout messaging_processing_failed update_failed "
        "file_update_failed"
    ),
}
CODES: Mapping[str, Make] = {code: make for make, codes in _GROUPS.items() for code in codes.split()}

# Codes that say that the call itself was malformed: nobody but the developers can mend it.
MISTAKES: Final = frozenset(
    (
        "no_text invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type "
        "missing_post_type missing_argument invalid_cursor invalid_ts_latest invalid_ts_oldest invalid_limit "
        "invalid_metadata_format invalid_metadata_schema metadata_must_be_sent_from_app metadata_too_large "
        "duplicate_channel_not_found duplicate_message_not_found no_dual_broadcast_content_update missing_file_data "
        "unknown_snippet_type unknown_subtype alt_txt_too_large missing_recipient_team_id missing_recipient_user_id"
    ).split()
)
LIMITS: Final = frozenset(("ratelimited", "rate_limited"))


def from_code(method: str, code: str, *, needed: str = "", retry_after_s: float | None = None) -> BotError:
    """Return the error for a code in Slack's answer.

    Args:
        method: The method that was called.
        code: What the answer's field `error` says; "" or unreadable counts as a garbled answer.
        needed: Of `missing_scope`: the scope that is missing.
        retry_after_s: What the header Retry-After says.
    """
    if code in LIMITS:
        return RateLimitedError(LIMITED, retry_after_s=RATE_PAUSE_S if retry_after_s is None else retry_after_s)
    if code == "missing_scope":
        return MissingScopeError(SCOPE.format(scope=_word(needed) or "it needs"))
    if code in CODES:
        return CODES[code]()
    if code in MISTAKES:
        return InvalidRequestError(MISTAKE.format(code=code, method=method))
    if not _word(code):
        return OutcomeUnknownError(GARBLED, retry_after_s=FAILURE_PAUSE_S)
    return UnavailableError(STRANGE.format(code=_word(code), method=method), retry_after_s=STRANGE_PAUSE_S)


def from_status(method: str, status: int, *, retry_after_s: float | None = None) -> BotError:
    """Return the error for an answer without a code: an HTTP status of Slack or of a proxy before it."""
    if status == 429:
        return from_code(method, "ratelimited", retry_after_s=retry_after_s)
    if status >= 500:
        return OutcomeUnknownError(FAILED, retry_after_s=retry_after_s or FAILURE_PAUSE_S)
    return OutcomeUnknownError(GARBLED, retry_after_s=STRANGE_PAUSE_S if status >= 300 else FAILURE_PAUSE_S)


def seconds(header: str | None) -> float | None:
    """Return the seconds that a header Retry-After names, 0 to `LONGEST_PAUSE_S`, or None where it names none."""
    try:
        value = float(header or "")
    except ValueError:
        return None
    return min(max(value, 0.0), LONGEST_PAUSE_S) if math.isfinite(value) else None


def _word(text: str) -> str:
    """Keep what a code or scope can hold, so that nothing else of an answer comes into a sentence."""
    shown = without_controls(text)[:60]
    return shown if shown and all(letter.isalnum() or letter in "_:.,- " for letter in shown) else ""
