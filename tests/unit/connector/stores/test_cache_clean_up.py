"""Scratch directories of sources that are no more."""

import asyncio
from pathlib import Path

from chassis.runtime.supervision import LoopSupervisor
from connector.store.ports import KnownApp, Store
from connector.stores.cache_clean_up import CacheCleanUp
from contracts.values import AppId
from integrations.rclone.source_scratch import open_scratch
from integrations.sdk.configuration import AppConfiguration

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import ORG, an_app, memory_store


async def learn(store: Store, known: KnownApp) -> None:
    await store.apps.save(await store.apps.load(ORG, "app"), known)


async def scratch(work_dir: Path, app_id: str) -> Path:
    app = AppConfiguration(app_id=AppId(app_id), organization_id=ORG, kind="source", protocol="s3")
    async with open_scratch(work_dir, app, on_log=lambda *_: None, cancel=asyncio.Event()) as place:
        return place


async def test_scratch_directories_go_with_their_apps(tmp_path: Path) -> None:
    store = memory_store()
    await learn(store, KnownApp(revision=1, app=an_app("app")))
    known, unknown = await scratch(tmp_path, "app"), await scratch(tmp_path, "unknown")
    clean_up = CacheCleanUp(store, tmp_path)

    async with clean_up.running(LoopSupervisor()):
        await eventually_async(lambda: not unknown.exists())
        assert known.exists()
        await learn(store, KnownApp(revision=2))
        clean_up.wake()
        await eventually_async(lambda: not known.exists())
