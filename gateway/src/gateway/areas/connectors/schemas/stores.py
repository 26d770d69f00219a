"""The storage behind stores, and who works on it."""

from contracts.messages.connector.stores import StoreDifference, StoreLock
from pydantic import Field

from gateway.areas.connectors.schemas.answers import StoreWarningView
from gateway.http.answers import Stamp, View
from gateway.http.examples import CONNECTOR, example


class StoreView(View):
    """The storage behind a store."""

    model_config = example(id=CONNECTOR, initialized=True, adopted=False, compression="auto")

    id: str
    initialized: bool
    adopted: bool = Field(description="True when the storage was there already and was taken over as it is")
    compression: str = Field(description="Level of Zstandard for later backups: `auto`, `fastest`, `better` or `max`")


_LOCK = {
    "id": "3c" * 32,
    "exclusive": True,
    "host": "backup-1",
    "process": 4711,
    "user": "root",
    "since": "2026-11-23T08:00:00Z",
    "stale": False,
}


class LockView(View):
    """A process that says it works on the storage behind a store."""

    model_config = example(**_LOCK)

    id: str
    exclusive: bool = Field(description="Whether it keeps everybody else out")
    host: str = Field(description="The machine it runs on; empty for a lock that cannot be read")
    process: int = Field(description="Its process id there")
    user: str
    since: Stamp | None = Field(description="When it was last renewed; who lives does so every 5 minutes")
    stale: bool = Field(
        description="Proved to be nobody's: not renewed for 30 minutes, or of a process of a worker's host that is gone"
    )


class UnlockView(View):
    """What became of the locks of a store."""

    model_config = example(id=CONNECTOR, removed=[_LOCK | {"stale": True}], remaining=[])

    id: str
    removed: list[LockView]
    remaining: list[LockView] = Field(description="Those that are not proved stale")


def lock_view(lock: StoreLock) -> LockView:
    """A lock as the API shows it."""
    return LockView(**lock.model_dump())


class RefreshView(View):
    """How a store differed from what was known of it; that is mended next."""

    model_config = example(id=CONNECTOR, rebuild=False, added=2, removed=1, listed=2, damaged=0, warnings=[])

    id: str
    rebuild: bool
    added: int = Field(description="Restore points in the store that were not known")
    removed: int = Field(description="Restore points that were known and are not in the store any more")
    listed: int = Field(description="Restore points whose directories will be read")
    damaged: int = Field(
        description="Those of them that were found damaged, or unreadable, before: they are tried again"
    )
    warnings: list[StoreWarningView] = Field(description="Which those are")


def refresh_view(store_id: str, found: StoreDifference, *, rebuild: bool) -> RefreshView:
    """How a store differs from what is known of it."""
    return RefreshView.model_validate({"id": store_id, "rebuild": rebuild, **found.model_dump()})
