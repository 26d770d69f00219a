"""What a search finds."""

from pydantic import Field

from gateway.areas.files.schemas import LETTER, FileView
from gateway.areas.snapshots.schemas import LeftOutView
from gateway.http.answers import Stamp, View
from gateway.http.examples import example

_SEEN = {
    "snapshot_id": "5f" * 32,
    "creation_time": "2026-11-23T08:00:00.120Z",
    "store_id": "0198b1c2-0000-7000-8000-00000000000c",
    "source_id": "0198b1c2-0000-7000-8000-00000000000b",
}


class HitsView(View):
    """A page of what was found in one restore point."""

    model_config = example(items=[LETTER], next_cursor=None)

    items: list[FileView]
    next_cursor: str | None


class SeenView(View):
    """A restore point in which something was found."""

    snapshot_id: str
    creation_time: Stamp
    store_id: str
    source_id: str | None


class SeenFileView(FileView):
    """A path in which something was found, as the newest of its restore points has it."""

    restore_points: list[SeenView] = Field(description="Those in which it was found, newest first, 20 at most")
    restore_points_total: int = Field(description="In how many it was found")


class SeenHitsView(View):
    """A page of what was found across restore points."""

    model_config = example(
        items=[{**LETTER, "restore_points": [_SEEN], "restore_points_total": 1}],
        next_cursor=None,
        left_out=[],
        left_out_total=0,
    )

    items: list[SeenFileView]
    next_cursor: str | None
    left_out: list[LeftOutView] = Field(description="Restore points that cannot be browsed, newest first, 20 at most")
    left_out_total: int = Field(description="How many restore points could not be looked into")
