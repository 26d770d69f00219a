"""The restore index killed while a listing comes in: it ends browsable, and nothing is missing in it."""

from pathlib import Path

from contracts.messages.restore_index import RestorePointBrowsable

from tests.integration.restore_index.conftest import TOPICS, hold
from tests.support.environment import Corner
from tests.support.kafka import open_wire
from tests.support.processes import running_module
from tests.support.waiting import eventually_async
from tests.unit.restore_index.naive_search import entries
from tests.unit.restore_index.trees import ORG, Tree, a_point, new_store

TREE = Tree(
    {
        str(a).encode(): {str(b).encode(): {f"{a}-{b}-{c}".encode(): c for c in range(20)} for b in range(40)}
        for a in range(30)
    }
)


async def test_a_listing_survives_an_index_that_is_killed_again_and_again(fresh_corner: Corner, tmp_path: Path) -> None:
    from chassis.runtime.service_runtime import open_service_runtime
    from restore_index.domain.search.conditions import read_conditions
    from restore_index.settings import Settings
    from restore_index.store import open_store
    from restore_index.usecases.search import Question, search_point

    settings = fresh_corner.settings(Settings)
    environment = fresh_corner.variables(session_timeout_seconds=6)
    point = a_point(new_store(), TREE)
    ids = [page.tree_id for page in TREE.pages]

    async def known() -> int:
        async with open_service_runtime(settings, "restore-index") as runtime:
            return len(await (await open_store(runtime, settings)).directories.known(ORG, point.store_id, ids))

    async with open_wire(settings) as wire:
        await wire.ensure(*TOPICS)
        async with wire.listening(*TOPICS) as ear:
            await hold(wire, point, TREE, each=10)
            for number in range(3):
                before = await known()

                async def grown(before: int = before) -> bool:
                    return await known() > before

                with running_module(
                    "restore_index", "serve", environment=environment, log=tmp_path / f"{number}.log"
                ) as running:
                    await eventually_async(grown, 30)
                    running.kill()
            with running_module("restore_index", "serve", environment=environment, log=tmp_path / "last.log"):
                opened = await ear.message(RestorePointBrowsable, deadline_seconds=30)
    assert opened.data.totals == TREE.totals
    assert await known() == len(ids)
    async with open_service_runtime(settings, "restore-index") as runtime:
        asked = Question(read_conditions(q=b"-19"), b"/", 10_000, None)
        found = await search_point(await open_store(runtime, settings), ORG, point.snapshot_id, asked)
    named = [path for path, _ in entries(TREE.root) if b"-19" in path[-1]]
    assert [item["path"].encode() for item in found.items] == [b"/" + b"/".join(path) for path in named]
