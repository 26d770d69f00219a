"""What the restore index is asked and answers.

The gateway passes listings of directories, searches, versions and differences on as the bytes that the index answers
(decision 0037): what is asked of them is declared here, and their rows in the schemas of the gateway alone.
"""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, JsonValue

from contracts.messages.protection import LegalHold
from contracts.messages.restore_index import Damage, RestorePoint, Totals
from contracts.paths import PATH_PATTERN
from contracts.values import AppId, JobId, SnapshotId, Value

PATH = "Percent-encoded bytes from the root of the restore point; bytes that are no UTF-8 may be shown as `\\xff`"
PATH_SCHEMA: dict[str, JsonValue] = {"pattern": PATH_PATTERN}
FILE_ROWS, MOST_FILE_ROWS = 100, 1000
LARGEST_SIZE = 2**63 - 1
MOST_SOURCES_ASKED = 500
LONGEST_TEXT, LONGEST_CURSOR = 4000, 20_000
Sort = Literal["name", "size", "mtime"]
Direction = Literal["asc", "desc"]
EntryType = Literal["file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular"]
State = Literal["browsable", "indexing", "damaged", "unreadable"]
_GLOB = (
    "A pattern of the name, with `*`, `?` and `[...]`; with a slash in it, of the path from the root, where `**` "
    "stands for any number of directories"
)
_ENDINGS = r"^[^,\x00]+(,[^,\x00]+)*$"


class IndexedRestorePoint(RestorePoint):
    """A restore point and whether it can be opened."""

    browsable: bool = False
    damage: Damage | None = None
    totals: Totals | None = None
    legal_hold: LegalHold | None = None
    being_deleted: bool = False
    """Whether a job claimed it in order to delete it."""
    maybe_deleted: bool = False
    """Whether a job that ended without success in the last day had claimed it: only the store tells if it is there."""

    @property
    def state(self) -> State:
        """What can be done with it: `unreadable` is what the store has and does not give out."""
        if self.browsable:
            return "browsable"
        if self.damage is None:
            return "indexing"
        return "damaged" if self.damage.is_loss else "unreadable"


class LatestPointsQuestion(Value):
    """Which are the newest restore points of some sources together, in all stores?"""

    source_ids: tuple[AppId, ...] = Field(max_length=MOST_SOURCES_ASKED)
    limit: int = Field(ge=1, le=50)


class PruneDecision(Value):
    """What a rule means for the restore points that it is about, newest first. Each is in one of the lists."""

    would_delete: tuple[SnapshotId, ...] = ()
    would_keep: tuple[SnapshotId, ...] = ()
    """What the rule keeps, and what it does not judge: damaged ones, and those that were never read."""
    held: tuple[SnapshotId, ...] = ()
    """What the rule would delete and a legal hold keeps."""
    floored: tuple[SnapshotId, ...] = ()
    """What the rule would delete and the floor of the organization keeps."""
    being_deleted: tuple[SnapshotId, ...] = ()
    """What it is about and a job deletes already: the rule does not judge it."""


class Deletion(Value):
    """What a job may delete of a store, decided once by `ClaimDeletion`. Each restore point is in one of the lists."""

    store_id: AppId
    job_id: JobId
    deletable: tuple[SnapshotId, ...] = ()
    """Claimed for the job, newest first; stays here when it is gone."""
    gone: tuple[SnapshotId, ...] = ()
    """Those of `deletable` that are removed already."""
    held: tuple[SnapshotId, ...] = ()
    floored: tuple[SnapshotId, ...] = ()
    being_deleted: tuple[SnapshotId, ...] = ()
    """Claimed by another job."""
    missing: tuple[SnapshotId, ...] = ()
    """Not in the store."""
    more: int = 0
    """How many others the rule would delete: a claim has a limit."""
    held_more: int = 0
    floored_more: int = 0
    being_deleted_more: int = 0
    """How many others of a rule's are held, floored and claimed: of these the newest are listed."""


class RetentionFloor(Value):
    """How many restore points of each source stay in a store whatever a rule or a person says."""

    min_versions: int = 0


def _written_out(value: object) -> object:
    # Pydantic takes any number for a time, too: 2026 would be half an hour past the epoch.
    if isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}([Tt ]|$)", value):
        raise ValueError("must be a date and time as RFC 3339 has them")
    return value


Time = Annotated[datetime, BeforeValidator(_written_out)]


class Conditions(BaseModel):
    """What is searched for. `q`, `glob`, `ext` and `path` are bytes: readers take them from the raw query string."""

    q: str | None = Field(default=None, min_length=1, max_length=LONGEST_TEXT, description="A part of the name")
    glob: str | None = Field(default=None, min_length=1, max_length=LONGEST_TEXT, description=_GLOB)
    ext: list[Annotated[str, Field(json_schema_extra={"pattern": _ENDINGS})]] | None = Field(
        default=None, description="What the name ends with after a dot; several, also with commas: any of them"
    )
    min_size: int | None = Field(
        default=None, ge=0, le=LARGEST_SIZE, description="Bytes at least; of a directory: of all below it"
    )
    max_size: int | None = Field(default=None, ge=0, le=LARGEST_SIZE, description="Bytes at most")
    modified_after: Time | None = Field(default=None, description="Changed then or later; UTC unless it has an offset")
    modified_before: Time | None = Field(default=None, description="Changed before that")
    type: list[EntryType] | None = Field(default=None, description="Several: any of them")
    path: str = Field(
        default="/", json_schema_extra=PATH_SCHEMA, description=f"Only what is below this directory. {PATH}"
    )
    limit: int = Field(default=FILE_ROWS, ge=1, description=f"Rows at most; never more than {MOST_FILE_ROWS}")
    cursor: str = Field(
        default="", max_length=LONGEST_CURSOR, description="`next_cursor` of the page before, with the same conditions"
    )


class ConditionsAnywhere(Conditions):
    """What is searched for, and in which restore points."""

    source_id: str | None = Field(default=None, description="Only in restore points of this source")
    store_id: str | None = Field(default=None, description="Only in restore points in this store")
