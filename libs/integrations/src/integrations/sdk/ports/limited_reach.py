"""The port of integrations that do not reach the same from every worker."""

from typing import Protocol, runtime_checkable

from contracts.messages.connector.offers import Reach


@runtime_checkable
class LimitedReach(Protocol):
    """Says what this worker can reach, so that work is given to the workers that can do it."""

    def reach(self) -> tuple[Reach, ...]:
        """The limits of this worker; what none of them is about is reached from everywhere."""
        ...
