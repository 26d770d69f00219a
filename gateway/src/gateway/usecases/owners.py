"""What the services know, as values: every read of the gateway goes through here."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, quote_from_bytes

from chassis.http.client import ServiceClient
from chassis.http.problems import to_error
from chassis.http.transport import Answer
from contracts.errors import CairnError, NotFound
from contracts.messages.assignment import App, AppKind
from contracts.messages.catalog import Inventory, Resource
from contracts.messages.connector import Integration, LogLine, StoreLock
from contracts.messages.restore_index import Damage, RestorePoint, Totals, refusal_of
from contracts.values import IntegrationId, Value
from pydantic import BaseModel, TypeAdapter

from gateway.domain.jobs import Job
from gateway.usecases.visitors import Visitor

V = TypeVar("V", bound=BaseModel)
LONGEST_ID = 200
_WORDS = {"app": "connector", "snapshot": "restore point"}
"""What users call it."""
_LINES: TypeAdapter[tuple[LogLine, ...]] = TypeAdapter(tuple[LogLine, ...])


class CountedInventory(Inventory):
    """An inventory and how many resources it holds."""

    count: int = 0


class KnownRestorePoint(RestorePoint):
    """A restore point and whether it can be opened."""

    browsable: bool = False
    damage: Damage | None = None
    totals: Totals | None = None

    @property
    def state(self) -> Literal["browsable", "indexing", "damaged", "unreadable"]:
        """What can be done with it: `unreadable` is what the store has and does not give out."""
        if self.browsable:
            return "browsable"
        if self.damage is None:
            return "indexing"
        return "damaged" if self.damage.is_loss else "unreadable"

    @property
    def refusal(self) -> CairnError:
        """Why what is in it cannot be told."""
        return to_error(refusal_of(self.damage))


class Choice(Value):
    """Integration and protocol for an app, and which of its fields may travel in clear."""

    integration_id: IntegrationId
    protocol: str
    clear_fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page(Generic[V]):
    """A part of a listing and how many there are in all."""

    total: int
    items: Sequence[V]


def _page(model: type[V], answer: Any) -> Page[V]:
    items = [model.model_validate(i) for i in answer["items"]]
    return Page(int(answer.get("total", len(items))), items)


def segment(identifier: str, *, missing: str) -> str:
    """An id as a part of a path. Raises `NotFound` for what cannot be an id of ours, e.g. `..` or `a/b`."""
    if not 0 < len(identifier) <= LONGEST_ID or "/" in identifier or identifier.strip(".") == "":
        raise NotFound(f"{missing}_not_found", f"There is no such {_WORDS.get(missing, missing)}.")
    return quote(identifier, safe="")


def path_query(path: bytes) -> str:
    """The parameter `path` of a question to another service, byte for byte."""
    return f"path={quote_from_bytes(path, safe='')}"


@dataclass(frozen=True)
class Owners:
    """The doors of the services for reads. Unknown and foreign ids raise `NotFound`, silence `Unavailable`."""

    catalog: ServiceClient
    assignment: ServiceClient
    scheduler: ServiceClient
    restore_index: ServiceClient
    connector: ServiceClient

    async def inventories(self, who: Visitor, *, limit: int, offset: int) -> Page[CountedInventory]:
        """Inventories of the organization."""
        params: Mapping[str, str | int] = {"limit": limit, "offset": offset}
        return _page(CountedInventory, await self.catalog.get("/internal/inventories", who.caller(), params))

    async def inventory(self, who: Visitor, inventory_id: str) -> CountedInventory:
        """One inventory."""
        path = f"/internal/inventories/{segment(inventory_id, missing='inventory')}"
        return CountedInventory.model_validate(await self.catalog.get(path, who.caller()))

    async def resources(
        self, who: Visitor, *, inventory_id: str | None, search: str, limit: int, offset: int
    ) -> Page[Resource]:
        """Resources of an inventory, or of all; `search` is a part of the URN or the name."""
        params: dict[str, str | int] = {"limit": limit, "offset": offset}
        params |= {k: v for k, v in (("inventory_id", inventory_id), ("search", search)) if v}
        return _page(Resource, await self.catalog.get("/internal/resources", who.caller(), params))

    async def resource(self, who: Visitor, resource_id: str, *, inventory_id: str | None = None) -> Resource:
        """One resource; with `inventory_id`, only when it is in that inventory."""
        path = f"/internal/resources/{segment(resource_id, missing='resource')}"
        found = Resource.model_validate(await self.catalog.get(path, who.caller()))
        if inventory_id is not None and found.inventory_id != inventory_id:
            raise NotFound("resource_not_found", "There is no such resource in this inventory.")
        return found

    async def integrations(self, who: Visitor) -> list[Integration]:
        """The integrations on offer."""
        answer = await self.assignment.get("/internal/integrations", who.caller())
        return list(_page(Integration, answer).items)

    async def choose(
        self, who: Visitor, *, kind: AppKind, resource: Resource, integration_id: str | None, protocol: str | None
    ) -> Choice:
        """Which integration and protocol an app would get. Raises what the assignment would be refused with."""
        question = {
            "kind": kind,
            "resource": resource.model_dump(mode="json", by_alias=True),
            "integration_id": integration_id,
            "protocol": protocol,
        }
        return Choice.model_validate(await self.assignment.post("/internal/choice", who.caller(), question))

    async def store_locks(self, who: Visitor, store_id: str) -> list[StoreLock]:
        """Who holds a store, as a worker reads it there."""
        answer = await self.connector.get(f"/internal/stores/{segment(store_id, missing='app')}/locks", who.caller())
        return [StoreLock.model_validate(each) for each in answer["items"]]

    async def apps(self, who: Visitor, kind: AppKind | None = None) -> list[App]:
        """All apps of the organization, or those of one kind."""
        answer = await self.assignment.get("/internal/apps", who.caller(), {"kind": kind} if kind else None)
        return list(_page(App, answer).items)

    async def app(self, who: Visitor, app_id: str) -> App:
        """One app."""
        path = f"/internal/apps/{segment(app_id, missing='app')}"
        return App.model_validate(await self.assignment.get(path, who.caller()))

    async def jobs(
        self, who: Visitor, *, limit: int, offset: int, task_type: str | None, status: str | None
    ) -> Page[Job]:
        """Jobs, newest first."""
        params: dict[str, str | int] = {"limit": limit, "offset": offset}
        params |= {k: v for k, v in (("task_type", task_type), ("status", status)) if v}
        return _page(Job, await self.scheduler.get("/internal/jobs", who.caller(), params))

    async def job(self, who: Visitor, job_id: str) -> Job:
        """One job."""
        path = f"/internal/jobs/{segment(job_id, missing='job')}"
        return Job.model_validate(await self.scheduler.get(path, who.caller()))

    async def job_of_run(self, who: Visitor, run_id: str) -> Job | None:
        """The job of a run; None until there is one."""
        path = f"/internal/runs/{segment(run_id, missing='run')}"
        answer = await self.scheduler.get(path, who.caller())
        return Job.model_validate(answer["job"]) if answer.get("job") else None

    async def job_log(self, who: Visitor, job_id: str) -> tuple[LogLine, ...]:
        """The log of a job, oldest line first."""
        path = f"/internal/jobs/{segment(job_id, missing='job')}/log"
        return _LINES.validate_python((await self.scheduler.get(path, who.caller()))["lines"])

    async def restore_points(self, who: Visitor, store_id: str) -> list[KnownRestorePoint]:
        """All restore points of a store, newest first."""
        answer = await self.restore_index.get("/internal/restore-points", who.caller(), {"store_id": store_id})
        return list(_page(KnownRestorePoint, answer).items)

    async def same_restore_points(self, who: Visitor, snapshot_id: str) -> list[KnownRestorePoint]:
        """One restore point, in each store that shares its repository; the likeliest to be usable first."""
        segment(snapshot_id, missing="snapshot")
        params = {"snapshot_id": snapshot_id}
        answer = await self.restore_index.get("/internal/restore-points", who.caller(), params)
        found = _page(KnownRestorePoint, answer).items
        if not found:
            raise NotFound("snapshot_not_found", "There is no such restore point.")
        return list(found)

    async def in_all_restore_points(self, who: Visitor, question: str) -> bytes:
        """What the index tells of all restore points, as JSON; see `in_restore_point`."""
        return await self.restore_index.get_raw(f"/internal/{question}", who.caller())

    def lines_in_restore_point(
        self, who: Visitor, snapshot_id: str, question: str
    ) -> AbstractAsyncContextManager[Answer]:
        """What the index tells of a restore point line by line; see `in_restore_point`."""
        path = f"/internal/restore-points/{segment(snapshot_id, missing='snapshot')}/{question}"
        return self.restore_index.stream(path, who.caller())

    async def in_restore_point(self, who: Visitor, snapshot_id: str, question: str) -> bytes:
        """What the index tells of a restore point, as JSON; `question` is the rest of an address, quoted already."""
        path = f"/internal/restore-points/{segment(snapshot_id, missing='snapshot')}/{question}"
        return await self.restore_index.get_raw(path, who.caller())
