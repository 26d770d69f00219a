"""A long series in few samples: what must be left of it."""

from datetime import UTC, datetime, timedelta

import pytest
from contracts.measures import SAMPLES_MAX, Sample, Totals, Usage, highest_of, thinned
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
figures = st.none() | st.floats(min_value=0, max_value=1e12)
usages = st.builds(Usage, cpu_percent=figures, memory_bytes=figures, read_bps=figures)
spans = st.lists(st.tuples(st.floats(min_value=0.01, max_value=5), usages), min_size=1, max_size=60)


def series(spans: list[tuple[float, Usage]]) -> list[Sample]:
    made, at = [], NOON
    for seconds, mean in spans:
        at += timedelta(seconds=seconds)
        made.append(Sample(at=at, seconds=seconds, mean=mean))
    return made


def steady(count: int) -> list[Sample]:
    return series([(1.0, Usage(cpu_percent=number % 7, memory_bytes=number)) for number in range(count)])


@given(spans, st.integers(min_value=1, max_value=20))
@settings(max_examples=60)
def test_a_thinned_series_is_bounded_and_keeps_its_ends_its_time_and_its_peaks(
    spans: list[tuple[float, Usage]], most: int
) -> None:
    whole = series(spans)
    short = thinned(whole, most)
    assert len(short) == min(most, len(whole))
    assert short[-1].at == whole[-1].at
    assert sum(each.seconds for each in short) == pytest.approx(sum(each.seconds for each in whole))
    assert [each.at for each in short] == sorted({each.at for each in whole} & {each.at for each in short})
    assert highest_of(short) == highest_of(whole)


@given(spans, st.integers(min_value=1, max_value=20))
@settings(max_examples=60)
def test_averages_stay_within_what_was_measured(spans: list[tuple[float, Usage]], most: int) -> None:
    whole = series(spans)
    known = [each.mean.cpu_percent for each in whole if each.mean.cpu_percent is not None]
    for each in thinned(whole, most):
        if each.mean.cpu_percent is not None:
            assert min(known) - 0.1 <= each.mean.cpu_percent <= max(known) + 0.1


def test_thinning_as_samples_come_keeps_the_spans_alike() -> None:
    kept: tuple[Sample, ...] = ()
    for sample in steady(2000):
        kept = thinned((*kept, sample), 50)
    assert len(kept) == 50
    # The last span is new; no other is more than four times as long as another.
    spans = [each.seconds for each in kept[:-1]]
    assert max(spans) <= 4 * min(spans)
    assert sum(each.seconds for each in kept) == pytest.approx(2000)
    assert kept[-1].peak.memory_bytes == 1999


def test_an_average_is_weighted_by_time() -> None:
    (one,) = thinned(series([(3.0, Usage(cpu_percent=10)), (1.0, Usage(cpu_percent=50))]), 1)
    assert (one.mean.cpu_percent, one.peak.cpu_percent) == (20, 50)


def test_what_nobody_knows_is_not_nothing() -> None:
    (one,) = thinned(series([(1.0, Usage()), (1.0, Usage(read_bps=8))]), 1)
    assert (one.mean.read_bps, one.mean.written_bps) == (8, None)
    assert Totals(read_bytes=1).plus(Totals(sent_bytes=2)) == Totals(read_bytes=1, sent_bytes=2)


def test_a_short_series_stays_as_it_is() -> None:
    assert thinned(steady(SAMPLES_MAX)) == tuple(steady(SAMPLES_MAX))
