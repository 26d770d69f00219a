"""Tasks: what should happen, and what it came to.

Each task type has a file in `task_types`; what a worker does for it is in the connector's `tasks/`.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from pydantic import Field

from contracts.messages.assignment import AppKind, AppRef
from contracts.task_types import backup, check, maintenance, prune, restore, rm, sync
from contracts.task_types.backup import BackupOptions, BackupResult
from contracts.task_types.base import TaskKind, TaskType
from contracts.task_types.check import CheckOptions, CheckResult
from contracts.task_types.maintenance import MaintenanceResult
from contracts.task_types.prune import PruneOptions, PruneResult
from contracts.task_types.restore import RestoreOptions, RestoreResult
from contracts.task_types.rm import RmOptions, RmResult
from contracts.task_types.sync import SyncOptions, SyncResult
from contracts.values import Value


# One class for all types, because the public API has one object with the options of all of them.
class TaskOptions(RestoreOptions, CheckOptions, SyncOptions, BackupOptions, RmOptions, PruneOptions):
    """Options of one run: those of all types side by side; which of them count depends on the type of the task."""


TASK_KINDS: dict[TaskType, TaskKind] = {
    "backup": backup.KIND,
    "restore": restore.KIND,
    "check": check.KIND,
    "sync": sync.KIND,
    "prune": prune.KIND,
    "rm": rm.KIND,
    "maintenance": maintenance.KIND,
}
"""The types that workers can run."""
DELETING = frozenset(name for name, kind in TASK_KINDS.items() if kind.deletes)
"""Those that delete restore points."""
FREEING = frozenset(name for name, kind in TASK_KINDS.items() if kind.frees)
"""Those that free unused data when they are done with the rest."""


def partners_of(type_: TaskType, kind: AppKind) -> frozenset[AppKind] | None:
    """Of which kinds the other party may be where an app of a kind is a party of a task.

    Empty: such a task has no other party. None: no task of this type is about an app of this kind.
    """
    task = TASK_KINDS[type_]
    targets: frozenset[AppKind] = frozenset(each for each in (task.target, task.other_target) if each is not None)
    partners = targets if kind == task.origin else frozenset[AppKind]()
    if kind in targets:
        return partners | {task.origin}
    return partners if kind == task.origin else None


def origins_in_words() -> str:
    """What tasks of each type start from: `backup: a source; restore, check: a store`."""
    return _in_words((name, kind.origin) for name, kind in TASK_KINDS.items())


def targets_in_words() -> str:
    """What tasks of each type go to; types without a target are left out."""
    return _in_words(
        (name, " or a ".join(filter(None, (kind.target, kind.other_target))))
        for name, kind in TASK_KINDS.items()
        if kind.target
    )


def _in_words(parties: Iterable[tuple[TaskType, str]]) -> str:
    types: dict[str, list[str]] = {}
    for name, party in parties:
        types.setdefault(party, []).append(name)
    return "; ".join(f"{', '.join(names)}: a {party}" for party, names in types.items())


class Task(Value):
    """What should happen."""

    type: TaskType = Field(description="What kind of work")
    origin: AppRef = Field(description=origins_in_words())
    target: AppRef | None = Field(default=None, description=targets_in_words())
    options: TaskOptions = Field(default=TaskOptions(), description="Options of the run")


TaskResult: TypeAlias = (
    BackupResult | CheckResult | RestoreResult | SyncResult | PruneResult | RmResult | MaintenanceResult
)
"""What a job of a type comes to; `type` is the tag. Carried unchanged from the worker to the API."""


def lift_result(data: Any) -> Any:
    """What carries a result, as it was stored or sent: versions before results had types had `backup` only."""
    # Jobs that were stored, and messages that were sent, before an upgrade are read after it.
    if isinstance(data, dict) and data.get("result") is None and data.get("backup") is not None:
        figures = data["backup"]
        return data | {"result": {"type": "backup", **figures} if isinstance(figures, dict) else figures}
    return data
