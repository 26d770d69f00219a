"""Which locks of a store are stale."""

from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.messages.connector import StoreLock

LOCKS_LAST = timedelta(minutes=30)


def is_stale(lock: StoreLock, now: datetime, *, host: str, is_alive: Callable[[int], bool]) -> bool:
    """Whether a lock is proved to be nobody's, by restic's own rule: a living process renews it every 5 minutes."""
    if lock.since is None:
        return False
    return now - lock.since > LOCKS_LAST or (lock.host == host and not is_alive(lock.process))
