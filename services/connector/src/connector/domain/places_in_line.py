"""Who is next among tasks that need a store for themselves."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from contracts.values import Moment, OrganizationId, Value
from pydantic import Field

from connector.domain.attempts import Attempt, is_superseded


class PlaceInLine(Value):
    """One attempt's place in the line at a store. Only its owner writes it; it ends with the attempt at the latest."""

    place: str = Field(description="Where the store is, so that two apps of one repository share a line")
    number: int
    organization_id: OrganizationId
    work_id: str
    attempt: int
    task_type: str
    store_name: str
    at: Moment
    is_left: bool = False
    """Whether its owner needs the store no more."""
    unused: Literal["", "left", "freed"] = ""
    """What its owner did about data that nothing needs: leave it to those that follow, or free it."""

    @property
    def id(self) -> str:
        """Inserting a document with this id is what takes the place in the line."""
        return f"{self.place}:{self.number}"

    def in_words(self, asking: OrganizationId) -> str:
        """For a job of an organization that waits for this one."""
        # Two organizations may have stores at one place, and neither learns what the other calls them.
        if self.organization_id != asking:
            return "a task of another organization at the same place"
        return f"{self.task_type} of the store {self.store_name!r}, job {self.work_id}"


def is_over(place: PlaceInLine, attempts: Sequence[Attempt], now: datetime) -> bool:
    """Whether nobody has the store by this place any more: given back, or its attempt ended or lost its lease."""
    mine = next((each for each in attempts if each.number == place.attempt), None)
    return (
        place.is_left or mine is None or mine.state != "running" or mine.until <= now or is_superseded(mine, attempts)
    )


def next_number(places: Collection[PlaceInLine]) -> int:
    """The number of the next place in the line."""
    return max((each.number for each in places), default=0) + 1


def owing(places: Collection[PlaceInLine]) -> PlaceInLine | None:
    """The place whose owner left unused data to those that follow, if none of these has freed it."""
    told = [each for each in places if each.unused]
    last = max(told, key=lambda each: each.number, default=None)
    return last if last is not None and last.unused == "left" else None


def before(places: Collection[PlaceInLine], mine: PlaceInLine) -> list[PlaceInLine]:
    """Those that come before, first come first."""
    return sorted((each for each in places if each.number < mine.number), key=lambda each: each.number)
