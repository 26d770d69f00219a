"""Deleting what a rule does not keep."""

from typing import Literal

from pydantic import Field

from contracts.prune_rules import UNITS, PruneRule
from contracts.task_types.base import TaskKind
from contracts.task_types.removal import RemovalResult


class PruneOptions(PruneRule):
    """Options of a prune: the rule, which is evaluated when the prune runs."""

    @property
    def rule(self) -> PruneRule:
        """The rule alone."""
        return PruneRule(**{name: getattr(self, name) for name in PruneRule.model_fields})


class PruneResult(RemovalResult):
    """What the rule did not keep, and what became of it."""

    type: Literal["prune"] = Field(default="prune", description="Type of the task")
    more: int = Field(default=0, description="Restore points that the rule would delete and that were too many at once")


KIND = TaskKind(
    origin="store",
    target=None,
    options=PruneOptions,
    one_of_options=(*UNITS, *(f"per_{unit}" for unit in UNITS)),
    deletes=True,
    frees=True,
)
