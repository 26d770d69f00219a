"""Results of tasks have types; messages of versions before that, and readers of such versions, are served as well."""

import json
from typing import Any, get_args

import pytest
from contracts.hooks import HookOptions
from contracts.messages.connector.task_events import TaskFailed, TaskSucceeded
from contracts.messages.outcomes import Problem
from contracts.task_types.backup import BackupResult
from contracts.task_types.base import Processed, Result, bytes_in_words
from contracts.task_types.check import CheckResult
from contracts.task_types.removal import CleanUpResult, RemovalResult
from contracts.task_types.restore import RestoreResult
from contracts.task_types.sync import SyncResult
from contracts.tasks import DELETING, FREEING, TASK_KINDS, TaskResult

FIGURES = {"snapshot_id": "5f" * 32, "files_new": 3}
EVENT: dict[str, Any] = {"organization_id": "o", "job_id": "j", "attempt": 1, "at": "2026-11-28T08:00:00.000Z"}
PROBLEM = Problem(code="backup_incomplete", detail="1 file could not be read.")


@pytest.mark.parametrize(("message", "more"), [(TaskSucceeded, {}), (TaskFailed, {"problem": PROBLEM.model_dump()})])
def test_figures_of_an_earlier_version_are_the_result(message: type[TaskSucceeded], more: dict[str, Any]) -> None:
    read = message.model_validate_json(json.dumps(EVENT | more | {"backup": FIGURES}))
    assert read.result == BackupResult(**FIGURES)


def test_an_earlier_version_finds_the_figures_where_it_looks() -> None:
    sent = json.loads(TaskSucceeded(**EVENT, result=BackupResult(**FIGURES)).model_dump_json())
    assert sent["backup"]["snapshot_id"] == sent["result"]["snapshot_id"] == FIGURES["snapshot_id"]
    assert sent["result"]["type"] == "backup"


def test_an_end_without_a_result_has_none() -> None:
    assert TaskFailed(**EVENT, problem=PROBLEM).result is None


def test_each_task_type_has_a_result_that_is_tagged_with_it() -> None:
    assert sorted(each.model_fields["type"].default for each in get_args(TaskResult)) == sorted(TASK_KINDS)


def test_what_a_type_does_is_what_its_result_and_its_options_speak_of() -> None:
    results = {each.model_fields["type"].default: each for each in get_args(TaskResult)}
    assert {name for name, result in results.items() if issubclass(result, RemovalResult)} == DELETING
    assert {name for name, result in results.items() if issubclass(result, CleanUpResult)} == FREEING
    with_hooks = {name for name, kind in TASK_KINDS.items() if kind.hooks_of is not None}
    assert {name for name, kind in TASK_KINDS.items() if issubclass(kind.options, HookOptions)} == with_hooks


@pytest.mark.parametrize("result", get_args(TaskResult))
def test_each_result_has_words_for_the_log_of_its_job(result: type[Result]) -> None:
    words = result.model_validate({"snapshot_id": "5f" * 32}).in_words()
    assert words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (5 << 60, "5120.0 PiB")],
)
def test_sizes_are_written_for_a_person(size: int, shown: str) -> None:
    assert bytes_in_words(size) == shown


@pytest.mark.parametrize(
    ("result", "processed"),
    [
        (BackupResult(snapshot_id="ab", files_processed=3, bytes_processed=9), Processed(3, 9)),
        (RestoreResult(snapshot_id="ab", files=3, bytes_written=9, problem_count=1), Processed(3, 9, 1)),
        (CheckResult(snapshot_id="ab", files=3, bytes_read=9, finding_count=2), Processed(3, 9, 2)),
        (CheckResult(), None),
        (SyncResult(points_copied=2, bytes_copied=9), Processed(0, 9)),
    ],
)
def test_a_result_tells_what_was_processed(result: Result, processed: Processed | None) -> None:
    assert result.processed() == processed
