"""What the audit log holds: who did what, when, and what became of it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Literal

from contracts.values import Moment, OrganizationId, Value, to_milliseconds
from pydantic import Field, JsonValue

# `cancelled` stays with two l: entries that were written so are read for `audit_days`.
Outcome = Literal["started", "completed", "continued", "unknown", "cancelled", "failed"]
Via = Literal["badge", "link", "password", "api-key", "command"]
DOWNLOAD_FILE, DOWNLOAD_ARCHIVE, CREATE_LINK = "file.download", "archive.download", "link.create"
LOG_IN, CHANGE_ORGANIZATION = "account.login", "account.exchange-badge"
READ_SECRETS, RESEAL_SECRETS = "secret.read", "secret.reseal"
CREATE_STORE, REPLACE_STORE, BELIEVE_STORE = "store.create", "store.replace", "store.believe"
UNLOCK_STORE = "store.unlock"
INSTALL, UNINSTALL, UPGRADE = "integration.install", "integration.uninstall", "integration.upgrade"
PRUNE, DELETE_SNAPSHOTS = "snapshot.prune", "snapshot.delete"
SET_HOLD, LIFT_HOLD, SET_FLOOR = "legal-hold.set", "legal-hold.lift", "retention.change"
NOBODY = ""
"""`account_id` of whoever tried to log in as nobody who is known, and of who runs Cairn on its machine."""

# A selection may have thousands of paths; some of them are enough for a person to recognise it.
_MOST_PATHS = 20
_PATH_CHARACTERS = 1000
_RANGE_CHARACTERS = 100


class Actor(Value):
    """Who did something: an account, itself or through a link that it signed; `NOBODY` for a login as nobody known."""

    account_id: str
    via: Via


class Subject(Value):
    """What something was done to."""

    kind: str = Field(description="e.g. `snapshot`")
    id: str


class AuditEntry(Value):
    """Something worth an entry, before it is done."""

    organization_id: OrganizationId
    actor: Actor
    action: str = Field(description="`<thing>.<verb>`, e.g. `file.download`")
    subject: Subject
    details: dict[str, JsonValue] = {}


class Ending(Value):
    """What became of it. `details` are added to those of the entry."""

    outcome: Outcome
    code: str | None = Field(default=None, description="The code of the problem that the client got")
    details: dict[str, JsonValue] = {}


class AuditRow(Value):
    """One row of the audit log. Its id is a UUIDv7 and holds the time at which it began."""

    id: str
    entry: AuditEntry
    ended_at: Moment | None = None
    # What is still true of an entry whose process died.
    ending: Ending = Ending(outcome="started")

    @property
    def at(self) -> datetime:
        """When it began."""
        return began_at(self.id)


def began_at(entry_id: str) -> datetime:
    """The time in a UUIDv7. Raises `ValueError` for what is none, or whose time is out of range."""
    # Clients send ids back as cursors, so this may be any text.
    made = uuid.UUID(entry_id)
    if made.version != 7:
        raise ValueError("not a UUIDv7")
    return to_milliseconds(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=made.int >> 80))


def selection_details(paths: list[str], **facts: str | None) -> dict[str, JsonValue]:
    """What is kept of a selection: some of the paths, each cut to a length, and how many there were."""
    some: list[JsonValue] = [path[:_PATH_CHARACTERS] for path in paths[:_MOST_PATHS]]
    return {"paths": some, "paths_total": len(paths), **{k: v[:_RANGE_CHARACTERS] for k, v in facts.items() if v}}
