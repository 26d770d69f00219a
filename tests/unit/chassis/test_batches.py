"""What several ask for at once goes in one call, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest
from chassis.persistence.batches import CALLS_AT_ONCE, Batches


class Calls:
    """Answers with the double of each number, when it may; a number below zero is an error."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()

    async def __call__(self, questions: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(questions))
        await self.go.wait()
        if 0 in questions:
            raise OSError("the server is away")
        return [question * 2 if question > 0 else ValueError(question) for question in questions]


@pytest.fixture
def calls() -> Calls:
    return Calls()


async def test_nobody_waits_for_company(calls: Calls) -> None:
    calls.go.set()
    assert await Batches("test", calls).ask(21) == 42
    assert calls.batches == [[21]]


async def test_what_is_asked_for_during_a_call_goes_with_the_next(calls: Calls) -> None:
    batches: Batches[int, int] = Batches("test", calls, most=5)
    first = [asyncio.create_task(batches.ask(n)) for n in range(1, 1 + CALLS_AT_ONCE)]
    while len(calls.batches) < 1:
        await asyncio.sleep(0)
    later = [asyncio.create_task(batches.ask(n)) for n in range(10, 18)]
    await asyncio.sleep(0)
    calls.go.set()

    assert await asyncio.gather(*first, *later) == [2 * n for n in (*range(1, 1 + CALLS_AT_ONCE), *range(10, 18))]
    assert len(calls.batches) < 6
    assert max(map(len, calls.batches)) == 5


async def test_an_error_of_one_is_not_that_of_the_others(calls: Calls) -> None:
    calls.go.set()
    batches: Batches[int, int] = Batches("test", calls)

    answers = await asyncio.gather(*map(batches.ask, (1, -1, 2)), return_exceptions=True)

    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], ValueError)


async def test_a_call_that_fails_fails_all_that_were_in_it_and_none_after_it(calls: Calls) -> None:
    calls.go.set()
    batches: Batches[int, int] = Batches("test", calls)

    answers = await asyncio.gather(*map(batches.ask, (1, 0)), return_exceptions=True)

    assert all(isinstance(answer, OSError) for answer in answers)
    assert await batches.ask(3) == 6


async def test_who_gives_up_keeps_nobody_from_an_answer(calls: Calls) -> None:
    batches: Batches[int, int] = Batches("test", calls)
    one, other = asyncio.create_task(batches.ask(1)), asyncio.create_task(batches.ask(2))
    while not calls.batches:
        await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    calls.go.set()

    assert await other == 4


async def test_who_asks_in_the_moment_all_calls_end_is_answered(calls: Calls) -> None:
    batches: Batches[int, int] = Batches("test", calls)
    asked = []
    for n in range(1, 1 + CALLS_AT_ONCE):
        asked.append(asyncio.create_task(batches.ask(n)))
        while len(calls.batches) < n:
            await asyncio.sleep(0)

    async def ask_then() -> int:
        # Woken after the calls, in the same turn of the event loop.
        await calls.go.wait()
        return await batches.ask(21)

    late = asyncio.create_task(ask_then())
    await asyncio.sleep(0)
    calls.go.set()

    async with asyncio.timeout(5):
        assert await late == 42
        assert await asyncio.gather(*asked) == [2 * n for n in range(1, 1 + CALLS_AT_ONCE)]
