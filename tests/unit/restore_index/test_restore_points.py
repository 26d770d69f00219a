"""Restore points asked for a moment ago are answered from memory, and never longer than they are true here."""

from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.messages.restore_index import Totals
from restore_index.domain.restore_points import Point
from restore_index.store import point_id, point_keys
from restore_index.store.restore_points import REMEMBERED_SECONDS, RestorePoints

from tests.unit.restore_index.trees import ORG, Tree, a_point, new_store

TOLD = a_point(new_store(), Tree({}))
NAME = point_id(TOLD.store_id, TOLD.snapshot_id)
BROWSABLE = Point(restore_point=TOLD, browsable=True, totals=Totals(files=0, directories=0, bytes=0))


class TwoProcesses:
    """The same restore points as this process and another one see them."""

    def __init__(self) -> None:
        self.now = 100.0
        self.elsewhere = MemoryAggregates(Point, keys=point_keys)
        self.here = RestorePoints(self.elsewhere, clock=lambda: self.now)

    async def save(self, point: Point | None, *, here: bool) -> None:
        records = self.here if here else self.elsewhere
        await records.save(await records.load(ORG, NAME), point)

    async def seen(self) -> list[Point]:
        return await self.here.named(ORG, TOLD.snapshot_id)


async def test_one_that_can_be_browsed_is_remembered_for_a_moment() -> None:
    points = TwoProcesses()
    await points.save(BROWSABLE, here=False)
    assert await points.seen() == [BROWSABLE]
    await points.save(None, here=False)
    assert await points.seen() == [BROWSABLE]
    points.now += REMEMBERED_SECONDS
    assert await points.seen() == []


async def test_one_that_cannot_is_asked_for_each_time() -> None:
    points = TwoProcesses()
    assert await points.seen() == []
    await points.save(Point(restore_point=TOLD), here=False)
    assert await points.seen() == [Point(restore_point=TOLD)]
    await points.save(BROWSABLE, here=False)
    assert await points.seen() == [BROWSABLE]


async def test_what_is_saved_here_is_seen_at_once() -> None:
    points = TwoProcesses()
    await points.save(BROWSABLE, here=True)
    assert await points.seen() == [BROWSABLE]
    await points.save(None, here=True)
    assert await points.seen() == []
