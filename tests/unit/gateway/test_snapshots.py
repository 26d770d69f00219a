"""Whose restore points a path names: those of a removed source are there, and a source has none as a store."""

from collections.abc import Sequence
from typing import cast

import pytest
from contracts.errors import NotFound
from contracts.messages.assignment import AppKind
from contracts.queries.assignment import ReachableApp
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.snapshots.service import Snapshots
from gateway.clients.assignment import AssignmentClient
from gateway.clients.restore_index import RestoreIndexClient

WHO = Principal(account_id="someone", organization_id=OrganizationId("org"))
POINT = IndexedRestorePoint.model_construct(snapshot_id="5f" * 32, store_id="archive", source_id="nas")


class Connectors:
    def __init__(self, **kinds: AppKind) -> None:
        self._kinds = kinds

    async def app(self, _: object, app_id: str) -> ReachableApp:
        if app_id not in self._kinds:
            raise NotFound("app_not_found", "There is no such connector.")
        return ReachableApp.model_construct(id=app_id, name=app_id, kind=self._kinds[app_id])


class Index:
    async def restore_points(self, _: object, store_id: str) -> Sequence[IndexedRestorePoint]:
        return [POINT] if store_id == POINT.store_id else []

    async def restore_points_from(self, _: object, source_id: str) -> Sequence[IndexedRestorePoint]:
        return [POINT] if source_id == POINT.source_id else []

    async def has_restore_points_from(self, _: object, source_id: str) -> bool:
        return source_id == POINT.source_id

    async def same_restore_points(self, _: object, snapshot_id: str) -> Sequence[IndexedRestorePoint]:
        return [POINT] if snapshot_id == POINT.snapshot_id else []


def snapshots(**kinds: AppKind) -> Snapshots:
    return Snapshots(cast("AssignmentClient", Connectors(**kinds)), cast("RestoreIndexClient", Index()))


async def test_restore_points_of_a_removed_source_are_found() -> None:
    left = snapshots(archive="store")
    assert await left.of_source(WHO, "nas") == [[POINT]]
    assert await left.from_source(WHO, "nas", POINT.snapshot_id) == [POINT]
    with pytest.raises(NotFound, match="app_not_found"):
        await left.of_source(WHO, "never-there")


async def test_one_restore_point_is_asked_for_to_know_that_a_removed_source_has_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError("all of them are many")

    monkeypatch.setattr(Index, "restore_points_from", never)

    assert await snapshots(archive="store").from_source(WHO, "nas", POINT.snapshot_id) == [POINT]


async def test_what_is_no_store_or_no_source_has_no_list() -> None:
    there = snapshots(nas="source", archive="store", fresh="source")
    assert await there.of_store(WHO, "archive") == [POINT]
    assert await there.of_source(WHO, "fresh") == []
    with pytest.raises(NotFound, match="store_not_found") as refused:
        await there.of_store(WHO, "nas")
    assert refused.value.detail == "There is no such store: nas is a source."
    with pytest.raises(NotFound, match="store_not_found"):
        await there.in_store(WHO, "nas", POINT.snapshot_id)
    with pytest.raises(NotFound, match="source_not_found"):
        await there.of_source(WHO, "archive")
