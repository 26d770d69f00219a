"""Which locks of a store are stale."""

from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.messages.connector.stores import StoreLock

LOCK_LIFETIME = timedelta(minutes=30)


def is_stale(lock: StoreLock, now: datetime, *, host: str, is_alive: Callable[[int], bool]) -> bool:
    """Whether the owner of a lock is proved to be gone."""
    # restic's own rule: a living process renews its lock every 5 minutes. Only on this host can it be looked for.
    # A lock that cannot be read proves nothing.
    if lock.since is None:
        return False
    return now - lock.since > LOCK_LIFETIME or (lock.host == host and not is_alive(lock.process))
