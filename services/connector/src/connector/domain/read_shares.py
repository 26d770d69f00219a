"""Which share of a store's data a check reads, so that as many checks as there are shares read all of it once."""

from contracts.values import JobId, Value


class ReadShare(Value):
    """The share of a store that was read last, by a check that came to its end."""

    repository_id: str
    number: int
    of: int
    job_id: JobId


def next_share(last: ReadShare | None, *, repository_id: str, of: int, job_id: JobId) -> int:
    """The number of the share that a check reads; a store that is another one, or another number of them, begins anew.

    A job whose result was lost with its worker reads its share again: what it found is not known.
    """
    if last is None or (last.repository_id, last.of) != (repository_id, of):
        return 1
    return last.number if last.job_id == job_id else last.number % of + 1
