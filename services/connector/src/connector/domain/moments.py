"""Moments of repositories, which count nanoseconds, as moments of Cairn."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MICROSECONDS, _LATEST_MICROSECONDS = -62_135_596_800_000_000, 253_402_300_799_000_000


def moment_at(nanoseconds: int) -> datetime:
    """A moment since 1970, cut to what can be kept, as everywhere; the nearest one for what is beyond the calendar."""
    # In whole numbers: a float would round the last moment of a day into the next one.
    microseconds = max(_EARLIEST_MICROSECONDS, min(nanoseconds // 1000, _LATEST_MICROSECONDS))
    return _EPOCH + timedelta(microseconds=microseconds)
