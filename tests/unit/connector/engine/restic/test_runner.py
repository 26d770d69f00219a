"""What standard error of a run of restic tells of calls to the store that are repeated."""

import json

import pytest
from connector.engine.errors import StoreRefused, StoreUnreachable
from connector.engine.restic.json_lines import Message, error_words
from connector.engine.restic.runner import Listener, Patience, StderrReader
from integrations.sdk.redaction import Redactor

REFUSED = "dial tcp 127.0.0.1:9: connect: connection refused"
CUT = "unexpected EOF"
AT_ONCE = Patience(0, away_seconds=0)


class Desk:
    def __init__(self, patience: Patience = AT_ONCE) -> None:
        self.errors: list[str] = []
        self.lines: list[str] = []
        listener = Listener(on_error=self._on_error, on_log=lambda _, text: self.lines.append(text))
        self.stderr = StderrReader(listener, Redactor(()), patience)

    def _on_error(self, message: Message) -> None:
        self.errors.append(error_words(message))

    def take(self, text: str) -> None:
        """As a check tells it."""
        self.stderr.take(json.dumps({"message_type": "error", "message": text}).encode())


def failed(call: str, reason: str) -> str:
    return f"{call} returned error, retrying after 720.254544ms: {reason}"


def test_calls_that_are_repeated_are_no_errors_and_one_that_recovered_is_not_the_cause_of_what_follows() -> None:
    desk = Desk()

    desk.take(failed("Load(<data/14b4efb336>, 0, 0)", CUT))
    before = desk.stderr.last_retry
    desk.take("Load(<data/14b4efb336>, 0, 0) operation successful after 1 retries")
    desk.take("pack 14b4efb336: does not exist")

    assert desk.errors == ["pack 14b4efb336: does not exist"]
    assert (before, desk.stderr.last_retry) == (CUT, "")


def test_a_call_that_is_given_up_is_named_by_what_needed_it() -> None:
    desk = Desk()

    desk.take("Load(<data/9cd7e74dca>, 15729961, 0) failed: open /store/data/9c: permission denied")

    assert desk.errors == []
    assert desk.stderr.last_retry == "open /store/data/9c: permission denied"


def test_that_it_was_interrupted_is_no_warning_to_who_canceled_the_job() -> None:
    desk = Desk()

    desk.stderr.take(b"\rsignal interrupt received, cleaning up \n")
    desk.stderr.take(b"something else\n")

    assert [line.strip() for line in desk.lines] == ["something else"]


@pytest.mark.parametrize(
    ("call", "reason", "error"),
    [
        ("Stat(<config/>)", CUT, StoreUnreachable),
        ("Load(<config/0000000000>, 0, 0)", "403 Forbidden", StoreRefused),
        ("Load(<data/14b4efb336>, 0, 0)", REFUSED, StoreUnreachable),
    ],
)
def test_a_check_gives_up_on_a_store_that_does_not_answer(call: str, reason: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Desk().take(failed(call, reason))


def test_an_answer_that_breaks_off_each_time_may_be_damage_and_is_left_to_restic() -> None:
    desk = Desk()

    desk.take(failed("Load(<data/14b4efb336>, 0, 0)", CUT))

    assert desk.errors == []


def test_each_call_is_waited_for_anew() -> None:
    desk = Desk(Patience(opening_seconds=60, away_seconds=60))

    desk.take(failed("Stat(<config/>)", REFUSED))
    desk.take(failed("Load(<data/14b4efb336>, 0, 0)", REFUSED))

    assert desk.stderr.last_retry == REFUSED
