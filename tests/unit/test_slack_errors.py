"""The errors of Slack's Web API, by the codes that its reference documents for the methods we call."""

from __future__ import annotations

import pytest

from adapters.slack.errors import (
    CODES,
    LIMITS,
    LONGEST_PAUSE_S,
    MANIFEST,
    MISTAKES,
    ContentError,
    MissingScopeError,
    NoStreamsError,
    OutcomeUnknownError,
    RateLimitedError,
    StreamOpenError,
    StreamOverError,
    StreamStoppedError,
    from_code,
    from_status,
    seconds,
)
from bot.errors import BotError, InvalidRequestError, NotFoundError, RefusedError, SettingsError, UnavailableError

# What any method may answer, and what each adds: Slack's reference of methods, August 2026.
ANY = """
    access_denied accesslimited account_inactive deprecated_endpoint ekm_access_denied enterprise_is_restricted
    fatal_error internal_error invalid_arg_name invalid_arguments invalid_array_arg invalid_auth invalid_charset
    invalid_form_data invalid_post_type method_deprecated missing_post_type missing_scope no_permission
    not_allowed_token_type not_authed org_login_required ratelimited request_timeout service_unavailable
    team_access_not_granted team_added_to_org token_expired token_revoked two_factor_setup_required
"""
POSTING = """
    channel_not_found is_archived message_limit_exceeded messages_tab_disabled no_text not_in_channel rate_limited
    restricted_action restricted_action_non_threadable_channel restricted_action_read_only_channel
    restricted_action_thread_locked restricted_action_thread_only_channel slack_connect_canvas_sharing_blocked
    slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked as_user_not_supported is_bot
    team_not_found too_many_attachments too_many_contact_cards invalid_metadata_format invalid_metadata_schema
    metadata_must_be_sent_from_app metadata_too_large duplicate_channel_not_found duplicate_message_not_found
    messaging_processing_failed unknown_method
"""
BLOCKS = "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long markdown_text_conflict"
DOCUMENTED = {
    "chat.postMessage": f"""{POSTING} {BLOCKS} cannot_reply_to_message thread_not_found
        attachment_payload_limit_exceeded""",
    "chat.postEphemeral": f"{POSTING} {BLOCKS} cannot_reply_to_message invalid_attachments user_not_in_channel",
    "chat.update": f"""{BLOCKS} block_mismatch cant_broadcast_message cant_update_message channel_not_found
        edit_window_closed external_channel_migrating invalid_attachments is_inactive message_not_found
        no_dual_broadcast_content_update no_text slack_connect_file_link_sharing_blocked streaming_state_conflict
        team_not_found too_many_attachments update_failed metadata_too_large as_user_not_supported""",
    "chat.delete": "cant_delete_message channel_not_found compliance_exports_prevent_deletion message_not_found",
    "chat.startStream": f"""{POSTING} {BLOCKS} channel_type_not_supported missing_recipient_team_id
        missing_recipient_user_id user_not_found invalid_chunks feature_disabled""",
    "chat.appendStream": f"""{POSTING} channel_type_not_supported message_not_found message_not_in_streaming_state
        message_not_owned_by_app stopped_by_user invalid_chunks msg_too_long""",
    "chat.stopStream": f"""{POSTING} {BLOCKS} attachment_payload_limit_exceeded cannot_reply_to_message
        message_not_found message_not_in_streaming_state missing_file_data stopped_by_user""",
    "conversations.replies": "channel_not_found thread_not_found invalid_cursor invalid_ts_latest invalid_ts_oldest",
    "conversations.history": "channel_not_found invalid_cursor invalid_ts_latest invalid_ts_oldest not_in_channel",
    "files.getUploadURLExternal": """missing_argument storage_limit_reached file_uploads_disabled
        file_upload_size_restricted snippet_too_large unknown_snippet_type unknown_subtype alt_txt_too_large""",
    "files.completeUploadExternal": "invalid_channel posting_to_channel_denied file_not_found file_update_failed",
    "assistant.threads.setStatus": "channel_not_found invalid_thread_ts not_agent_app not_in_channel user_not_found",
}
PAIRS = [(method, code) for method, codes in DOCUMENTED.items() for code in f"{ANY} {codes}".split()]


