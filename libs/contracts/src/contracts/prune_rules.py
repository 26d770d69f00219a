"""What a person says about which restore points of a store stay."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from contracts.errors import Invalid
from contracts.json_values import as_whole
from contracts.point_filters import Locate, Located
from contracts.values import Value

Unit = Literal["minute", "hour", "day", "week", "month", "year"]
UNITS: tuple[Unit, ...] = ("minute", "hour", "day", "week", "month", "year")
MOST_KEPT = 1_000_000
_Count = Annotated[int, Field(ge=1, le=MOST_KEPT, strict=True)]
_Asked = Annotated[int, Field(ge=0, le=MOST_KEPT)]


def _unset(value: object) -> object:
    # Clients that keep numbers send 0 for what is not set.
    if value is None or (value == 0 and not isinstance(value, bool)):
        return None
    if isinstance(value, int | float) and value < 0:
        raise ValueError("must be at least 0, which is as not set")
    return as_whole(value)


Count = Annotated[_Count | None, BeforeValidator(_unset, json_schema_input_type=_Asked | None)]


class PruneRule(Value):
    """How many restore points stay. Each unit that is given keeps some; what none of them keeps may be deleted.

    Of a unit `day` says how many days back, today included, restore points are kept from, and `per_day` how many of
    each day, newest first. `day` alone keeps all of those days, `per_day` alone so many of every day there is. Days
    and the others begin in UTC, weeks on Monday.
    """

    minute: Count = Field(default=None, description="Of how many minutes restore points are kept, this one included")
    hour: Count = Field(default=None, description="Of how many hours")
    day: Count = Field(default=None, description="Of how many days")
    week: Count = Field(default=None, description="Of how many weeks; they begin on Monday")
    month: Count = Field(default=None, description="Of how many months")
    year: Count = Field(default=None, description="Of how many years")
    per_minute: Count = Field(default=None, description="How many of each minute; alone: of every minute")
    per_hour: Count = Field(default=None, description="How many of each hour")
    per_day: Count = Field(default=None, description="How many of each day")
    per_week: Count = Field(default=None, description="How many of each week")
    per_month: Count = Field(default=None, description="How many of each month")
    per_year: Count = Field(default=None, description="How many of each year")
    locate: Located = Field(default=Locate(), description="Which restore points take part, and in which groups")

    def of(self, unit: Unit) -> tuple[int | None, int | None]:
        """How many of the latest minutes, hours, ... count, and how many restore points stay in each; None: all."""
        return getattr(self, unit), getattr(self, f"per_{unit}")

    def require_a_unit(self) -> None:
        """Raise `Invalid` (`rule_empty`) for a rule that says nothing: it would keep nothing either."""
        if not any(count for unit in UNITS for count in self.of(unit)):
            raise Invalid("rule_empty", f"Say what is kept: {', '.join(UNITS)}, or per_minute ... per_year.")
