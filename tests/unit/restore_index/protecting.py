"""A restore index in memory that is told what may be deleted, and asked."""

from datetime import timedelta
from typing import Any

from chassis.ids import utc_now
from contracts.messages.protection import (
    ClaimDeletion,
    LiftLegalHold,
    ReleaseDeletion,
    SetLegalHold,
    SetRetentionFloor,
)
from contracts.messages.restore_index import RestorePoint
from contracts.messages.scheduler import JobChanged, JobStatus
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import Deletion, PruneDecision
from contracts.task_types.base import TaskType
from contracts.values import AppId, JobId, RunId
from restore_index.handlers import register_handlers
from restore_index.usecases import protection

from tests.support.memory import MemoryDoor
from tests.unit.restore_index.memory_index import MemoryIndex
from tests.unit.restore_index.trees import ORG, a_point, created, removed

STORE, OTHER_STORE = AppId("store"), AppId("other-store")
JOB = JobId("job-1")
TODAY = PruneRule(day=1, per_day=1)


def a_point_of(digit: str, *, hours: float = 0, store_id: AppId = STORE, **facts: Any) -> RestorePoint:
    time = utc_now().replace(hour=23, minute=0) - timedelta(hours=hours)
    return a_point(store_id, "00" * 32, snapshot_id=digit * 64, time=time, **facts)


def set_hold(*digits: str, store_id: AppId = STORE, **facts: Any) -> SetLegalHold:
    ids = tuple(digit * 64 for digit in digits)
    return SetLegalHold.model_validate({"organization_id": ORG, "store_id": store_id, "snapshot_ids": ids, **facts})


def lift_hold(*digits: str, store_id: AppId = STORE) -> LiftLegalHold:
    ids = tuple(digit * 64 for digit in digits)
    return LiftLegalHold.model_validate({"organization_id": ORG, "store_id": store_id, "snapshot_ids": ids})


def set_floor(number: int) -> SetRetentionFloor:
    return SetRetentionFloor(organization_id=ORG, min_versions=number)


def claim(*digits: str, store_id: AppId = STORE, **facts: Any) -> ClaimDeletion:
    ids = tuple(digit * 64 for digit in digits)
    usual = {"organization_id": ORG, "store_id": store_id, "snapshot_ids": ids, "job_id": JOB}
    return ClaimDeletion.model_validate(usual | facts)


def release(job_id: JobId = JOB, *, only: str | None = None, **facts: Any) -> ReleaseDeletion:
    ids = None if only is None else tuple(digit * 64 for digit in only)
    return ReleaseDeletion.model_validate(
        {"organization_id": ORG, "store_id": STORE, "job_id": job_id, "snapshot_ids": ids} | facts
    )


def job_changed(
    status: JobStatus, *, job_id: JobId = JOB, task_type: TaskType = "rm", origin_id: AppId | None = STORE
) -> JobChanged:
    return JobChanged(
        organization_id=ORG,
        job_id=job_id,
        run_id=RunId("run"),
        status=status,
        task_type=task_type,
        at=utc_now(),
        origin_id=origin_id,
    )


def digits(ids: tuple[str, ...]) -> str:
    return "".join(each[0] for each in ids)


class ProtectingIndex(MemoryDoor):
    """A restore index in memory."""

    def __init__(self) -> None:
        super().__init__("restore-index")
        index = MemoryIndex()
        index.protections.published = index.retention.published = self.published
        self.store = index.store
        register_handlers(self.dispatcher, self.store, grace=timedelta())

    async def have(self, *points: RestorePoint) -> None:
        for point in points:
            await self.hear(created(point))

    async def lose(self, point: RestorePoint) -> None:
        await self.hear(removed(point))

    async def preview(self, rule: PruneRule = TODAY, store_id: AppId = STORE) -> PruneDecision:
        return await protection.preview(self.store, ORG, store_id, rule)

    async def deletion(self, job_id: JobId = JOB, *, reserved: bool = False) -> Deletion:
        return await protection.get_deletion(self.store, ORG, STORE, job_id, reserved=reserved)

    async def previewed(self, rule: PruneRule = TODAY) -> dict[str, str]:
        """What a rule means: the first digits of the restore points in each list that has some."""
        found = (await self.preview(rule)).model_dump()
        return {name: digits(ids) for name, ids in found.items() if ids}
