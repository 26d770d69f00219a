"""Having a store compared with the index, and what is said where it must not be touched."""

from contracts.messages.assignment import App
from contracts.messages.connector.stores import RefreshStore, StoreRefreshed
from contracts.messages.connector.task_events import TaskFailed
from contracts.messages.outcomes import CommandOutcome

from tests.integration.connector.worker_fixture import WorkerFixture, connection_test, initialize, ref, write_tree
from tests.support import builders as make


async def refresh(ground: WorkerFixture, store: App, **asked: bool) -> tuple[CommandOutcome, StoreRefreshed]:
    """Ask for a comparison; what was answered, and how it ended."""
    before = len(refreshed(ground, store))
    command = RefreshStore.model_validate({"organization_id": make.ORG, "app_id": store.id, "app": ref(store), **asked})
    outcome = await ground.asker.ask(command)
    assert outcome.accepted, outcome.problem
    await ground.asker.ear.until(lambda _: len(refreshed(ground, store)) > before, 60)
    return outcome, refreshed(ground, store)[before]


def refreshed(ground: WorkerFixture, store: App) -> list[StoreRefreshed]:
    return [e.data for e in ground.asker.heard(StoreRefreshed) if e.data.app_id == store.id]


async def indexed(ground: WorkerFixture, store: App) -> dict[str, bool]:
    async with ground.index as index:
        found = (await index.get("/internal/restore-points", params={"store_id": store.id})).json()["items"]
    return {each["snapshot_id"]: each["browsable"] for each in found}


async def refusals(ground: WorkerFixture, store: App) -> set[str]:
    """The codes by which everything is refused that could touch a store that is away."""
    command = RefreshStore(organization_id=make.ORG, app_id=store.id, app=ref(store))
    codes = {(await ground.asker.rejection(each)).code for each in (command, initialize(store))}
    source = await ground.assign("source", write_tree(ground.files("any"), {"a": b"a"}))
    failed = await ground.ending(await ground.request(source, store), TaskFailed)
    report = (await ground.asker.ask(connection_test(store))).result
    assert report["ok"] is False
    [told] = [check["detail"].partition(":")[0] for check in report["checks"] if not check["ok"]]
    return codes | {failed.data.problem.code, told}
