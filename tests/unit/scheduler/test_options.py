"""Options of a run that no worker could use are refused before it becomes a job."""

from typing import Any

import pytest
from contracts.errors import Invalid
from contracts.hooks import Hooks
from contracts.task_types.backup import ExecOptions
from contracts.task_types.base import TaskType
from contracts.tasks import TASK_KINDS, Task, TaskOptions
from scheduler.jobs.domain.job import check_task
from scheduler.jobs.domain.options import (
    LONGEST_IGNORE,
    LONGEST_LABEL,
    LONGEST_PATH,
    MOST_IGNORES,
    MOST_LABELS,
    MOST_PATHS,
)

from tests.unit.scheduler.builder import app, backup


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"labels": ["ok", "a,b"]}, "config.labels.1"),
        ({"labels": [" "]}, "config.labels.0"),
        ({"labels": [""]}, "config.labels.0"),
        ({"labels": ["cairn:org=x"]}, "config.labels.0"),
        ({"labels": [" cairn:org=x"]}, "config.labels.0"),
        ({"labels": ["a\nb"]}, "config.labels.0"),
        ({"labels": ["x" * (LONGEST_LABEL + 1)]}, "config.labels.0"),
        ({"labels": ["x"] * (MOST_LABELS + 1)}, "config.labels"),
        ({"ignores": ["x" * (LONGEST_IGNORE + 1)]}, "config.ignores.0"),
        ({"ignores": ["a\x00b"]}, "config.ignores.0"),
        ({"ignores": ["x"] * (MOST_IGNORES + 1)}, "config.ignores"),
        ({"ignores": ["*.o", ""]}, "config.ignores.1"),
        ({"ignores": ["!/"]}, "config.ignores.0"),
        ({"ignores": ["/srv/../etc"]}, "config.ignores.0"),
        ({"ignores": ["/srv/[broken"]}, "config.ignores.0"),
        ({"hooks": {"pre_job": "../run"}}, "config.hooks.pre_job"),
        ({"hooks": {"post_job": "rm -rf"}}, "config.hooks.post_job"),
    ],
)
def test_what_cannot_be_used_is_refused_by_field(options: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match="options_invalid") as refused:
        check_task(backup(options=TaskOptions.model_validate(options)))
    assert list(refused.value.fields) == [field]
    assert len(refused.value.detail) < 200


def test_the_most_of_everything_is_fine() -> None:
    labels, ignores = ("é" * LONGEST_LABEL,) * MOST_LABELS, ("*" * LONGEST_IGNORE,) * MOST_IGNORES
    check_task(backup(options=TaskOptions(labels=labels, ignores=ignores)))


@pytest.mark.parametrize("path", ["", "photos", "/a/../b", "/a//b", "/./a", "/a\x00b", "/" + "x" * LONGEST_PATH])
def test_what_is_no_path_of_a_restore_point_is_refused_by_its_place(path: str) -> None:
    with pytest.raises(Invalid, match="options_invalid") as refused:
        check_task(restore(paths=["/fine", path]))
    assert list(refused.value.fields) == ["config.paths.1"]
    assert len(refused.value.detail) < 200
    with pytest.raises(Invalid, match="options_invalid"):
        check_task(restore(paths=["/fine"] * (MOST_PATHS + 1)))


@pytest.mark.parametrize("type_", ["check", "restore", "sync"])
def test_groups_are_of_a_prune_alone(type_: TaskType) -> None:
    kind, options = TASK_KINDS[type_], TaskOptions.model_validate({"locate": {"group_by": "dataset"}})
    target = app(kind.target) if kind.target else None
    task = Task(type=type_, origin=app("store"), target=target, options=options)
    with pytest.raises(Invalid, match="options_invalid") as refused:
        check_task(task.model_copy(update={"target": target and target.model_copy(update={"id": "another"})}))
    assert list(refused.value.fields) == ["config.locate.group_by"]
    check_task(Task(type="prune", origin=app("store"), options=options.model_copy(update={"day": 1})))


def check(**options: Any) -> Task:
    return Task(type="check", origin=app("store"), options=TaskOptions(**options))


def restore(**options: Any) -> Task:
    return Task(type="restore", origin=app("store"), target=app("destination"), options=TaskOptions(**options))


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        (restore(snapshot_id="5f", read_percent=10), ["config.read_percent"]),
        (restore(ignores=["*.tmp"]), ["config.ignores"]),
        (check(root="a", dry_run=True, keep={"owner": False}), ["config.root", "config.dry_run", "config.keep"]),
        (restore(read_shares=4), ["config.read_shares"]),
        (check(paths=["/photos"]), ["config.paths"]),
        (check(hooks=Hooks(), exec=ExecOptions(cpu=1)), ["config.hooks", "config.exec"]),
        (restore(snapshot_id="5f", exec=ExecOptions(concurrency=2)), ["config.exec"]),
        (check(overwrite="never", ignores=["*.tmp"]), ["config.overwrite", "config.ignores"]),
        (backup(options=TaskOptions(snapshot_id="5f")), ["config.snapshot_id"]),
        (backup(options=TaskOptions(read_percent=10)), ["config.read_percent"]),
    ],
)
def test_what_the_type_of_the_task_has_no_use_for_is_refused(task: Task, fields: list[str]) -> None:
    with pytest.raises(Invalid, match="options_invalid") as refused:
        check_task(task)
    assert sorted(refused.value.fields) == sorted(fields)
    assert task.type in refused.value.detail


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        (check(read_shares=10, read_percent=5), ["config.read_percent"]),
        (check(read_shares=10, snapshot_id="5f"), ["config.read_shares"]),
    ],
)
def test_shares_of_the_data_are_of_the_whole_store_and_of_no_other_part(task: Task, fields: list[str]) -> None:
    with pytest.raises(Invalid, match="cannot be together") as refused:
        check_task(task)
    assert list(refused.value.fields) == fields


@pytest.mark.parametrize(
    "task",
    [
        check(snapshot_id="5f", read_percent=10),
        check(labels=["monthly"]),
        check(read_shares=10),
        # Without a restore point the newest is meant.
        restore(),
        restore(snapshot_id=""),
        restore(labels=["monthly"], before=3600, locate={"filters": {"dataset": "a", "latest": True}}),
        restore(snapshot_id="5f", paths=["/photos"], overwrite="never"),
        restore(paths=["/", "/photos/", "/two\nlines", "/..hidden", "/caf\\xe9"]),
        # All options, as a client sends that fills in the defaults.
        check(**TaskOptions().model_dump()),
        backup(options=TaskOptions(**TaskOptions().model_dump())),
    ],
)
def test_options_of_the_type_and_defaults_of_others_are_taken(task: Task) -> None:
    check_task(task)
