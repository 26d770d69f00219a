"""Runs that delete by a rule: claimed and started one after the other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from chassis.ids import new_id
from contracts.errors import Conflict, NotFound
from contracts.messages.protection import ClaimDeletion, ReleaseDeletion
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import Deletion, PruneDecision
from contracts.values import AppId, JobId, SnapshotId
from gateway.areas.protection.service import IDS_PER_RUN, Protection
from gateway.idempotency.intents import Intent

from tests.unit.gateway.in_memory import ROOT_ORG

WHO: Any = SimpleNamespace(organization_id=ROOT_ORG, account_id="someone")
STORE = "store"


class Services:
    """The restore index, the scheduler, the assignment and the audit log, as a prune sees them."""

    def __init__(self, count: int) -> None:
        self.points = [SnapshotId(f"{number:064x}") for number in range(count)]
        self.claims: dict[JobId, Sequence[SnapshotId]] = {}
        self.started: list[Sequence[SnapshotId]] = []
        self.elsewhere: tuple[SnapshotId, ...] = ()
        """What other runs delete."""
        self.starts = 1000
        """How many runs can be started."""

    async def app(self, *_: Any) -> Any:
        return SimpleNamespace(id=STORE, kind="store")

    async def preview_prune(self, *_: Any) -> Any:
        claimed = {each for ids in self.claims.values() for each in ids}
        left = tuple(each for each in self.points if each not in claimed)
        return PruneDecision(would_delete=left, being_deleted=(*claimed, *self.elsewhere))

    async def reserved_deletion(self, _who: Any, _store: str, job_id: str) -> Deletion:
        if job_id not in self.claims:
            raise NotFound("deletion_not_found", "Nothing is claimed for this job.")
        return Deletion(store_id=AppId(STORE), job_id=JobId(job_id), deletable=tuple(self.claims[JobId(job_id)]))

    async def carry_out(self, command: Any, **_: Any) -> None:
        if isinstance(command, ClaimDeletion):
            self.claims[command.job_id] = command.snapshot_ids
        elif isinstance(command, ReleaseDeletion):
            del self.claims[command.job_id]

    @asynccontextmanager
    async def change(self, *_: Any, **__: Any) -> AsyncIterator[None]:
        yield

    async def start(self, _who: Any, run: Any, _intent: Intent) -> Any:
        if len(self.started) == self.starts:
            raise Conflict("app_disabled", "The store is disabled.")
        self.started.append(run.options.named_ids)
        return SimpleNamespace(run_id=f"run-{len(self.started)}")

    def protection(self) -> Protection:
        it: Any = self
        return Protection(it, it, it, it, it)


async def test_each_part_is_claimed_and_deleted_by_a_run_of_its_own() -> None:
    services = Services(2 * IDS_PER_RUN + 1)

    done = await services.protection().prune(WHO, STORE, PruneRule(day=1), Intent(new_id()))

    assert [len(each) for each in services.started] == [IDS_PER_RUN, IDS_PER_RUN, 1]
    assert done.deleted == tuple(services.points)
    assert done.at_ids == ("run-1", "run-2", "run-3")


async def test_a_run_that_cannot_be_started_leaves_nothing_claimed_that_nobody_deletes() -> None:
    services = Services(3 * IDS_PER_RUN)
    services.starts = 1

    with pytest.raises(Conflict):
        await services.protection().prune(WHO, STORE, PruneRule(day=1), Intent(new_id()))

    assert [tuple(each) for each in services.claims.values()] == [tuple(services.started[0])]


async def test_a_repeated_request_goes_on_where_it_ended() -> None:
    services, intent = Services(2 * IDS_PER_RUN), Intent(new_id())
    services.elsewhere = (SnapshotId("e" * 64),)
    first = await services.protection().prune(WHO, STORE, PruneRule(day=1), intent)

    again = await services.protection().prune(WHO, STORE, PruneRule(day=1), intent)

    assert again.deleted == first.deleted
    # What the request deletes itself is no other run's.
    assert again.being_deleted == first.being_deleted == services.elsewhere
    assert len(services.claims) == 2
