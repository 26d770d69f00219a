import asyncio

from contracts.errors import PermanentError
from contracts.messages.connector.connection_tests import Check
from integrations.sdk.connection_test import Checklist, run_test

from tests.support.reports import failure, outcome


async def passing() -> str:
    return "fine"


async def test_the_steps_are_told_in_order() -> None:
    async def steps(checklist: Checklist) -> None:
        await checklist.step("one", passing())
        await checklist.step("two", passing())
        checklist.initialized = True

    report = await run_test(steps, is_store=True)

    assert report.ok
    assert outcome(report) == {"one": True, "two": True}
    assert report.initialized is True


async def test_each_step_is_told_as_soon_as_it_is_done() -> None:
    heard: list[Check] = []

    async def steps(checklist: Checklist) -> None:
        await checklist.step("one", passing())
        assert [check.name for check in heard] == ["one"]
        await checklist.step("two", passing())

    report = await run_test(steps, is_store=False, on_check=heard.append)

    assert heard == list(report.checks)


async def test_a_step_that_fails_ends_the_test() -> None:
    async def failing() -> str:
        raise PermanentError("some_code", "some words")

    async def steps(checklist: Checklist) -> None:
        await checklist.step("one", failing())
        await checklist.step("two", passing())

    report = await run_test(steps, is_store=True)

    assert not report.ok
    assert failure(report) == ("one", "some_code: some words")
    assert report.initialized is False
    assert (await run_test(steps, is_store=False)).initialized is None


async def test_a_step_that_does_not_end_is_told() -> None:
    async def endless() -> str:
        await asyncio.Event().wait()
        return ""

    async def steps(checklist: Checklist) -> None:
        await checklist.step("one", passing())
        await checklist.step("two", endless())

    report = await run_test(steps, is_store=False, seconds=0.05)

    assert outcome(report) == {"one": True, "two": False}
    assert "no answer" in failure(report)[1]


async def test_what_the_system_says_becomes_words() -> None:
    async def denied() -> str:
        raise PermissionError(13, "Permission denied", "/srv")

    report = await run_test(lambda checklist: checklist.step("one", denied()), is_store=False)

    assert failure(report) == ("one", "Permission denied")
