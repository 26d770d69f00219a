"""The engine port, carried out by restic."""

import asyncio
import re
from collections.abc import Sequence

import msgspec
from contracts.messages.connector.stores import Compression
from integrations.sdk.errors import StoreHalfMade, WorkFailed
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation

from connector.engine.errors import CopyFailed, EngineFailed, StoreRefused, StoreUnreachable
from connector.engine.port import (
    BackupOptions,
    BackupOutcome,
    CheckOutcome,
    CleanUpOutcome,
    CopyOutcome,
    ForgetOutcome,
    FoundSnapshot,
    Initialized,
    OnProgress,
    Share,
)
from connector.engine.restic import cache, commands, partial_initialization
from connector.engine.restic.backup_call import BackupCall
from connector.engine.restic.backup_run import run_backup
from connector.engine.restic.copy_run import CopyCall, fault_of, run_copy
from connector.engine.restic.environment import ResticSettings
from connector.engine.restic.output_parser import CheckObserver
from connector.engine.restic.removal_run import RemovalObserver, run_removal
from connector.engine.restic.runner import Patience, Runner
from connector.engine.restic.snapshots import read_snapshots
from connector.engine.restic.two_stores import joined

_SNAPSHOT_ID = re.compile(r"[0-9a-f]{64}\Z")
_ALREADY_THERE = ("config file already exists", "already initialized")
_CUT_OFF = "already contains keys"
_UNTOLD = "it was not told why"
# With damage restic ends as it does when it cannot work at all, so what the store said last may be taken for the cause.
_ENDS_OF_CHECKS = (EngineFailed, StoreRefused, StoreUnreachable)


