"""Decisions of the gateway."""

import uuid
from typing import Any

import pytest
from chassis.ids import new_id, utc_now
from contracts.errors import Conflict, Forbidden, Invalid
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import LogLine
from contracts.messages.outcomes import Problem
from contracts.messages.protection import LegalHold
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.queries.scheduler import Job
from gateway.access.rights import ROLES, Right, require, rights_of
from gateway.areas.connectors.preconditions import (
    GivenField,
    check_complete,
    check_initializable,
    check_not_held,
    check_unlocked,
    check_unused,
)
from gateway.areas.scheduling.job_log import log_text, printable
from gateway.idempotency.intents import Intent, sibling_id

from tests.support.builders import a_resource


def an_app(**changes: Any) -> App:
    facts: dict[str, Any] = {
        "id": "app-1",
        "kind": "store",
        "name": "vault",
        "integration": {"id": "fs", "name": "fs", "version": "1.0.0"},
        "protocol": "fs",
        "resource": a_resource(),
        "fields": {},
        "endpoints": (),
        "data_classes": (),
        "environment": "",
        "temperature": "hot",
        "revision": 3,
    }
    return App.model_validate(facts | changes)


def a_job(**changes: Any) -> Job:
    origin = {"id": "app-1", "revision": 1, "kind": "source", "name": "nas"}
    facts = {"id": "job-1", "run_id": "run-1", "status": "queued", "task": {"type": "backup", "origin": origin}}
    return Job.model_validate(facts | changes)


@pytest.mark.parametrize(
    ("role", "permitted"),
    [
        ("owner", {"read", "run", "write", "secrets", "manage", "audit"}),
        ("administrator", {"read", "run", "write", "secrets", "manage", "audit"}),
        ("operator", {"read", "run"}),
        ("backup-operator", {"read", "run"}),
        ("auditor", {"read", "audit"}),
        ("nobody-knows-this", set()),
    ],
)
def test_what_a_role_permits(role: str, permitted: set[str]) -> None:
    assert rights_of([role]) == permitted
    for right in set(Right) - rights_of([role]):
        with pytest.raises(Forbidden):
            require([role], right)


def test_roles_add_up() -> None:
    require(["auditor", "operator"], Right.RUN)
    assert rights_of([]) == frozenset()
    assert set(ROLES) == {"owner", "administrator", "operator", "backup-operator", "auditor"}


def test_sibling_ids_repeat_and_keep_the_time() -> None:
    made = new_id()
    sibling = uuid.UUID(sibling_id(made, "job"))
    assert str(sibling) == Intent(made).id_for("job") != Intent(made).id_for("run")
    assert sibling.version == 7
    assert sibling.variant == uuid.RFC_4122
    assert sibling.int >> 80 == uuid.UUID(made).int >> 80


@pytest.mark.parametrize("fields", [{}, {"passphrase": GivenField("")}, {"passphrase": GivenField("  ")}])
def test_store_without_passphrase_is_not_initialized(fields: dict[str, GivenField]) -> None:
    with pytest.raises(Invalid, match="passphrase_missing"):
        check_initializable(an_app(), fields)


def test_store_with_passphrase_or_provider_is_initialized() -> None:
    check_initializable(an_app(), {"passphrase": GivenField("secret")})
    check_initializable(an_app(), {"passphrase": GivenField("", provider_id="vault-1")})
    with pytest.raises(Conflict, match="not_a_store"):
        check_initializable(an_app(kind="source"), {"passphrase": GivenField("secret")})


def test_incomplete_connector_is_named_with_its_faults() -> None:
    check_complete(an_app())
    lacking = ({"field": "fields.root", "detail": "is missing"},)
    with pytest.raises(
        Conflict, match="connector_incomplete: The store 'vault' is incomplete: root is missing"
    ) as refused:
        check_complete(an_app(lacking=lacking))
    assert refused.value.fields == {"fields.root": "is missing"}
    with pytest.raises(Conflict, match="connector_incomplete"):
        check_initializable(an_app(lacking=lacking), {"passphrase": GivenField("secret")})


def test_locked_resource_blocks_tasks() -> None:
    check_unlocked([a_resource()])
    with pytest.raises(Conflict, match=r"resource_locked.*files"):
        check_unlocked([a_resource(), a_resource(locked=True)])


def test_a_store_with_legal_holds_is_not_removed() -> None:
    free = IndexedRestorePoint.model_validate(
        {"snapshot_id": "5f" * 32, "store_id": "app-1", "tree_id": "t", "time": utc_now()}
    )
    check_not_held(an_app(), [free])
    held = free.model_copy(update={"legal_hold": LegalHold(at=utc_now())})
    with pytest.raises(Conflict, match=r"store_has_holds: Store vault .* legal hold: 2\."):
        check_not_held(an_app(), [held, free, held])


def test_what_is_in_use_is_named_in_part() -> None:
    check_unused([], code="x", what="The resource")
    with pytest.raises(Conflict, match=r"app-0 \(store\).* and 2 more"):
        check_unused([an_app(name=f"app-{n}") for n in range(7)], code="resource_in_use", what="The resource")


def test_log_has_a_line_for_each_entry() -> None:
    at = utc_now().replace(microsecond=0)
    lines = (LogLine(at=at, level="info", text="one"), LogLine(at=at, level="error", text="two\nthree"))
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert log_text(a_job(), lines) == f"{stamp} info one\n{stamp} error two\\nthree\n"


def test_log_of_a_finished_job_is_never_empty() -> None:
    problem = Problem(code="x", detail="it broke")
    assert "job failed: it broke" in log_text(a_job(status="failed", stopped_at=utc_now(), problem=problem), ())
    assert "job canceled" in log_text(a_job(status="canceled", stopped_at=utc_now()), ())
    assert log_text(a_job(), ()) == ""


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert printable("a\tb\x1b[2Jc\nd\u202e") == "a\tb\\x1b[2Jc\\nd\\u202e"
