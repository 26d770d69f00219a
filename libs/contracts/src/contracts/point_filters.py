"""Which restore points something is about: filters, options of tasks, and the choice that follows from them.

One rule for the restore index, which knows restore points from its database, and for workers, which find them in a
store. Values in, decision out: `now` is an argument. What each word means is in decision 0045.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue
from pydantic.config import JsonDict

from contracts.json_values import blank_is_none, none_is
from contracts.values import Moment, SnapshotId, Value

MOST_VALUES = 200
"""Of one list in a filter."""
MOST_IDS = 1000
LONGEST_TEXT, LONGEST_PATH = 255, 4096
LONGEST_AGE_SECONDS = 10**10
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,9}(\.[0-9]{1,9})?[smhdw])+")
_PART = re.compile(r"([0-9.]+)([smhdw])")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]|$)")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

GroupBy = Literal[
    "name",
    "category",
    "environment",
    "perimeter",
    "job",
    "dataset",
    "data-class",
    "tag",
    "origin",
    "type",
    "root",
]


def _storable(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise ValueError("must not hold a character that cannot be kept")
    return text


def _point_in_time(text: str) -> str:
    if text:
        moment_of(text, datetime.now(UTC))
    return text


def _no_periods(value: dict[str, JsonValue] | None) -> None:
    if value:
        raise ValueError("are not taken yet: say minute, hour, day, week, month, year and per_minute ... per_year")


_Word = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_storable)]
_Path = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH), AfterValidator(_storable)]
_Words = Annotated[tuple[_Word, ...], Field(max_length=MOST_VALUES)]
_Paths = Annotated[tuple[_Path, ...], Field(max_length=MOST_VALUES)]
_Ids = Annotated[tuple[_Word, ...], Field(max_length=MOST_IDS)]
_Line = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_storable)]
_WRITTEN_TIME: JsonDict = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": f"^{_DURATION.pattern}$"},
        {"type": "string", "maxLength": 0},
        {"type": "null"},
    ]
}
_Time = Annotated[str, Field(max_length=LONGEST_TEXT, json_schema_extra=_WRITTEN_TIME), AfterValidator(_point_in_time)]
_Age = Annotated[float, Field(ge=0, le=LONGEST_AGE_SECONDS, strict=True)]

Words = Annotated[_Words, none_is((), _Words)]
Paths = Annotated[_Paths, none_is((), _Paths)]
Ids = Annotated[_Ids, none_is((), _Ids)]
Line = Annotated[_Line, none_is("", _Line)]
TimeText = Annotated[_Time, none_is("", _Time)]
Flag = Annotated[bool, Field(strict=True), none_is(False, bool)]
MaybeAge = Annotated[_Age | None, blank_is_none(_Age)]


def moment_of(text: str, now: datetime) -> datetime:
    """What a time in a filter means: RFC 3339, UTC without an offset; or so long before `now`, as `7d` or `1h30m`.

    Raises `ValueError` in words.
    """
    if _DURATION.fullmatch(text):
        return _before(now, text)
    try:
        if not _DATE.match(text):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time as RFC 3339 has them, or a duration such as 36h or 7d") from None


def _before(now: datetime, duration: str) -> datetime:
    """So long ago; the beginning of the calendar where that is longer ago."""
    try:
        return now - sum((timedelta(**{_UNITS[u]: float(n)}) for n, u in _PART.findall(duration)), timedelta())
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


class PointFacts(Value):
    """What a filter looks at in a restore point."""

    snapshot_id: SnapshotId
    time: Moment
    name: str = ""
    """Of its source."""
    category: str = ""
    """The class of its source's resource."""
    environment: str = ""
    perimeter: str = ""
    """Cairn has none: every restore point is of the same one."""
    job: str = ""
    """Id of the job that made it."""
    dataset: str = ""
    """Id of its source."""
    origin: str = ""
    """The address of its source; the host, where Cairn did not make it."""
    type: str = ""
    """The protocol of its source."""
    root: str = ""
    """Where its files were on the source."""
    tags: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()


class PointFilter(Value):
    """Restore points that fulfil all conditions; without any, all of them."""

    tags: Words = Field(default=(), description="Only restore points that have all of these tags")
    ignore_tags: Words = Field(default=(), description="None that has one of these tags")
    before: TimeText = Field(
        default="", description="Made then or earlier: RFC 3339, or a duration before now such as `36h` or `7d`"
    )
    since: TimeText = Field(default="", description="Made then or later, written like `before`")
    name: Line = Field(default="", description="Name of the source when the restore point was made")
    category: Line = Field(default="", description="Class of the source's resource")
    environment: Line = Field(default="", description="Environment of the source when it was made")
    perimeter: Line = Field(default="", description="Restore points have none: with one, nothing is chosen")
    job: Line = Field(default="", description="Id of the job that made it")
    dataset: Line = Field(default="", description="Id of the source")
    latest: Flag = Field(default=False, description="Of all that are left, the newest alone")
    ids: Ids = Field(default=(), description="Ids, or their first digits: any of them")
    types: Words = Field(default=(), description="Protocols of the source: any of them")
    origins: Words = Field(default=(), description="Addresses of the source: any of them")
    roots: Paths = Field(default=(), description="Where the files were on the source: any of them")
    data_classes: Words = Field(default=(), description="Only restore points that have all of these data classes")


