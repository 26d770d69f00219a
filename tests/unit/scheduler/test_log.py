"""A job's log: order, gaps, bounds."""

import pytest
from contracts.messages.connector.task_events import TaskSucceeded
from contracts.task_types.base import Result
from scheduler.jobs.domain import job as decisions
from scheduler.jobs.domain.log import LINE_CHARACTERS, LINES_READ, MESSAGES_PER_ATTEMPT, compose_log, part_of
from scheduler.jobs.domain.wording import describe_success

from tests.unit.scheduler.builder import logged, queued, started, told


def test_the_log_of_a_queued_job_is_not_empty() -> None:
    assert [line.text for line in compose_log(queued(), [])] == ["queued: backup of Photos to Vault"]


def test_lines_stand_in_the_order_of_attempts_and_messages_whatever_the_clocks_say() -> None:
    job = decisions.start(queued(), started("x", seconds=100))
    job = decisions.start(job, started("x", attempt=2, worker="w2", seconds=90))
    job = decisions.succeed(job, told(TaskSucceeded, "x", attempt=2, seconds=1))
    events = [
        logged("x", 1, "d", attempt=2, seconds=0),
        logged("x", 10, "c", seconds=5),
        logged("x", 2, "b1", "b2", seconds=9),
        logged("x", 1, "a", seconds=50),
    ]
    lines = compose_log(job, [part for event in events if (part := part_of(event))])
    assert [line.text.split(":")[0] for line in lines] == [
        "queued", "started on w1, attempt 1", "a", "b1", "b2", "c",
        "taken over from w1", "d", "succeeded",
    ]  # fmt: skip


def test_of_a_very_long_log_the_beginning_and_the_end_are_read() -> None:
    parts = [part_of(logged("x", n, *(f"{n}.{i}" for i in range(100)))) for n in range(1, 301)]
    texts = [line.text for line in compose_log(queued(), [p for p in parts if p])]
    assert len(texts) == LINES_READ + 2
    assert (texts[1], texts[-1]) == ("1.0", "300.99")
    assert texts[LINES_READ // 2 + 1] == "... 10000 lines left out ..."


def test_a_long_line_is_cut_and_a_chatty_attempt_is_not_kept() -> None:
    part = part_of(logged("x", 1, "y" * (LINE_CHARACTERS + 5)))
    assert part is not None
    assert len(part.lines[0].text) == LINE_CHARACTERS
    assert part_of(logged("x", MESSAGES_PER_ATTEMPT + 1, "too much")) is None


@pytest.mark.parametrize("result", [None, Result()])
def test_a_job_ends_well_also_without_words_for_its_result(result: Result | None) -> None:
    # The end of a job whose result cannot be described must not fail: the job would run for ever.
    assert describe_success(result) == "succeeded"
