"""A store that is away, or another one than it was: nothing is written to it, and nothing it had is forgotten."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from connector.domain.work import SYNC, SlotGroup
from connector.engine.port import Initialized
from connector.failures import FAILURES
from connector.store_state.identity import require_same_store
from connector.tasks.initialize import initialize_store
from connector.tasks.refresh import refresh_store
from connector.tasks.store_sync import sync_store
from contracts.messages.assignment import App
from contracts.messages.connector.stores import RestorePointRemoved, StoreInitialized
from contracts.messages.outcomes import CommandOutcome
from contracts.values import OrganizationId, SnapshotId
from integrations.sdk.errors import RepositoryGone
from integrations.sdk.locations import StoreLocation
from restic_reader import Access, RepositoryFiles
from restic_reader.errors import AccessDenied, PartMissing, StoreUnavailable, WrongPassword

from tests.unit.connector.parts import ORG, REFRESH, an_app
from tests.unit.connector.workshop import Workshop

Fault = Callable[[Workshop], object]


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    """A store that had a restore point when it was looked at last."""
    opened = await Workshop(tmp_path).open()
    await follow(opened)
    opened.index.points = {"kept": True}
    return opened


async def follow(workshop: Workshop, **facts: bool) -> None:
    lease = await workshop.command(kind=SYNC, **facts)
    await sync_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]


async def refresh(workshop: Workshop, **facts: bool) -> None:
    lease = await workshop.command(kind=REFRESH, **facts)
    await refresh_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]


async def create(workshop: Workshop, app_id: str = "store", **facts: object) -> None:
    lease = await workshop.command(app_id, **facts)
    await initialize_store(workshop.context, lease, lease.work.cause.data)  # type: ignore[arg-type]


async def prepare_backup(workshop: Workshop) -> None:
    await require_same_store(workshop.context, ORG, an_app("store"))


def away(workshop: Workshop) -> None:
    workshop.away = True


def config_gone(workshop: Workshop) -> None:
    workshop.away = workshop.has_data = True


def another(workshop: Workshop) -> None:
    workshop.repository_id = "another"


def no_snapshots_directory(workshop: Workshop) -> None:
    workshop.broken = PartMissing("snapshots")


def no_keys(workshop: Workshop) -> None:
    workshop.silent = PartMissing("keys")


def emptied(workshop: Workshop) -> None:
    workshop.suspicious = True


def network_away(workshop: Workshop) -> None:
    workshop.silent = StoreUnavailable("gone")


def refused(workshop: Workshop) -> None:
    workshop.silent = AccessDenied("config")


def other_passphrase(workshop: Workshop) -> None:
    workshop.silent = WrongPassword(1)


FAULTS = [
    (away, "repository_missing"),
    (config_gone, "repository_missing"),
    (another, "repository_changed"),
    (no_snapshots_directory, "repository_damaged"),
    (no_keys, "repository_damaged"),
    (emptied, "snapshots_missing"),
]
SILENCE = [(network_away, "store_unreachable"), (refused, "store_refused"), (other_passphrase, "passphrase_wrong")]


@pytest.mark.parametrize("action", [follow, refresh, prepare_backup])
@pytest.mark.parametrize(("fault", "code"), FAULTS)
async def test_nothing_is_forgotten_or_written_and_the_reason_is_told(
    workshop: Workshop, fault: Fault, code: str, action: Callable[[Workshop], Awaitable[None]]
) -> None:
    fault(workshop)

    with pytest.raises(FAILURES) as caught:
        await action(workshop)

    assert caught.value.code == code
    assert workshop.published(RestorePointRemoved) == []


@pytest.mark.parametrize(("fault", "code"), SILENCE)
async def test_no_backup_begins_where_nobody_can_tell_which_store_it_is(
    workshop: Workshop, fault: Fault, code: str
) -> None:
    fault(workshop)

    with pytest.raises(FAILURES) as caught:
        await prepare_backup(workshop)

    assert caught.value.code == code


@pytest.mark.parametrize(("fault", "code"), FAULTS)
async def test_a_creation_makes_nothing_in_place_of_what_is_away(workshop: Workshop, fault: Fault, code: str) -> None:
    before = dict(workshop.engine.repositories)
    fault(workshop)

    with pytest.raises(FAILURES) as caught:
        await create(workshop)

    assert caught.value.code == code
    assert workshop.engine.repositories == before
    assert workshop.published(StoreInitialized) == []


async def test_what_is_away_is_named_with_what_to_do(workshop: Workshop) -> None:
    noted = await workshop.store.repositories.of(ORG, "store")
    workshop.away = True

    with pytest.raises(RepositoryGone) as caught:
        await create(workshop)

    assert noted
    assert noted[:8] in caught.value.detail
    assert "mounted" in caught.value.detail
    assert "`force`" in caught.value.detail


async def test_a_forced_creation_makes_a_new_one_and_the_old_restore_points_leave(workshop: Workshop) -> None:
    workshop.engine.repositories.clear()

    await create(workshop, force=True)
    await follow(workshop)

    assert [each.adopted for each in workshop.published(StoreInitialized)] == [False]
    assert await workshop.store.repositories.of(ORG, "store") == workshop.current_id
    assert [each.snapshot_id for each in workshop.published(RestorePointRemoved)] == ["kept"]


async def test_a_forced_creation_takes_another_one_over(workshop: Workshop) -> None:
    another(workshop)

    await create(workshop, force=True)
    await follow(workshop)

    assert [each.adopted for each in workshop.published(StoreInitialized)] == [True]
    assert [each.snapshot_id for each in workshop.published(RestorePointRemoved)] == ["kept"]


@pytest.mark.parametrize("app_id", ["store", "other"], ids=["noted before", "never noted"])
async def test_not_even_a_forced_one_buries_data_whose_config_is_gone(workshop: Workshop, app_id: str) -> None:
    config_gone(workshop)

    with pytest.raises(FAILURES) as caught:
        await create(workshop, app_id, force=True)

    assert caught.value.code == "store_half_initialized"


async def test_a_forced_refresh_believes_that_everything_was_removed(workshop: Workshop) -> None:
    emptied(workshop)

    await refresh(workshop, force=True)
    (following,) = await workshop.store.work.waiting(pool="default", group=SlotGroup.LISTINGS)
    assert following.cause.data.force  # type: ignore[attr-defined]
    await follow(workshop, force=True)

    assert [each.snapshot_id for each in workshop.published(RestorePointRemoved)] == ["kept"]


async def test_a_store_that_never_had_a_restore_point_may_be_without(workshop: Workshop) -> None:
    workshop.index.points = {}
    emptied(workshop)

    await prepare_backup(workshop)
    await follow(workshop)


@pytest.mark.parametrize("action", [follow, refresh, prepare_backup, create])
async def test_the_last_restore_points_may_go_while_a_job_deletes_them(
    workshop: Workshop, action: Callable[[Workshop], Awaitable[None]]
) -> None:
    workshop.index.claimed = {"kept"}
    emptied(workshop)

    await action(workshop)


@pytest.mark.parametrize("action", [follow, refresh, prepare_backup, create])
async def test_what_no_job_deletes_is_missed_beside_what_one_deletes(
    workshop: Workshop, action: Callable[[Workshop], Awaitable[None]]
) -> None:
    workshop.index.points = {"kept": True, "going": True}
    workshop.index.claimed = {"going"}
    emptied(workshop)

    with pytest.raises(FAILURES) as caught:
        await action(workshop)

    assert caught.value.code == "snapshots_missing"
    assert workshop.published(RestorePointRemoved) == []


def deleted_meanwhile(workshop: Workshop) -> None:
    workshop.index.claimed = {"kept"}


def first_backup_ended(workshop: Workshop) -> None:
    workshop.suspicious = False


@pytest.mark.parametrize("event", [deleted_meanwhile, first_backup_ended])
async def test_what_happens_between_the_look_and_the_question_is_no_loss(workshop: Workshop, event: Fault) -> None:
    emptied(workshop)
    asked = workshop.index.staying_points

    async def staying_points(*parts: object) -> frozenset[SnapshotId]:
        found = await asked(*parts)
        event(workshop)
        return found

    workshop.index.staying_points = staying_points  # type: ignore[method-assign]

    await prepare_backup(workshop)


@pytest.mark.parametrize("action", [follow, refresh])
@pytest.mark.parametrize("times", [1, 2])
async def test_what_comes_back_between_two_looks_is_not_forgotten(
    workshop: Workshop, action: Callable[[Workshop], Awaitable[None]], times: int
) -> None:
    kept = await workshop.left_behind()
    workshop.index.points = {kept: True}
    there = workshop.repository.snapshots.copy()
    asked, looks = workshop.index.staying_points, 0

    def be_empty(*, is_empty: bool) -> None:
        workshop.suspicious = is_empty
        workshop.repository.snapshots.clear()
        workshop.repository.snapshots.update({} if is_empty else there)

    async def come_back(*parts: object) -> frozenset[SnapshotId]:
        be_empty(is_empty=False)
        return await asked(*parts)

    def look(org: OrganizationId, app: App) -> RepositoryFiles:
        nonlocal looks
        looks += 1
        found = files(org, app)
        be_empty(is_empty=looks < times)
        return found

    files, workshop.index.staying_points = workshop.context.files, come_back  # type: ignore[method-assign]
    workshop.context = replace(workshop.context, files=look)
    be_empty(is_empty=True)

    await action(workshop)

    assert looks == times
    assert workshop.published(RestorePointRemoved) == []
    assert [each.result["removed"] for each in workshop.published(CommandOutcome)] == [0] * (action is refresh)


async def test_a_store_that_is_as_it_was_is_not_unlocked_before_a_backup(workshop: Workshop) -> None:
    def unlocking(*_: object) -> None:
        raise AssertionError("a key was derived")

    await create(workshop)
    workshop.context = replace(workshop.context, access=unlocking)  # type: ignore[arg-type]

    await prepare_backup(workshop)


async def created_with(workshop: Workshop, fault: Fault) -> str | None:
    """The seal that is noted where something goes wrong just after a new repository was made."""
    workshop.engine.repositories.clear()
    initialize = workshop.engine.initialize

    async def initialize_and_fail(location: StoreLocation) -> Initialized:
        made = await initialize(location)
        fault(workshop)
        return made

    workshop.engine.initialize = initialize_and_fail  # type: ignore[method-assign]
    await create(workshop, force=True)
    assert [each.adopted for each in workshop.published(StoreInitialized)] == [False]
    return await workshop.store.repositories.seal_of(ORG, "store")


@pytest.mark.parametrize("fault", [another, network_away, refused, other_passphrase])
async def test_a_new_repository_that_cannot_be_opened_is_noted_without_a_seal(workshop: Workshop, fault: Fault) -> None:
    assert await created_with(workshop, fault) is None


async def test_another_repository_in_place_of_a_new_one_is_found_by_the_next_backup(workshop: Workshop) -> None:
    await created_with(workshop, another)

    with pytest.raises(FAILURES) as caught:
        await prepare_backup(workshop)

    assert caught.value.code == "repository_changed"


async def test_a_store_is_opened_once_when_it_is_created_or_adopted(workshop: Workshop) -> None:
    opened: list[str] = []
    access = workshop.context.access

    def counting(org: OrganizationId, app: App) -> Access:
        found = access(org, app)
        opened.append(app.id)
        return found

    workshop.context = replace(workshop.context, access=counting)
    await create(workshop)
    workshop.engine.repositories.clear()
    await create(workshop, force=True)

    assert [each.adopted for each in workshop.published(StoreInitialized)] == [True, False]
    assert opened == ["store", "store"]


class TestCompression:
    async def test_a_level_is_kept_until_another_one_is_asked_for(self, workshop: Workshop) -> None:
        noted = workshop.store.repositories
        await create(workshop, compression="fastest")
        await create(workshop)
        assert await noted.compression_of(ORG, "store") == "fastest"

        await create(workshop, compression="auto")

        assert await noted.compression_of(ORG, "store") == "auto"

    async def test_a_repository_that_cannot_hold_anything_compressed_says_so(self, workshop: Workshop) -> None:
        workshop.version = 1

        with pytest.raises(FAILURES) as caught:
            await create(workshop, compression="fastest")

        assert caught.value.code == "compression_unsupported"