def test_every_documented_code_of_every_method_is_known() -> None:
    """No code of the reference is answered with "a reason it does not know"."""
    unknown = [pair for pair in PAIRS if pair[1] not in (CODES.keys() | MISTAKES | LIMITS | {"missing_scope"})]

    assert [] == unknown


def test_no_code_is_listed_twice() -> None:
    """Each code means one thing."""
    assert set() == (CODES.keys() & MISTAKES) | (CODES.keys() & LIMITS) | (MISTAKES & LIMITS)


@pytest.mark.parametrize(("method", "code"), sorted(set(PAIRS)))
def test_each_becomes_one_sentence_for_a_person(method: str, code: str) -> None:
    """It begins with a capital, ends with a full stop, and holds the code only where developers are meant."""
    error = from_code(method, code, needed="chat:write")
    sentence = str(error)

    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert (code in MISTAKES) is (f"({code} in {method})" in sentence)


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (
            "channel_not_found not_in_channel is_archived restricted_action restricted_action_thread_locked",
            RefusedError,
        ),
        ("messages_tab_disabled ekm_access_denied cant_update_message edit_window_closed", RefusedError),
        ("message_not_found thread_not_found file_not_found", NotFoundError),
        ("token_revoked invalid_auth account_inactive not_authed not_allowed_token_type", SettingsError),
        ("ratelimited rate_limited", RateLimitedError),
        ("internal_error fatal_error service_unavailable request_timeout", OutcomeUnknownError),
        ("team_added_to_org message_limit_exceeded", UnavailableError),
        ("invalid_blocks msg_too_long msg_blocks_too_long block_mismatch invalid_arguments", ContentError),
        ("invalid_arg_name invalid_cursor no_text", InvalidRequestError),
        ("streaming_state_conflict", StreamOpenError),
        ("message_not_in_streaming_state stopped_by_user", StreamOverError),
        ("stopped_by_user", StreamStoppedError),
        ("unknown_method feature_disabled not_agent_app channel_type_not_supported", NoStreamsError),
    ],
)
def test_what_is_final_and_what_passes(codes: str, kind: type[BotError]) -> None:
    """What will not pass by itself is not retryable, and the other way round."""
    for code in codes.split():
        error = from_code("chat.update", code)

        assert isinstance(error, kind), code
        assert issubclass(kind, UnavailableError) is error.retryable


def test_only_a_429_says_surely_that_nothing_was_done() -> None:
    """Failures inside Slack leave open whether the call was carried out, as does an HTTP status of 500."""
    assert isinstance(from_status("chat.postMessage", 503), OutcomeUnknownError)
    assert isinstance(from_status("chat.postMessage", 200), OutcomeUnknownError)
    assert not isinstance(from_status("chat.postMessage", 429), OutcomeUnknownError)


def test_a_missing_scope_is_named_with_the_manifest() -> None:
    """The operator is told which scope to add and where it stands."""
    error = from_code("reactions.add", "missing_scope", needed="reactions:write")

    assert isinstance(error, MissingScopeError)
    assert f"The Slack app lacks the scope reactions:write: update the app with {MANIFEST}, then install it again." == (
        str(error)
    )


def test_a_code_that_nobody_knows_is_tried_again_later() -> None:
    """A new code costs a few attempts and no question."""
    error = from_code("chat.update", "too_many_moons")

    assert UnavailableError is type(error)
    assert 60.0 == error.retry_after_s
    assert "too_many_moons in chat.update" in str(error)


@pytest.mark.parametrize("code", ["", "<b>oh</b>", "a\nb<", "!" * 200])
def test_what_is_no_code_is_not_repeated(code: str) -> None:
    """Text that Slack, or a proxy in its place, sends does not come into our sentences."""
    error = from_code("chat.update", code)

    assert isinstance(error, OutcomeUnknownError)
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("header", "expected"),
    [("30", 30.0), ("0.5", 0.5), (None, None), ("", None), ("soon", None), ("-3", 0.0), ("nan", None), ("1e9", 600.0)],
)
def test_retry_after_is_read_with_care(header: str | None, expected: float | None) -> None:
    """A missing or senseless header names no time, and a huge one is not believed."""
    assert expected == seconds(header)
    assert 600.0 == LONGEST_PAUSE_S


def test_retry_after_reaches_the_error() -> None:
    """Whoever is told to wait knows how long."""
    error = from_status("chat.update", 429, retry_after_s=30.0)

    assert isinstance(error, RateLimitedError)
    assert 30.0 == error.retry_after_s
