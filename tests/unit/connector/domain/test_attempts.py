"""Who may take which work, and when another attempt is worth it."""

from datetime import UTC, datetime, timedelta

import pytest
from connector.domain.attempts import (
    Attempt,
    AttemptState,
    is_confirmed,
    is_superseded,
    next_step,
    raise_if_hopeless,
    retry_pause_seconds,
)
from contracts.errors import PermanentError

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


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


def test_a_pause_keeps_nobody_from_ending_work() -> None:
    paused = attempt(1, "released", 5)
    assert next_step([paused], NOW, despite_pauses=True) == ("take", 2)
    assert is_confirmed(attempt(2), [paused, attempt(2)], NOW, despite_pauses=True)
    assert next_step([paused, attempt(2)], NOW, despite_pauses=True) == ("leave", 0)


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
