"""What carries out one kind of work; the queue knows nothing else about tasks."""

import asyncio
from typing import Protocol

from contracts.messages.outcomes import Problem

from connector.queue.lease import Lease


class Activity(Protocol):
    """Carries out work of one kind. Any number of calls may run at the same time."""

    async def run(self, lease: Lease, cancel: asyncio.Event) -> None:
        """Do the work to its end and settle the lease. `cancel` is set when it should stop.

        Raises `LeaseLost`, a `TemporaryError` when another attempt may succeed, or why it failed for good.
        """
        ...

    async def fail(self, lease: Lease, problem: Problem) -> None:
        """Settle work that failed for good. Raises `LeaseLost`."""
        ...

    async def clean_up(self, lease: Lease) -> None:
        """Remove what this attempt may have left behind after its lease was lost. Never raises."""
        ...
