"""One copy of restore points by restic, and in which of the two stores something went wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from contracts.messages.connector.stores import Compression
from integrations.sdk.errors import PassphraseMissing, PassphraseWrong, WorkFailed
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import StoreLocation

from connector.engine.errors import (
    CopyFailed,
    Side,
    SnapshotMissing,
    StoreFull,
    StoreLocked,
    StoreNotInitialized,
    StoreRefused,
    StoreUnreachable,
    TlsMisconfigured,
)
from connector.engine.port import CopyOutcome, OnProgress
from connector.engine.restic import commands
from connector.engine.restic.compression_levels import at_a_known_level
from connector.engine.restic.copy_observer import CopyObserver
from connector.engine.restic.runner import Patience, Runner
from connector.engine.restic.two_stores import joined

# The kernel takes 2 MiB of arguments and variables; an id has 64 characters.
_IDS_PER_CALL = 10_000
_OF_ONE_STORE = (
    PassphraseMissing,
    PassphraseWrong,
    StoreNotInitialized,
    StoreRefused,
    StoreUnreachable,
    TlsMisconfigured,
)


@dataclass(frozen=True, kw_only=True)
class CopyCall:
    """The arguments of `Engine.copy`, and how the side is found where it fails."""

    origin: StoreLocation
    target: StoreLocation
    snapshot_ids: Sequence[str]
    compression: Compression
    on_progress: OnProgress
    on_log: OnLog
    cancel: asyncio.Event
    patience: Patience
    """While the two are asked which of them is at fault."""


async def run_copy(runner: Runner, call: CopyCall) -> CopyOutcome:
    """See `Engine.copy`."""
    both, naming = joined(call.target, call.origin)
    observer = CopyObserver(len(call.snapshot_ids), on_progress=call.on_progress, on_log=call.on_log)

    async def run(ids: Sequence[str], level: Compression) -> int:
        arguments = commands.copy(ids, naming, compression=level)
        return await runner.run(both, arguments, listener=observer.listener, cancel=call.cancel)

    try:
        for start in range(0, len(call.snapshot_ids), _IDS_PER_CALL):
            ids = call.snapshot_ids[start : start + _IDS_PER_CALL]
            await at_a_known_level(partial(run, ids), call.compression, call.on_log)
    except WorkFailed as error:
        raise await attributed(runner, error, target=call.target, origin=call.origin, patience=call.patience) from None
    observer.finish()
    return CopyOutcome(bytes_copied=observer.bytes_copied)


async def attributed(
    runner: Runner, error: WorkFailed, *, target: StoreLocation, origin: StoreLocation, patience: Patience
) -> WorkFailed:
    """The error of a run on two stores as that of one of them, where it is found out of which."""
    # restic says what is wrong and not where: so the two are asked one by one.
    if isinstance(error, StoreFull):
        return CopyFailed("target", error)
    if isinstance(error, SnapshotMissing):
        return CopyFailed("origin", error)
    if isinstance(error, StoreLocked):
        return await _locked_side(runner, error, target, patience)
    if isinstance(error, _OF_ONE_STORE):
        stores: dict[Side, StoreLocation] = {"origin": origin, "target": target}
        for side, store in stores.items():
            if found := await fault_of(runner, store, patience):
                return CopyFailed(side, found)
    return error


async def _locked_side(runner: Runner, error: StoreLocked, target: StoreLocation, patience: Patience) -> WorkFailed:
    try:
        there = await runner.collect(target, commands.LOCKS, patience=patience)
    except WorkFailed:
        return error
    is_there = bool(error.lock_id) and any(line.startswith(error.lock_id.encode()) for line in there.split())
    return CopyFailed("target" if is_there else "origin", error) if error.lock_id else error


async def fault_of(runner: Runner, store: StoreLocation, patience: Patience) -> WorkFailed | None:
    """What keeps the repository of a store from being opened, if anything does."""
    try:
        await runner.collect(store, commands.CONFIG, patience=patience)
    except WorkFailed as error:
        return error
    return None
