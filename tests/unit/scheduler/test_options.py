"""Options of a run that no worker could use are refused before it becomes a job."""

import pytest
from contracts.errors import Invalid
from contracts.tasks import TaskOptions
from scheduler.jobs.domain.job import check_task
from scheduler.jobs.domain.options import LONGEST_IGNORE, LONGEST_LABEL, MOST_IGNORES, MOST_LABELS

from tests.unit.scheduler.builder import backup


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
    ],
)
def test_what_cannot_be_used_is_refused_by_field(options: dict[str, list[str]], field: str) -> None:
    with pytest.raises(Invalid, match="options_invalid") as refused:
        check_task(backup(options=TaskOptions.model_validate(options)))
    assert list(refused.value.fields) == [field]
    assert len(refused.value.detail) < 200


def test_the_most_of_everything_is_fine() -> None:
    labels, ignores = ("é" * LONGEST_LABEL,) * MOST_LABELS, ("*" * LONGEST_IGNORE,) * MOST_IGNORES
    check_task(backup(options=TaskOptions(labels=labels, ignores=ignores)))
