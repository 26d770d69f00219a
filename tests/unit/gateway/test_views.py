"""What clients read."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.security.sealing import Sealer
from contracts.errors import PermanentError
from contracts.field_values import FieldValue
from contracts.hooks import Hooks
from contracts.messages.assignment import AppRef
from contracts.messages.base import Command, Message
from contracts.messages.catalog import CreateInventory, RemoveResource
from contracts.messages.classification import AddLabel, RemoveLabel, RenameLabel
from contracts.messages.protection import SetRetentionFloor
from contracts.messages.scheduler import RunTask
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.queries.scheduler import JobProgress
from contracts.task_types.backup import BackupResult
from contracts.task_types.check import CheckResult
from contracts.tasks import Task, TaskResult
from contracts.values import AppId, InventoryId, JobId, ResourceId, RunId
from gateway.access.accounts import DataKey
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.schemas.answers import connector_view
from gateway.areas.connectors.schemas.requests import ConnectorBody
from gateway.areas.connectors.service import ReadConnector
from gateway.areas.operations.schemas import operation_view
from gateway.areas.operations.service import Operation
from gateway.areas.operations.store import End
from gateway.areas.resources.schemas import resource_view
from gateway.areas.scheduling.schemas.answers import RunView, job_view
from gateway.areas.scheduling.schemas.results import result_view
from gateway.areas.snapshots.schemas import snapshot_view
from gateway.http.answers import page, stamp

from tests.support.builders import ORG, a_resource
from tests.unit.gateway.test_domain import a_job, an_app

Json = dict[str, Any]
GIVEN = {"root": GivenField("/srv"), "passphrase": GivenField("s3cret"), "token": GivenField("kv/x", "provider-1")}


def shown(view: Any) -> dict[str, Any]:
    return dict(view.model_dump(mode="json", by_alias=True))


def field_encryption() -> FieldEncryption:
    return FieldEncryption(Sealer(bytes(32)), MemoryAggregates(DataKey))


def test_times_have_milliseconds_so_that_they_sort_as_text() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert stamp(at) == "2026-01-02T03:04:05.000Z"
    assert stamp(at) < stamp(at.replace(microsecond=1000)) < stamp(at.replace(second=6))


async def test_fields_are_sealed_unless_they_are_clear_or_references() -> None:
    sealed = await field_encryption().seal(ORG, "app-1", GIVEN, clear=frozenset({"root"}))
    assert sealed["root"].value == "/srv"
    assert sealed["passphrase"].sealed is not None
    assert sealed["passphrase"].value is None
    assert (sealed["token"].value, sealed["token"].provider_id) == ("kv/x", "provider-1")
    assert "s3cret" not in str(sealed)


async def test_unknown_fields_are_sealed_too() -> None:
    sealed = await field_encryption().seal(ORG, "app-1", {"passphrse": GivenField("s3cret")}, clear=frozenset({"root"}))
    assert sealed["passphrse"].sealed is not None


async def test_fields_are_read_back_as_they_were_given() -> None:
    encryption = field_encryption()
    app = an_app(fields=await encryption.seal(ORG, "app-1", GIVEN, clear=frozenset({"root"})))
    assert encryption.open(ORG, app) == GIVEN
    view = shown(connector_view(ReadConnector(app, encryption.open(ORG, app))))
    assert view["fields"] == {
        "root": {"value": "/srv"},
        "passphrase": {"value": "s3cret"},
        "token": {"value": "kv/x", "provider": {"id": "provider-1"}},
    }


async def test_who_may_not_see_secrets_sees_that_there_are_some() -> None:
    encryption = field_encryption()
    given = GIVEN | {"empty": GivenField("")}
    app = an_app(fields=await encryption.seal(ORG, "app-1", given, clear=frozenset({"root"})))
    masked = encryption.open(ORG, app, masked=True)
    view = shown(connector_view(ReadConnector(app, masked)))
    assert view["fields"] == {
        "root": {"value": "/srv"},
        "passphrase": {"value": "", "masked": True},
        "token": {"value": "kv/x", "provider": {"id": "provider-1"}},
        "empty": {"value": ""},
    }
    assert "s3cret" not in str(view)
    body = ConnectorBody.model_validate({"name": "n", "type": "store", "urn_id": "r", "fields": view["fields"]})
    again = await encryption.seal(ORG, "app-1", body.request().fields, clear=frozenset({"root"}))
    assert again["passphrase"] == FieldValue(keep=True)
    assert (again["root"], again["token"], again["empty"]) == (
        app.fields["root"],
        app.fields["token"],
        FieldValue(value=""),
    )


def test_incomplete_connector_says_what_it_lacks() -> None:
    view = shown(connector_view(ReadConnector(an_app(lacking=({"field": "fields.root", "detail": "is missing"},)), {})))
    assert (view["complete"], view["faults"]) == (False, [{"field": "fields.root", "detail": "is missing"}])
    whole = shown(connector_view(ReadConnector(an_app(), {})))
    assert (whole["complete"], whole["faults"]) == (True, [])


async def test_secret_moved_to_another_app_does_not_open() -> None:
    encryption = field_encryption()
    app = an_app(id="app-2", fields=await encryption.seal(ORG, "app-1", GIVEN, clear=frozenset()))
    with pytest.raises(PermanentError, match="secret_unreadable"):
        encryption.open(ORG, app)


def test_connector_echoes_lists_in_their_order_and_its_own_endpoints_only() -> None:
    app = an_app(endpoints=("b", "a"), data_classes=("z", "a"), environment="production", temperature="cold")
    view = shown(connector_view(ReadConnector(app, {})))
    assert view["endpoints"] == [{"endpoint": "b"}, {"endpoint": "a"}]
    assert view["data_classes"] == ["z", "a"]
    assert (view["type"], view["environment"], view["temperature"]) == ("store", "production", "cold")
    assert view["integration"] == {"id": "fs", "name": "fs"}
    assert view["resource"] == {"urn_id": "res-1", "urn": "urn:files:1", "name": "files"}
    inherited = an_app(endpoints=("b",), endpoints_from_resource=True)
    assert shown(connector_view(ReadConnector(inherited, {})))["endpoints"] == []


def test_a_connector_shows_its_hooks_where_it_has_some() -> None:
    hooks = Hooks(pre_job="freeze", on_failure="warn")
    assert shown(connector_view(ReadConnector(an_app(hooks=hooks), {})))["hooks"] == hooks.model_dump()
    assert "hooks" not in shown(connector_view(ReadConnector(an_app(), {})))


def test_resource_row_has_what_an_update_needs() -> None:
    resource = a_resource(endpoints=({"endpoint": "10.0.0.1", "kind": "inet4"},), tags=("b", "a"), locked=True)
    assert shown(resource_view(resource)) == {
        "urn_id": "res-1",
        "inventory_id": "inv-1",
        "urn": "urn:files:1",
        "name": "files",
        "class": "file-storage",
        "subclass": "posix",
        "service": "",
        "endpoints": [{"endpoint": "10.0.0.1", "kind": "inet4"}],
        "tags": ["b", "a"],
        "excluded_from_coverage": False,
        "locked": True,
    }


def test_job_times_are_strings_or_null_and_a_run_without_job_has_no_such_key() -> None:
    queued = shown(job_view(a_job(created_at=datetime(2026, 1, 2, tzinfo=UTC))))
    assert queued["created_at"] == "2026-01-02T00:00:00.000Z"
    assert queued["stopped_at"] is None
    assert queued["task"]["origin"] == {"id": "app-1", "name": "nas", "type": "source"}
    assert queued["task"]["target"] is None
    assert shown(RunView(id="run-1")) == {"id": "run-1"}
    assert shown(RunView(id="run-1", job=job_view(a_job())))["job"]["stopped_at"] is None


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"labels": ("b", "a")}, {"labels": ["b", "a"]}),
        ({"overwrite": "always", "paths": (), "read_percent": 0}, {}),
        ({"snapshot_id": "5f", "paths": ("/b", "/a")}, {"snapshot_id": "5f", "paths": ["/b", "/a"]}),
        ({"snapshot_id": "5f", "overwrite": "if_newer"}, {"snapshot_id": "5f", "overwrite": "if_newer"}),
        ({"read_percent": 12.5}, {"read_percent": 12.5}),
    ],
)
def test_job_shows_the_options_of_a_restore_or_check_that_were_given(options: Json, more: Json) -> None:
    origin = {"id": "app-1", "revision": 1, "kind": "store", "name": "nas"}
    job = a_job(task={"type": "restore", "origin": origin, "options": options})
    expected = {"labels": [], "ignores": [], "snapshot_id": None}
    assert shown(job_view(job))["task"]["config"] == expected | more


def test_job_shows_progress_and_figures() -> None:
    job = a_job(progress=JobProgress(phase="transferring", bytes_done=7), result=BackupResult(snapshot_id="5f"))
    view = shown(job_view(job))
    assert (view["progress"]["bytes_done"], view["backup"]["snapshot_id"]) == (7, "5f")


@pytest.mark.parametrize("kind", [each for each in get_args(TaskResult) if each is not BackupResult])
def test_job_shows_each_result_as_it_is(kind: type[TaskResult]) -> None:
    result = kind.model_validate({"snapshot_id": "5f", "findings": ("a", "b")})
    view = shown(job_view(a_job(result=result)))
    assert (view["result"], view["backup"]) == (result.model_dump(mode="json"), None)


def test_job_without_a_result_leaves_it_out() -> None:
    assert "result" not in shown(job_view(a_job()))


def test_restore_point_shows_what_the_index_counted() -> None:
    facts = {"snapshot_id": "5f", "store_id": "s", "tree_id": "t", "time": "2026-01-02T03:04:05.678Z", "files": 1}
    view = shown(snapshot_view(IndexedRestorePoint.model_validate(facts | {"tags": ["b", "a"]})))
    assert (view["creation_time"], view["files"], view["tags"]) == ("2026-01-02T03:04:05.678Z", 1, ["b", "a"])
    counted = {"browsable": True, "totals": {"files": 9, "directories": 2, "bytes": 10}}
    view = shown(snapshot_view(IndexedRestorePoint.model_validate(facts | counted)))
    assert (view["files"], view["bytes"], view["browsable"]) == (9, 10, True)
    copied = {"original": "6b", "origin_store_id": "other"}
    view = shown(snapshot_view(IndexedRestorePoint.model_validate(facts | copied)))
    assert (view["original"], view["replica_of"]) == ("6b", {"snapshot_id": "6b", "store_id": "other"})
    copied_again = copied | {"origin_snapshot_id": "7c"}
    view = shown(snapshot_view(IndexedRestorePoint.model_validate(facts | copied_again)))
    assert (view["original"], view["replica_of"]) == ("6b", {"snapshot_id": "7c", "store_id": "other"})


def test_operation_runs_until_it_ended() -> None:
    command = CreateInventory(organization_id=ORG, inventory_id=InventoryId("x"), name="n", type="self-managed")
    assert shown(operation_view(Operation("o", command))) == {
        "id": "x",
        "operation_id": "o",
        "status": "running",
        "result": None,
        "problem": None,
    }
    done = shown(operation_view(Operation("o", command, End(result={"id": "x"}))))
    assert (done["status"], done["result"], done["problem"]) == ("succeeded", {"id": "x"}, None)


def test_operation_names_what_its_request_is_about() -> None:
    task = Task(type="backup", origin=AppRef(id=AppId("s"), revision=1, kind="source", name="s"))
    run = RunTask(organization_id=ORG, job_id=JobId("j"), run_id=RunId("r"), task=task)
    view = shown(operation_view(Operation("o", run, End(result={"run_id": "r", "job_id": "j"}))))
    assert (view["id"], view["result"]) == ("r", {"id": "r", "run_id": "r", "job_id": "j"})
    removal = RemoveResource(organization_id=ORG, inventory_id=InventoryId("i"), resource_id=ResourceId("u"))
    view = shown(operation_view(Operation("o", removal)))
    assert (view["id"], view["urn_id"]) == ("u", "u")


OF_THE_ORGANIZATION = (SetRetentionFloor, AddLabel, RenameLabel, RemoveLabel)


def test_every_command_of_the_gateway_has_a_handle() -> None:
    for command in every_subclass(Command):
        handles = {"run_id", "resource_id", "bundle_id", "inventory_id", "app_id", "job_id", "store_id"}
        handles |= {"integration_id", "draft_id"}
        assert handles & command.model_fields.keys() or command in OF_THE_ORGANIZATION, command
    floor = SetRetentionFloor(organization_id=ORG, min_versions=1)
    assert shown(operation_view(Operation("o", floor)))["id"] == ORG


def every_subclass(kind: type[Message]) -> list[type[Message]]:
    found = [k for child in kind.__subclasses__() for k in every_subclass(child)]
    return found or [kind]


def test_page_counts_all_and_holds_some() -> None:
    assert shown(page(120, [1, 2])) == {"total": 120, "items": [1, 2]}


def test_what_nobody_counts_of_a_check_of_a_whole_store_is_null() -> None:
    whole, point = (result_view(CheckResult(points=points, files=2 * points)) for points in (0, 1))
    assert whole is not None
    assert point is not None
    assert [whole.model_dump()[name] for name in ("files", "bytes_read", "finding_count")] == [None, None, 0]
    assert [point.model_dump()[name] for name in ("files", "bytes_read")] == [2, 0]
