"""Commands to and events of the restore index about what may be deleted: holds, the floor, claims."""

from typing import ClassVar, Literal

from pydantic import Field

from contracts import topics
from contracts.messages.base import Command, Event
from contracts.prune_rules import PruneRule
from contracts.values import AppId, JobId, Moment, SnapshotId, Value

MOST_CLAIMED = 10_000
"""Restore points in one claim, at most: it is kept in the one document of its store."""
MOST_HELD = 1000
"""Restore points in one command about holds."""
LONGEST_REASON = 1000
HoldPart = Literal["reason", "until"]


class LegalHold(Value):
    """Why a restore point must not be deleted."""

    reason: str = Field(default="", description="In words of who set it")
    until: Moment | None = Field(default=None, description="When it ends by itself; None: when it is lifted")
    by: str = Field(default="", description="The account that set it")
    at: Moment = Field(description="When it was set")

    def holds_at(self, now: Moment) -> bool:
        """Whether it has not ended."""
        return self.until is None or now < self.until


class ProtectionCommand(Command):
    """Keyed by store."""

    TOPIC: ClassVar[str] = topics.RESTORE_INDEX_COMMANDS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")


class HoldsChanged(Value):
    """Result of `SetLegalHold` and `LiftLegalHold`."""

    snapshot_ids: tuple[SnapshotId, ...] = Field(default=(), description="Restore points that changed")


class SetLegalHold(ProtectionCommand):
    """Keep restore points of a store from deletion, all of them or none. A hold that is there is replaced, but for
    what it `keeps`.

    Result: `HoldsChanged`. Refused: `snapshot_not_found`, `restore_point_being_deleted`, `hold_over` (its end is past),
    `hold_invalid`, `holds_too_many` (about 25,000 in a store; a reason of 1,000 characters counts for five).
    """

    TYPE: ClassVar[str] = "cairn.restore-index.legal-hold.set.v1"

    snapshot_ids: tuple[SnapshotId, ...] = Field(description="Restore points of the store, at most 1,000")
    reason: str = Field(default="", description="Why, in words")
    until: Moment | None = Field(default=None, description="When the hold ends by itself; None: when it is lifted")
    by: str = Field(default="", description="The account that sets it")
    keeps: tuple[HoldPart, ...] = Field(
        default=(), description="What a hold that is there keeps, whatever is said here; none: all is replaced"
    )


class LiftLegalHold(ProtectionCommand):
    """Let restore points of a store be deleted again. Those without a hold stay as they are.

    A hold that was set through another store of the same repository is lifted as well.

    Result: `HoldsChanged`. Refused: `snapshot_not_found`.
    """

    TYPE: ClassVar[str] = "cairn.restore-index.legal-hold.lift.v1"

    snapshot_ids: tuple[SnapshotId, ...] = Field(description="Restore points of the store, at most 1,000")
    by: str = Field(default="", description="The account that lifts it")


class RetentionFloorKept(Value):
    """Result of `SetRetentionFloor`."""

    min_versions: int = Field(description="Restore points of a source that stay in a store whatever a rule says")


class SetRetentionFloor(Command):
    """Say how many restore points of each source stay in a store, whatever a rule or a person says.

    Result: `RetentionFloorKept`.
    """

    TYPE: ClassVar[str] = "cairn.restore-index.retention-floor.set.v1"
    TOPIC: ClassVar[str] = topics.RESTORE_INDEX_COMMANDS
    KEY: ClassVar[str] = "organization_id"

    min_versions: int = Field(ge=0, description="0: none has to stay")
    by: str = Field(default="", description="The account that sets it")


class DeletionClaimed(Value):
    """Result of `ClaimDeletion`: how many there are of each kind. Which ones is asked of the restore index."""

    deletable: int = Field(default=0, description="May be deleted, and are claimed for the job")
    held: int = Field(default=0, description="Are under legal hold")
    floored: int = Field(default=0, description="Are kept by the floor of the organization")
    being_deleted: int = Field(default=0, description="Are claimed by another job")
    missing: int = Field(default=0, description="Are not in the store")


class ClaimDeletion(ProtectionCommand):
    """Decide what a job may delete in a store, and claim it: from then on no hold can be set on it.

    Give ids, or a rule that chooses. The decision is kept: a second claim of the same job gets it again, as
    `GET /internal/stores/{store_id}/deletions/{job_id}` does. A claim ends with `ReleaseDeletion`, an
    hour after its job succeeded and minutes after it failed or was canceled; one with `lasts_seconds` also by time,
    and a claim of the same job without them makes it last: until then the query does not tell of it unless asked for
    what is `reserved`. Result: `DeletionClaimed`. Refused: `rule_empty`, `deletion_invalid`, `deletion_over` (the job
    is over).
    """

    TYPE: ClassVar[str] = "cairn.restore-index.deletion.claim.v1"

    job_id: JobId = Field(description="The job that deletes")
    snapshot_ids: tuple[SnapshotId, ...] = Field(default=(), description="What it should delete, at most 10,000")
    rule: PruneRule | None = Field(
        default=None, description="In place of ids; of more than 10,000 the oldest are claimed, and `more` says so"
    )
    lasts_seconds: int | None = Field(
        default=None, ge=1, description="The claim ends by itself then; None: with its job"
    )
    retry_of: JobId | None = Field(
        default=None, description="The job that is run once more: it is over, and this one takes over what it claimed"
    )


class ReleaseDeletion(ProtectionCommand):
    """A job deletes no more of what it claimed, or of a part of it. Without a claim nothing happens. Result: `{}`."""

    TYPE: ClassVar[str] = "cairn.restore-index.deletion.release.v1"

    job_id: JobId = Field(description="The job that claimed")
    snapshot_ids: tuple[SnapshotId, ...] | None = Field(
        default=None, description="Those that it does not touch any more; None: all that it claimed"
    )
    reserved: bool = Field(
        default=False, description="Only what was claimed for a time and that the job itself has not claimed yet"
    )


class ProtectionEvent(Event):
    """Keyed by store."""

    TOPIC: ClassVar[str] = topics.RESTORE_INDEX_EVENTS
    KEY: ClassVar[str] = "store_id"

    store_id: AppId = Field(description="The store")


class LegalHoldSet(ProtectionEvent):
    """Restore points of a store are under legal hold."""

    TYPE: ClassVar[str] = "cairn.restore-index.legal-hold.was-set.v1"

    snapshot_ids: tuple[SnapshotId, ...] = Field(description="The restore points")
    hold: LegalHold = Field(description="The hold")
    source_ids: tuple[AppId, ...] = Field(default=(), description="What they were made of, as far as that is known")


class LegalHoldLifted(ProtectionEvent):
    """Restore points of a store are under legal hold no more. One that ends by time is not announced."""

    TYPE: ClassVar[str] = "cairn.restore-index.legal-hold.lifted.v1"

    snapshot_ids: tuple[SnapshotId, ...] = Field(description="The restore points")
    by: str = Field(default="", description="The account that lifted it")
    source_ids: tuple[AppId, ...] = Field(default=(), description="What they were made of, as far as that is known")
