"""How an engine's work can end badly. No text here ever holds a secret."""

from collections.abc import Sequence
from typing import Literal

from contracts.errors import Conflict, Invalid, NotFound
from integrations.sdk.errors import TLS_FIELD, WorkFailed, named, tls_advice

from connector.domain.attempts import Killed


class StoreNotInitialized(WorkFailed, Conflict):
    """There is no repository at the place."""

    def __init__(self) -> None:
        detail = (
            "The store holds no repository: initialize it first, or, if there was one, bring that back (is its disk"
            " mounted, is its bucket there?)."
        )
        super().__init__("store_not_initialized", detail)


class SnapshotsMissing(WorkFailed, Conflict):
    """A repository has data but no snapshot any more, and nobody can tell whether they were removed or lost."""

    def __init__(self, store: str) -> None:
        detail = (
            f"The store{named(store)} has no snapshot any more, though data of some is there: were they lost?"
            " Bring `snapshots` back, or, if they were removed on purpose, refresh the store with `force`: the restore"
            " points that are known of it are then forgotten."
        )
        super().__init__("snapshots_missing", detail)


class CompressionUnsupported(WorkFailed, Conflict):
    """A repository of format 1 holds nothing compressed."""

    def __init__(self) -> None:
        detail = "The repository of this store has format version 1, in which nothing can be compressed."
        super().__init__("compression_unsupported", detail)


class StoreLocked(WorkFailed, Conflict):
    """Another process works on the repository and did not finish in time."""

    def __init__(self, holder: str = "", *, lock_id: str = "") -> None:
        """`lock_id`: how the name of the lock's file begins, where that is known."""
        self.lock_id = lock_id
        who = holder or "other work"
        super().__init__("store_locked", f"The store is locked by {who}, and that did not finish in time.")


class LockNotStale(WorkFailed, Conflict):
    """Locks are there, and of none it is proved that nobody holds it."""

    def __init__(self, holders: Sequence[str]) -> None:
        detail = (
            f"The store is locked by {'; '.join(holders)}. A lock is removed when it was not renewed for 30 minutes, or"
            " when its process ran on the worker's own host and is gone. If that process is dead for certain, wait"
            " until then."
        )
        super().__init__("lock_not_stale", detail)


class StoreUnreachable(WorkFailed):
    """The place that keeps the repository does not answer, or refuses us. Trying later may help."""

    kind = "unavailable"

    def __init__(self, why: str) -> None:
        super().__init__("store_unreachable", f"The store cannot be reached: {why}")


class TlsMisconfigured(WorkFailed, Invalid):
    """The store's endpoint speaks TLS and is not asked to, or the other way round."""

    def __init__(self, *, speaks_tls: bool) -> None:
        super().__init__("tls_misconfigured", tls_advice(speaks_tls=speaks_tls), fields=TLS_FIELD)


class StoreRefused(WorkFailed):
    """The place that keeps the repository does not accept the credentials or denies access."""

    def __init__(self, why: str) -> None:
        super().__init__("store_refused", f"The store refuses access: {why}")


class StoreFull(WorkFailed):
    """No space is left."""

    def __init__(self) -> None:
        super().__init__("store_full", "No space is left in the store.")


class SourceEmpty(WorkFailed):
    """There is nothing to back up."""

    def __init__(self) -> None:
        detail = "There is nothing to back up: the source is empty. With `allow_empty` a restore point records that."
        super().__init__("source_empty", detail)


class SourceIgnored(WorkFailed):
    """Patterns leave out everything that there is."""

    def __init__(self) -> None:
        detail = (
            "There is nothing to back up: `ignores` leave out everything that is in the source. With `allow_empty` an "
            "empty restore point is made."
        )
        super().__init__("source_ignored", detail)


class SourceUnreadable(WorkFailed):
    """Nothing that is there can be read."""

    def __init__(self, unreadable: str) -> None:
        super().__init__("source_unreadable", f"Nothing in the source could be read: {unreadable}")


class RootUnreadable(SourceUnreadable):
    """The root of the source cannot be listed."""

    def __init__(self, why: str, *, source: str = "/") -> None:
        self.why = why
        super().__init__(f"{source} ({why})")


class StateExposed(WorkFailed):
    """Cairn's own state goes on turning up in the source under new names."""

    def __init__(self) -> None:
        detail = "Cairn's own state turned up in the source under other names again and again while it was read."
        super().__init__("state_exposed", detail)


class SourceInsideStore(WorkFailed, Invalid):
    """The files to back up are the store's own."""

    def __init__(self) -> None:
        super().__init__("source_inside_store", "The source lies inside the store it should be backed up to.")


class PatternInvalid(WorkFailed, Invalid):
    """A pattern of files to leave out is malformed."""

    def __init__(self, patterns: str) -> None:
        super().__init__("ignores_invalid", f"Not a pattern of files to leave out: {patterns}")


class SnapshotMissing(WorkFailed, NotFound):
    """The store has no such restore point."""

    def __init__(self, snapshot_id: str) -> None:
        super().__init__("snapshot_not_found", f"The store has no restore point {snapshot_id}.")


class StoresAtOdds(WorkFailed):
    """One engine cannot reach both stores at once, since each has the same setting otherwise."""

    def __init__(self, settings: Sequence[str]) -> None:
        super().__init__("stores_at_odds", f"The two stores cannot be used at once: both set {', '.join(settings)}.")


Side = Literal["origin", "target"]
"""Of two stores, the one that is copied from and the one that is copied to."""


class CopyFailed(WorkFailed):
    """Something that concerns one of two stores: `error` in the store at `side`. Code and kind are those of `error`."""

    def __init__(self, side: Side, error: WorkFailed) -> None:
        super().__init__(error.code, f"In the {side}: {error.detail}", fields=error.fields)
        self.kind = error.kind
        self.side = side
        self.error = error


class EngineFailed(WorkFailed):
    """Anything else, in the engine's own words."""

    def __init__(self, what: str, words: str) -> None:
        super().__init__("engine_failed", f"{what} failed: {words or 'the engine gave no reason'}")


class EngineKilled(WorkFailed, Killed):
    """The engine did not end by itself: somebody killed it, as a machine without memory does, or it crashed."""

    def __init__(self, what: str, ending: str) -> None:
        detail = f"{what} did not end by itself ({ending}). The machine may have run out of memory."
        super().__init__("engine_killed", detail)
