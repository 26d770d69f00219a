"""The versions of a file over time, found by comparing what restore points have at its path."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from contracts.messages.restore_index import RestorePoint
from contracts.values import to_text

from restore_index.domain.change_rows import cursor_mark, invalid_cursor
from restore_index.domain.changes import PathNames, changed_fields
from restore_index.domain.directory_listing import show_entry
from restore_index.domain.entries import FullEntry

POINTS_SHOWN = 100
CREATED, REMOVED, REAPPEARED = "created", "removed", "reappeared"
PointTime = tuple[datetime, str]
"""The time of a restore point, and its id: restore points are in this order."""


class EntryAtPath(NamedTuple):
    """What is at a path, and the path as it is there."""

    names: PathNames
    entry: FullEntry


class Observation(NamedTuple):
    """What a restore point has at a path; nothing, perhaps."""

    point: RestorePoint
    seen: EntryAtPath | None


@dataclass
class Version:
    """Consecutive restore points in all of which a file is the same, or is missing."""

    changed: list[str]
    observations: list[Observation]
    """Oldest first; never empty."""
    contents: dict[str, bytes] = field(default_factory=dict)
    """The content id by store: ids can be compared within a store only."""

    @property
    def seen(self) -> EntryAtPath | None:
        """What it is, as it was seen last."""
        return self.observations[-1].seen

    @property
    def newest(self) -> PointTime:
        """Its last restore point."""
        return time_of(self.observations[-1].point)

    @property
    def oldest(self) -> PointTime:
        """Its first restore point."""
        return time_of(self.observations[0].point)

    def add(self, observation: Observation) -> None:
        """One more restore point has it."""
        self.observations.append(observation)
        if content := _content(observation):
            self.contents.setdefault(observation.point.store_id, content)


def time_of(point: RestorePoint) -> PointTime:
    """Where a restore point is in time."""
    return point.time, point.snapshot_id


def versions_of(observations: Iterable[Observation]) -> list[Version]:
    """Versions, oldest first, of what was seen, oldest first. What is older than its first appearance is left out."""
    versions: list[Version] = []
    present: Version | None = None
    was_missing = False
    for observation in observations:
        latest = versions[-1] if versions else None
        changed = _changed(present, latest, observation, was_missing=was_missing)
        if latest is None and observation.seen is None:
            was_missing = True
        elif latest is not None and not changed:
            latest.add(observation)
        else:
            versions.append(_version(changed, observation))
            present = versions[-1] if observation.seen else present
    return versions


def _changed(
    present: Version | None, latest: Version | None, observation: Observation, *, was_missing: bool
) -> list[str]:
    """What is different since the latest version, `present` being the last one in which there was something."""
    if observation.seen is None:
        return [REMOVED] if latest is present and latest is not None else []
    if present is None:
        return [CREATED] if was_missing else []
    returned = [] if latest is present else [REAPPEARED]
    return [*returned, *_differences(present, observation)]


def _version(changed: list[str], observation: Observation) -> Version:
    version = Version(changed, [])
    version.add(observation)
    return version


def _differences(present: Version, observation: Observation) -> list[str]:
    """What an observation differs in from a version. Contents are compared with those of the same store."""
    last, seen, store_id = present.observations[-1], observation.seen, observation.point.store_id
    if last.seen is None or seen is None:
        return []
    what = changed_fields(last.seen.entry, seen.entry, same_store=last.point.store_id == store_id)
    if what == ["type"]:
        return what
    what = [*_directory_differences(last.seen.entry, seen.entry), *what]
    # The latest restore point may be of another store, with other ids of contents: compare with the last of this one.
    content, before = _content(observation), present.contents.get(store_id)
    if "content" not in what and content and before and content != before:
        what = ["content", *what]
    return what


def _directory_differences(old: FullEntry, new: FullEntry) -> list[str]:
    """What differs in the totals of a directory, which can be compared between stores; nothing for other entries."""
    if new.type != "dir" or (old.size, old.files) == (new.size, new.files):
        return []
    return ["content", "size"] if old.size != new.size else ["content"]


def _content(observation: Observation) -> bytes | None:
    if observation.seen is None:
        return None
    entry = observation.seen.entry
    return entry.subtree if entry.type == "dir" else entry.content


def show_version(version: Version) -> dict[str, Any]:
    """A version for a person: of its restore points the newest first, and not more than 100."""
    points = [observation.point for observation in reversed(version.observations)]
    seen = version.seen
    return {
        "changed": version.changed,
        "entry": show_entry_at_path(seen) if seen else None,
        "first_seen": to_text(points[-1].time),
        "last_seen": to_text(points[0].time),
        "restore_points": [
            {"snapshot_id": p.snapshot_id, "store_id": p.store_id, "creation_time": to_text(p.time)}
            for p in points[:POINTS_SHOWN]
        ],
        "restore_point_count": len(points),
    }


def show_entry_at_path(seen: EntryAtPath) -> dict[str, Any]:
    """An entry as in a listing; of the root, which is in no listing, neither times nor mode are known."""
    if not seen.names:
        known = {"type": "dir", "size": seen.entry.size, "files": seen.entry.files}
        return {"name": "/", "path": "/", **known, "mtime": None, "mode": None}
    return show_entry(seen.names[:-1], seen.entry)


def cursor_mark_for(source_id: str, path: Sequence[bytes]) -> bytes:
    """Bytes that distinguish the cursors of one question from those of others."""
    return cursor_mark("versions", source_id, *(part.hex() for part in path))


def write_moment(marked: bytes, moment: PointTime) -> str:
    """Where to go on, as an opaque text: with what is older than a restore point."""
    packed = marked + f"{moment[0].isoformat()} {moment[1]}".encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_moment(marked: bytes, cursor: str | None) -> PointTime | None:
    """Where a cursor points to; None without one.

    Raises `Invalid` (`cursor_invalid`) for a text that is no cursor, or one of another question.
    """
    if not cursor:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        moment, _, snapshot_id = packed[len(marked) :].decode().partition(" ")
        found = datetime.fromisoformat(moment)
    except ValueError:
        raise invalid_cursor() from None
    if packed[: len(marked)] != marked or found.tzinfo is None:
        raise invalid_cursor()
    return found, snapshot_id
