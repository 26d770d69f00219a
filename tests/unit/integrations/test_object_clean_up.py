"""What is left of scratch directories."""

import asyncio
import stat
from pathlib import Path

from contracts.values import AppId, OrganizationId
from integrations.object_storage.clean_up import sweep
from integrations.rclone.source_scratch import open_scratch
from integrations.sdk.configuration import AppConfiguration

from tests.support.waiting import eventually_async

ORG = OrganizationId("org")


def configuration(app_id: str) -> AppConfiguration:
    return AppConfiguration(app_id=AppId(app_id), organization_id=ORG, kind="source", protocol="s3")


async def use(work_dir: Path, app_id: str) -> Path:
    """One run that leaves a file behind; where."""
    scratch = open_scratch(work_dir, configuration(app_id), on_log=lambda *_: None, cancel=asyncio.Event())
    async with scratch as place:
        (place / "copy").mkdir(exist_ok=True)
        (place / "copy" / "file").touch()
    return place


async def sweep_all_but(work_dir: Path, *wanted: str) -> None:
    async def is_wanted(org: OrganizationId, app_id: AppId) -> bool:
        return org == ORG and app_id in wanted

    await sweep(work_dir, is_wanted)


async def test_what_is_not_wanted_goes_with_its_lock(tmp_path: Path) -> None:
    kept, gone, odd = await use(tmp_path, "kept"), await use(tmp_path, "gone"), await use(tmp_path, "o/d/d")
    (tmp_path / "sources" / "stray").mkdir()
    (tmp_path / "sources" / "old.lock").touch()

    await sweep_all_but(tmp_path, "kept", "o/d/d")

    left = {path.name for path in (tmp_path / "sources").iterdir()}
    assert left == {kept.name, f"{kept.name}.lock", odd.name, f"{odd.name}.lock"}
    assert (kept / "copy" / "file").exists()
    assert not gone.exists()


async def test_listings_go_with_their_store(tmp_path: Path) -> None:
    place = await use(tmp_path, "source")
    (place / "listings").mkdir()
    for name in ("there.db", "gone.db", "unknown.db"):
        (place / "listings" / name).touch()
    for name in ("there", "gone"):
        (place / "listings" / f"{name}.store").write_text(name)
    (place / "listings" / "cut off.store").write_text("there")  # A kill came before the listing was there.
    (place / "listings" / "cut off.new").touch()
    (place / "listings" / "there.new").touch()

    await sweep_all_but(tmp_path, "source", "there")

    assert {path.name for path in (place / "listings").iterdir()} == {"there.db", "there.store"}
    assert (place / "copy" / "file").exists()


async def test_what_is_in_use_stays(tmp_path: Path) -> None:
    scratch = open_scratch(tmp_path, configuration("used"), on_log=lambda *_: None, cancel=asyncio.Event())
    async with scratch as place:
        await sweep_all_but(tmp_path)
        assert place.exists()

    await sweep_all_but(tmp_path)
    assert not place.exists()


async def test_a_lock_that_was_swept_away_locks_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    first, second = (
        open_scratch(tmp_path, configuration("app"), on_log=lambda _, text: told.append(text), cancel=asyncio.Event())
        for _ in range(2)
    )
    async with first as place:
        waiting = asyncio.create_task(second.__aenter__())
        await eventually_async(lambda: told)
        place.with_name("app.lock").unlink()

    assert await asyncio.wait_for(waiting, 10) == place
    assert place.with_name("app.lock").exists()
    await second.__aexit__(None, None, None)


async def test_without_a_work_directory_there_is_nothing_to_sweep(tmp_path: Path) -> None:
    await sweep_all_but(tmp_path / "none")

    assert not (tmp_path / "none").exists()


async def test_nobody_else_can_look_into_a_scratch_directory(tmp_path: Path) -> None:
    place = await use(tmp_path / "work", "app")

    for directory in (tmp_path / "work", tmp_path / "work" / "sources", place):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
