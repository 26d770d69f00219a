"""What can be done with a connector now, and why something cannot. Pure.

The reasons are the refusals of the routes that do it: each is found by the very check that the route makes. What only
a worker finds out, a route does not refuse: whether a store has storage, and whether there is anything to go to.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from contracts.errors import CairnError
from contracts.messages.assignment import AppKind
from contracts.queries.connection_tests import ConnectorOverview
from contracts.task_types.base import TaskType
from contracts.tasks import partners_of

from gateway.areas.connectors.preconditions import (
    GivenField,
    check_complete,
    check_initializable,
    check_offered,
    check_unlocked,
    resource_gone,
)

ACTIONS = ("test", "initialize", "backup", "restore", "check", "sync", "prune")
_TASKS: tuple[TaskType, ...] = ("backup", "restore", "check", "sync", "prune")


@dataclass(frozen=True)
class Reason:
    """Why something is not available, or what to know before it is done."""

    code: str
    detail: str


@dataclass(frozen=True)
class Action:
    """Something that is done with connectors."""

    name: str
    reason: Reason | None = None
    """Why it is not available; None: it is."""
    warnings: tuple[Reason, ...] = ()
    """What does not forbid it."""


def actions_of(overview: ConnectorOverview, fields: Mapping[str, GivenField]) -> tuple[Action, ...]:
    """What can be done with a connector: always all of `ACTIONS`, in this order.

    `fields`: its fields, of which those with secrets may be masked.
    """
    found: dict[str, Reason | None] = {"test": _test(overview), "initialize": _initialize(overview, fields)}
    for type_ in _TASKS:
        found[type_] = _task(overview, type_)
    warnings = tuple(_warnings(overview))
    return tuple(Action(name, found[name], () if found[name] else _about(name, warnings)) for name in ACTIONS)


def _test(overview: ConnectorOverview) -> Reason | None:
    app = overview.app
    return _first(lambda: check_complete(app), lambda: check_offered(app))


def _initialize(overview: ConnectorOverview, fields: Mapping[str, GivenField]) -> Reason | None:
    app = overview.app
    return _first(lambda: check_initializable(app, fields), lambda: check_offered(app))


def _task(overview: ConnectorOverview, type_: TaskType) -> Reason | None:
    app = overview.app
    partners = partners_of(type_, app.kind)
    if partners is None:
        return Reason("not_for_this_type", f"There is no {type_} of a {app.kind}.")
    if refused := _first(lambda: check_complete(app), lambda: check_offered(app)):
        return refused
    if overview.resource_removed:
        gone = resource_gone(app)
        return Reason(gone.code, gone.detail)
    if refused := _first(lambda: check_unlocked([app.resource])):
        return refused
    if overview.initialized is False:
        return Reason("store_not_initialized", f"Store {app.name} has no storage yet: initialize it first.")
    if partners and partners.isdisjoint(overview.partners):
        return _nothing_in_reach(overview, partners)
    return None


def _nothing_in_reach(overview: ConnectorOverview, partners: frozenset[AppKind]) -> Reason:
    words, name = " or ".join(sorted(partners, reverse=True)), overview.app.name
    return Reason(
        f"no_{'store' if 'store' in partners else sorted(partners)[0]}_in_reach",
        f"There is no other {words} that is complete, not locked, and reached by workers who reach {name}.",
    )


def _warnings(overview: ConnectorOverview) -> Iterator[Reason]:
    app, last = overview.app, overview.last_test
    if overview.resource_removed:
        # Of what the routes still do: what it was put to use with is all that a worker needs to connect.
        gone = resource_gone(app)
        yield Reason(gone.code, gone.detail)
    elif overview.misfit:
        yield Reason(
            "integration_incompatible", f"The class of resource {app.resource.name} changed. {overview.misfit}"
        )
    if last is not None and not last.report.ok:
        failed = next((check for check in last.report.checks if not check.ok), None)
        words = f": {failed.name}: {failed.detail}" if failed else ""
        yield Reason("last_test_failed", f"The last test of the connection of {app.name} failed{words}")
    if app.kind == "store" and overview.initialized is None:
        yield Reason("storage_unknown", f"Whether store {app.name} has storage is not known: test it.")


def _about(name: str, warnings: tuple[Reason, ...]) -> tuple[Reason, ...]:
    # To make storage where there is some is safe, so that nobody has to know before; and a test finds both out.
    needless = {"initialize": {"storage_unknown"}, "test": {"storage_unknown", "last_test_failed"}}.get(name, set())
    return tuple(each for each in warnings if each.code not in needless)


def _first(*checks: Callable[[], None]) -> Reason | None:
    """Why the first of some checks refuses; None where all pass."""
    for check in checks:
        try:
            check()
        except CairnError as refused:
            return Reason(refused.code, refused.detail)
    return None
