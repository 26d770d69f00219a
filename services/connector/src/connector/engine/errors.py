"""How an engine's work can end badly. No text here ever holds a secret."""

from collections.abc import Sequence

from chassis.errors import Conflict, Invalid, NotFound, PermanentError

from connector.domain import Killed

TLS_FIELD = {"fields.use_tls": "does not go with the endpoint"}


def tls_advice(*, speaks_tls: bool) -> str:
    """What to change where an endpoint speaks TLS and is not asked to, or the other way round."""
    if speaks_tls:
        return "The endpoint speaks HTTPS, not plain HTTP: set the field `use_tls` to true."
    return "The endpoint speaks plain HTTP, not HTTPS: set the field `use_tls` to false."


class EngineError(PermanentError):
    """The engine could not do what was asked."""


class PassphraseMissing(EngineError, Invalid):
    """The store has no passphrase."""

    def __init__(self) -> None:
        super().__init__("passphrase_missing", "The store has no passphrase.", fields={"fields.passphrase": "missing"})


class PassphraseWrong(EngineError, Invalid):
    """The passphrase opens no key of the repository."""

    def __init__(self) -> None:
        super().__init__(
            "passphrase_wrong",
            "The passphrase does not open the repository of this store.",
            fields={"fields.passphrase": "does not open the repository"},
        )


class StoreNotInitialized(EngineError, Conflict):
    """There is no repository at the place."""

    def __init__(self) -> None:
        detail = (
            "The store holds no repository: initialize it first, or, if there was one, bring that back (is its disk"
            " mounted, is its bucket there?)."
        )
        super().__init__("store_not_initialized", detail)


class RepositoryGone(EngineError, Conflict):
    """The repository that a store had is not at its place."""

    def __init__(self, store: str, noted: str, *, has_data: bool = False) -> None:
        self.has_data = has_data
        found = "its file `config` is gone, other files of it are there" if has_data else "which is not there"
        detail = (
            f"The store{_named(store)} had the repository {noted[:8]}, {found}. Bring it back (is its disk mounted, is"
            " its bucket there?). To begin anew without it, create the storage with `force`: the restore points that"
            " are known of it are then forgotten."
        )
        super().__init__("repository_missing", detail)


class RepositoryChanged(EngineError, Conflict):
    """Another repository than before is at the place of a store."""

    def __init__(self, store: str, noted: str, *, found: str) -> None:
        detail = (
            f"The store{_named(store)} holds another repository than before: {found[:8]} in place of {noted[:8]}. Bring"
            " that one back, or take this one over by creating the storage with `force`: what is known of the other is"
            " then forgotten."
        )
        super().__init__("repository_changed", detail)


class SnapshotsMissing(EngineError, Conflict):
    """A repository has data but no snapshot any more, and nobody can tell whether they were removed or lost."""

    def __init__(self, store: str) -> None:
        detail = (
            f"The store{_named(store)} has no snapshot any more, though data of some is there: were they lost? Bring"
            " `snapshots` back, or, if they were removed on purpose, refresh the store with `force`: the restore points"
            " that are known of it are then forgotten."
        )
        super().__init__("snapshots_missing", detail)


class CompressionUnsupported(EngineError, Conflict):
    """A repository of format 1 holds nothing compressed."""

    def __init__(self) -> None:
        detail = "The repository of this store has format version 1, in which nothing can be compressed."
        super().__init__("compression_unsupported", detail)


def _named(store: str) -> str:
    return f" {store!r}" if store else ""


class StoreHalfMade(EngineError, Conflict):
    """There are keys at the place, but no configuration: no key opens anything there."""

    def __init__(self, address: str) -> None:
        detail = (
            "The store has files of a repository but no file `config`: an initialization was cut off, or the file"
            " was lost. Put the file back, or, if nothing in `snapshots` and `data` is worth keeping, remove `keys`"
            f" and these in {address}."
        )
        super().__init__("store_half_initialized", detail)


class StoreLocked(EngineError, Conflict):
    """Another process works on the repository and did not finish in time."""

    def __init__(self, holder: str = "") -> None:
        who = holder or "other work"
        super().__init__("store_locked", f"The store is locked by {who}, and that did not finish in time.")


