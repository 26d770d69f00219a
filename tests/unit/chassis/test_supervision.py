"""A background loop that ends is logged, counted and started again; one that keeps ending makes its process unready."""

import asyncio
import logging
from dataclasses import replace

import pytest
from chassis.errors import Unavailable
from chassis.runtime.supervision import LoopSupervisor, Pacing, begin, beside

from tests.support.waiting import eventually_async

QUICK = Pacing(first_pause_seconds=0.001)


class Failing:
    """A loop that fails at its first beginnings."""

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.times = times
        self.error = error
        self.begun = 0

    async def __call__(self) -> None:
        self.begun += 1
        if self.begun <= self.times:
            if self.error is not None:
                raise self.error
            return
        await asyncio.Event().wait()


@pytest.mark.parametrize("error", [RuntimeError("no"), asyncio.CancelledError(), None])
async def test_a_loop_that_ends_is_begun_again_and_told_with_its_place(
    error: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    loop, background = Failing(2, error), LoopSupervisor(pacing=QUICK)
    with caplog.at_level(logging.ERROR):
        async with background.running("looking", loop):
            await eventually_async(lambda: loop.begun == 3)
            await background.check()
    told = [record for record in caplog.records if getattr(record, "loop", "") == "looking"]
    assert len(told) == 2
    assert all(record.exc_info for record in told)


async def test_a_loop_that_fails_again_and_again_makes_unready_until_it_has_run_for_a_while() -> None:
    loop, background = (
        Failing(4, ValueError("secret-canary")),
        LoopSupervisor(pacing=replace(QUICK, well_after_seconds=0.3)),
    )
    async with background.running("good", Failing(0)), background.running("looking", loop):
        await eventually_async(lambda: loop.begun == 5)
        with pytest.raises(Unavailable) as ill:
            await background.check()
        assert "looking failed 4 times, last: ValueError" in ill.value.detail
        assert "good" not in ill.value.detail
        assert "canary" not in ill.value.detail
        await eventually_async(lambda: _passes(background))


async def _passes(background: LoopSupervisor) -> bool:
    try:
        await background.check()
    except Unavailable:
        return False
    return True


async def test_a_loop_stops_with_its_context() -> None:
    stopped = asyncio.Event()

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    background = LoopSupervisor()
    async with background.running("looking", loop):
        await asyncio.sleep(0)
    assert stopped.is_set()
    await background.check()


async def test_a_loop_beside_a_piece_of_work_is_begun_again_and_stops_with_it(caplog: pytest.LogCaptureFixture) -> None:
    loop = Failing(2, KeyError("a bug"))
    with caplog.at_level(logging.ERROR):
        async with beside("looking", loop, pacing=QUICK) as task:
            await eventually_async(lambda: loop.begun == 3)
    assert task.cancelled()
    assert [getattr(record, "loop", "") for record in caplog.records] == ["looking"] * 2


async def test_a_loop_beside_a_piece_of_work_may_end_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    loop = Failing(1)
    async with beside("looking", loop) as task:
        await asyncio.wait({task})
    assert (loop.begun, caplog.records) == (1, [])


@pytest.mark.parametrize(
    ("error", "told"), [(KeyError("a bug"), 1), (Unavailable("away", "No."), 0), (asyncio.CancelledError(), 0)]
)
async def test_what_nobody_waits_for_is_told_of_when_it_fails(
    error: BaseException, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR):
        await asyncio.wait({begin("once", fail(), foreseen=(Unavailable,))})
        await asyncio.sleep(0)
    assert [getattr(record, "loop", "") for record in caplog.records] == ["once"] * told
