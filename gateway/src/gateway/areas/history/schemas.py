"""Versions of files, and what differs between restore points."""

import json
from typing import Any, Literal

from pydantic import Field

from gateway.areas.files.schemas import LETTER, FileView
from gateway.areas.snapshots.schemas import LeftOutView
from gateway.http.answers import Stamp, View
from gateway.http.examples import example

_NEW, _STORE = "6a" * 32, "0198b1c2-0000-7000-8000-00000000000c"


class VersionPointView(View):
    """A restore point that has a version."""

    model_config = example(snapshot_id=_NEW, store_id=_STORE, creation_time="2026-11-23T08:00:00.000Z")

    snapshot_id: str
    store_id: str
    creation_time: Stamp


_VERSION: dict[str, Any] = {
    "changed": ["content", "size", "mtime"],
    "entry": LETTER,
    "first_seen": "2026-11-23T08:00:00.000Z",
    "last_seen": "2026-11-23T08:00:00.000Z",
    "restore_points": [{"snapshot_id": _NEW, "store_id": _STORE, "creation_time": "2026-11-23T08:00:00.000Z"}],
    "restore_point_count": 1,
}


class VersionEntryView(FileView):
    """An entry as it was; of the root neither times nor mode are known."""

    mtime: str | None = Field(description="RFC 3339 with milliseconds")  # type: ignore[assignment]
    mode: int | None = Field(description="POSIX permission bits")  # type: ignore[assignment]


class VersionView(View):
    """Restore points, one after the other, in which a file is the same."""

    model_config = example(**_VERSION)

    changed: list[str] = Field(description="What it differs in from the version before")
    entry: VersionEntryView | None = Field(
        description="As in a listing; null where it is missing. Of the root neither times nor mode are known"
    )
    first_seen: Stamp = Field(description="Time of its oldest restore point")
    last_seen: Stamp = Field(description="Time of its newest restore point")
    restore_points: list[VersionPointView] = Field(description="The newest first, 100 at most")
    restore_point_count: int


class VersionsView(View):
    """A page of versions, newest first."""

    model_config = example(
        path="/documents/letter.txt", total=1, items=[_VERSION], next_cursor=None, left_out=[], left_out_total=0
    )

    path: str
    total: int = Field(description="How many versions there are")
    items: list[VersionView]
    next_cursor: str | None
    left_out: list[LeftOutView] = Field(description="Restore points that cannot be browsed, newest first, 20 at most")
    left_out_total: int = Field(description="How many restore points could not be looked into")


_WAS: dict[str, Any] = {
    "size": 13000,
    "mtime": "2026-11-22T17:00:00.000Z",
    "mode": 420,
    "uid": 1000,
    "gid": 1000,
    "user": "me",
    "group": "us",
}


class FormView(View):
    """What an entry was, or is."""

    model_config = example(**_WAS)

    size: int = Field(description="Bytes; of a directory: of everything below it")
    mtime: str = Field(description="RFC 3339 with milliseconds")
    mode: int = Field(description="POSIX permission bits")
    uid: int
    gid: int
    user: str
    group: str
    link_target: str | None = Field(default=None, description="Of symbolic links only")


_CHANGED: dict[str, Any] = {
    "change": "changed",
    "path": "/documents/letter.txt",
    "type": "file",
    "changed": ["content", "size", "mtime"],
    "old": _WAS,
    "new": {**_WAS, "size": 14000, "mtime": "2026-11-23T07:00:00.000Z"},
}
_MOVED: dict[str, Any] = {
    "change": "moved",
    "path": "/pictures/summer",
    "type": "dir",
    "from": "/summer",
    "changed": [],
    "old": {**_WAS, "mode": 493},
    "new": {**_WAS, "mode": 493},
}
_SUMMARY = {
    "added": {"count": 0, "bytes": 0},
    "removed": {"count": 0, "bytes": 0},
    "changed": {"count": 1, "bytes": 14000},
    "moved": {"count": 1, "bytes": 13000},
}
LINES = "".join(json.dumps(line) + "\n" for line in (_CHANGED, _MOVED, {"summary": _SUMMARY, "moves_complete": True}))


class ChangeView(View):
    """What became of an entry."""

    model_config = example(**_CHANGED)

    change: Literal["added", "removed", "changed", "moved"]
    path: str = Field(description="Where it is; of what was removed: where it was")
    type: str = Field(description="As in a listing")
    from_: str | None = Field(default=None, alias="from", description="Where it was; only of what was moved")
    changed: list[str] | None = Field(default=None, description="What differs; of what was changed or moved")
    old: FormView | None = Field(default=None, description="What it was; not of what was added")
    new: FormView | None = Field(default=None, description="What it is; not of what was removed")


class CountView(View):
    """How many rows, and the bytes of their files."""

    model_config = example(count=1, bytes=14000)

    count: int
    bytes: int


class SummaryView(View):
    """All rows that there are, by their kind."""

    model_config = example(**_SUMMARY)

    added: CountView
    removed: CountView
    changed: CountView = Field(description="Bytes of the files with other content, as they are now")
    moved: CountView = Field(description="Bytes also of what moved directories hold")


class ChangesView(View):
    """A page of what differs."""

    model_config = example(items=[_CHANGED, _MOVED], next_cursor=None, summary=_SUMMARY, moves_complete=True)

    items: list[ChangeView]
    next_cursor: str | None
    summary: SummaryView | None = Field(description="Of all pages; null where too much differs to count it in advance")
    moves_complete: bool = Field(description="Whether all that differs was looked at for what was moved")
