"""Identifiers and the clock: the two things `domain` is handed as arguments."""

import uuid
from datetime import UTC, datetime

import uuid_utils
from contracts.values import to_milliseconds


def new_id() -> str:
    """A UUIDv7 as text: sorts by the time it was made."""
    # The standard library has UUIDv7 only from Python 3.14 on.
    return str(uuid_utils.uuid7())


def derived_id(*parts: str) -> str:
    """The same UUID for the same parts, so that a repeated message has a repeated id."""
    # With a separator, or `ab`, `c` would come to the same as `a`, `bc`.
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\x1f".join(parts)))


def utc_now() -> datetime:
    """Now, in UTC with milliseconds."""
    return to_milliseconds(datetime.now(UTC))
