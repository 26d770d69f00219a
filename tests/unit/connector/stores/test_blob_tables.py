"""Tables of stores that are no more."""

import stat
from pathlib import Path

from connector.stores.blob_tables import BLOB_TABLES, blob_table_dir, sweep_blob_tables
from contracts.values import AppId, OrganizationId

from tests.unit.connector.parts import ORG


async def is_wanted(org: OrganizationId, app_id: AppId) -> bool:
    return (org, app_id) == (ORG, "kept")


async def test_tables_go_with_their_stores(tmp_path: Path) -> None:
    other = OrganizationId("other")
    kept = blob_table_dir(tmp_path, ORG, AppId("kept"))
    gone = [blob_table_dir(tmp_path, ORG, AppId(name)) for name in ("gone", "../o\ndd\ud800", "")]
    gone.append(blob_table_dir(tmp_path, other, AppId("kept")))
    (kept / "table").touch()
    (tmp_path / BLOB_TABLES / "stray").mkdir()

    await sweep_blob_tables(tmp_path, is_wanted)

    assert list((tmp_path / BLOB_TABLES).iterdir()) == [kept]
    assert (kept / "table").exists()
    assert not any(place.exists() for place in gone)


async def test_each_store_has_a_private_directory_of_its_own(tmp_path: Path) -> None:
    place = blob_table_dir(tmp_path, ORG, AppId("a"))
    assert place == blob_table_dir(tmp_path, ORG, AppId("a"))
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert place.parent == tmp_path / BLOB_TABLES


async def test_without_a_place_to_write_there_is_still_an_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not blob_table_dir(tmp_path / "file", ORG, AppId("a")).exists()
    await sweep_blob_tables(tmp_path / "file", is_wanted)
