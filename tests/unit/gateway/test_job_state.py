"""The state of a job as clients read it: names of the documented product, null for what nobody can tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts.measures import Sample, Totals, Usage
from contracts.messages.connector.task_events import LogLine, PathOutcome
from contracts.queries.scheduler import Job, JobMeasures, JobPhase
from gateway.areas.scheduling.schemas.state import JobStateView, state_view

from tests.unit.gateway.test_domain import a_job

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def state(job: Job, measures: JobMeasures | None = None) -> dict[str, Any]:
    return JobStateView.model_validate(state_view(job, measures or JobMeasures())).model_dump(mode="json")


def test_a_job_that_nobody_has_begun_has_a_state_without_figures() -> None:
    shown = state(a_job(status="queued"))
    figures = ("progress", "phase", "processed", "result", "summary")
    assert [shown[name] for name in figures] == [None] * len(figures)
    assert shown["io"] == {"engine": {"r": {"total": None}, "w": {"total": None}}}
    assert (shown["resources"], shown["network"], shown["phases"], shown["warnings"], shown["series"]) == ([],) * 5


def test_what_a_job_used_is_shown_and_what_nobody_knows_is_null() -> None:
    unknown = Sample(at=after(1), seconds=1, mean=Usage(received_bps=4))
    known = Sample(at=after(2), seconds=1, mean=Usage(cpu_percent=50), highest=Usage(cpu_percent=80))
    measures = JobMeasures(
        samples=(unknown, known), highest=Usage(cpu_percent=80), totals=Totals(read_bytes=9), warning_count=4
    )
    shown = state(a_job(), measures)
    assert shown["resources"] == [{"at": "2026-11-28T12:00:02.000Z", "cpu_percent": 50.0, "memory_bytes": None}]
    assert [(each["read_bps"], each["write_bps"]) for each in shown["network"]] == [(4, None), (None, None)]
    assert shown["io"] == {"engine": {"r": {"total": 9}, "w": {"total": None}}}
    assert [(each["mean"]["cpu_percent"], each["highest"]["cpu_percent"]) for each in shown["series"]] == [
        (None, None), (50, 80)
    ]  # fmt: skip
    assert (shown["peaks"]["cpu_percent"], shown["peaks"]["memory_bytes"], shown["warning_count"]) == (80, None, 4)


@pytest.mark.parametrize("name", ["/no\u00a0break", "/\u5199\u771f\u3000\u4e00", "/\U0001f468\u200d\U0001f469.jpg"])
def test_names_of_files_are_the_same_wherever_they_are_shown(name: str) -> None:
    job = a_job(progress={"at": NOON, "phase": "transferring", "fraction": 0.5, "current": (name,)})
    shown = state(job, JobMeasures(paths=(PathOutcome(path=name, status="ok"),)))
    assert [each["path"] for each in shown["recent_paths"]] == shown["progress"]["current"] == [name]


@pytest.mark.parametrize("odd", ["\x07", "\x9b", "\u202e", "\u2028"])
def test_what_could_disturb_a_terminal_or_turn_a_name_round_is_written_out(odd: str) -> None:
    shown = state(a_job(), JobMeasures(paths=(PathOutcome(path=f"/a{odd}b", status="ok"),)))
    assert shown["recent_paths"][0]["path"] == f"/a{odd.encode('unicode_escape').decode()}b"


def test_names_of_files_cannot_disturb_a_terminal() -> None:
    measures = JobMeasures(
        paths=(PathOutcome(path="/a\x1b[2J", status="error"),),
        warnings=(LogLine(at=NOON, level="warning", text="odd\n"),),
        phases=(JobPhase(name="checking", attempt=1, started_at=NOON, seconds=2),),
    )
    shown = state(a_job(), measures)
    assert shown["recent_paths"] == [{"path": "/a\\x1b[2J", "status": "error"}]
    assert shown["warnings"] == [{"at": "2026-11-28T12:00:00.000Z", "text": "odd\\n"}]
    assert shown["phases"] == [
        {"name": "checking", "attempt": 1, "started_at": "2026-11-28T12:00:00.000Z", "seconds": 2}
    ]


@pytest.mark.parametrize(
    ("result", "errors", "size"),
    [
        (None, None, None),
        ({"type": "backup", "snapshot_id": "ab", "bytes_processed": 70}, None, 70),
        ({"type": "restore", "snapshot_id": "ab", "bytes_written": 5, "problem_count": 2}, 2, 5),
    ],
)
def test_a_job_that_is_over_tells_what_it_came_to(result: Any, errors: int | None, size: int | None) -> None:
    shown = state(a_job(status="succeeded", started_at=NOON, stopped_at=after(9), result=result))
    assert shown["result"] == {"duration": 9, "errors": errors, "size": size}
    assert shown["snapshot_id"] == (result or {}).get("snapshot_id")
