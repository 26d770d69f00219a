"""Which restore points of a store a sync is to have in another one, and what its log says of that."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.ids import utc_now
from contracts.messages.restore_index import RestorePoint
from contracts.point_filters import PointSelection, may_mean
from contracts.wording import counted, is_or_are

from connector.domain.replicas import missing
from connector.jobs.definition import Job
from connector.store_state.chosen_points import chosen_points
from connector.store_state.two_stores import Party
from connector.stores.point_choice import conditions_in_words, selection_of, with_whole_ids


@dataclass(frozen=True)
class ChosenForSync:
    """What of the origin is to be in the target."""

    points: list[RestorePoint]
    """Oldest first."""
    unreadable: list[str]
    """What may be meant as well: nobody can tell."""


async def chosen_for_sync(job: Job, origin: Party, present: Sequence[RestorePoint]) -> ChosenForSync:
    """What the options mean of the origin; `present` is what the target has.

    Raises `NamedPointsNotFound` unless all that are named are there.
    """
    there = await origin.look()
    ids = {*(point.snapshot_id for point in there.points), *there.unreadable}
    selection = with_whole_ids(selection_of(job.options), ids, store=origin.app.name)
    # Until a backup has ended it is open which of its snapshots stays: before `latest` is chosen, not after.
    choice = await chosen_points(
        job.context.store,
        job.org,
        there.points,
        selection,
        there=ids,
        known=_known(there.points, present, selection),
        now=utc_now(),
    )
    chosen = choice.points[::-1]
    _tell_choice(job, selection, chosen=len(chosen), there=len(there.points), orphans=len(choice.orphans))
    return ChosenForSync(chosen, [each for each in there.unreadable if may_mean(selection, each)])


def _tell_choice(job: Job, selection: PointSelection, *, chosen: int, there: int, orphans: int) -> None:
    if orphans:
        left = f"{counted(orphans, 'snapshot')} {is_or_are(orphans)} left out"
        job.reporter.log("info", f"{left}: of backups that have not ended or were canceled, or of lost attempts.")
    conditions, count = conditions_in_words(selection), counted(there - orphans, "restore point")
    if there == orphans:
        job.reporter.log("info", "No restore point of the origin is to be in the target.")
    elif chosen or not conditions:
        job.reporter.log("info", f"{chosen} of {count} {is_or_are(chosen)} to be in the target.")
    else:
        why = f"none fulfils all conditions ({conditions}), so nothing is to be copied."
        job.reporter.log("warning", f"Of the {count} in the origin {why}")


def _known(
    points: Sequence[RestorePoint], present: Sequence[RestorePoint], selection: PointSelection
) -> frozenset[str]:
    """Which need no query of their job: that of a store where nothing is missing would take one for each."""
    if selection.latest or selection.locate.filters.latest:
        return frozenset()  # It is one, and must be a restore point whoever put a copy of it into the target.
    lacking = {point.snapshot_id for point in missing(points, present)}
    return frozenset(point.snapshot_id for point in points) - lacking
