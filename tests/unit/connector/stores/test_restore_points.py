"""Restore points out of what snapshots say."""

import pytest
from connector.domain.origins import Origin, tags_of
from connector.stores.restore_points import restore_point_of
from contracts.values import AppId
from restic_reader import Snapshot

from tests.unit.connector.parts import ORG


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("2026-01-02T03:04:05.5+01:00", "2026-01-02T02:04:05.500000+00:00"),
        ("2026-01-02T23:59:59.9999996Z", "2026-01-02T23:59:59.999000+00:00"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_snapshot_may_say_that_it_is_of_any_year(told: str, kept: str) -> None:
    point = restore_point_of(Snapshot(time=told, tree="0" * 64, id="1" * 64), org=ORG, store_id=AppId("store"))
    assert point.time.isoformat() == kept


def test_a_store_alone_tells_what_filters_look_at() -> None:
    origin = Origin(
        organization_id=ORG,
        source_id="source",
        job_id="job",
        environment="production",
        data_classes=("pii", "database"),
        name="nas",
        resource_class="file-storage",
        protocol="fs",
        address="nas.example",
        location="/srv/files",
        labels=("weekly",),
    )
    snapshot = Snapshot(
        time="2026-01-02T03:04:05Z", tree="0" * 64, id="1" * 64, tags=tags_of(origin), paths=("/mnt/copy",)
    )

    facts = restore_point_of(snapshot, org=ORG, store_id=AppId("store")).facts

    assert facts.model_dump(exclude={"snapshot_id", "time"}) == {
        "name": "nas",
        "category": "file-storage",
        "environment": "production",
        "perimeter": "",
        "job": "job",
        "dataset": "source",
        "origin": "nas.example",
        "type": "fs",
        "root": "/srv/files",
        "tags": ("weekly",),
        "data_classes": ("pii", "database"),
    }


def test_of_a_snapshot_made_elsewhere_the_host_is_its_origin() -> None:
    snapshot = Snapshot(
        time="2026-01-02T03:04:05Z", tree="0" * 64, id="1" * 64, hostname="laptop", tags=("x",), paths=("/home",)
    )

    facts = restore_point_of(snapshot, org=ORG, store_id=AppId("store")).facts

    assert (facts.origin, facts.root, facts.tags, facts.dataset) == ("laptop", "/home", ("x",), "")


MADE = ("cairn:org=org", "cairn:source=s", "cairn:job=j", "cairn:location=/srv/link", "kept")


@pytest.mark.parametrize(
    ("tags", "paths", "source", "places", "root"),
    [
        (MADE, ("/mnt/copy",), "s", ("/srv/link",), "/srv/link"),
        (MADE, ("/srv/a", "/srv/b"), None, ("/srv/a", "/srv/b"), None),
        (("cairn:org=another", *MADE[1:]), ("/srv",), None, ("/srv",), None),
        (MADE[3:], ("/srv",), None, ("/srv",), None),
        (("cairn:org=org", "cairn:location=/srv", "kept"), ("/srv",), None, ("/srv",), None),
        ((*MADE[:3], "kept"), ("/mnt/copy",), "s", (), None),
    ],
)
def test_the_root_of_a_source_is_known_where_cairn_made_the_snapshot(
    tags: tuple[str, ...], paths: tuple[str, ...], source: str | None, places: tuple[str, ...], root: str | None
) -> None:
    snapshot = Snapshot(time="2026-01-02T03:04:05Z", tree="0" * 64, id="1" * 64, tags=tags, paths=paths)

    point = restore_point_of(snapshot, org=ORG, store_id=AppId("store"))

    assert (point.source_id, point.paths, point.source_root, point.tags) == (source, places, root, ("kept",))


@pytest.mark.parametrize("original", [None, "2" * 64])
def test_a_copy_names_its_original(original: str | None) -> None:
    snapshot = Snapshot(time="2026-01-02T03:04:05Z", tree="0" * 64, id="1" * 64, original=original)

    assert restore_point_of(snapshot, org=ORG, store_id=AppId("store")).original == original
