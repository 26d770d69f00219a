"""What no restore point needs is forgotten on real servers, by an index that is killed again and again meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chassis.runtime.service_runtime import open_service_runtime
from contracts.messages.restore_index import RestorePoint, RestorePointBrowsable
from restore_index.domain.entries import unpack
from restore_index.settings import Settings
from restore_index.store import Store, open_store

from tests.integration.restore_index.conftest import TOPICS, hold
from tests.support.environment import Corner
from tests.support.kafka import Ear, Wire, open_wire
from tests.support.processes import running_module
from tests.support.waiting import eventually_async
from tests.unit.restore_index.trees import ORG, Tree, a_point, new_store, removed

COLLECTIONS = ("directories", "known_directories", "names", "condemned")
SHARED: dict[bytes, Any] = {b"shared": {str(n).encode(): {b"file": n} for n in range(40)}}


def a_tree(number: int) -> Tree:
    """Something that all have, and much that only this one has."""
    own = {str(n).encode(): {f"{number}-{n}-{m}".encode(): {b"file": m} for m in range(12)} for n in range(100)}
    return Tree({**SHARED, b"own": own, b"many": {f"{number}-{n:05}".encode(): n for n in range(5000)}})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Store, Any]]:
    """The store of an index, beside the processes that write it."""
    async with open_service_runtime(settings, "restore-index") as runtime:
        yield await open_store(runtime, settings), runtime.database


async def count(database: Any) -> int:
    return sum([await database[name].count_documents({}) for name in COLLECTIONS])


async def browsable(ear: Ear, point: RestorePoint) -> None:
    await ear.message(RestorePointBrowsable, lambda e: e.snapshot_id == point.snapshot_id, deadline_seconds=60)


async def whole(store: Store, point: RestorePoint, tree: Tree) -> None:
    """Every directory of a restore point is there, and known to be."""
    ids = {str(page.tree_id) for page in tree.pages}
    assert set(await store.directories.known(ORG, point.store_id, ids)) == ids
    for tree_id in ids:
        directory = await store.directories.get(ORG, point.store_id, tree_id)
        assert directory is not None
        pages = [
            unpack(await store.directories.packed(ORG, point.store_id, directory, page=n))
            for n in range(directory.pages)
        ]
        assert sum(map(len, pages)) == directory.total


async def test_restore_points_that_come_and_go_leave_nothing_behind(fresh_corner: Corner, tmp_path: Path) -> None:
    settings = fresh_corner.settings(Settings)
    environment = fresh_corner.variables(
        session_timeout_seconds=6, sweep_grace_seconds=0.2, sweep_look_seconds=0.2, lanes=4
    )
    store_id, trees = new_store(), [a_tree(number) for number in range(3)]
    points = [a_point(store_id, tree) for tree in trees]
    counts: list[int] = []
    async with open_wire(settings) as wire, opened(settings) as (store, database):
        await wire.ensure(*TOPICS)
        async with wire.listening(*TOPICS) as ear:
            for number, (point, tree) in enumerate(zip(points, trees, strict=True)):
                log = tmp_path / f"{number}.log"
                with running_module("restore_index", "serve", environment=environment, log=log) as running:
                    await hold(wire, point, tree, each=20)
                    await browsable(ear, point)
                    if number:
                        await _remove_and_kill(wire, store, database, points[number - 1], running)
                with running_module("restore_index", "serve", environment=environment, log=tmp_path / f"{number}b.log"):
                    await eventually_async(lambda: _is_at_rest(store), 60)
                await whole(store, point, tree)
                counts.append(await count(database))
    assert max(counts[1:]) <= counts[0] + 5, counts


async def _remove_and_kill(wire: Wire, store: Store, database: Any, point: RestorePoint, running: Any) -> None:
    """Remove a restore point, and kill the index while it forgets what only that one needed."""
    before = await count(database)
    await wire.publish(removed(point))

    async def shrinking() -> bool:
        return await count(database) < before

    await eventually_async(shrinking, 30)
    running.kill()


async def _is_at_rest(store: Store) -> bool:
    return await store.candidates.pending() == []
