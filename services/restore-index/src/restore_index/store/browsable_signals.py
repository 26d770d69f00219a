"""Signals that wake requests which wait until a restore point can be browsed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.values import OrganizationId


class BrowsableSignals:
    """Signals for the restore points that this process makes browsable.

    Another process may make a restore point browsable: requests that wait here look again now and then.
    """

    def __init__(self) -> None:
        self._awaited: dict[tuple[OrganizationId, str], set[asyncio.Event]] = {}

    @property
    def waiting(self) -> int:
        """How many restore points are waited for."""
        return len(self._awaited)

    def notify(self, org: OrganizationId, snapshot_id: str) -> None:
        """Wake whoever waits for a restore point: it can be browsed, or was found to be damaged."""
        # All stores that share a repository are woken: whoever waits looks whether it is the right one.
        for event in self._awaited.get((org, snapshot_id), ()):
            event.set()

    @contextmanager
    def subscribe(self, org: OrganizationId, snapshot_id: str) -> Iterator[asyncio.Event]:
        """An event that is set on `notify`. Look at the restore point within the context, then wait."""
        key, event = (org, snapshot_id), asyncio.Event()
        self._awaited.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self._awaited[key].discard(event)
            if not self._awaited[key]:
                del self._awaited[key]