class ResticEngine:
    """See `Engine`. A backup is one restic process, as by hand, but for one that turns out to be empty."""

    def __init__(self, settings: ResticSettings) -> None:
        self._settings = settings
        self._runner = Runner(settings)

    async def initialize(self, store: StoreLocation, *, chunker_of: StoreLocation | None = None) -> Initialized:
        """See `Engine.initialize`. Makes the directory or the bucket too, where that is not there."""
        try:
            return await self._create(store, chunker_of)
        except EngineFailed as error:
            if any(sign in error.detail for sign in _ALREADY_THERE):
                return await self._adopt(store)
            if _CUT_OFF not in error.detail:
                raise
        # A key without a configuration opens nothing, and restic refuses to begin where there is one.
        await asyncio.to_thread(_clear, store)
        return await self._create(store, chunker_of)

    async def backup(
        self,
        store: StoreLocation,
        source: SourceTree,
        *,
        options: BackupOptions,
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> BackupOutcome:
        """See `Engine.backup`."""
        call = BackupCall(
            store=store,
            source=source,
            options=options,
            on_progress=on_progress,
            on_log=on_log,
            cancel=cancel,
            nice=self._settings.nice,
            scratch=self._settings.cache_dir,
        )
        result = await run_backup(self._runner, call)
        await self._trim_cache()
        return result

    async def copy(
        self,
        origin: StoreLocation,
        target: StoreLocation,
        snapshot_ids: Sequence[str],
        *,
        compression: Compression = "auto",
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CopyOutcome:
        """See `Engine.copy`. One restic process for all of them, where they are not many thousand."""
        call = CopyCall(
            origin=origin,
            target=target,
            snapshot_ids=_whole(snapshot_ids),
            compression=compression,
            on_progress=on_progress,
            on_log=on_log,
            cancel=cancel,
            patience=self._soon,
        )
        copied = await run_copy(self._runner, call)
        await self._trim_cache()
        return copied

    async def check(
        self,
        store: StoreLocation,
        *,
        read_percent: float = 0,
        share: Share | None = None,
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CheckOutcome:
        """See `Engine.check`."""
        observer = CheckObserver(on_progress=on_progress, on_log=on_log)
        settings = self._settings
        patience = Patience(settings.open_patience_seconds, away_seconds=settings.away_patience_seconds)
        try:
            await self._runner.run(
                store, commands.check(read_percent, share), listener=observer.listener, cancel=cancel, patience=patience
            )
        except _ENDS_OF_CHECKS as error:
            if observer.finding_count == 0:
                if observer.outage:
                    raise StoreUnreachable(observer.outage) from None
                raise
            if isinstance(error, StoreUnreachable):
                on_log("warning", f"The check may not have come to its end. {error.detail}")
            return CheckOutcome(findings=tuple(observer.findings), finding_count=observer.finding_count)
        # What restic complains of and then makes good is no finding.
        return CheckOutcome()

    async def forget(
        self,
        store: StoreLocation,
        snapshot_ids: Sequence[str],
        *,
        on_progress: OnProgress = lambda _: None,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> ForgetOutcome:
        """See `Engine.forget`."""
        whole = _whole(snapshot_ids)
        if not whole:
            return ForgetOutcome()
        observer = RemovalObserver(on_progress=on_progress, on_log=on_log)
        await run_removal(self._runner, store, commands.forget(store, whole), observer=observer, cancel=cancel)
        # Asked, as restic ends well, too, when it passed over those that it could not read.
        there = await self.snapshot_ids(store, quickly=cancel.is_set())
        kept = tuple(each for each in whole if each in there)
        reasons = (observer.unreadable[each] for each in kept if each in observer.unreadable)
        return ForgetOutcome(kept=kept, why=(observer.why or next(reasons, _UNTOLD)) if kept else "")

    async def free_unused(
        self,
        store: StoreLocation,
        *,
        repack: bool = True,
        on_progress: OnProgress,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> CleanUpOutcome:
        """See `Engine.free_unused`."""
        observer = RemovalObserver(on_progress=on_progress, on_log=on_log)
        await run_removal(self._runner, store, commands.prune(repack=repack), observer=observer, cancel=cancel)
        return observer.outcome()

    async def repair_index(
        self, store: StoreLocation, *, on_progress: OnProgress, on_log: OnLog, cancel: asyncio.Event
    ) -> CleanUpOutcome:
        """See `Engine.repair_index`."""
        observer = RemovalObserver(on_progress=on_progress, on_log=on_log)
        await run_removal(self._runner, store, commands.REPAIR_INDEX, observer=observer, cancel=cancel)
        return observer.outcome()

    async def undeletable(self, store: StoreLocation, *, cancel: asyncio.Event | None = None) -> str:
        """See `Engine.undeletable`."""
        observer = RemovalObserver(on_log=lambda *_: None)
        await self._runner.run(store, commands.LOCK_BRIEFLY, listener=observer.listener, cancel=cancel)
        return observer.why if observer.kept["lock"] else ""

    async def find_snapshots(self, store: StoreLocation, *, tags: Sequence[str] = ()) -> list[FoundSnapshot]:
        """See `Engine.find_snapshots`."""
        return read_snapshots(await self._runner.collect(store, commands.snapshots(tags)))

    async def snapshot_ids(self, store: StoreLocation, *, quickly: bool = False) -> frozenset[str]:
        """See `Engine.snapshot_ids`."""
        patience = self._soon if quickly else None
        return frozenset((await self._runner.collect(store, commands.SNAPSHOT_IDS, patience=patience)).decode().split())

    async def unlock_stale(self, store: StoreLocation) -> None:
        """See `Engine.unlock_stale`. Stale by restic's rule: of a dead process on this host, or 30 minutes old."""
        await self._runner.run(store, commands.UNLOCK)

    async def _create(self, store: StoreLocation, chunker_of: StoreLocation | None) -> Initialized:
        if chunker_of is None:
            return Initialized(_id_in(await self._quickly(store, commands.INIT)), adopted=False)
        both, naming = joined(store, chunker_of)
        try:
            return Initialized(_id_in(await self._quickly(both, commands.init_like(naming))), adopted=False)
        except WorkFailed as error:
            if fault := await fault_of(self._runner, chunker_of, self._soon):
                raise CopyFailed("origin", fault) from None
            raise error from None

    async def _adopt(self, store: StoreLocation) -> Initialized:
        return Initialized(_id_in(await self._quickly(store, commands.CONFIG)), adopted=True)

    async def _quickly(self, store: StoreLocation, arguments: Sequence[str]) -> bytes:
        """For calls that somebody waits for."""
        return await self._runner.collect(store, arguments, patience=self._soon)

    @property
    def _soon(self) -> Patience:
        return Patience(self._settings.answer_patience_seconds)

    async def _trim_cache(self) -> None:
        await asyncio.to_thread(cache.trim, self._settings.cache_dir, self._settings.cache_bytes_max)


def _clear(store: StoreLocation) -> None:
    """Remove what a cut off initialization left, where nothing else can be lost by that."""
    if store.local_path is None or not partial_initialization.hold_keys_only(store.local_path):
        raise StoreHalfMade(store.address)
    partial_initialization.remove_keys(store.local_path)


def _whole(snapshot_ids: Sequence[str]) -> list[str]:
    """Without what is no full id, such as `latest`, which restic would take for one."""
    return [each for each in snapshot_ids if _SNAPSHOT_ID.match(each)]


def _id_in(document: bytes) -> str:
    return str(msgspec.json.decode(document)["id"])
