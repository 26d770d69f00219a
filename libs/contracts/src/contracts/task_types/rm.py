"""Deleting restore points that are named."""

from typing import Literal

from pydantic import Field

from contracts.point_filters import PointIds
from contracts.task_types.base import TaskKind
from contracts.task_types.removal import RemovalResult


class RmOptions(PointIds):
    """Options of a deletion of restore points."""


class RmResult(RemovalResult):
    """Which of the restore points that were named are gone."""

    type: Literal["rm"] = Field(default="rm", description="Type of the task")


KIND = TaskKind(
    origin="store",
    target=None,
    options=RmOptions,
    one_of_options=("snapshot_id", "snapshot_ids"),
    deletes=True,
    frees=True,
)
