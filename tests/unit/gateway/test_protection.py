"""What a request wants done by several commands: deletion by a rule, and holds in several stores."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from chassis.errors import Unavailable
from chassis.http.error_handlers import install_problems
from chassis.http.request_middleware import RequestMiddleware
from chassis.ids import new_id
from chassis.messaging.command_client import Commands
from chassis.messaging.envelopes import accepted, rejected
from contracts.envelope import Envelope
from contracts.errors import Conflict, NotFound
from contracts.messages.base import Message
from contracts.messages.catalog import Resource
from contracts.messages.outcomes import Problem
from contracts.messages.protection import ClaimDeletion, ReleaseDeletion, SetLegalHold
from contracts.messages.scheduler import RunTask
from contracts.prune_rules import PruneRule
from contracts.queries.assignment import ReachableApp
from contracts.queries.restore_index import Deletion, IndexedRestorePoint, PruneDecision
from contracts.values import AppId, JobId, SnapshotId
from fastapi import FastAPI
from gateway.access.principal import Principal
from gateway.areas.operations.accepted import install_operations
from gateway.areas.operations.service import Operations
from gateway.areas.protection.prune_runs import IDS_PER_RUN, PruneRuns
from gateway.areas.protection.service import Hold, Protection
from gateway.areas.scheduling.service import Runs
from gateway.audit_log.entries import PRUNE, AuditRow
from gateway.audit_log.log import AuditLog
from gateway.http.dependencies import Services
from gateway.idempotency.intents import Intent

from tests.support.waiting import eventually_async
from tests.unit.gateway.in_memory import ROOT_ORG, AuditInMemory
from tests.unit.gateway.test_domain import a_resource, an_app
from tests.unit.gateway.test_operations import MemoryOperations

WHO = Principal(account_id="someone", organization_id=ROOT_ORG)
STORE = "store"


class Platform:
    """All that a prune and a hold ask, and the broker: it answers each command, but those of the silent kinds."""

    def __init__(self, count: int = 0) -> None:
        self.points = [SnapshotId(f"{number:064x}") for number in range(count)]
        self.claims: dict[JobId, Sequence[SnapshotId]] = {}
        self.started: list[Sequence[SnapshotId]] = []
        self.held: list[str] = []
        self.elsewhere: tuple[SnapshotId, ...] = ()
        """What other runs delete."""
        self.starts = 1000
        """How many runs can be started; the next ones are refused."""
        self.silent: set[type[Message]] = set()
        self.heard_of = 1000
        """How many commands of the silent kinds have an outcome all the same."""
        self.is_locked = self.is_away = False
        self.audit_store = AuditInMemory([])
        self._sent: dict[str, Any] = {}
        self.commands = Commands(self, service="gateway", timeout_seconds=0.02)
        it: Any = self
        audit = AuditLog(self.audit_store, kept_days=1)
        self.protection = Protection(
            it, it, PruneRuns(it, Runs(it, it, it, self.commands), self.commands, audit), self.commands
        )
        self.audit = audit

    async def app(self, *_: Any) -> ReachableApp:
        return ReachableApp.model_validate(an_app(id=STORE).model_dump())

    async def resource(self, *_: Any) -> Resource:
        if self.is_away:
            raise Unavailable("service_unavailable", "The catalog does not answer.")
        return a_resource(locked=self.is_locked)

    async def preview_prune(self, *_: Any) -> PruneDecision:
        claimed = {each for ids in self.claims.values() for each in ids}
        left = tuple(each for each in self.points if each not in claimed)
        return PruneDecision(would_delete=left, being_deleted=(*claimed, *self.elsewhere))

    async def reserved_deletion(self, _who: Any, _store: str, job_id: str) -> Deletion:
        if job_id not in self.claims:
            raise NotFound("deletion_not_found", "Nothing is claimed for this job.")
        return Deletion(store_id=AppId(STORE), job_id=JobId(job_id), deletable=tuple(self.claims[JobId(job_id)]))

    async def send(self, envelope: Envelope[Message]) -> None:
        """The broker takes a command; its outcome is heard, unless the kind is silent. A second one has the same."""
        if type(envelope.data) in self.silent:
            if not self.heard_of:
                return
            self.heard_of -= 1
        if envelope.id not in self._sent:
            self._sent[envelope.id] = self._carry_out(envelope)
        await self.commands.heard(self._sent[envelope.id])

    async def send_raw(self, topic: str, **_: Any) -> None:
        raise AssertionError(topic)

    def _carry_out(self, envelope: Envelope[Message]) -> Any:
        command = envelope.data
        if isinstance(command, ClaimDeletion):
            self.claims.setdefault(command.job_id, command.snapshot_ids)
        elif isinstance(command, ReleaseDeletion):
            self.claims.pop(command.job_id, None)
        elif isinstance(command, SetLegalHold):
            self.held.append(command.store_id)
        elif isinstance(command, RunTask):
            if len(self.started) == self.starts:
                return rejected(envelope, Problem(code="app_disabled", detail="No.", kind="conflict"), service="s")
            self.started.append(command.task.options.named_ids)
            return accepted(envelope, {"run_id": f"run-{len(self.started)}", "job_id": command.job_id}, service="s")
        return accepted(envelope, {}, service="s")

    async def prune(self, intent: Intent | None = None) -> Any:
        return await self.protection.prune(WHO, STORE, PruneRule(day=1), intent or Intent(new_id()))

    async def hold(self, stores: Sequence[str]) -> None:
        points = [
            cast(IndexedRestorePoint, SimpleNamespace(store_id=AppId(s), snapshot_id=SnapshotId("a"))) for s in stores
        ]
        await self.protection.change_hold(WHO, points, Hold("Case 4711"), Intent(new_id()))

    async def ask(self, path: str) -> httpx.Response:
        """The answer to a request, whose use cases are those of this platform."""
        app = FastAPI()
        app.state.services = Services(Operations(MemoryOperations(), self.commands, keep_seconds=1))
        install_problems(app)
        install_operations(app)

        async def prune() -> dict[str, str]:
            async with self.audit.change(WHO, PRUNE, "store", STORE):
                await self.prune()
            return {}

        async def hold() -> dict[str, str]:
            await self.hold(["one", "two"])
            return {}

        app.post("/prune")(prune)
        app.post("/hold")(hold)
        transport = httpx.ASGITransport(RequestMiddleware(app), raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post(path)

    async def entries(self) -> dict[str, list[tuple[str, str | None]]]:
        """How the entries of the audit log ended, by action."""
        rows: list[AuditRow] = self.audit_store.written
        await eventually_async(lambda: all(row.ended_at for row in rows))
        found: dict[str, list[tuple[str, str | None]]] = {}
        for row in rows:
            found.setdefault(row.entry.action, []).append((row.ending.outcome, row.ending.code))
        return found


async def test_each_part_is_claimed_and_deleted_by_a_run_of_its_own() -> None:
    platform = Platform(2 * IDS_PER_RUN + 1)

    done = await platform.prune()

    assert [len(each) for each in platform.started] == [IDS_PER_RUN, IDS_PER_RUN, 1]
    assert done.deleted == tuple(platform.points)
    assert done.at_ids == ("run-1", "run-2", "run-3")


async def test_a_run_that_cannot_be_started_leaves_nothing_claimed_that_nobody_deletes() -> None:
    platform = Platform(3 * IDS_PER_RUN)
    platform.starts = 1

    with pytest.raises(Conflict):
        await platform.prune()

    assert [tuple(each) for each in platform.claims.values()] == [tuple(platform.started[0])]


async def test_a_repeated_request_goes_on_where_it_ended() -> None:
    platform, intent = Platform(2 * IDS_PER_RUN), Intent(new_id())
    platform.elsewhere = (SnapshotId("e" * 64),)
    first = await platform.prune(intent)

    again = await platform.prune(intent)

    assert again.deleted == first.deleted
    # What the request deletes itself is no other run's.
    assert again.being_deleted == first.being_deleted == platform.elsewhere
    assert len(platform.claims) == 2


@pytest.mark.parametrize(("state", "status"), [("is_locked", 409), ("is_away", 503)])
async def test_what_forbids_the_runs_is_found_before_anything_is_claimed(state: str, status: int) -> None:
    platform = Platform(1)
    setattr(platform, state, True)

    answer = await platform.ask("/prune")

    assert (answer.status_code, platform.claims, platform.started) == (status, {}, [])
    # Nothing was deleted, and the audit log says so.
    assert await platform.entries() == {PRUNE: [("failed", answer.json()["code"])]}


async def test_a_request_that_was_refused_while_a_run_of_it_goes_on_keeps_its_claim() -> None:
    platform, intent = Platform(1), Intent(new_id())
    await platform.prune(intent)
    platform.is_locked = True

    with pytest.raises(Conflict, match="resource_locked"):
        await platform.prune(intent)

    assert len(platform.claims) == 1


async def test_a_claim_whose_run_never_went_out_is_given_back_and_claimed_again_by_the_next_try() -> None:
    platform, intent = Platform(1), Intent(new_id())
    platform.audit_store.broken = True
    with pytest.raises(Unavailable, match="audit_unavailable"):
        await platform.prune(intent)
    assert (platform.claims, platform.started) == ({}, [])

    platform.audit_store.broken = False
    assert (await platform.prune(intent)).at_ids == ("run-1",)


@pytest.mark.parametrize(
    ("silent", "heard_of", "entries"),
    [
        (ClaimDeletion, 0, {PRUNE: [("failed", "request_unfinished")]}),
        (
            RunTask,
            0,
            {PRUNE: [("unknown", "request_unfinished")], "snapshot.delete": [("unknown", "request_unfinished")]},
        ),
        (
            ClaimDeletion,
            1,
            {PRUNE: [("completed", "request_unfinished")], "snapshot.delete": [("completed", None)]},
        ),
    ],
)
async def test_what_is_not_the_last_of_a_request_becomes_no_operation(
    silent: type[Message], heard_of: int, entries: object
) -> None:
    platform = Platform(2 * IDS_PER_RUN)
    platform.silent, platform.heard_of = {silent}, heard_of

    answer = await platform.ask("/prune")

    assert (answer.status_code, answer.json()["code"]) == (503, "request_unfinished")
    assert "Idempotency-Key" in answer.json()["detail"]
    assert await platform.entries() == entries


async def test_the_last_run_of_a_request_may_become_an_operation() -> None:
    platform = Platform(2 * IDS_PER_RUN)
    platform.silent, platform.heard_of = {RunTask}, 1

    answer = await platform.ask("/prune")

    assert answer.status_code == 202
    ended = await platform.entries()
    assert ended == {PRUNE: [("continued", None)], "snapshot.delete": [("completed", None), ("continued", None)]}


@pytest.mark.parametrize(("heard_of", "status", "held"), [(0, 503, []), (1, 202, ["one"]), (2, 200, ["one", "two"])])
async def test_a_hold_is_an_operation_only_where_every_other_store_has_it(
    heard_of: int, status: int, held: list[str]
) -> None:
    platform = Platform()
    platform.silent, platform.heard_of = {SetLegalHold}, heard_of

    answer = await platform.ask("/hold")

    assert (answer.status_code, platform.held) == (status, held)
