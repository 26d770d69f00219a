"""Deletion by rule, holds and the floor: asked of the restore index, which decides."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.errors import NotFound, PermanentError
from contracts.messages.protection import (
    ClaimDeletion,
    HoldPart,
    LiftLegalHold,
    ReleaseDeletion,
    SetLegalHold,
    SetRetentionFloor,
)
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import Deletion, IndexedRestorePoint, PruneDecision, RetentionFloor
from contracts.tasks import TaskOptions
from contracts.values import AppId, JobId, SnapshotId

from gateway.access.principal import Principal
from gateway.areas.connectors.preconditions import check_store
from gateway.areas.scheduling.service import RunRequest, Runs
from gateway.audit_log.entries import DELETE_SNAPSHOTS
from gateway.audit_log.log import AuditLog
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient
from gateway.idempotency.intents import Intent

IDS_PER_RUN = 100
"""Restore points that one run deletes, at most."""
# A run waits in line at its store; as soon as a worker has it, the claim lasts as long as the job.
CLAIM_SECONDS = 3600


@dataclass(frozen=True)
class Pruned:
    """What is being deleted, what not, and the runs that delete."""

    deleted: tuple[str, ...]
    held: tuple[str, ...]
    floored: tuple[str, ...]
    being_deleted: tuple[str, ...]
    at_ids: tuple[str, ...]


@dataclass(frozen=True)
class Hold:
    """A legal hold as a person sets it; None in its place lifts."""

    reason: str = ""
    until: datetime | None = None
    keeps: tuple[HoldPart, ...] = ()
    """What stays as it is where there is a hold already."""


@dataclass(frozen=True)
class Protection:
    """What can be done about deletions."""

    assignment: AssignmentClient
    restore_index: RestoreIndexClient
    runs: Runs
    commands: Commands
    audit: AuditLog

    async def preview(self, who: Principal, store_id: str, rule: PruneRule) -> PruneDecision:
        """What a rule would do now. Raises `NotFound`, `Conflict` (`not_a_store`) and `Invalid` (`rule_empty`)."""
        with span("gateway.preview_prune"):
            store = await self.assignment.app(who, store_id)
            check_store(store)
            return await self.restore_index.preview_prune(who, store.id, rule)

    async def prune(self, who: Principal, store_id: str, rule: PruneRule, intent: Intent) -> Pruned:
        """Have deleted what a rule does not keep, by one-off runs. Raises as `preview`, and as a run does.

        A repeated request goes on where the first one ended, and answers the same.
        """
        with span("gateway.prune"):
            found = await self.preview(who, store_id, rule)
            claims, at_ids = list[Deletion](), list[str]()
            # Each run is started before more is claimed: a start that fails leaves nothing claimed that nobody deletes.
            async for claim in self._claims(who, store_id, found.would_delete, intent):
                if claim.deletable:
                    at_ids.append(await self._start(who, claim, _part(intent, len(claims))))
                claims.append(claim)
            deleted = tuple(each for claim in claims for each in claim.deletable)
            going = _joined(found.being_deleted, *(claim.being_deleted for claim in claims))
            own = frozenset(deleted)
            return Pruned(
                deleted=deleted,
                # What came under hold between preview and claim was not deleted either.
                held=_joined(found.held, *(claim.held for claim in claims)),
                floored=_joined(found.floored, *(claim.floored for claim in claims)),
                # What an earlier try of the same request claimed is deleted by it.
                being_deleted=tuple(each for each in going if each not in own),
                at_ids=tuple(at_ids),
            )

    async def _claims(
        self, who: Principal, store_id: str, ids: Sequence[SnapshotId], intent: Intent
    ) -> AsyncIterator[Deletion]:
        """One claim for each run: those of an earlier try of the same request, then one for each part of the rest."""
        number = 0
        async for claimed in self._claimed_before(who, store_id, intent):
            yield claimed
            number += 1
        for start in range(0, len(ids), IDS_PER_RUN):
            yield await self._claim(who, store_id, ids[start : start + IDS_PER_RUN], _part(intent, number))
            number += 1

    async def _claimed_before(self, who: Principal, store_id: str, intent: Intent) -> AsyncIterator[Deletion]:
        """What an earlier try of the same request claimed."""
        number = 0
        while True:
            try:
                yield await self.restore_index.reserved_deletion(who, store_id, _part(intent, number).id_for("job"))
            except NotFound:
                return
            number += 1

    async def _claim(self, who: Principal, store_id: str, ids: Sequence[SnapshotId], part: Intent) -> Deletion:
        # Claimed here, for the job that will be made: the next preview does not offer them again.
        job_id = JobId(part.id_for("job"))
        command = ClaimDeletion(
            organization_id=who.organization_id,
            store_id=AppId(store_id),
            job_id=job_id,
            snapshot_ids=tuple(ids),
            lasts_seconds=CLAIM_SECONDS,
        )
        await self.commands.carry_out(
            command, command_id=part.id_for("claim"), correlation_id=part.ids["correlation_id"]
        )
        return await self.restore_index.reserved_deletion(who, store_id, job_id)

    async def _start(self, who: Principal, claim: Deletion, part: Intent) -> str:
        """The run that deletes what was claimed; each has an entry in the audit log."""
        options = TaskOptions.model_validate({"snapshot_ids": claim.deletable})
        try:
            async with self.audit.change(
                who, DELETE_SNAPSHOTS, "store", claim.store_id, snapshot_ids=[*claim.deletable]
            ):
                started = await self.runs.start(who, RunRequest("rm", claim.store_id, options=options), part)
        except PermanentError:
            release = ReleaseDeletion(organization_id=who.organization_id, store_id=claim.store_id, job_id=claim.job_id)
            await self.commands.carry_out(release, command_id=part.id_for("release"))
            raise
        return started.run_id

    async def change_hold(
        self, who: Principal, points: Sequence[IndexedRestorePoint], hold: Hold | None, intent: Intent
    ) -> None:
        """Set or lift the hold of a restore point in the stores that are given. Raises `Conflict` and `Invalid`."""
        with span("gateway.change_hold"):
            for point in points:
                about = {
                    "organization_id": who.organization_id,
                    "store_id": point.store_id,
                    "snapshot_ids": (point.snapshot_id,),
                    "by": who.account_id,
                }
                command = (
                    LiftLegalHold.model_validate(about)
                    if hold is None
                    else SetLegalHold.model_validate(about | vars(hold))
                )
                await self.commands.carry_out(
                    command,
                    command_id=intent.id_for(f"hold in {point.store_id}"),
                    correlation_id=intent.ids["correlation_id"],
                )

    async def floor(self, who: Principal) -> RetentionFloor:
        """The floor of an organization."""
        return await self.restore_index.retention_floor(who)

    async def set_floor(self, who: Principal, min_versions: int, intent: Intent) -> RetentionFloor:
        """Change the floor of an organization."""
        with span("gateway.set_floor"):
            command = SetRetentionFloor(
                organization_id=who.organization_id, min_versions=min_versions, by=who.account_id
            )
            return RetentionFloor.model_validate(await self.commands.carry_out(command, **intent.ids))


def _part(intent: Intent, number: int) -> Intent:
    """What a request wants done by its n-th run."""
    return Intent(intent.id_for(f"run {number}"), intent.key)


def _joined(*parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for part in parts for each in part))
