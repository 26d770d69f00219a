"""Known trees: which directories of a store are stored whole, answered from memory.

A `$in` over a store's directories takes seconds on FerretDB, thousands of lookups nearly as long. So each batch of new
directories leaves one small document, `<store>/<number>`, with their ids and totals. A store's batches are read once,
later ones as they appear; a batch is written after its directories, so whatever it names is there. Directories that are
marked for garbage collection (see `store.garbage_candidates`) count as unknown.
"""

import asyncio
import struct
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from chassis.persistence.mongo import Document
from contracts.errors import Conflict
from contracts.values import OrganizationId

from restore_index.domain.entries import Below
from restore_index.domain.garbage_collection import CollectionState
from restore_index.domain.hash_table import DIGEST_BYTES, HashTable
from restore_index.store.documents import Documents
from restore_index.store.garbage_candidates import PART_NUMBER_BYTES, GarbageCandidates
from restore_index.store.numbered_documents import find_end

READS_AT_ONCE = 16
BATCH_LEAST = 512
_SUMS = struct.Struct(">QQQ")
_RECORD = struct.Struct(">32sQQQ")


@dataclass
class _StoreTrees:
    """The known trees of one store. `totals` is None when they are too many to be kept in memory."""

    totals: HashTable | None = field(default_factory=lambda: HashTable(_SUMS.size))
    batches: int = 0
    state: CollectionState | None = None
    marked: HashTable = field(default_factory=lambda: HashTable(PART_NUMBER_BYTES))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KnownTrees:
    """The known directories of all stores; those of the stores asked about last are in memory."""

    def __init__(self, batches: Documents, *, kept_in_memory: int, candidates: GarbageCandidates) -> None:
        self._batches = batches
        self._limit = kept_in_memory
        self._candidates = candidates
        self.on_rewrite: Callable[[OrganizationId, str], None] = lambda *_: None
        """Called when what is noted of a store may have been rewritten."""
        self._by_store: OrderedDict[tuple[OrganizationId, str], _StoreTrees] = OrderedDict()

    async def lookup(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> dict[str, Below] | None:
        """Which of some directories are known and not marked, with their totals.

        One that became known a moment ago may be missing. None when the store has too many to be kept in memory.
        """
        trees = await self._fresh(org, store_id)
        if trees.totals is None:
            return None
        keys = {tree_id: _key(tree_id) for tree_id in tree_ids}
        if len(trees.marked):
            keys = {tree_id: key for tree_id, key in keys.items() if trees.marked.get(key) is None}
        asked = {tree_id: trees.totals.get(key) for tree_id, key in keys.items()}
        return {tree_id: Below(*_SUMS.unpack(found)) for tree_id, found in asked.items() if found is not None}

    def marked_among(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> set[str]:
        """Which of some directories were marked when known directories were last asked for."""
        trees = self._by_store.get((org, store_id))
        table = trees.marked if trees is not None else None
        return {tree_id for tree_id in tree_ids if table and table.get(_key(tree_id)) is not None}

    async def unmark(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> None:
        """Take back the marks of directories that were written again just now."""
        trees = self._by_store.get((org, store_id))
        if trees is not None and len(trees.marked):
            await self._candidates.unmark(org, store_id, trees.marked, map(_key, tree_ids))

    async def add(self, org: OrganizationId, store_id: str, directories: Mapping[str, Below]) -> None:
        """Note directories that are stored whole.

        Raises `Conflict` (`store_foreign`) when another organization has directories of that store.
        """
        if not directories:
            return
        packed = b"".join(_RECORD.pack(_key(t), d.files, d.directories, d.bytes) for t, d in directories.items())
        trees = await self._fresh(org, store_id)
        async with trees.lock:
            batch = self._batch(org, store_id, trees.batches, packed)
            # The number is taken when another process wrote for this store since: events move with partitions.
            while not await self._batches.insert_new(batch):
                if not await self._read_on(org, store_id, trees):
                    raise Conflict("store_foreign", f"Store {store_id} belongs to another organization.")
                batch = self._batch(org, store_id, trees.batches, packed)
            self._take(trees, batch)
        self._forget_oldest()

    def _batch(self, org: OrganizationId, store_id: str, number: int, packed: bytes) -> Document:
        return {"_id": f"{store_id}/{number}", "org": org, "store": store_id, "number": number, "known": packed}

    async def _fresh(self, org: OrganizationId, store_id: str) -> _StoreTrees:
        trees = self._by_store.setdefault((org, store_id), _StoreTrees())
        self._by_store.move_to_end((org, store_id))
        async with trees.lock:
            await self._follow(org, store_id, trees)
            await self._read_on(org, store_id, trees)
        self._forget_oldest()
        return trees

    async def _follow(self, org: OrganizationId, store_id: str, trees: _StoreTrees) -> None:
        """Read the marks if they changed, and start over when the batches were rewritten or lost."""
        asked = self._candidates.of(org, store_id), self._is_there(org, store_id, trees.batches - 1)
        (state, is_there), before = await asyncio.gather(*asked), trees.state
        if before is None or before.rewrites != state.rewrites or not is_there:
            trees.totals, trees.batches = HashTable(_SUMS.size), 0
            self.on_rewrite(org, store_id)
        elif before.epoch == state.epoch:
            return
        trees.marked = await self._candidates.marked(org, state)
        trees.state = state

    async def read(self, org: OrganizationId, store_id: str) -> AsyncIterator[bytes]:
        """The ids of all that is known, marked or not, by batches."""
        number = 0
        while batch := await self._get(org, store_id, number):
            packed = bytes(batch["known"])
            yield b"".join(packed[at : at + DIGEST_BYTES] for at in range(0, len(packed), _RECORD.size))
            number += 1

    async def rewrite(self, org: OrganizationId, store_id: str, gone: HashTable) -> None:
        """Drop some directories, and join small batches, so that their number does not grow for ever.

        What was read is written before anything of it is replaced, and what is not needed is removed from the end:
        a process that dies on the way leaves all that is known, some of it twice. Nothing may be added meanwhile.
        """
        try:
            await self._rewrite(org, store_id, gone)
        finally:
            # Also after a failure: what this process remembers may no longer be what is stored.
            self._by_store.pop((org, store_id), None)

    async def _rewrite(self, org: OrganizationId, store_id: str, gone: HashTable) -> None:
        kept, written, number = HashTable(0), 0, 0
        left: list[bytes] = []
        while batch := await self._get(org, store_id, number):
            packed, number = bytes(batch["known"]), number + 1
            for at in range(0, len(packed), _RECORD.size):
                key = packed[at : at + DIGEST_BYTES]
                if gone.get(key) is None and kept.get(key) is None:
                    kept.put(key, b"")
                    left.append(packed[at : at + _RECORD.size])
            if len(left) >= BATCH_LEAST:
                written, left = await self._put(org, store_id, written, left, batch), []
        if left:
            written = await self._put(org, store_id, written, left, None)
        for spare in range(number - 1, written - 1, -1):
            await self._batches.delete([f"{store_id}/{spare}"])

    async def _put(
        self, org: OrganizationId, store_id: str, number: int, records: list[bytes], was: Document | None
    ) -> int:
        """Write a batch, unless it is there as it is; the number of the next one."""
        packed = b"".join(records)
        if was is None or was["number"] != number or bytes(was["known"]) != packed:
            await self._batches.put([self._batch(org, store_id, number, packed)])
        return number + 1

    async def _read_on(self, org: OrganizationId, store_id: str, trees: _StoreTrees) -> bool:
        """Read the batches that appeared since, until it is too much to be kept; whether there were any."""
        before, width = trees.batches, 1
        while trees.totals is not None:
            # One at first, as nearly always nothing is new; then more and more, as a store is read for the first time.
            numbers = range(trees.batches, trees.batches + width)
            found = await asyncio.gather(*(self._get(org, store_id, number) for number in numbers))
            for batch in found:
                if batch is None:
                    break
                self._take(trees, batch)
            if None in found:
                break
            width = min(width * 2, READS_AT_ONCE)
        if trees.totals is None:
            trees.batches = await self._end(org, store_id, trees.batches)
        return trees.batches > before

    async def _end(self, org: OrganizationId, store_id: str, start: int) -> int:
        """The number after the last batch, found without reading them all: there are no gaps."""
        return await find_end(lambda number: self._get(org, store_id, number), start)

    async def _is_there(self, org: OrganizationId, store_id: str, number: int) -> bool:
        """Whether a batch is there still; what is before the first one is."""
        found = await self._batches.get(f"{store_id}/{number}", without="known") if number >= 0 else {"org": org}
        return found is not None and found["org"] == org

    async def _get(self, org: OrganizationId, store_id: str, number: int) -> Document | None:
        batch = await self._batches.get(f"{store_id}/{number}")
        return batch if batch and batch["org"] == org else None

    def _take(self, trees: _StoreTrees, batch: Document) -> None:
        trees.batches = batch["number"] + 1
        if trees.totals is None:
            return
        trees.totals.put_all(bytes(batch["known"]))
        if len(trees.totals) > self._limit:
            trees.totals = None

    def _forget_oldest(self) -> None:
        # The last one stays however large: it was asked for just now, and would be read again at once.
        used = sum(len(trees.totals or ()) for trees in self._by_store.values())
        for name in list(self._by_store)[:-1]:
            if used <= self._limit:
                return
            used -= len(self._by_store.pop(name).totals or ())


def _key(tree_id: str) -> bytes:
    try:
        return bytes.fromhex(tree_id)
    except ValueError:
        return b""
