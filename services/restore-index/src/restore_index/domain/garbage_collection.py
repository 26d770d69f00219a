"""Garbage collection of directories that no restore point reaches: which step comes next, and when.

Unreachable directories are marked first. The index no longer says that it knows them, so no new listing leaves them
out; listings whose workers heard so before still find them. After a grace period they are deleted; then the known trees
and the name segments are rewritten without them.
"""

from datetime import datetime, timedelta
from typing import Literal

from contracts.values import AppId, Moment, Value, to_milliseconds

from restore_index.domain.hash_table import DIGEST_BYTES
from restore_index.domain.restore_points import Point

LISTING_TAKES = timedelta(days=1)
"""How long a restore point that is not browsable yet keeps anything from being deleted."""
# Longer than Kafka keeps events: an older event about a removed restore point cannot arrive after that.
TOMBSTONE_KEPT = timedelta(days=8)
"""How long the index remembers that a restore point is gone."""
PART_IDS = 1024
"""Directories that are deleted in one step."""

# "condemned" is how the phase "marked" is spelled in documents that exist.
Phase = Literal["resting", "condemned", "deleting", "rewriting"]
Step = Literal["wait", "mark", "delete", "rewrite", "finish"]


class CollectionState(Value):
    """How far garbage collection has come in a store. Written by the handlers of the store's events, in their order.

    `epoch` grows with every change of the marks, `rewrites` with every rewrite of the known trees: other processes
    compare both with what they remember.
    """

    store_id: AppId
    phase: Phase = "resting"
    since: Moment | None = None
    due_at: Moment | None = None
    parts: int = 0
    deleted: int = 0
    epoch: int = 0
    rewrites: int = 0
    removed: bool = False

    @property
    def is_pending(self) -> bool:
        """Whether there is anything to be done, now or later."""
        return self.phase != "resting" or self.due_at is not None


def next_step(state: CollectionState, now: datetime, *, grace: timedelta) -> Step:
    """The step that can be taken now. A store that was removed has no grace period: nobody lists it any more."""
    if state.phase == "deleting":
        return "delete" if state.deleted < state.parts else "rewrite"
    if state.phase == "rewriting":
        return "finish"
    begun, step = (state.due_at, "mark") if state.phase == "resting" else (state.since, "delete")
    ripe = begun is not None and (state.removed or now - begun >= grace)
    return step if ripe else "wait"  # type: ignore[return-value]


def schedule(state: CollectionState, now: datetime) -> CollectionState:
    """Something may have become unreachable."""
    return state if state.due_at is not None else _with(state, due_at=to_milliseconds(now))


def mark(state: CollectionState, now: datetime, *, parts: int) -> CollectionState:
    """What is unreachable was stored in so many parts; there was nothing, if that is 0."""
    if not parts:
        return _with(state, due_at=None)
    facts = {
        "phase": "condemned",
        "since": to_milliseconds(now),
        "parts": parts,
        "deleted": 0,
        "epoch": state.epoch + 1,
    }
    return _with(state, due_at=None, **facts)


def unmark_all(state: CollectionState, now: datetime) -> CollectionState | None:
    """Take all marks back, as a listing builds on marked directories; None when nothing is marked or it is too late."""
    if state.phase != "condemned":
        return None
    facts = {"phase": "resting", "since": None, "parts": 0, "epoch": state.epoch + 1}
    return _with(state, due_at=to_milliseconds(now), **facts)


def unmark(state: CollectionState) -> CollectionState:
    """The marks of some directories were taken back."""
    return _with(state, epoch=state.epoch + 1)


def delete(state: CollectionState) -> CollectionState:
    """One more part is deleted."""
    return _with(state, phase="deleting", deleted=state.deleted + 1)


def rewrite(state: CollectionState) -> CollectionState:
    """All marked directories are deleted; from now on the known trees and the name segments change."""
    return _with(state, phase="rewriting", rewrites=state.rewrites + 1)


def finish(state: CollectionState) -> CollectionState:
    """Nothing is left of what was marked."""
    facts = {"phase": "resting", "since": None, "parts": 0, "deleted": 0}
    return _with(state, epoch=state.epoch + 1, rewrites=state.rewrites + 1, **facts)


def is_awaited(point: Point, now: datetime) -> bool:
    """Whether a listing of a restore point may still be on its way."""
    return point.noted_at is not None and not point.browsable and now - point.noted_at < LISTING_TAKES


def in_parts(ids: bytes) -> list[bytes]:
    """Ids that lie side by side, cut into parts that are deleted in one step each."""
    size = PART_IDS * DIGEST_BYTES
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def ids_in(part: bytes) -> list[bytes]:
    """The ids in a part."""
    return [part[start : start + DIGEST_BYTES] for start in range(0, len(part), DIGEST_BYTES)]


def _with(state: CollectionState, **facts: object) -> CollectionState:
    return state.model_copy(update=facts)