class Locate(Value):
    """Which restore points take part, and in which groups."""

    filters: Annotated[PointFilter, none_is(PointFilter(), PointFilter)] = Field(
        default=PointFilter(), description="Conditions; without any, all restore points"
    )
    group_by: Annotated[GroupBy | None, blank_is_none(GroupBy)] = Field(
        default=None,
        description="prune: the rule counts in each group alone; a restore point with several tags is in each",
    )
    periods: Annotated[dict[str, JsonValue] | None, AfterValidator(_no_periods)] = Field(
        default=None, description="Not taken yet", exclude=True, json_schema_extra={"maxProperties": 0}
    )


Located = Annotated[Locate, none_is(Locate(), Locate)]


class PointIds(Value):
    """Options of a task about restore points that are named."""

    snapshot_id: str | None = Field(
        default=None, description="The restore point: its id, or first digits that the id of no other begins with"
    )
    snapshot_ids: Ids = Field(default=(), description="Several restore points, written alike")

    @property
    def named_ids(self) -> tuple[str, ...]:
        """All that are named, each once."""
        return tuple(dict.fromkeys((*([self.snapshot_id] if self.snapshot_id else ()), *self.snapshot_ids)))


class PointSelection(PointIds):
    """Options of a task about restore points: all that are given narrow the choice; without any, all are meant."""

    labels: tuple[str, ...] = Field(
        default=(), description="backup: become tags of the restore point; else only restore points that have them all"
    )
    latest: Flag = Field(default=False, description="The newest alone of the restore points that are left")
    before: MaybeAge = Field(default=None, description="Only restore points older than so many seconds")
    after: MaybeAge = Field(default=None, description="Only restore points younger than so many seconds")
    locate: Located = Field(default=Locate(), description="Which restore points take part")

    @property
    def selects(self) -> bool:
        """Whether anything narrows the choice."""
        options = PointSelection.model_fields
        return any(getattr(self, name) != field.default for name, field in options.items())


def matches(wanted: PointFilter, facts: PointFacts, now: datetime) -> bool:
    """Whether a restore point fulfils all conditions. `latest` is none of one restore point: see `filtered`."""
    single = ("name", "category", "environment", "perimeter", "job", "dataset")
    return (
        all(getattr(wanted, name) in ("", getattr(facts, name)) for name in single)
        and set(wanted.tags) <= set(facts.tags)
        and set(wanted.data_classes) <= set(facts.data_classes)
        and not set(wanted.ignore_tags) & set(facts.tags)
        and _is_any(wanted.types, facts.type)
        and _is_any(wanted.origins, facts.origin)
        and _is_any(wanted.roots, facts.root)
        and (not wanted.ids or facts.snapshot_id.startswith(tuple(each.lower() for each in wanted.ids)))
        and (not wanted.before or facts.time <= moment_of(wanted.before, now))
        and (not wanted.since or facts.time >= moment_of(wanted.since, now))
    )


def _is_any(wanted: Sequence[str], value: str) -> bool:
    return not wanted or value in wanted


def filtered(wanted: PointFilter, points: Iterable[PointFacts], now: datetime) -> list[PointFacts]:
    """The restore points that a filter means, newest first; with `latest` one at most."""
    found = newest_first(facts for facts in points if matches(wanted, facts, now))
    return found[:1] if wanted.latest else found


def choose_points(options: PointSelection, points: Iterable[PointFacts], now: datetime) -> list[PointFacts]:
    """The restore points that the options of a task mean, newest first. An id that is not there chooses nothing."""
    named = frozenset(options.named_ids)
    narrowed = [
        facts
        for facts in points
        if (not named or facts.snapshot_id in named)
        and set(options.labels) <= set(facts.tags)
        and (options.before is None or facts.time < now - timedelta(seconds=options.before))
        and (options.after is None or facts.time > now - timedelta(seconds=options.after))
    ]
    found = filtered(options.locate.filters, narrowed, now)
    return found[:1] if options.latest else found


def may_mean(options: PointSelection, snapshot_id: str) -> bool:
    """Whether the options of a task may mean a restore point of which nothing but the id is known."""
    named, begins = frozenset(options.named_ids), tuple(each.lower() for each in options.locate.filters.ids)
    return (not named or snapshot_id in named) and (not begins or snapshot_id.startswith(begins))


def newest_first(points: Iterable[PointFacts]) -> list[PointFacts]:
    """Restore points by their time; of equal times the greater id first, so that every process has the same order."""
    return sorted(points, key=lambda facts: (facts.time, facts.snapshot_id), reverse=True)
