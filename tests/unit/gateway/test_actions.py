"""What can be done with a connector, and why something cannot."""

from typing import Any

import pytest
from chassis.ids import utc_now
from contracts.messages.connector.connection_tests import Check, TestReport
from contracts.messages.outcomes import FieldProblem
from contracts.queries.assignment import ReachableApp
from contracts.queries.connection_tests import ConnectorOverview, KeptTest
from contracts.values import CommandId
from gateway.areas.connectors.actions import ACTIONS, Action, actions_of
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.schemas.overviews import action_views

from tests.support.builders import a_resource
from tests.unit.gateway.test_domain import an_app

PASSPHRASE = {"passphrase": GivenField("", masked=True)}
LACKING = (FieldProblem(field="fields.root", detail="is missing"),)
LOCKED = a_resource(locked=True)
ALL = ("source", "store", "destination")


def overview(kind: str = "source", *, app: Any = None, **facts: Any) -> ConnectorOverview:
    known = {"partners": ALL, "initialized": True if kind == "store" else None} | facts
    return ConnectorOverview(app=ReachableApp(**dict(an_app(kind=kind, **(app or {})))), **known)


def of(found: ConnectorOverview, fields: Any = PASSPHRASE) -> dict[str, Action]:
    actions = actions_of(found, fields)
    assert tuple(each.name for each in actions) == ACTIONS
    return {each.name: each for each in actions}


def available(found: ConnectorOverview, fields: Any = PASSPHRASE) -> set[str]:
    return {name for name, action in of(found, fields).items() if action.reason is None}


def codes(found: ConnectorOverview, fields: Any = PASSPHRASE) -> dict[str, str]:
    return {name: action.reason.code for name, action in of(found, fields).items() if action.reason}


@pytest.mark.parametrize(
    ("kind", "possible"),
    [
        ("source", {"test", "backup", "restore"}),
        ("store", {"test", "initialize", "backup", "restore", "check", "sync", "prune"}),
        ("destination", {"test", "restore"}),
    ],
)
def test_what_can_be_done_depends_on_the_type(kind: str, possible: set[str]) -> None:
    assert available(overview(kind)) == possible
    never = {name: code for name, code in codes(overview(kind)).items() if name != "initialize"}
    assert never == dict.fromkeys(set(ACTIONS) - possible - {"initialize"}, "not_for_this_type")
    assert codes(overview("source"))["initialize"] == "not_a_store"


@pytest.mark.parametrize(
    ("facts", "code", "left"),
    [
        ({"app": {"lacking": LACKING}}, "connector_incomplete", set()),
        ({"app": {"resource": LOCKED}}, "resource_locked", {"test", "initialize"}),
        ({"resource_removed": True}, "resource_not_found", {"test", "initialize"}),
        ({"initialized": False}, "store_not_initialized", {"test", "initialize"}),
    ],
)
def test_each_reason_is_the_refusal_of_the_route_or_the_failure_of_the_job(
    facts: dict[str, Any], code: str, left: set[str]
) -> None:
    found = overview("store", **facts)
    assert available(found) == left
    assert set(codes(found).values()) == {code}
    assert all(action.reason.detail.endswith(".") for action in of(found).values() if action.reason)


def test_without_workers_for_its_integration_nothing_can_be_done() -> None:
    gone = overview("store")
    gone = gone.model_copy(update={"app": gone.app.model_copy(update={"is_offered": False})})
    assert codes(gone) == dict.fromkeys(ACTIONS, "integration_gone")


@pytest.mark.parametrize(
    ("kind", "partners", "expected"),
    [
        ("source", ("source", "destination"), {"backup": "no_store_in_reach", "restore": "no_store_in_reach"}),
        ("destination", ("source",), {"restore": "no_store_in_reach"}),
        ("store", ("destination",), {"backup": "no_source_in_reach", "sync": "no_store_in_reach"}),
        ("store", ("source",), {"sync": "no_store_in_reach"}),
        (
            "store",
            (),
            {
                "backup": "no_source_in_reach",
                "restore": "no_destination_in_reach",
                "sync": "no_store_in_reach",
            },
        ),
    ],
)
def test_a_task_of_two_needs_the_other_one(kind: str, partners: tuple[str, ...], expected: dict[str, str]) -> None:
    found = {name: code for name, code in codes(overview(kind, partners=partners)).items() if "in_reach" in code}
    assert found == expected


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, True),
        ({"passphrase": GivenField(" ")}, True),
        ({"passphrase": GivenField("x")}, False),
        (PASSPHRASE, False),
        ({"passphrase": GivenField("", provider_id="vault")}, False),
    ],
)
def test_a_store_without_passphrase_is_not_initialized(fields: Any, refused: bool) -> None:
    assert (codes(overview("store"), fields).get("initialize") == "passphrase_missing") is refused


def test_what_does_not_forbid_is_a_warning() -> None:
    failed = Check(name="reachable", ok=False, duration_ms=1, detail="connection refused")
    report = TestReport(ok=False, checks=(Check(name="resolved", ok=True, duration_ms=1), failed))
    last = KeptTest(command_id=CommandId("t"), at=utc_now(), trigger="change", revision=1, report=report)
    found = of(overview("store", last_test=last, initialized=None))
    warned = {name: [warning.code for warning in action.warnings] for name, action in found.items()}
    both = ["last_test_failed", "storage_unknown"]
    assert warned == dict.fromkeys(ACTIONS, both) | {"test": [], "initialize": ["last_test_failed"]}
    assert found["backup"].warnings[0].detail.endswith("reachable: connection refused")
    # What cannot be done at all needs no warning beside the reason.
    assert all(not action.warnings for action in of(overview("source", last_test=last, partners=())).values())


@pytest.mark.parametrize("kind", ["source", "store", "destination"])
def test_what_became_of_the_resource_is_told_with_what_can_be_done_all_the_same(kind: str) -> None:
    def told(found: ConnectorOverview) -> dict[str, list[str]]:
        return {name: [each.code for each in one.warnings] for name, one in of(found).items() if one.reason is None}

    gone = told(overview(kind, resource_removed=True))
    assert all(codes == ["resource_not_found"] for codes in gone.values())
    assert set(gone) == {"test", *(["initialize"] if kind == "store" else [])}

    found = overview(kind, misfit="S3 does not work with resources of class database.")
    assert told(found) == {name: ["integration_incompatible"] for name in available(overview(kind))}
    assert of(found)["test"].warnings[0].detail.endswith("S3 does not work with resources of class database.")


def test_the_view_says_what_the_actions_say() -> None:
    views = action_views(actions_of(overview("destination", partners=()), {}))
    assert [(view.name, view.available) for view in views] == [(name, name == "test") for name in ACTIONS]
    assert all((view.reason is None) == view.available for view in views)
