"""What a job used while it ran, as a series of samples, and how a long series becomes a short one."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import Field

from contracts.values import Moment, Value

SAMPLES_MAX = 300
"""How many samples a series of a job has at most."""

V = TypeVar("V", bound=Value)


class Usage(Value):
    """What a job used. None: nobody can tell, which is not the same as nothing."""

    cpu_percent: float | None = Field(default=None, description="Of one core, by the processes that do the job")
    memory_bytes: float | None = Field(default=None, description="Resident, of the processes that do the job")
    received_bps: float | None = Field(default=None, description="Bytes a second that the worker's host received")
    sent_bps: float | None = Field(default=None, description="Bytes a second that the worker's host sent")
    read_bps: float | None = Field(
        default=None, description="Bytes a second that the processes read, of files and connections"
    )
    written_bps: float | None = Field(
        default=None, description="Bytes a second that the processes wrote, to files and connections"
    )


class Sample(Value):
    """What a job used in a span of time: on average, and at most."""

    at: Moment = Field(description="When the span ended")
    seconds: float = Field(gt=0, description="How long it was")
    mean: Usage = Field(description="On average")
    highest: Usage | None = Field(
        default=None, description="The highest of each figure; None where the span was looked at once"
    )

    @property
    def peak(self) -> Usage:
        """The highest of each figure within the span."""
        return self.highest or self.mean


class Totals(Value):
    """What an attempt at a job used so far. None: nobody can tell."""

    cpu_seconds: float | None = Field(default=None, description="Of the processes that do the job")
    received_bytes: int | None = Field(default=None, description="By the worker's host")
    sent_bytes: int | None = Field(default=None, description="By the worker's host")
    read_bytes: int | None = Field(default=None, description="By the processes, of files and connections")
    written_bytes: int | None = Field(default=None, description="By the processes, to files and connections")

    def plus(self, other: "Totals") -> "Totals":
        """Both together; what only one of them knows counts alone."""
        return _by_field(Totals, self, other, lambda one, two: one + two)


def thinned(samples: Sequence[Sample], most: int = SAMPLES_MAX) -> tuple[Sample, ...]:
    """The series in at most so many samples, in their order: the shortest two neighbours become one, again and again.

    So the spans stay about as long as each other. The series begins and ends when it did, averages are weighted by
    time, and no highest figure is lost.
    """
    kept = list(samples)
    while len(kept) > max(most, 1):
        at = min(range(len(kept) - 1), key=lambda i: kept[i].seconds + kept[i + 1].seconds)
        kept[at : at + 2] = [_joined(kept[at], kept[at + 1])]
    return tuple(kept)


def highest_of(samples: Sequence[Sample]) -> Usage:
    """The highest of each figure in the whole series."""
    highest = Usage()
    for sample in samples:
        highest = _by_field(Usage, highest, sample.peak, max)
    return highest


def _joined(one: Sample, two: Sample) -> Sample:
    seconds = one.seconds + two.seconds
    share = one.seconds / seconds
    return Sample(
        at=two.at,
        seconds=seconds,
        mean=_by_field(Usage, one.mean, two.mean, lambda first, second: round(first * share + second * (1 - share), 1)),
        highest=_by_field(Usage, one.peak, two.peak, max),
    )


def _by_field(kind: type[V], one: V, two: V, join: Callable[[float, float], float]) -> V:
    joined = {}
    for name in kind.model_fields:
        first, second = getattr(one, name), getattr(two, name)
        joined[name] = second if first is None else first if second is None else join(first, second)
    return kind(**joined)
