"""What a local Slack has recorded, as the soak's checker reads it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.replies import Stage
from tests.chat_records import ChatEvent, EventKind, Snapshot
from tests.soak.slack_records import DIED, NOBODY, UNACKNOWLEDGED, Act, missed, read_snapshot

STATE = {"now": 1040.0, "monotonic": 50.0, "speed": 4.0, "connections": ["a", "b"]}
ASKED = ChatEvent(EventKind.MESSAGE, "C1", "1.5", "U1", "What? q1v0", "1.5", 1.5, chat="slack", workspace="T1")


def delivery(event: dict[str, Any], *attempts: float | None, status: str = "acknowledged") -> dict[str, Any]:
    """A delivery whose attempts were made each second and took so long, or were not acknowledged."""
    made = [
        {"sent_at": 20.0 + number, "took_s": took, "through": "c1", "cut": False}
        for number, took in enumerate(attempts)
    ]
    return {"payload": {"type": "event_callback", "event": event}, "attempts": made, "status": status}


def version(at: float, text: str, *actions: str, streamed: bool = False) -> dict[str, Any]:
    """How a message looked."""
    return {"at": at, "text": text, "actions": actions, "streamed": streamed}


def message(*versions: dict[str, Any], **values: object) -> dict[str, Any]:
    """A message of the bot that answers `ASKED`."""
    payload = {"key": ASKED.reference}
    return {
        "ts": "2.5",
        "channel": "C1",
        "thread_ts": "1.5",
        "deleted": False,
        "seen_only_by": "",
        "metadata": {"event_payload": payload},
        "versions": list(versions),
    } | values


def read(*messages: dict[str, Any], deliveries: tuple[dict[str, Any], ...] = ()) -> Snapshot:
    """The records of one question."""
    return read_snapshot([Act(ASKED, 19.0, ("message", "C1", "1.5"))], STATE, deliveries, messages)


def test_a_mention_is_one_event_though_slack_tells_it_twice() -> None:
    """All attempts of both count, and one acknowledgement is enough."""
    twice = [{"type": kind, "channel": "C1", "ts": "1.5"} for kind in ("message", "app_mention")]
    (record,) = read(deliveries=(delivery(twice[0], None, 0.5), delivery(twice[1], None, status="failed"))).events

    assert ([20.0, 20.0, 21.0], [21.5], False) == (record.deliveries, record.acknowledged, record.given_up)


def test_an_event_that_slack_delivers_no_more_is_given_up() -> None:
    """Only if all that told it have failed."""
    event = {"type": "message", "channel": "C1", "ts": "1.5"}
    (record,) = read(deliveries=(delivery(event, None, None, status="failed"),)).events

    assert (True, [], True) == (record.given_up, record.acknowledged, record.settled)


def test_why_a_delivery_failed_is_told() -> None:
    """Nobody was there, whoever had it died, or it was refused, which is the fault of Locus."""
    attempt = {"took_s": None, "through": "c1", "cut": False}
    told = [
        missed(one) for one in (attempt, attempt | {"cut": True}, attempt | {"through": ""}, attempt | {"took_s": 1})
    ]

    assert [UNACKNOWLEDGED, DIED, NOBODY, ""] == told


@pytest.mark.parametrize(
    ("shown", "stage"),
    [
        (version(1000.0, "A fam", streamed=True), Stage.DRAFT),
        (version(1000.0, "Reading …", "locus_stop"), Stage.DRAFT),
        (version(1000.0, "A family. q1v0", "locus_again"), Stage.FINAL),
    ],
)
def test_a_message_is_final_once_it_is_neither_streamed_nor_to_be_stopped(shown: dict[str, Any], stage: Stage) -> None:
    """Times become those of the harness, however fast the clock of the local Slack is."""
    (post,) = read(message(shown)).posts

    assert (stage, 40.0, "1.5") == (post.body.stage, post.versions[0].at, post.answers)


def test_a_sentence_of_the_service_is_known_by_its_reference() -> None:
    """It stands in the last line of the message."""
    (post,) = read(message(version(1000.0, f"I am sorry.\nReference {ASKED.reference}"))).posts

    assert (ASKED.reference, False) == (post.body.reference, post.body.answered)


def test_further_messages_of_an_answer_and_whispers_are_no_answers_of_their_own() -> None:
    """Nor does anybody count them as a second one."""
    part = {"event_payload": {"key": "2.5/2", "part_of": "2.5"}}
    shown = version(1000.0, "More.")

    assert [] == read(message(shown, metadata=part), message(shown, seen_only_by="U1")).posts


def test_a_message_that_answers_no_question_is_kept_for_the_checker() -> None:
    """As one that nobody asked for."""
    (post,) = read(message(version(1000.0, "Hello."), metadata={})).posts

    assert "" == post.answers
