"""Runs a connection test: steps in order, each timed, none of them fatal to the caller."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from contracts.errors import CairnError
from contracts.messages.connector.connection_tests import Check, TestReport
from restic_reader.errors import ReaderError

TEST_SECONDS = 20.0
OnCheck = Callable[[Check], None]
"""Hears of each step as soon as it is done."""


def heard_by_nobody(check: Check) -> None:
    """The `OnCheck` of whoever waits for the report alone."""


class StepFailed(Exception):
    """A step failed and is noted; the steps after it make no sense."""


class Checklist:
    """The steps of one test so far."""

    def __init__(self, on_check: OnCheck = heard_by_nobody) -> None:
        self.checks: list[Check] = []
        self._on_check = on_check
        self.initialized: bool | None = None
        self._name = "reachable"
        self._began = perf_counter()

    async def step(self, name: str, work: Awaitable[str]) -> None:
        """Wait for a step and note what it found, or why it failed; then raises `StepFailed`."""
        self._name, self._began = name, perf_counter()
        try:
            detail = await work
        except (CairnError, ReaderError) as error:
            self.fail(f"{error.code}: {error.detail}")
            raise StepFailed from error
        except OSError as error:
            self.fail(error.strerror or type(error).__name__)
            raise StepFailed from error
        self._note(ok=True, detail=detail)

    def fail(self, detail: str) -> None:
        """Note that the step under way failed."""
        self._note(ok=False, detail=detail)

    def _note(self, *, ok: bool, detail: str) -> None:
        duration_ms = round((perf_counter() - self._began) * 1000, 3)
        check = Check(name=self._name, ok=ok, duration_ms=duration_ms, detail=detail)
        self.checks.append(check)
        self._on_check(check)


async def run_test(
    steps: Callable[[Checklist], Awaitable[None]],
    *,
    is_store: bool,
    on_check: OnCheck = heard_by_nobody,
    seconds: float = TEST_SECONDS,
) -> TestReport:
    """Run the steps of a test within its time and report them; `initialized` is set for stores only."""
    checklist = Checklist(on_check)
    try:
        async with asyncio.timeout(seconds):
            await steps(checklist)
    except StepFailed:
        pass
    # The time is for all steps together, as somebody waits for the whole.
    except TimeoutError:
        checklist.fail(f"no answer within {seconds:.0f} seconds")
    ok = bool(checklist.checks) and all(check.ok for check in checklist.checks)
    initialized = bool(checklist.initialized) if is_store else None
    return TestReport(ok=ok, checks=tuple(checklist.checks), initialized=initialized)
