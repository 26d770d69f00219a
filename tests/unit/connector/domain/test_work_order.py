"""Which work begins first: priority, fairness between organizations, and that nothing waits for ever."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from connector.domain.work_order import POINT_SECONDS, Queued, in_order
from contracts.values import OrganizationId

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
A, B = OrganizationId("a"), OrganizationId("b")


def ago(points: float) -> datetime:
    """So long ago that waiting since then counts as much as these points."""
    return NOW - timedelta(seconds=points * POINT_SECONDS)


def waits(name: str, priority: int = 50, *, points: float = 0) -> Queued:
    """Work of the organization that its name begins with."""
    return Queued(id=name, organization_id=OrganizationId(name[0]), at=ago(points), priority=priority)


def order_of(
    *queued: Queued,
    running: Mapping[OrganizationId, int] | None = None,
    begun: Mapping[OrganizationId, datetime] | None = None,
) -> list[str]:
    return [each.id for each in in_order(queued, running=Counter(running or {}), begun=begun or {}, now=NOW)]


@pytest.mark.parametrize(
    ("queued", "order"),
    [
        ([waits("a1", points=0.1), waits("a2", points=0.2)], ["a2", "a1"]),
        ([waits("a1", 50, points=0.9), waits("a2", 60)], ["a2", "a1"]),
        ([waits("a1", 50, points=9), waits("a2", 60)], ["a2", "a1"]),
        ([waits("a1", 50, points=11), waits("a2", 60)], ["a1", "a2"]),
        ([waits("a1", 0, points=101), waits("a2", 100), waits("a3", 100)], ["a1", "a2", "a3"]),
        ([], []),
    ],
)
def test_within_an_organization_priority_decides_until_somebody_waited_for_too_long(
    queued: list[Queued], order: list[str]
) -> None:
    assert order_of(*queued) == order


def test_at_the_same_priority_the_organization_with_the_least_that_runs_is_first() -> None:
    queued = [waits("a1", points=0.5), waits("b1")]
    assert order_of(*queued, running={A: 1}) == ["b1", "a1"]
    assert order_of(*queued, running={B: 1}) == ["a1", "b1"]


def test_an_organization_with_much_work_does_not_keep_the_others_waiting() -> None:
    flood = [waits(f"a{n}", points=20 - n / 10) for n in range(9)]
    assert order_of(*flood, waits("b1"), begun={A: ago(0)})[0] == "b1"
    assert order_of(*flood, waits("b1"), begun={A: ago(0.2), B: ago(0.1)})[0] == "a0"


def test_priority_counts_between_organizations_until_one_waited_for_too_long() -> None:
    assert order_of(waits("a1", 60), waits("b1", 50), running={A: 3})[0] == "a1"
    assert order_of(waits("a1", 60), waits("b1", 50, points=11), begun={A: ago(0)})[0] == "b1"


def test_a_low_priority_is_served_however_much_comes_in_between() -> None:
    """One slot, and each minute another organization asks for something urgent."""
    low, now, begun = waits("b1", 0), NOW, dict[OrganizationId, datetime]()
    for minute in range(200):
        urgent = Queued(id=f"a{minute}", organization_id=A, at=now, priority=100)
        chosen = next(in_order([low, urgent], running=Counter(), begun=begun, now=now))
        if chosen is low:
            break
        begun[A], now = now, now + timedelta(minutes=1)
    assert chosen is low
    assert now - NOW <= timedelta(seconds=101 * POINT_SECONDS)


def test_all_that_waits_is_in_the_order() -> None:
    queued = [waits(f"{org}{n}", priority=n * 7 % 100, points=n) for org in "abc" for n in range(30)]
    assert sorted(order_of(*queued)) == sorted(each.id for each in queued)
