"""The port of places that may keep what is deleted."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from integrations.sdk.configuration import AppConfiguration


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How a place keeps what is deleted in it."""

    rule: str
    """In words, as `S3 Object Lock (COMPLIANCE, 30 days)`."""
    days: int | None = None
    """For how many days after it was written something is kept for certain; None where the place does not say."""


@runtime_checkable
class RetainingStore(Protocol):
    """A store on storage that may keep what was deleted, as a bucket with Object Lock does."""

    async def retention(self, configuration: AppConfiguration) -> Retention | None:
        """How the place of a store keeps what is deleted; None where it does not, or does not tell. Never raises."""
        ...
