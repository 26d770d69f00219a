"""Forgetting directories that no restore point needs: in which order, and when.

What is unreachable is condemned first: nobody is told any more that it is known, so nobody builds on it, while it is
still there for whoever was told before. After a while it is deleted, then what was noted of it is dropped.
"""

from datetime import datetime, timedelta
from typing import Literal

from contracts.values import AppId, Moment, Value, to_milliseconds

from restore_index.domain.hash_table import DIGEST_BYTES
from restore_index.domain.restore_points import Point

LISTING_TAKES = timedelta(days=1)
"""How long nothing is deleted because a restore point was noted and cannot be browsed yet."""
GONE_KEPT = timedelta(days=8)
"""How long it is remembered that a restore point is gone: longer than Kafka keeps what was told of it."""
PART_IDS = 1024
"""Directories that are deleted in one step."""

Phase = Literal["resting", "condemned", "deleting", "rewriting"]
Step = Literal["wait", "condemn", "delete", "rewrite", "finish"]


class CollectionState(Value):
    """How far the forgetting has come in a store. Written by the lane of the store only.

    `epoch` grows with every change of what is condemned, `rewrites` with every change of the notes of what is known.
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
    """What can be done now. A store that was removed is not waited for: nobody lists it."""
    if state.phase == "deleting":
        return "delete" if state.deleted < state.parts else "rewrite"
    if state.phase == "rewriting":
        return "finish"
    begun, step = (state.due_at, "condemn") if state.phase == "resting" else (state.since, "delete")
    ripe = begun is not None and (state.removed or now - begun >= grace)
    return step if ripe else "wait"  # type: ignore[return-value]


def schedule(state: CollectionState, now: datetime) -> CollectionState:
    """Something may be unreachable since now."""
    return state if state.due_at is not None else _with(state, due_at=to_milliseconds(now))


def mark(state: CollectionState, now: datetime, *, parts: int) -> CollectionState:
    """What is unreachable was noted in so many parts; nothing was, if there are none."""
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
    """Condemn nothing for now, as somebody builds on it; None when it is too late for that, or nothing is condemned."""
    if state.phase != "condemned":
        return None
    facts = {"phase": "resting", "since": None, "parts": 0, "epoch": state.epoch + 1}
    return _with(state, due_at=to_milliseconds(now), **facts)


def unmark(state: CollectionState) -> CollectionState:
    """Some are condemned no more."""
    return _with(state, epoch=state.epoch + 1)


def delete(state: CollectionState) -> CollectionState:
    """One more part was deleted."""
    return _with(state, phase="deleting", deleted=state.deleted + 1)


def rewrite(state: CollectionState) -> CollectionState:
    """All that was condemned is deleted; from now on the notes of it change."""
    return _with(state, phase="rewriting", rewrites=state.rewrites + 1)


def finish(state: CollectionState) -> CollectionState:
    """Nothing is left of what was condemned."""
    facts = {"phase": "resting", "since": None, "parts": 0, "deleted": 0}
    return _with(state, epoch=state.epoch + 1, rewrites=state.rewrites + 1, **facts)


def is_awaited(point: Point, now: datetime) -> bool:
    """Whether a restore point is being listed, as far as anybody can tell."""
    return point.noted_at is not None and not point.browsable and now - point.noted_at < LISTING_TAKES


def in_parts(ids: bytes) -> list[bytes]:
    """Ids that lie side by side, in parts to be deleted in one step each."""
    size = PART_IDS * DIGEST_BYTES
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def ids_in(part: bytes) -> list[bytes]:
    """The ids in a part."""
    return [part[start : start + DIGEST_BYTES] for start in range(0, len(part), DIGEST_BYTES)]


def _with(state: CollectionState, **facts: object) -> CollectionState:
    return state.model_copy(update=facts)
