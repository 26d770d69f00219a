"""Rules of retention, holds and the floor: what is asked and answered."""

from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from contracts.json_values import whole_number
from contracts.messages.protection import LONGEST_REASON, HoldPart
from contracts.prune_rules import UNITS, PruneRule
from contracts.queries.restore_index import PruneDecision, Time
from contracts.values import to_milliseconds
from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, StrictBool

from gateway.areas.protection.service import Hold, Pruned
from gateway.http.answers import Absent, View
from gateway.http.body_fields import Body, empty_is_none, none_is, text
from gateway.http.examples import RUN, example

MOST_VERSIONS = 1_000_000
HOLD_PARTS: tuple[HoldPart, ...] = get_args(HoldPart)
_IDS = ["5f" * 32]
_RULE = {"day": 7, "per_day": 2, "week": 4, "per_week": 1, "locate": {"group_by": "dataset"}}
ReasonText = Annotated[str, text(LONGEST_REASON, empty=True)]


def _says_something(schema: dict[str, Any]) -> None:
    """A rule gives at least one number; the services refuse it else, as where it is an option of a task."""
    numbers = [each for unit in UNITS for each in (unit, f"per_{unit}")]
    given = {"type": "integer", "minimum": 1}
    schema["anyOf"] = [{"required": [each], "properties": {each: given}} for each in numbers]
    schema["examples"] = [_RULE]


class PruneBody(Body, PruneRule):
    """Which restore points of a store stay.

    Of a unit `day` says how many days back, today included, restore points are kept from, and `per_day` how many of
    each day, newest first; `day` alone keeps all of those days, `per_day` alone so many of every day there is. What one
    unit keeps is kept. Days and the others begin in UTC, weeks on Monday. 0 and null are as not given; a rule that
    gives nothing is refused (`rule_empty`).
    """

    model_config = ConfigDict(json_schema_extra=_says_something)

    def rule(self) -> PruneRule:
        """The rule alone."""
        return PruneRule(**{name: getattr(self, name) for name in PruneRule.model_fields})

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log keeps of it."""
        return {"rule": self.rule().model_dump(mode="json", exclude_defaults=True)}


class PrunePreviewView(View):
    """What a rule would do now. Each restore point that it is about is in one of the lists, newest first."""

    model_config = example(would_delete=_IDS, would_keep=["6b" * 32], held=[], floored=[], being_deleted=[])

    would_delete: list[str]
    would_keep: list[str] = Field(description="Kept by the rule")
    held: list[str] = Field(description="Not kept by the rule, and under legal hold")
    floored: list[str] = Field(description="Not kept by the rule, and by the floor of the organization")
    being_deleted: list[str] = Field(description="Being deleted by a run already: the rule passes over them")


class PruneRunView(View):
    """What is being deleted, and the runs that do it."""

    model_config = example(deleted=_IDS, held=[], floored=[], being_deleted=[], at_ids=[RUN])

    deleted: list[str]
    held: list[str]
    floored: list[str]
    being_deleted: list[str] = Field(description="Being deleted by other runs already: the rule passes over them")
    at_ids: list[str] | None = Absent


def _text_only(value: object) -> object:
    # Pydantic takes numbers for times, as seconds since 1970.
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a text")
    return value


class SnapshotPatch(Body):
    """A change of a restore point."""

    model_config = example(legal_hold=True, reason="Case 4711", until="2027-11-28T00:00:00Z")

    legal_hold: StrictBool = Field(description="Whether it must not be deleted")
    reason: Annotated[ReasonText, none_is("", ReasonText)] = Field(
        default="",
        description="Why, in words; left out: as it is, null: none. Of a hold that is lifted, it is in the audit log",
    )
    until: Annotated[Time | None, BeforeValidator(_text_only), empty_is_none(Time)] = Field(
        default=None,
        description="When the hold ends by itself; UTC unless it has an offset; left out: as it is, null: it does not",
    )

    @property
    def hold(self) -> Hold | None:
        """The hold to be set; None: it is lifted. Then the reason is for the audit log, an end says nothing."""
        keeps = tuple(part for part in HOLD_PARTS if part not in self.model_fields_set)
        return Hold(self.reason, _kept(self.until), keeps) if self.legal_hold else None

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log keeps of it."""
        hold = self.hold
        until = hold.until.isoformat() if hold and hold.until else None
        given = {"reason": self.reason, "until": until}
        return {name: value for name, value in given.items() if value}


def _kept(moment: datetime | None) -> datetime | None:
    """An end as it is kept; the last one that can be, where an offset leads out of the calendar."""
    if moment is None:
        return None
    try:
        return to_milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC) if moment.year > 1 else datetime.min.replace(tzinfo=UTC)


Versions = Annotated[int, Field(ge=0, le=MOST_VERSIONS, strict=True)]


class RetentionBody(Body):
    """What an organization says about deletions."""

    model_config = example(min_versions=3)

    min_versions: Annotated[Versions, whole_number(Versions)] = Field(
        description="How many restore points of each source stay in each store whatever a rule or a person says"
    )


class RetentionView(View):
    """What an organization says about deletions."""

    model_config = example(min_versions=3)

    min_versions: int


def preview_view(found: PruneDecision) -> PrunePreviewView:
    """What a rule would do."""
    return PrunePreviewView.model_validate(found.model_dump())


def run_view(done: Pruned) -> PruneRunView:
    """What is being deleted. Clients tell by `at_ids` whether there is anything to wait for."""
    return PruneRunView(
        deleted=list(done.deleted),
        held=list(done.held),
        floored=list(done.floored),
        being_deleted=list(done.being_deleted),
        at_ids=list(done.at_ids) or None,
    )
