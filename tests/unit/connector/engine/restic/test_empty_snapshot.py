"""A restore point with nothing in it, over a restic that is played."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from connector.engine.port import BackupOptions
from connector.engine.restic import empty_snapshot
from connector.engine.restic.runner import Listener, Runner
from integrations.sdk.cancellation import unless_cancelled
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import SourceTree, StoreLocation

SAID = {"backup": b'{"message_type": "summary", "snapshot_id": "a"}'}


class WaitingRunner(Runner):
    """A restic of which one command waits for a lock, and the job is canceled meanwhile."""

    def __init__(self, waits: str, cancel: asyncio.Event) -> None:
        self._waits, self._job_cancel = waits, cancel

    async def run(
        self,
        store: StoreLocation,
        arguments: Sequence[str],
        *,
        listener: Listener | None = None,
        cancel: asyncio.Event | None = None,
        **_: Any,
    ) -> int:
        if self._waits in arguments:
            self._job_cancel.set()
            await unless_cancelled(asyncio.Event().wait(), cancel or asyncio.Event())
        if listener is not None:
            listener.on_output(SAID[arguments[0]])
        return 0


@pytest.mark.parametrize("waits", ["backup", "rewrite", "snapshots"])
async def test_a_job_that_is_canceled_does_not_wait_for_a_lock(waits: str, tmp_path: Path) -> None:
    cancel = asyncio.Event()
    making = empty_snapshot.make(
        WaitingRunner(waits, cancel),
        StoreLocation(address=str(tmp_path), passphrase="unit"),
        SourceTree(directory=tmp_path),
        options=BackupOptions(host="source", tags=("cairn:job=job",)),
        cancel=cancel,
    )

    with pytest.raises(Cancelled):
        await asyncio.wait_for(making, 5)
