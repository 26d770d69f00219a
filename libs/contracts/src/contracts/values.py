"""Values shared by messages: identifiers, times and the base of every message."""

from datetime import UTC, datetime
from typing import Annotated, NewType

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

# Distinct types, so that mypy tells an id of one kind from an id of another; at run time they are plain texts.
OrganizationId = NewType("OrganizationId", str)
InventoryId = NewType("InventoryId", str)
ImportId = NewType("ImportId", str)
ResourceId = NewType("ResourceId", str)
AppId = NewType("AppId", str)
BundleId = NewType("BundleId", str)
IntegrationId = NewType("IntegrationId", str)
CommandId = NewType("CommandId", str)
RunId = NewType("RunId", str)
JobId = NewType("JobId", str)
SnapshotId = NewType("SnapshotId", str)
TreeId = NewType("TreeId", str)


def to_milliseconds(moment: datetime) -> datetime:
    """Cut a moment to UTC milliseconds, which is what MongoDB keeps. A naive moment raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its time zone")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        # The year 1 or 9999 with an offset that leads out of the calendar. Pydantic reports only a ValueError.
        raise ValueError("a time is out of range") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_text(moment: datetime) -> str:
    """A UTC moment as RFC 3339 with milliseconds: texts of equal length, which sort as the moments do."""
    # Pydantic's own form leaves out milliseconds that are zero.
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    AfterValidator(to_milliseconds),
    PlainSerializer(to_text, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Value(BaseModel):
    """A frozen value. Readers skip fields they do not know."""

    # A sender of a later version may have added fields: ignored, as `contracts.evolution` promises to old readers.
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
