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

from chassis.errors import Conflict
from chassis.mongo import Document
from contracts.values import OrganizationId

from restore_index.domain.entries import Below
from restore_index.store.documents import Documents

_SUMS = struct.Struct(">QQQ")
_RECORD = struct.Struct(">32sQQQ")


@dataclass
class _Ledger:
    """What is known of one store. `totals` is None when it is too much to be kept in memory."""

    totals: dict[bytes, bytes] | None = field(default_factory=dict)
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
            if ledger.batches == 0:
                await self._read_all(org, store_id, ledger)
            else:
                await self._read_on(org, store_id, ledger)
        self._forget_oldest()
        return ledger

    async def _read_all(self, org: OrganizationId, store_id: str, ledger: _Ledger) -> None:
        found = await self._batches.find("store", store_id)
        for batch in sorted((b for b in found if b["org"] == org), key=lambda b: int(b["number"])):
            self._take(ledger, batch)

    async def _read_on(self, org: OrganizationId, store_id: str, ledger: _Ledger) -> bool:
        """Read the batches that appeared since; whether there were any."""
        before = ledger.batches
        while (batch := await self._batches.get(f"{store_id}/{ledger.batches}")) and batch["org"] == org:
            self._take(ledger, batch)
        return ledger.batches > before

    def _take(self, ledger: _Ledger, batch: Document) -> None:
        ledger.batches = batch["number"] + 1
        if ledger.totals is None:
            return
        packed = bytes(batch["known"])
        for start in range(0, len(packed), _RECORD.size):
            ledger.totals[packed[start : start + 32]] = packed[start + 32 : start + _RECORD.size]
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
