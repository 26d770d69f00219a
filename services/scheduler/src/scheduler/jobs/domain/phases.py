"""The phases that a job came through, and how long each took."""

from collections.abc import Sequence
from datetime import datetime

from contracts.messages.connector.task_events import PhaseBegun
from contracts.values import Moment, Value

PHASES_MAX = 100
"""A job that waits for its store again and again would otherwise have phases without end."""


class Phase(Value):
    """A phase of one attempt. `seconds` is None while it goes on."""

    name: str
    attempt: int
    started_at: Moment
    seconds: float | None = None


def begin_phases(phases: Sequence[Phase], begun: Sequence[PhaseBegun], *, attempt: int) -> tuple[Phase, ...]:
    """The phases with those that began; each ends the one before. The same phase again goes on."""
    known = list(phases)
    for each in begun:
        last = known[-1] if known else None
        if last is not None and last.seconds is None and (last.name, last.attempt) == (each.name, attempt):
            continue
        known = [*end_phases(known, each.at), Phase(name=each.name, attempt=attempt, started_at=each.at)]
    return bounded(known)


def end_phases(phases: Sequence[Phase], at: datetime) -> tuple[Phase, ...]:
    """The phases, of which the last one ended then, if it had not ended before."""
    if not phases or phases[-1].seconds is not None:
        return tuple(phases)
    # Clocks of two workers differ: no phase takes less than no time.
    seconds = max((at - phases[-1].started_at).total_seconds(), 0.0)
    return (*phases[:-1], phases[-1].model_copy(update={"seconds": seconds}))


def bounded(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """The first and the last of many phases: how the job began, and what it does now."""
    if len(phases) <= PHASES_MAX:
        return tuple(phases)
    half = PHASES_MAX // 2
    return (*phases[:half], *phases[-half:])
