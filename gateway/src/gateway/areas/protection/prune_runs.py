"""Deletion in parts: each is claimed at the restore index and then deleted by a run of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from chassis.messaging.command_client import Commands
from chassis.runtime.deadlines import under
from chassis.runtime.supervision import begin
from contracts.errors import CairnError, NotFound, PermanentError
from contracts.messages.protection import ClaimDeletion, ReleaseDeletion
from contracts.queries.restore_index import Deletion
from contracts.tasks import TaskOptions
from contracts.values import AppId, JobId, SnapshotId
from pydantic import JsonValue

from gateway.access.principal import Principal
from gateway.areas.scheduling.service import PlannedRun, RunRequest, Runs
from gateway.audit_log.entries import DELETE_SNAPSHOTS
from gateway.audit_log.log import AuditLog
from gateway.clients.restore_index import RestoreIndexClient
from gateway.idempotency.intents import Intent

log = logging.getLogger(__name__)
IDS_PER_RUN = 100
"""Restore points that one run deletes, at most."""
# A run waits in line at its store; as soon as a worker has it, the claim lasts as long as the job.
CLAIM_SECONDS = 3600
# How long a failed request waits for its claim to be given back; that goes on without it.
RELEASE_SECONDS = 0.5


@dataclass(frozen=True)
class _Part:
    """What one run deletes: `snapshot_ids` that are still to be claimed, or the `claim` of an earlier try."""

    who: Principal
    store_id: AppId
    intent: Intent
    is_last: bool
    snapshot_ids: Sequence[SnapshotId] = ()
    claim: Deletion | None = None

    @property
    def job_id(self) -> JobId:
        """The job that will be made: what is claimed for it is not offered again by the next preview."""
        return JobId(self.intent.id_for("job"))


@dataclass(frozen=True)
class StartedDeletion:
    """What was claimed, and the run that deletes it; none where nothing of it may go."""

    claim: Deletion
    run_id: str | None = None


@dataclass(frozen=True)
class PruneRuns:
    """Claims and starts."""

    restore_index: RestoreIndexClient
    runs: Runs
    commands: Commands
    audit: AuditLog
    _releasing: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def start(
        self, who: Principal, store_id: AppId, ids: Sequence[SnapshotId], intent: Intent
    ) -> Sequence[StartedDeletion]:
        """Have restore points deleted; each run is started before more is claimed. Raises as a run does.

        What an earlier try of the same request claimed comes first. Only the last run may become an operation; where
        the outcome of anything before it does not come, that is `Unavailable` (`request_unfinished`).
        """
        parts = await self._parts(who, store_id, ids, intent)
        if not parts:
            return ()
        # Before anything is claimed: what forbids the runs is known then, and leaves no claim behind.
        plan = await self.runs.plan(who, RunRequest("rm", store_id))
        return [await self._start(plan, part) for part in parts]

    async def _parts(
        self, who: Principal, store_id: AppId, ids: Sequence[SnapshotId], intent: Intent
    ) -> Sequence[_Part]:
        """Those of an earlier try of the same request, then those of the rest."""
        claims = [claim async for claim in self._claimed_before(who, store_id, intent)]
        rest = [ids[start : start + IDS_PER_RUN] for start in range(0, len(ids), IDS_PER_RUN)]
        last = len(claims) + len(rest) - 1
        return [
            *(
                _Part(who, store_id, _intent_of(intent, number), number == last, claim=claim)
                for number, claim in enumerate(claims)
            ),
            *(
                _Part(who, store_id, _intent_of(intent, number), number == last, snapshot_ids=some)
                for number, some in enumerate(rest, start=len(claims))
            ),
        ]

    async def _claimed_before(self, who: Principal, store_id: AppId, intent: Intent) -> AsyncIterator[Deletion]:
        number = 0
        while True:
            try:
                job_id = _intent_of(intent, number).id_for("job")
                yield await self.restore_index.reserved_deletion(who, store_id, job_id)
            except NotFound:
                return
            number += 1

    async def _start(self, plan: PlannedRun, part: _Part) -> StartedDeletion:
        """Claim a part and start its run, which has an entry in the audit log."""
        is_sent = False
        try:
            claim = part.claim or await self._claim(part)
            if not claim.deletable:
                return StartedDeletion(claim)
            options = TaskOptions.model_validate({"snapshot_ids": claim.deletable})
            ids: list[JsonValue] = [*claim.deletable]
            async with self.audit.change(part.who, DELETE_SNAPSHOTS, "store", part.store_id, snapshot_ids=ids):
                is_sent = True
                started = await self.runs.send(part.who, plan.with_options(options), part.intent, is_last=part.is_last)
            return StartedDeletion(claim, started.run_id)
        except BaseException as error:
            # Of a run that went out only a refusal says that there is none; an earlier try may have sent its own.
            if isinstance(error, PermanentError) if is_sent else part.claim is None:
                await self._give_back(part)
            raise

    async def _claim(self, part: _Part) -> Deletion:
        # Under a new id each time: a repeated request claims again what was given back meanwhile. A job has one claim.
        await self.commands.prepare(
            ClaimDeletion(
                organization_id=part.who.organization_id,
                store_id=part.store_id,
                job_id=part.job_id,
                snapshot_ids=tuple(part.snapshot_ids),
                lasts_seconds=CLAIM_SECONDS,
            ),
            correlation_id=part.intent.ids["correlation_id"],
        )
        return await self.restore_index.reserved_deletion(part.who, part.store_id, part.job_id)

    async def _give_back(self, part: _Part) -> None:
        """Release a claim, also when the request is over."""
        task = begin("release of a claim", self._release(part))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)
        await asyncio.wait({task}, timeout=RELEASE_SECONDS)

    async def _release(self, part: _Part) -> None:
        # Only while it is reserved: by the time this is read, a repeated request may have started the run.
        command = ReleaseDeletion(
            organization_id=part.who.organization_id, store_id=part.store_id, job_id=part.job_id, reserved=True
        )
        try:
            with under(None):
                await self.commands.prepare(command, correlation_id=part.intent.ids["correlation_id"])
        except CairnError as error:
            log.warning("claim not given back, it ends by itself", extra={"job_id": part.job_id, "reason": str(error)})


def _intent_of(intent: Intent, number: int) -> Intent:
    """What a request wants done by its n-th run."""
    return Intent(intent.id_for(f"run {number}"), intent.key)
