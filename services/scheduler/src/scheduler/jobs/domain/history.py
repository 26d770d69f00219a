"""Where the jobs that are over stand: for each type, status and app the sorted keys of its jobs, and nothing else.

A key is the 64 bits of a job's id that say when it was made, so that the order of keys is that of the ids and a time is
a range of keys. Eight bytes each, three times a job: a million jobs take some 30 MB.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Literal, NamedTuple

from contracts.messages.scheduler import JobStatus
from contracts.task_types.base import TaskType
from contracts.values import Value

from scheduler.jobs.domain.job import Job

Role = Literal["origin", "target"]
BOTH = "both"
_LAST_KEY = 2**64 - 1


class JobFilter(Value):
    """Which jobs are asked for; None: any."""

    task_type: TaskType | None = None
    status: JobStatus | None = None
    app_id: str | None = None
    role: Role | None = None
    """As what the app is a party of the job; None: as either."""
    since: datetime | None = None
    """Jobs that were made then or later; the time is that of the id."""
    until: datetime | None = None
    """Jobs that were made before then."""

    def keys(self) -> tuple[int, int]:
        """The first and the last key of a job in the time that is asked for."""
        first = first_key(self.since) if self.since else 0
        return first, (first_key(self.until) - 1 if self.until else _LAST_KEY)


class Row(NamedTuple):
    """What a listing has to know of a job."""

    id: str
    task_type: str
    status: str
    origin: str
    target: str

    @property
    def key(self) -> int:
        """That of its id."""
        return key_of(self.id)

    def matches(self, asked: JobFilter) -> bool:
        """Whether the job is asked for."""
        first, last = asked.keys()
        app = {"origin": (self.origin,), "target": (self.target,), None: (self.origin, self.target)}[asked.role]
        return (
            asked.task_type in (None, self.task_type)
            and asked.status in (None, self.status)
            and (asked.app_id is None or asked.app_id in app)
            and first <= self.key <= last
        )


def key_of(job_id: str) -> int:
    """See above; 0 for an id that is no UUID."""
    digits = job_id.replace("-", "")
    try:
        # Without the digit of the version, which all have: four more bits of chance in its place.
        return int(digits[:12] + digits[13:17], 16)
    except ValueError:
        return 0


def row_of(job: Job) -> Row:
    """What a listing has to know of a job."""
    target = job.task.target.id if job.task.target else ""
    return Row(job.id, job.task.type, job.status, job.task.origin.id, target)


class Posting(NamedTuple):
    """Whose keys a list has; `role` and `app_id` are empty in those that have all jobs of a type and status."""

    role: str
    app_id: str
    task_type: str
    status: str

    def matches(self, asked: JobFilter) -> bool:
        """Whether its jobs are asked for, but for their time."""
        if asked.app_id is None:
            is_meant = not self.role
        else:
            is_meant = self.app_id == asked.app_id and (asked.role is None or self.role in (asked.role, BOTH))
        return is_meant and asked.task_type in (None, self.task_type) and asked.status in (None, self.status)


class History:
    """Keys of the jobs of an organization that are over, and in which segment each is."""

    def __init__(self) -> None:
        self._keys: dict[Posting, array[int]] = {}
        self._segments: dict[Posting, array[int]] = {}
        self._of_app: dict[str, set[Posting]] = {}
        self._ends: dict[int, str] = {}
        self._dropped_before = ""
        self.next_segment = 0
        """The number of the segment that is added next; all before are taken in."""

    def add(self, row: Row, segment: int) -> None:
        """Take in a job of a segment."""
        whole = Posting("", "", row.task_type, row.status)
        place = self._insert(whole, row.key)
        self._segments.setdefault(whole, array("I")).insert(place, segment)
        for role, app_id in _parties(row):
            self._insert(Posting(role, app_id, row.task_type, row.status), row.key)

    def note_end(self, segment: int, day: str | None) -> None:
        """Take in on which day (UTC) the last job of a segment ended; None: it has no jobs."""
        if day is not None:
            self._ends[segment] = day
            if day < self._dropped_before:
                self._dropped_before = ""

    @property
    def ends(self) -> dict[int, str]:
        """On which day the last job of each segment ended."""
        return self._ends

    def drop_ended_before(self, day: str) -> None:
        """Forget the jobs of all segments of which the last one ended before a day, as `note_end` has it."""
        if day == self._dropped_before:
            return
        self._dropped_before = day
        gone = {segment for segment, end in self._ends.items() if end < day}
        if gone:
            self._drop(gone)

    def _drop(self, gone: set[int]) -> None:
        lost = {(each.task_type, each.status): self._drop_of(each, gone) for each in self._segments}
        for posting in self._keys:
            if posting.role and (keys := lost[posting.task_type, posting.status]):
                _remove(self._keys[posting], keys)
        for segment in gone:
            del self._ends[segment]

    def _drop_of(self, posting: Posting, gone: set[int]) -> set[int]:
        """Forget the jobs of segments in a list that says them; the keys that no job of it has any more."""
        keys, segments = self._keys[posting], self._segments[posting]
        places = [place for place, segment in enumerate(segments) if segment in gone]
        if not places:
            return set()
        lost = {keys[place] for place in places}
        # Old jobs stand together, so that most of a long list is not touched.
        part = slice(places[0], places[-1] + 1)
        stays = [segment not in gone for segment in segments[part]]
        keys[part] = array("Q", compress(keys[part], stays))
        segments[part] = array("I", compress(segments[part], stays))
        # Of two jobs with one key, which is chance, the lists of apps keep both while one stays.
        return {key for key in lost if bisect_left(keys, key) == bisect_right(keys, key)}

    def add_all(self, posting: Posting, keys: bytes, segments: bytes) -> None:
        """Take in what `dump` gave. Call `sort` after the last one."""
        self._list(posting).frombytes(keys)
        if segments:
            self._segments.setdefault(posting, array("I")).frombytes(segments)

    def sort(self) -> None:
        """Put in order what was taken in: jobs end in another order than they are made."""
        for posting, keys in self._keys.items():
            if segments := self._segments.get(posting):
                order = sorted(range(len(keys)), key=keys.__getitem__)
                self._segments[posting] = array("I", map(segments.__getitem__, order))
            self._keys[posting] = array("Q", sorted(keys))

    def dump(self) -> Iterator[tuple[Posting, bytes, bytes]]:
        """All of it: keys, and segments where the posting has them."""
        for posting, keys in self._keys.items():
            yield posting, keys.tobytes(), self._segments.get(posting, array("I")).tobytes()

    def matching(self, asked: JobFilter) -> list[Sequence[int]]:
        """Sorted lists with the keys of all jobs that are asked for, but for their time.

        They are views: nothing can be added while one is held.
        """
        candidates: Iterable[Posting] = self._segments if asked.app_id is None else self._of_app.get(asked.app_id, ())
        return [memoryview(self._keys[each]) for each in candidates if each.matches(asked)]

    def segments_of(self, key: int) -> set[int]:
        """The segments that have jobs with a key: one, or more by chance."""
        found: set[int] = set()
        for posting, segments in self._segments.items():
            keys = self._keys[posting]
            found.update(segments[bisect_left(keys, key) : bisect_right(keys, key)])
        return found

    def _list(self, posting: Posting) -> "array[int]":
        if posting not in self._keys:
            self._keys[posting] = array("Q")
            if posting.role:
                self._of_app.setdefault(posting.app_id, set()).add(posting)
        return self._keys[posting]

    def _insert(self, posting: Posting, key: int) -> int:
        keys = self._list(posting)
        place = len(keys) if not keys or keys[-1] <= key else bisect_right(keys, key)
        keys.insert(place, key)
        return place


def _remove(keys: "array[int]", lost: set[int]) -> None:
    part = slice(bisect_left(keys, min(lost)), bisect_right(keys, max(lost)))
    keys[part] = array("Q", (key for key in keys[part] if key not in lost))


def count(lists: Sequence[Sequence[int]], first: int, last: int) -> int:
    """How many keys of sorted lists are between two, both included."""
    return sum(max(bisect_right(keys, last) - bisect_left(keys, first), 0) for keys in lists)


class KeyPage(NamedTuple):
    """The keys of a page of jobs, and how many jobs have a higher one than the highest of them."""

    keys: frozenset[int]
    above: int


def page_of(lists: Sequence[Sequence[int]], first: int, last: int, *, offset: int, limit: int) -> KeyPage:
    """The keys of the jobs from `offset` on, highest first. Of several jobs with one key all belong to it."""
    if offset >= count(lists, first, last):
        return KeyPage(frozenset(), 0)
    # The key at the offset is the highest that more than `offset` keys reach: found bit by bit, however deep it is.
    low, high = first, last
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(lists, middle, last) > offset else (low, middle - 1)
    above = count(lists, low + 1, last)
    wanted, found = offset - above + limit, list[int]()
    for keys in lists:
        end = bisect_right(keys, low)
        found += keys[max(bisect_left(keys, first), end - wanted) : end]
    return KeyPage(frozenset(sorted(found, reverse=True)[:wanted]), above)


def _parties(row: Row) -> list[tuple[str, str]]:
    if row.target == row.origin:
        return [(BOTH, row.origin)]  # So that it is counted once where the role does not matter.
    return [("origin", row.origin), *([("target", row.target)] if row.target else [])]


def first_key(at: datetime) -> int:
    """The lowest key of a job that was made then or later."""
    return max(int(at.timestamp() * 1000), 0) << 16
