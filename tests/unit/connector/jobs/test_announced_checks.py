"""The steps of a connection test are announced once each, in order, and none before it is sure."""

from pathlib import Path

from connector.domain.work import Kind
from connector.jobs.announced_checks import announcing
from contracts.messages.connector.connection_tests import Check, ConnectionChecked, TestReport

from tests.unit.connector.workshop import Workshop


def step(name: str, *, ok: bool = True) -> Check:
    return Check(name=name, ok=ok, duration_ms=1)


async def announced(folder: Path, early: list[Check], report: list[Check]) -> list[tuple[int, Check]]:
    workshop = await Workshop(folder).open()
    lease = await workshop.command(kind=Kind("test"))
    async with announcing(workshop.publisher, lease, lease.work.cause.data) as checks:  # type: ignore[arg-type]
        for check in early:
            checks.add(check)
        checks.rest(TestReport(ok=True, checks=tuple(report)))
    return [(data.number, data.check) for data in workshop.published(ConnectionChecked)]


async def test_steps_of_an_integration_that_tells_none_come_with_the_report(tmp_path: Path) -> None:
    report = [step("reachable"), step("listable")]

    assert await announced(tmp_path, [], report) == [(1, report[0]), (2, report[1])]


async def test_a_step_that_was_told_is_not_announced_again(tmp_path: Path) -> None:
    report = [step("reachable"), step("listable")]

    assert await announced(tmp_path, report[:1], report) == [(1, report[0]), (2, report[1])]


async def test_what_the_worker_corrects_is_announced_as_it_is_reported(tmp_path: Path) -> None:
    reached, corrected = step("reachable"), step("repository", ok=False)

    found = await announced(tmp_path, [reached, step("repository")], [reached, corrected])

    assert found == [(1, reached), (2, corrected)]
