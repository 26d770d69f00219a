"""Deletion by rule, holds and the floor: asked of the restore index, which decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.messaging.command_client import Commands
from chassis.telemetry.tracing import span
from contracts.messages.protection import (
    HoldPart,
    LiftLegalHold,
    SetLegalHold,
    SetRetentionFloor,
)
from contracts.prune_rules import PruneRule
from contracts.queries.restore_index import IndexedRestorePoint, PruneDecision, RetentionFloor
from contracts.values import AppId

from gateway.access.principal import Principal
from gateway.areas.connectors.preconditions import check_store
from gateway.areas.protection.prune_runs import PruneRuns
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient
from gateway.idempotency.intents import Intent


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
    prune_runs: PruneRuns
    commands: Commands

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
            started = await self.prune_runs.start(who, AppId(store_id), found.would_delete, intent)
            claims = [each.claim for each in started]
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
                at_ids=tuple(each.run_id for each in started if each.run_id),
            )

    async def change_hold(
        self, who: Principal, points: Sequence[IndexedRestorePoint], hold: Hold | None, intent: Intent
    ) -> None:
        """Set or lift the hold of a restore point in the stores that are given. Raises `Conflict` and `Invalid`.

        Only what the last store is told may become an operation; where the outcome of another one does not come, that
        is `Unavailable` (`request_unfinished`).
        """
        with span("gateway.change_hold"):
            for number, point in enumerate(points, start=1):
                carry_out = self.commands.carry_out if number == len(points) else self.commands.carry_out_part
                await carry_out(
                    _hold_command(who, point, hold),
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


def _hold_command(who: Principal, point: IndexedRestorePoint, hold: Hold | None) -> SetLegalHold | LiftLegalHold:
    about = {
        "organization_id": who.organization_id,
        "store_id": point.store_id,
        "snapshot_ids": (point.snapshot_id,),
        "by": who.account_id,
    }
    return LiftLegalHold.model_validate(about) if hold is None else SetLegalHold.model_validate(about | vars(hold))


def _joined(*parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for part in parts for each in part))
