"""Deletes the restore points that a rule does not keep, and the data that only they used."""

from time import monotonic

from contracts.task_types.prune import PruneResult

from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.deletion_release import untouched_released
from connector.jobs.removal import delete_points
from connector.jobs.store_alone import store_alone


async def prune(base: Job) -> JobOutcome:
    """Delete what the rule of the options does not keep now. What a hold or the floor keeps is in the result.

    A second attempt goes on by the decision that the first one got.
    """
    began = monotonic()
    base.options.rule.require_a_unit()
    async with untouched_released(base) as untouched, store_alone(base) as job:
        removal = await delete_points(job, untouched, rule=job.options.rule)
        figures = removal.figures(job)
    duration = round(monotonic() - began, 3)
    return JobOutcome(PruneResult(**figures, more=removal.decision.more, duration_seconds=duration))


TASK = TaskDefinition(type="prune", run=prune)
