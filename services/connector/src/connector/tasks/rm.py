"""Deletes restore points that are named, and the data that only they used."""

from time import monotonic

from contracts.errors import Conflict, NotFound
from contracts.queries.restore_index import Deletion
from contracts.task_types.rm import RmResult

from connector.jobs.definition import Job, JobOutcome, TaskDefinition
from connector.jobs.deletion_release import untouched_released
from connector.jobs.removal import Removal, delete_points
from connector.jobs.store_alone import store_alone

_NAMED = 3


async def remove(base: Job) -> JobOutcome:
    """Delete the restore points of the options, but for those that a hold, the floor or the store keeps.

    Fails where all that was asked for is kept by a hold, the floor or another job, or is not there; what the store
    itself does not delete yet is in the result. A second attempt goes on by the decision that the first one got.
    """
    began = monotonic()
    async with untouched_released(base) as untouched, store_alone(base) as job:
        removal = await delete_points(job, untouched, snapshot_ids=job.options.named_ids)
        figures = removal.figures(job)
    result = RmResult(**figures, duration_seconds=round(monotonic() - began, 3))
    return JobOutcome(result, _problem_of(removal))


def _problem_of(removal: Removal) -> Conflict | NotFound | None:
    decision = removal.decision
    if decision.deletable:
        return None
    if removal.kept_by_decision:
        return Conflict("restore_points_kept", f"Nothing was deleted: {_kept_in_words(decision)}.")
    if decision.missing:
        named = ", ".join(decision.missing[:_NAMED])
        return NotFound("snapshot_not_found", f"Nothing was deleted: the store has no restore point {named}.")
    return None


def _kept_in_words(decision: Deletion) -> str:
    kept = (
        (decision.held, "kept by a legal hold"),
        (decision.floored, "kept by the retention floor of the organization"),
        (decision.being_deleted, "being deleted by another job"),
    )
    return "; ".join(
        f"{', '.join(ids[:_NAMED])}{f' and {len(ids) - _NAMED} more' if len(ids) > _NAMED else ''} {why}"
        for ids, why in kept
        if ids
    )


TASK = TaskDefinition(type="rm", run=remove)
