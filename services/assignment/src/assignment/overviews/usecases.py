"""What can be said of connectors from all areas of this service, in one answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.messages.assignment import App, AppKind
from contracts.queries.assignment import ReachableApp, common_pool
from contracts.queries.connection_tests import ConnectorOverview
from contracts.tasks import TASK_KINDS, partners_of
from contracts.values import AppId, InventoryId, OrganizationId, ResourceId

from assignment.apps.domain.matching import misfit
from assignment.apps.domain.offers import Offering
from assignment.apps.domain.pools import Pool
from assignment.apps.store import AssignmentStore
from assignment.apps.usecases import reads
from assignment.connection_tests.domain import KnownTests
from assignment.connection_tests.store import ConnectionTestStore

K = TypeVar("K")
V = TypeVar("V")
LOOKUPS_AT_ONCE = 16
FIRST_CANDIDATES = 20
"""So many are read first where another connector is looked for; then a whole page at a time."""


async def get_overview(
    store: AssignmentStore, tests: ConnectionTestStore, org: OrganizationId, app_id: AppId
) -> ConnectorOverview:
    """One connector. Raises `NotFound`."""
    with span("assignment.get_overview", attributes={semconv.ORGANIZATION: org, semconv.APP: app_id}):
        app = await reads.get_reachable_app(store, org, app_id)
        [overview] = await _Overviews(store, tests, org).of([app])
        return overview


async def list_overviews(
    store: AssignmentStore,
    tests: ConnectionTestStore,
    org: OrganizationId,
    *,
    kind: AppKind | None = None,
    inventory_id: InventoryId | None = None,
    resource_id: ResourceId | None = None,
) -> Sequence[ConnectorOverview]:
    """The connectors of a resource, or those of a kind in an inventory; oldest first."""
    with span("assignment.list_overviews", attributes={semconv.ORGANIZATION: org}):
        found = await reads.list_reachable_apps(store, org, kind, resource_id=resource_id, inventory_id=inventory_id)
        return await _Overviews(store, tests, org).of(found)


class _Wanted(NamedTuple):
    """The other party of a task: a connector of a kind that can be used, and that workers reach who reach this one."""

    kind: AppKind
    of: ReachableApp

    @property
    def question(self) -> tuple[str, ...]:
        """Equal for connectors that have the same answer."""
        # A store may be copied into another one, not into itself.
        return (self.kind, *self.of.pools, self.of.id if self.kind == self.of.kind else "")


class _Parts(NamedTuple):
    """What it depends on whether connectors can be used, read once for one answer."""

    pools: Sequence[Pool]
    offering: Offering

    def reachable(self, app: App) -> ReachableApp:
        """An app with the pools that reach it."""
        return reads.reachable(app, self.pools, is_offered=self.offering.is_offered(app.integration.id))


class _Candidates:
    """The connectors of a kind that can be used, oldest first: read page by page, and once for all who ask.

    Whoever asks begins with the first one; of thousands the first ones will do in most cases.
    """

    def __init__(self, store: AssignmentStore, org: OrganizationId, kind: AppKind, parts: _Parts) -> None:
        self._store, self._org, self._kind, self._parts = store, org, kind, parts
        self._found: list[ReachableApp] = []
        self._read, self._ended, self._reading = 0, False, asyncio.Lock()

    async def __aiter__(self) -> AsyncIterator[ReachableApp]:
        place = 0
        while place < len(self._found) or await self._reaches(place):
            yield self._found[place]
            place += 1

    async def _reaches(self, place: int) -> bool:
        """Read on until there is one at a place; False where there is none."""
        async with self._reading:
            while len(self._found) <= place and not self._ended:
                limit = self._store.page_size if self._read else FIRST_CANDIDATES
                page = await self._store.apps.find(self._org, {"kind": self._kind}, limit=limit, offset=self._read)
                self._read += len(page.items)
                self._ended = len(page.items) < limit
                # Without their resources as they are now: an app hears of a lock, only a moment later.
                self._found += filter(_is_usable, map(self._parts.reachable, page.items))
            return place < len(self._found)


class _Overviews:
    """Gathers what one question is about; what several connectors share is looked up once."""

    def __init__(self, store: AssignmentStore, tests: ConnectionTestStore, org: OrganizationId) -> None:
        self._store, self._tests, self._org = store, tests, org
        self._slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def of(self, found: Sequence[ReachableApp]) -> Sequence[ConnectorOverview]:
        """The overviews of some connectors, in their order."""
        wanted = {each.question: each for app in found for each in _partners_wanted(app)}
        pools, offering = await asyncio.gather(self._store.present_pools(), self._store.offering(self._org))
        parts = _Parts(pools, offering)
        kinds = {each.kind for each in wanted.values()}
        candidates = {kind: _Candidates(self._store, self._org, kind, parts) for kind in kinds}
        tests, gone, partners = await asyncio.gather(
            self._each({app.id for app in found}, self._tests_of),
            self._each({app.resource.id for app in found}, self._is_gone),
            self._each(wanted, lambda question: _is_there(wanted[question], candidates)),
        )
        return [
            ConnectorOverview(
                app=app,
                resource_removed=gone[app.resource.id],
                misfit=misfit(app, offering.integrations),
                partners=tuple(each.kind for each in _partners_wanted(app) if partners[each.question]),
                last_test=known.last if (known := tests[app.id]) else None,
                initialized=known.initialized_in(app.revision, same_since=app.changed_in) if known else None,
            )
            for app in found
        ]

    async def _each(self, keys: Iterable[K], look_up: Callable[[K], Awaitable[V]]) -> dict[K, V]:
        async def one(key: K) -> tuple[K, V]:
            async with self._slots:
                return key, await look_up(key)

        return dict(await asyncio.gather(*map(one, keys)))

    async def _tests_of(self, app_id: AppId) -> KnownTests | None:
        return await self._tests.tests.get(self._org, app_id)

    async def _is_gone(self, resource_id: ResourceId) -> bool:
        known = await self._store.resource(self._org, resource_id)
        return known is not None and known.removed


async def _is_there(wanted: _Wanted, candidates: Mapping[AppKind, _Candidates]) -> bool:
    async for app in candidates[wanted.kind]:
        if app.id != wanted.of.id and common_pool(wanted.of, app) is not None:
            return True
    return False


def _partners_wanted(app: ReachableApp) -> Sequence[_Wanted]:
    kinds = {kind for type_ in TASK_KINDS for kind in partners_of(type_, app.kind) or ()}
    return [_Wanted(kind, app) for kind in sorted(kinds)]


def _is_usable(app: ReachableApp) -> bool:
    return not app.lacking and app.is_offered and not app.resource.locked