class LockNotStale(EngineError, Conflict):
    """Locks are there, and of none it is proved that nobody holds it."""

    def __init__(self, holders: Sequence[str]) -> None:
        detail = (
            f"The store is locked by {'; '.join(holders)}. A lock is removed when it was not renewed for 30 minutes, or"
            " when its process ran on the worker's own host and is gone. If that process is dead for certain, wait"
            " until then."
        )
        super().__init__("lock_not_stale", detail)


class StoreUnreachable(EngineError):
    """The place that keeps the repository does not answer, or refuses us. Trying later may help."""

    kind = "unavailable"

    def __init__(self, why: str) -> None:
        super().__init__("store_unreachable", f"The store cannot be reached: {why}")


class TlsMisconfigured(EngineError, Invalid):
    """The store's endpoint speaks TLS and is not asked to, or the other way round."""

    def __init__(self, *, speaks_tls: bool) -> None:
        super().__init__("tls_misconfigured", tls_advice(speaks_tls=speaks_tls), fields=TLS_FIELD)


class StoreRefused(EngineError):
    """The place that keeps the repository does not accept the credentials or denies access."""

    def __init__(self, why: str) -> None:
        super().__init__("store_refused", f"The store refuses access: {why}")


class StoreFull(EngineError):
    """No space is left."""

    def __init__(self) -> None:
        super().__init__("store_full", "No space is left in the store.")


class SourceMissing(EngineError, NotFound):
    """What should be backed up is not there."""

    def __init__(self, detail: str) -> None:
        super().__init__("source_missing", detail)


class SourceEmpty(EngineError):
    """There is nothing to back up."""

    def __init__(self) -> None:
        detail = "There is nothing to back up: the source is empty. With `allow_empty` a restore point records that."
        super().__init__("source_empty", detail)


class SourceIgnored(EngineError):
    """Patterns leave out everything that there is."""

    def __init__(self) -> None:
        detail = (
            "There is nothing to back up: `ignores` leave out everything that is in the source. With `allow_empty` an "
            "empty restore point is made."
        )
        super().__init__("source_ignored", detail)


class SourceUnreadable(EngineError):
    """Nothing that is there can be read."""

    def __init__(self, unreadable: str) -> None:
        super().__init__("source_unreadable", f"Nothing in the source could be read: {unreadable}")


class SourceReplaced(EngineError):
    """The directory of a source is not what it was when the work began."""

    def __init__(self, source: str) -> None:
        detail = (
            f"Another directory took the place of {source} while it was read (was it moved, mounted over, or replaced"
            " by a link?), so that no restore point is kept."
        )
        super().__init__("source_replaced", detail)


class RootUnreadable(SourceUnreadable):
    """The root of the source cannot be listed."""

    def __init__(self, why: str, *, source: str = "/") -> None:
        self.why = why
        super().__init__(f"{source} ({why})")


class StateExposed(EngineError):
    """Cairn's own state goes on turning up in the source under new names."""

    def __init__(self) -> None:
        detail = "Cairn's own state turned up in the source under other names again and again while it was read."
        super().__init__("state_exposed", detail)


class SourceInsideStore(EngineError, Invalid):
    """The files to back up are the store's own."""

    def __init__(self) -> None:
        super().__init__("source_inside_store", "The source lies inside the store it should be backed up to.")


class PatternInvalid(EngineError, Invalid):
    """A pattern of files to leave out is malformed."""

    def __init__(self, patterns: str) -> None:
        super().__init__("ignores_invalid", f"Not a pattern of files to leave out: {patterns}")


class SnapshotMissing(EngineError, NotFound):
    """The store has no such restore point."""

    def __init__(self, snapshot_id: str) -> None:
        super().__init__("snapshot_not_found", f"The store has no restore point {snapshot_id}.")


class EngineFailed(EngineError):
    """Anything else, in the engine's own words."""

    def __init__(self, what: str, words: str) -> None:
        super().__init__("engine_failed", f"{what} failed: {words or 'the engine gave no reason'}")


class EngineKilled(EngineError, Killed):
    """The engine did not end by itself: somebody killed it, as a machine without memory does, or it crashed."""

    def __init__(self, what: str, ending: str) -> None:
        detail = f"{what} did not end by itself ({ending}). The machine may have run out of memory."
        super().__init__("engine_killed", detail)


class Cancelled(EngineError):
    """The work was stopped on request."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The work was stopped on request.")
