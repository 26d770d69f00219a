"""Which directories of a store are known whole, answered from memory.

A `$in` over a store's directories takes seconds on FerretDB, thousands of lookups nearly as long. So each batch of new
directories leaves one small document, `<store>/<number>`, with their ids and totals. A store's batches are read once,
later ones as they appear; a batch is written after its directories, so whatever it names is there.
"""

import asyncio
import struct
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chassis.digests import DigestTable
from chassis.errors import Conflict
from chassis.mongo import Document
from contracts.values import OrganizationId

from restore_index.domain.entries import Below
from restore_index.store.documents import Documents

READS_AT_ONCE = 16
_SUMS = struct.Struct(">QQQ")
_RECORD = struct.Struct(">32sQQQ")


@dataclass
class _Ledger:
    """What is known of one store. `totals` is None when it is too much to be kept in memory."""

    totals: DigestTable | None = field(default_factory=lambda: DigestTable(_SUMS.size))
    batches: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KnownDirectories:
    """The directories of all stores, those of the most recently asked stores in memory."""

    def __init__(self, batches: Documents, *, kept_in_memory: int) -> None:
        self._batches = batches
        self._kept = kept_in_memory
        self._ledgers: OrderedDict[tuple[OrganizationId, str], _Ledger] = OrderedDict()

    async def among(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> dict[str, Below] | None:
        """Those of some directories that are known, with their totals.

        One that became known a moment ago may be missing. None when the store has too many to be kept in memory.
        """
        ledger = await self._fresh(org, store_id)
        if ledger.totals is None:
            return None
        asked = {tree_id: ledger.totals.get(_key(tree_id)) for tree_id in tree_ids}
        return {tree_id: Below(*_SUMS.unpack(found)) for tree_id, found in asked.items() if found is not None}

    async def add(self, org: OrganizationId, store_id: str, directories: Mapping[str, Below]) -> None:
        """Take note of directories that are stored whole.

        Raises `Conflict` (`store_foreign`) when another organization has directories of that store.
        """
        if not directories:
            return
        packed = b"".join(_RECORD.pack(_key(t), d.files, d.directories, d.bytes) for t, d in directories.items())
        ledger = await self._fresh(org, store_id)
        async with ledger.lock:
            batch = self._batch(org, store_id, ledger.batches, packed)
            while not await self._batches.insert_new(batch):
                if not await self._read_on(org, store_id, ledger):
                    raise Conflict("store_foreign", f"Store {store_id} belongs to another organization.")
                batch = self._batch(org, store_id, ledger.batches, packed)
            self._take(ledger, batch)
        self._forget_oldest()

    def _batch(self, org: OrganizationId, store_id: str, number: int, packed: bytes) -> Document:
        return {"_id": f"{store_id}/{number}", "org": org, "store": store_id, "number": number, "known": packed}

    async def _fresh(self, org: OrganizationId, store_id: str) -> _Ledger:
        ledger = self._ledgers.setdefault((org, store_id), _Ledger())
        self._ledgers.move_to_end((org, store_id))
        async with ledger.lock:
            await self._read_on(org, store_id, ledger)
        self._forget_oldest()
        return ledger

    async def _read_on(self, org: OrganizationId, store_id: str, ledger: _Ledger) -> bool:
        """Read the batches that appeared since, until it is too much to be kept; whether there were any."""
        before, width = ledger.batches, 1
        while ledger.totals is not None:
            numbers = range(ledger.batches, ledger.batches + width)
            found = await asyncio.gather(*(self._get(org, store_id, number) for number in numbers))
            for batch in found:
                if batch is None:
                    break
                self._take(ledger, batch)
            if None in found:
                break
            width = min(width * 2, READS_AT_ONCE)
        if ledger.totals is None:
            ledger.batches = await self._end(org, store_id, ledger.batches)
        return ledger.batches > before

    async def _end(self, org: OrganizationId, store_id: str, start: int) -> int:
        """The number after the last batch, found without reading them all: there are no gaps."""
        step = 1
        while await self._get(org, store_id, start + step - 1):
            start, step = start + step, step * 2
        end = start + step - 1
        while start < end:
            middle = (start + end) // 2
            start, end = (middle + 1, end) if await self._get(org, store_id, middle) else (start, middle)
        return start

    async def _get(self, org: OrganizationId, store_id: str, number: int) -> Document | None:
        batch = await self._batches.get(f"{store_id}/{number}")
        return batch if batch and batch["org"] == org else None

    def _take(self, ledger: _Ledger, batch: Document) -> None:
        ledger.batches = batch["number"] + 1
        if ledger.totals is None:
            return
        ledger.totals.put_all(bytes(batch["known"]))
        if len(ledger.totals) > self._kept:
            ledger.totals = None

    def _forget_oldest(self) -> None:
        used = sum(len(ledger.totals or ()) for ledger in self._ledgers.values())
        for name in list(self._ledgers)[:-1]:
            if used <= self._kept:
                return
            used -= len(self._ledgers.pop(name).totals or ())


def _key(tree_id: str) -> bytes:
    try:
        return bytes.fromhex(tree_id)
    except ValueError:
        return b""
