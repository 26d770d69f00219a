"""Waking those who wait for a restore point that can be browsed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.values import OrganizationId


class BrowsableSignals:
    """Restore points that this process opens, as it does so.

    Another process may open what somebody waits for here: who waits looks again now and then.
    """

    def __init__(self) -> None:
        self._awaited: dict[tuple[OrganizationId, str], set[asyncio.Event]] = {}

    @property
    def waiting(self) -> int:
        """How many restore points somebody waits for."""
        return len(self._awaited)

    def notify(self, org: OrganizationId, snapshot_id: str) -> None:
        """A restore point was opened, or found to be damaged."""
        # All stores that share a repository are woken: whoever waits looks whether it is the right one.
        for event in self._awaited.get((org, snapshot_id), ()):
            event.set()

    @contextmanager
    def subscribe(self, org: OrganizationId, snapshot_id: str) -> Iterator[asyncio.Event]:
        """What is set when it is told of; look at the restore point within the context, then wait."""
        key, event = (org, snapshot_id), asyncio.Event()
        self._awaited.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self._awaited[key].discard(event)
            if not self._awaited[key]:
                del self._awaited[key]
