"""What is told about a store whose backups work and whose restore points do not."""

import asyncio
from pathlib import Path

import pytest
from connector.domain.work import SlotGroup
from connector.store.ports import KnownApp
from connector.store_state.warnings import NAMED, store_warnings, warnings_of
from connector.stores.index_client import DamagedPoint
from connector.tasks import test as connection_test
from connector.tasks.refresh import refresh_store
from connector.tasks.registry import commands
from contracts.errors import Conflict
from contracts.messages.connector.connection_tests import ConnectionTested, TestReport
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.restore_index import Damage
from contracts.values import SnapshotId

from tests.unit.connector.parts import ORG, REFRESH, TEST, an_app, test_command
from tests.unit.connector.workshop import Workshop


def damaged(number: int, code: str = "blob_missing") -> DamagedPoint:
    return DamagedPoint(SnapshotId(f"{number:064x}"), Damage(code=code, detail=f"Reason {number}."))


def test_losses_and_what_is_not_given_out_are_told_apart() -> None:
    found = warnings_of([damaged(1), damaged(2, "thaw_required"), damaged(3, "repository_damaged")])
    assert [(each.code, each.total) for each in found] == [
        ("restore_points_damaged", 2),
        ("restore_points_unreadable", 1),
    ]
    assert found[0].detail == "2 restore points are damaged: the store has lost something of them. Reason 1."
    assert found[1].detail == "1 restore point is unreadable: the store does not give out all of it. Reason 2."
    assert warnings_of([]) == ()
    [warning] = warnings_of([damaged(4, "not_indexable")])
    assert (warning.code, warning.snapshot_ids) == ("restore_points_not_indexable", (f"{4:064x}",))


def test_of_many_some_are_named() -> None:
    [warning] = warnings_of([damaged(number) for number in range(1000)])
    assert (len(warning.snapshot_ids), warning.total) == (NAMED, 1000)


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def test_an_index_that_is_silent_is_no_clean_bill(workshop: Workshop) -> None:
    workshop.index.silent = True
    [warning] = await store_warnings(workshop.context.index, ORG, "store")
    assert (warning.code, warning.snapshot_ids) == ("restore_points_unknown", ())


async def test_a_refresh_names_the_damaged_ones_that_it_tries_again(workshop: Workshop) -> None:
    hurt = await workshop.left_behind()
    workshop.index.damaged = {hurt, "gone"}
    lease = await workshop.command(kind=REFRESH)

    await refresh_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]

    [outcome] = workshop.published(CommandOutcome)
    assert [(each["code"], each["snapshot_ids"]) for each in outcome.result["warnings"]] == [
        ("restore_points_damaged", [hurt])
    ]


async def test_a_test_waits_for_neither_before_it_asks_the_other(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def test(_: object, **__: object) -> TestReport:
        async with asyncio.timeout(10):
            await asked.wait()
        return TestReport(ok=True, checks=())

    async def damaged_points(*_: object) -> list[DamagedPoint]:
        asked.set()
        return [damaged(1)]

    monkeypatch.setattr(workshop.folders, "test", test, raising=False)
    monkeypatch.setattr(workshop.index, "damaged_points", damaged_points)
    lease = await workshop.command(kind=TEST)

    await connection_test.test_connection(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]

    [tested] = workshop.published(ConnectionTested)
    assert [warning.total for warning in tested.report.warnings] == [1]


@pytest.fixture
def sound(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A worker whose connections all work."""

    async def test(_: object, **__: object) -> TestReport:
        return TestReport(ok=True, checks=())

    async def damaged_points(*_: object) -> list[DamagedPoint]:
        return []

    monkeypatch.setattr(workshop.folders, "test", test, raising=False)
    monkeypatch.setattr(workshop.index, "damaged_points", damaged_points)
    return workshop


async def test_a_test_that_follows_a_change_tells_the_revision_and_why(sound: Workshop) -> None:
    lease = await sound.command(kind=TEST, trigger="change")

    await connection_test.test_connection(sound.context, lease, lease.work.cause.data)  # type: ignore[arg-type]

    [tested] = sound.published(ConnectionTested)
    assert (tested.trigger, tested.revision) == ("change", 1)


async def test_of_many_quick_changes_only_the_last_is_tested(sound: Workshop) -> None:
    lease = await sound.command(kind=TEST, trigger="change")
    former = lease.work.cause.data.app.model_copy(update={"revision": 0})  # type: ignore[attr-defined]
    command = lease.work.cause.data.model_copy(update={"app": former})

    with pytest.raises(Conflict, match="test_superseded"):
        await connection_test.test_connection(sound.context, lease, command)  # type: ignore[arg-type]

    assert sound.published(ConnectionTested) == []
    # A person who asks gets the result of what is configured now.
    asked = command.model_copy(update={"trigger": "manual"})
    await connection_test.test_connection(sound.context, lease, asked)  # type: ignore[arg-type]
    assert [tested.revision for tested in sound.published(ConnectionTested)] == [1]


async def test_a_change_is_tested_though_keys_were_replaced_since(sound: Workshop) -> None:
    lease = await sound.command(kind=TEST, trigger="change")
    known = await sound.store.apps.load(ORG, "store")
    assert known.value is not None
    resealed = an_app("store", revision=3, resealed_in=3, same_since=1)
    await sound.store.apps.save(known, KnownApp(revision=3, app=resealed))

    await connection_test.test_connection(sound.context, lease, lease.work.cause.data)  # type: ignore[arg-type]

    # A reseal is followed by no test: were this one refused, nobody would test the change.
    assert [tested.revision for tested in sound.published(ConnectionTested)] == [3]


def test_tests_that_follow_changes_keep_no_command_waiting() -> None:
    slots = {
        trigger: commands()[TEST].slots_for(test_command(trigger=trigger).data) for trigger in ("manual", "change")
    }
    assert slots == {"manual": SlotGroup.COMMANDS, "change": SlotGroup.CHANGE_TESTS}
