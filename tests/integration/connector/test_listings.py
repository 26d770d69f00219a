"""A worker and the restore index killed while a large restore point is listed: all of it arrives, nothing twice."""

import random
from collections import Counter

from contracts.messages.assignment import App
from contracts.messages.restore_index import DirectoriesListed, RestorePointBrowsable

from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, initialize, ready, running_index
from tests.support.kafka import header, to_envelope
from tests.support.synthetic import write_both
from tests.support.waiting import eventually_async

ENTRIES = 60_000
MESSAGES = 6
"""At least so many are needed for all of it."""


def messages(ground: WorkerFixture) -> int:
    """How many messages with directories were heard."""
    return sum(header(record, "ce_type") == DirectoriesListed.TYPE for record in ground.asker.ear.heard)


async def heard(ground: WorkerFixture, count: int) -> None:
    """Wait for so many messages with directories."""
    await ground.asker.ear.until(lambda _: messages(ground) >= count, 60)


async def taken_in(ground: WorkerFixture, store: App) -> None:
    """Wait until the index has all that was sent, also what nobody had heard yet when its sender was killed."""
    await ground.asker.ear.drain()
    last = [r for r in ground.asker.ear.heard if header(r, "ce_type") == DirectoriesListed.TYPE][-1]
    told = to_envelope(last).data
    assert isinstance(told, DirectoriesListed)
    page = told.directories[-1]
    question = {"store_id": store.id, "tree_id": page.tree_id, "pages": page.pages, "first": page.page}

    async def arrived() -> bool:
        async with ground.index as http:
            answer = await http.post("/internal/directories/arrived", json=question)
        return bool(answer.json()["arrived"] > page.page)

    await eventually_async(arrived, 30)


async def test_a_listing_survives_kills_of_either_side(fresh_ground: WorkerFixture) -> None:
    ground, chance = fresh_ground, random.Random(4)
    root = ground.files("stores") / "made-up"
    snapshot = write_both(root, PASSPHRASE, entries=ENTRIES)
    store = await ground.assign("store", root)
    first, second = sorted(chance.sample(range(1, MESSAGES), 2))

    with ground.worker("first") as worker:
        await ready(worker)
        await ground.asker.wire.publish(initialize(store))
        await heard(ground, first)
        worker.kill()
    await taken_in(ground, store)
    with ground.worker("second") as worker:
        await heard(ground, second)
        ground.index_process.kill()
        with running_index(ground.corner, ground.folder, ground.index_port) as index:
            await ready(index)
            browsable = await ground.asker.ear.message(RestorePointBrowsable, deadline_seconds=60)
            async with ground.index as http:
                point = (await http.get(f"/internal/restore-points/{snapshot}")).json()
                listing = (await http.get(f"/internal/restore-points/{snapshot}/files?path=/area-00000001")).json()
            file = listing["items"][-1]
            place = f"/internal/stores/{store.id}/snapshots/{snapshot}/content?path={file['path']}"
            async with ground.http(worker.url) as http:  # type: ignore[attr-defined]
                content = (await http.get(place)).content

    assert point["browsable"]
    assert point["totals"] == browsable.data.totals.model_dump()
    assert browsable.data.totals.files + browsable.data.totals.directories == ENTRIES + 2
    assert (listing["total"], len(content)) == (ENTRIES // 2, file["size"])
    await ground.asker.ear.drain()
    sent = [p for e in ground.asker.heard(DirectoriesListed) for p in e.data.directories]
    twice = [place for place, times in Counter((page.tree_id, page.page) for page in sent).items() if times > 1]
    assert twice == []
    assert sum(page.count for page in sent) == ENTRIES + 2
