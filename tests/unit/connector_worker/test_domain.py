"""Who may take which work, what tags tell, which paths are paths."""

from datetime import UTC, datetime, timedelta

import pytest
from connector.domain.attempts import (
    Attempt,
    AttemptState,
    MadeSnapshot,
    is_confirmed,
    is_superseded,
    next_step,
    raise_if_hopeless,
    retry_pause_seconds,
)
from connector.domain.origins import Origin, origin_of, tags_of
from connector.domain.texts import keepable
from connector.domain.unreadable import incomplete
from contracts.errors import Invalid, PermanentError
from contracts.tasks import BackupResult
from contracts.values import OrganizationId

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ORG = OrganizationId("org")


def attempt(number: int, state: AttemptState = "running", seconds: float = 10) -> Attempt:
    return Attempt(work_id="w", number=number, owner="o", state=state, until=NOW + timedelta(seconds=seconds))


HELD, EXPIRED = attempt(1), attempt(1, seconds=-1)


@pytest.mark.parametrize(
    ("attempts", "step"),
    [
        ([], ("take", 1)),
        ([HELD], ("leave", 0)),
        ([EXPIRED], ("take", 2)),
        ([attempt(1, seconds=0)], ("take", 2)),
        ([attempt(1, "settled")], ("close", 0)),
        ([attempt(1, "settled", -99)], ("close", 0)),
        ([attempt(1, "released", 0)], ("take", 2)),
        ([attempt(1, "released", 5)], ("leave", 0)),
        ([EXPIRED, attempt(2)], ("leave", 0)),
        ([EXPIRED, attempt(2, "released", 0)], ("take", 3)),
        ([attempt(1, "settled"), attempt(2, "released", 0)], ("close", 0)),
        ([attempt(1, "settled"), attempt(2, seconds=-1)], ("take", 3)),
        ([attempt(1, "settled"), attempt(2)], ("leave", 0)),
    ],
)
def test_the_latest_attempt_decides_who_may_take_work(attempts: list[Attempt], step: tuple[str, int]) -> None:
    assert next_step(attempts, NOW) == step


@pytest.mark.parametrize(
    ("others", "stands"),
    [
        ([], True),
        ([EXPIRED], True),
        ([HELD], False),
        ([attempt(1, "settled")], False),
        ([attempt(1, "released", 0)], True),
        ([EXPIRED, attempt(3)], False),
    ],
)
def test_a_claim_stands_unless_the_one_before_came_back(others: list[Attempt], stands: bool) -> None:
    mine = attempt(2)

    assert is_confirmed(mine, [*others, mine], NOW) is stands


def test_a_later_attempt_supersedes_unless_it_was_given_up() -> None:
    assert is_superseded(HELD, [HELD, attempt(2, seconds=-5)])
    assert not is_superseded(HELD, [HELD, attempt(2, "released")])
    assert not is_superseded(attempt(2), [EXPIRED, attempt(2)])


def test_work_that_costs_one_worker_after_the_other_is_hopeless() -> None:
    lost = [attempt(n, seconds=-1) for n in range(1, 5)]

    raise_if_hopeless([*lost[:3], attempt(4, "released", -1), attempt(5)], NOW)
    with pytest.raises(PermanentError, match="4 workers in a row"):
        raise_if_hopeless([*lost, attempt(5)], NOW)


def test_pauses_grow_up_to_a_minute() -> None:
    assert [retry_pause_seconds(n) for n in (1, 2, 10, 4000)] == [2, 4, 60, 60]


def test_tags_tell_again_what_they_were_made_of() -> None:
    origin = Origin(
        organization_id="org",
        source_id="source",
        job_id="job",
        environment="a,b%2C=c",
        data_classes=("pii", "cold, dry"),
        location="/srv/a,b",
        labels=("nightly", "k=v"),
    )

    tags = tags_of(origin)

    assert not any("," in tag for tag in tags)
    assert origin_of(tags, ORG) == origin


@pytest.mark.parametrize(
    "labels",
    [("nightly ", "nightly"), ("nightly", " nightly", "b"), ("\u3000wide\u00a0", "50% "), ("a", "a ", "a")],
)
def test_white_space_at_the_ends_outlasts_an_engine_that_cuts_it_off(labels: tuple[str, ...]) -> None:
    places = {"source_id": "s", "job_id": "j", "location": "/srv/a "}
    origin = Origin(organization_id=ORG, environment=" blue", data_classes=("pii ",), labels=labels, **places)

    tags = tags_of(origin)

    assert [tag.strip() for tag in tags] == list(tags)
    assert origin_of(tags, ORG) == origin


def test_marks_of_another_organization_count_for_nothing() -> None:
    tags = tags_of(Origin(organization_id="other", source_id="s", job_id="j", labels=("kept",)))

    assert origin_of(tags, ORG) == Origin(labels=("kept",))


@pytest.mark.parametrize(
    "marks", [(), ("cairn:source=s",), ("cairn:job=j",), ("cairn:source=", "cairn:job=j"), ("cairn:location=/srv",)]
)
def test_marks_that_no_cairn_has_put_on_count_for_nothing(marks: tuple[str, ...]) -> None:
    assert origin_of((f"cairn:org={ORG}", *marks, "kept"), ORG) == Origin(labels=("kept",))


@pytest.mark.parametrize("label", ["", " ", "a,b", "cairn:job=1", " cairn:job=1"])
def test_labels_that_could_pass_for_something_else_are_refused(label: str) -> None:
    with pytest.raises(Invalid, match="label_invalid"):
        tags_of(Origin(labels=(label,)))


@pytest.mark.parametrize(
    ("named", "count", "words"),
    [
        (("/a (denied)",), 1, "1 file or directory could not be read: /a (denied). "),
        (("/a (x)", "/b (y)"), 9, "9 files or directories could not be read: /a (x), /b (y) and 7 more. "),
    ],
)
def test_an_incomplete_backup_names_what_is_missing(named: tuple[str, ...], count: int, words: str) -> None:
    summary = BackupResult(snapshot_id="s")

    error = incomplete(MadeSnapshot(summary=summary, unreadable=named, unreadable_count=count))

    assert error is not None
    assert error.detail.startswith(words)
    assert incomplete(MadeSnapshot(summary=summary)) is None


@pytest.mark.parametrize(
    ("text", "kept"), [("plain \u00e9\n", "plain \u00e9\n"), ("a\0b", r"a\x00b"), ("\udcff", r"\udcff")]
)
def test_any_text_can_be_kept(text: str, kept: str) -> None:
    assert keepable(text) == kept
