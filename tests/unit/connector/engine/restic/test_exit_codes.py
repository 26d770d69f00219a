"""Which error each end of a run of restic means."""

import pytest
from connector.engine import errors
from connector.engine.restic.exit_codes import Retry, error_of_exit, is_final, read_retry
from integrations.sdk import errors as sdk_errors
from integrations.sdk.errors import WorkFailed


@pytest.mark.parametrize(
    ("exit_code", "words", "expected"),
    [
        (10, "Fatal: repository does not exist", errors.StoreNotInitialized),
        (11, "Fatal: unable to create lock in backend", errors.StoreLocked),
        (12, "Fatal: wrong password or no key found", sdk_errors.PassphraseWrong),
        (1, 'Fatal: failed to find snapshot: no matching ID found for prefix "abc"', errors.SnapshotMissing),
        (1, "Fatal: unable to save snapshot: snapshot is empty", errors.SourceEmpty),
        (
            1,
            "Fatal: unable to save snapshot: openfile for readdirnames failed: open .: permission denied",
            errors.RootUnreadable,
        ),
        (1, "Fatal: --exclude: invalid pattern(s) provided:\n[", errors.PatternInvalid),
        (1, "Fatal: Fatal: create repository at /x failed: mkdir /x: permission denied", errors.StoreRefused),
        (1, "Fatal: unable to save snapshot: write /x: no space left on device", errors.StoreFull),
        (
            1,
            "Fatal: unable to open config file: connect: connection refused",
            errors.StoreUnreachable,
        ),
        (1, "Fatal: something nobody has seen before", errors.EngineFailed),
        (2, "goroutine 1 [running]", errors.EngineKilled),
        (130, "", errors.EngineKilled),
        (-9, "", errors.EngineKilled),
        (-9, "Load(<data/1a2b3c>) returned error: permission denied", errors.EngineKilled),
    ],
)
def test_every_ending_has_its_error(exit_code: int, words: str, expected: type[WorkFailed]) -> None:
    assert type(error_of_exit("restic backup", exit_code, words=words, last_retry="")) is expected


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "unable to create lock in backend: repository is already locked exclusively by PID 77 on elsewhere by me"
            " (UID 0, GID 0)\nlock was created at 2026-11-27 12:24:46 (1m2.4s ago)\nstorage ID 24e46b3e",
            "process 77 of me on the host elsewhere since 2026-11-27 12:24:46",
        ),
        ("repository is already locked by PID 5 on h by  (UID 0, GID 0)", "process 5 of somebody on the host h"),
        ("Fatal: unable to create lock in backend", "other work"),
    ],
)
def test_a_lock_is_told_with_who_holds_it(words: str, told: str) -> None:
    assert f"locked by {told}," in error_of_exit("restic backup", 11, words=words, last_retry="").detail


def test_the_engines_own_words_are_kept() -> None:
    error = error_of_exit("restic check", 1, words="Fatal: something new", last_retry="")

    assert error.detail == "restic check failed: something new"


def test_the_reason_of_the_last_try_counts_when_the_end_says_nothing() -> None:
    refused = "Stat: The Access Key Id you provided does not exist in our records."

    assert isinstance(
        error_of_exit("restic init", 1, words="context canceled", last_retry=refused), errors.StoreRefused
    )


def test_failed_calls_are_recognized() -> None:
    opening = "Stat(<config/>) returned error, retrying after 1.3s: Stat: The specified bucket does not exist"
    later = "Save(<data/1a2b3c>) returned error, retrying after 720.254544ms: connection reset by peer"

    assert read_retry(opening) == Retry(
        "Stat(<config/>)", opening=True, reason="Stat: The specified bucket does not exist"
    )
    assert read_retry(later) == Retry("Save(<data/1a2b3c>)", opening=False, reason="connection reset by peer")
    assert read_retry("unlocking the repository") is None


@pytest.mark.parametrize(
    ("reason", "final"),
    [
        ("The request signature we calculated does not match", True),
        ("x509: certificate signed by unknown authority", True),
        ("dial tcp: connect: connection refused", False),
        ("lookup host: no such host", False),
    ],
)
def test_trying_again_does_not_help_against_a_refusal(reason: str, *, final: bool) -> None:
    assert is_final(reason) is final
