"""What `restic snapshots --json` tells."""

from datetime import datetime

import msgspec

from connector.engine.port import FoundSnapshot


class _Listed(msgspec.Struct):
    id: str
    tree: str
    time: datetime
    hostname: str = ""
    paths: list[str] | None = None
    tags: list[str] | None = None
    original: str | None = None


def read_snapshots(document: bytes) -> list[FoundSnapshot]:
    """The snapshots of a listing, oldest first."""
    listed = msgspec.json.decode(document or b"[]", type=list[_Listed] | None) or []
    found = [
        FoundSnapshot(
            snapshot_id=one.id,
            tree_id=one.tree,
            time=one.time,
            host=one.hostname,
            paths=tuple(one.paths or ()),
            tags=tuple(one.tags or ()),
            original=one.original or "",
        )
        for one in listed
    ]
    return sorted(found, key=lambda one: (one.time, one.snapshot_id))
