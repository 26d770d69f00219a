"""Connectors that are taken out of use, with what the gateway asks about them in memory."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from chassis.ids import utc_now
from contracts.errors import Conflict, NotFound, PreconditionFailed
from contracts.messages.assignment import App, RemoveApp
from contracts.messages.protection import LegalHold
from contracts.messages.scheduler import CancelJob
from contracts.queries.base import Page
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.queries.scheduler import Job
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.connectors.removal import Removals
from gateway.areas.connectors.revisions import ANY_REVISION, ExpectedRevision
from gateway.areas.overviews.schemas import SHOWN_USES, RemovalView, removal_view
from gateway.idempotency.intents import Intent

from tests.unit.gateway.test_domain import a_job, an_app

WHO = Principal(account_id="someone", organization_id=OrganizationId("org-1"))
INTENT = Intent("0198b1c2-0000-7000-8000-0000000000f1", "key")
FREE = IndexedRestorePoint.model_validate(
    {"snapshot_id": "5f" * 32, "store_id": "app-1", "tree_id": "t", "time": utc_now()}
)
HELD = FREE.model_copy(update={"legal_hold": LegalHold(at=utc_now())})
STORE, SOURCE, TARGET = an_app(), an_app(kind="source"), an_app(kind="destination")


def jobs_that(status: str, number: int = 1) -> list[Job]:
    return [a_job(id=f"{status}-{place:03}", status=status) for place in range(number)]


class Others:
    """Assignment, the scheduler, the restore index and the commands that are carried out."""

    def __init__(
        self, app: App | None, points: Sequence[IndexedRestorePoint] = (), jobs: Sequence[Job] = (), over: str = ""
    ) -> None:
        self.known, self.points, self.going_on, self.over = app, points, jobs, over
        self.commands: list[Any] = []

    async def app(self, _: object, app_id: str) -> App:
        if self.known is None:
            raise NotFound("app_not_found", f"There is no connector {app_id}.")
        return self.known

    async def jobs(self, _: object, *, limit: int, offset: int, app_id: str, status: str) -> Page[Job]:
        assert self.known is not None
        assert app_id == self.known.id
        found = [job for job in self.going_on if job.status == status]
        return Page(total=len(found), items=tuple(found[offset:][:limit]))

    async def restore_points(self, _: object, store_id: str) -> Sequence[IndexedRestorePoint]:
        assert self.known is not None
        assert (self.known.kind, self.known.id) == ("store", store_id)
        return self.points

    async def restore_points_from(self, _: object, source_id: str) -> Sequence[IndexedRestorePoint]:
        assert self.known is not None
        assert (self.known.kind, self.known.id) == ("source", source_id)
        return self.points

    async def carry_out(self, command: object, **_: object) -> None:
        self.commands.append(command)

    async def carry_out_part(self, command: CancelJob, *, command_id: str, correlation_id: str) -> None:
        assert (command_id, correlation_id) == (INTENT.id_for(f"cancel {command.job_id}"), "key")
        self.commands.append(command)
        if self.over:
            raise Conflict(self.over, "No.")

    @property
    def removals(self) -> Removals:
        own = cast("Any", self)
        return Removals(own, own, own, own)

    async def remove(self, expected: ExpectedRevision = ANY_REVISION, *, force: bool = False) -> None:
        await self.removals.remove(WHO, "app-1", INTENT, expected=expected, force=force)

    async def preview(self) -> RemovalView:
        return removal_view(await self.removals.preview(WHO, "app-1"))


@pytest.mark.parametrize("force", [False, True])
async def test_a_store_with_a_legal_hold_is_not_removed_by_force_either(force: bool) -> None:
    others = Others(STORE, [FREE, HELD], jobs_that("queued"))

    with pytest.raises(Conflict, match="store_has_holds"):
        await others.remove(force=force)

    assert others.commands == []


@pytest.mark.parametrize(
    "others",
    [Others(STORE, [FREE]), Others(SOURCE, [HELD]), Others(TARGET), Others(None, [HELD])],
    ids=["no holds", "a source", "a destination", "gone before"],
)
async def test_what_nothing_uses_is_removed(others: Others) -> None:
    await others.remove()

    assert [type(each) for each in others.commands] == [RemoveApp]


@pytest.mark.parametrize("status", ["queued", "running"])
async def test_what_jobs_use_is_removed_by_force_only_and_they_are_asked_to_stop_before(status: str) -> None:
    others = Others(SOURCE, [FREE], [*jobs_that(status, 2), *jobs_that("succeeded")])

    with pytest.raises(Conflict, match=rf"connector_in_use.*backup {status}-001 \({status}\)"):
        await others.remove()
    assert others.commands == []
    await others.remove(force=True)

    canceled = [each.job_id for each in others.commands if isinstance(each, CancelJob)]
    assert canceled == [f"{status}-001", f"{status}-000"]
    assert [type(each) for each in others.commands] == [CancelJob, CancelJob, RemoveApp]


async def test_a_job_that_ended_meanwhile_is_no_hindrance() -> None:
    ended, broken = (Others(SOURCE, (), jobs_that("running"), code) for code in ("job_finished", "other"))
    await ended.remove(force=True)
    assert isinstance(ended.commands[-1], RemoveApp)
    with pytest.raises(Conflict, match="other"):
        await broken.remove(force=True)


async def test_jobs_are_not_canceled_for_a_removal_that_is_refused() -> None:
    others = Others(SOURCE, (), jobs_that("running"))
    with pytest.raises(PreconditionFailed, match="revision_changed"):
        await others.remove(ExpectedRevision(frozenset({2})), force=True)
    assert others.commands == []
    await others.remove(ExpectedRevision(frozenset({3})), force=True)
    assert others.commands[-1].expected_revision == 3


async def test_all_jobs_are_found_however_many_pages_they_fill() -> None:
    others = Others(SOURCE, (), jobs_that("queued", 450))
    with pytest.raises(Conflict, match="and 447 more"):
        await others.remove()
    shown = await others.preview()
    assert (shown.uses.total, len(shown.uses.items)) == (450, SHOWN_USES)
    await others.remove(force=True)
    assert len(others.commands) == 451


@pytest.mark.parametrize(
    ("others", "allowed", "by_force", "codes"),
    [
        (Others(TARGET), True, True, []),
        (Others(SOURCE, [HELD]), True, True, []),
        (Others(SOURCE, [FREE], jobs_that("running")), False, True, ["connector_in_use"]),
        (Others(STORE, [FREE], jobs_that("queued")), False, True, ["connector_in_use"]),
        (Others(STORE, [FREE, HELD], jobs_that("queued")), False, False, ["store_has_holds", "connector_in_use"]),
    ],
)
async def test_what_a_removal_would_mean_is_said_beforehand(
    others: Others, allowed: bool, by_force: bool, codes: list[str]
) -> None:
    shown = await others.preview()
    assert (shown.allowed, shown.allowed_by_force) == (allowed, by_force)
    assert [reason.code for reason in shown.reasons] == codes
    assert (shown.restore_points, shown.held) == (len(others.points), others.points.count(HELD))
    assert shown.uses.total == len(others.going_on)
    for force, expected in ((False, allowed), (True, by_force)):
        done = Others(others.known, others.points, others.going_on)
        if expected:
            await done.remove(force=force)
        else:
            with pytest.raises(Conflict, match=codes[0]):
                await done.remove(force=force)


async def test_a_restore_point_of_a_source_counts_once_however_many_stores_show_it() -> None:
    seen, other = FREE.model_copy(update={"store_id": "app-2"}), FREE.model_copy(update={"snapshot_id": "6a" * 32})
    shown = await Others(SOURCE, [FREE, seen, other]).preview()
    assert (shown.restore_points, shown.held) == (2, 0)
    assert "found as before: 2." in shown.effects[-1]
    # One of the stores may not show yet that it is under hold.
    shown = await Others(SOURCE, [seen, HELD, other]).preview()
    assert (shown.restore_points, shown.held) == (2, 1)


async def test_what_becomes_of_restore_points_is_said_in_words() -> None:
    of_source = (await Others(SOURCE, [FREE]).preview()).effects
    of_store = (await Others(STORE, [FREE], jobs_that("queued")).preview()).effects
    assert any("stay in their stores, browsable" in words for words in of_source)
    assert [words for words in of_store if "leave all lists" in words or "is not touched" in words] == of_store[-2:]
    assert any("asked to stop first: 1" in words for words in of_store)
