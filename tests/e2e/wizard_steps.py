"""The steps of a person who puts a resource to use, over HTTP."""

from dataclasses import dataclass
from typing import Any

from cairn_local.api_client import Api

from tests.support.waiting import eventually

Json = dict[str, Any]


@dataclass(frozen=True)
class Steps:
    """One step each, as a UI draws them."""

    api: Api

    def compatible(self, kind: str, urn_id: str) -> Json:
        """Integrations that fit the resource, and near misses."""
        return dict(self.api.get("/integrations", type=kind, urn_id=urn_id))

    def form(self, integration_id: str, kind: str, urn_id: str, **asked: str) -> Json:
        """What is to be filled in."""
        return dict(self.api.get(f"/integrations/{integration_id}", type=kind, urn_id=urn_id, **asked))

    def dry_run(self, body: Json, *, test: bool = True) -> Json:
        """What would come of it."""
        path, asked = self.api.organization("/connectors/dry-run"), {"test": str(test).lower()}
        return dict(self.api.call("POST", path, params=asked, json=body).json())

    def save(self, body: Json) -> Json:
        """The connector as it is then."""
        return dict(self.api.post(self.api.organization("/connectors"), body))

    def store(self, urn_id: str, **fields: str) -> str:
        """Id of a store with its storage, made with whatever is chosen by itself."""
        store = self.save({"type": "store", "name": "store", "urn_id": urn_id, "fields": values(**fields)})
        assert store["complete"], store["faults"]
        self.api.post(f"/connectors/{store['id']}/stores/create")
        return str(store["id"])

    def backed_up(self, source_id: str, store_id: str) -> str:
        """Id of the restore point of a backup."""
        before = {point["snapshot_id"] for point in self.api.snapshots(store_id)}
        job = self.api.wait_for_run(self.api.start_backup(source_id, store_id))
        assert job["status"] == "succeeded", self.api.job_log(job["id"])
        [made] = {point["snapshot_id"] for point in self.api.snapshots(store_id)} - before
        return str(made)

    def action(self, connector_id: str, name: str) -> Json:
        """Whether something can be done with a connector, and why not."""
        actions = self.api.get(f"/connectors/{connector_id}")["actions"]
        return dict(next(action for action in actions if action["name"] == name))

    def tested(self, connector_id: str, *, ok: bool) -> Json:
        """The last test of a connector, as soon as there is one of its newest revision with this result."""

        def last() -> Json | None:
            read = self.api.get(f"/connectors/{connector_id}")
            found = read["last_check"]
            return found if found and (found["revision"], found["ok"]) == (read["revision"], ok) else None

        return eventually(last, deadline_seconds=30) or {}


def values(**fields: str) -> Json:
    """Configuration fields of a body."""
    return {name: {"value": value} for name, value in fields.items()}


def accepted(form: Json, urn_id: str, **own: str) -> Json:
    """The body that follows from a form as it was shown, with a person's own values. Bundles' values are left out."""
    shown = {name: each for name, each in form["prefilled"].items() if each["origin"]["kind"] != "bundle"}
    body = {
        "type": form["type"],
        "name": form["names"][0]["value"],
        "urn_id": urn_id,
        "integration": {"id": form["id"]},
        "protocol": form["protocol"],
        "fields": values(**{name: each["value"] for name, each in shown.items()} | own),
    }
    if form["environment"]:
        body["environment"] = form["environment"]["value"]
    if form["data_classes"]:
        body["data_classes"] = form["data_classes"]["values"]
    return body


def origins(form: Json) -> dict[str, str]:
    """Where each value comes from that need not be typed."""
    return {name: each["origin"]["kind"] for name, each in form["prefilled"].items()}


def fields_of(faults: list[Json]) -> set[str]:
    """The fields that faults are about."""
    return {fault["field"] for fault in faults}
