"""Two pools of workers that reach different directories: whatever is done reaches those that can do it."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.gateway.client import Client, log_in
from tests.integration.gateway.conftest import SERVICES, Platform, free_port
from tests.support.environment import Corner
from tests.support.infra import Infra
from tests.support.waiting import eventually_async

CONTENT = b"only the branch has this\n"


@dataclass
class Branch:
    """Seven processes: the usual six, and a worker of the pool `branch` that reaches another directory."""

    platform: Platform
    files: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def branch(
    infra: Infra, key_file: Path, tmp_path_factory: pytest.TempPathFactory, restic: Path, rclone: Path
) -> AsyncIterator[Branch]:
    corner = Corner(infra, key_file)
    with ExitStack() as stack:
        platform = Platform(corner, tmp_path_factory.mktemp("pools"), stack, restic, rclone)
        files, port = platform.folder / "branch-files", free_port()
        for name in ("branch-files", "branch-work"):
            (platform.folder / name).mkdir()
        for name in SERVICES:
            platform.start(name)
        platform.start(
            "connector", pool="branch", http_port=port, allowed_roots=files, work_dir=platform.folder / "branch-work"
        )
        platform.start("gateway", url_connector_pools=f"branch=http://127.0.0.1:{port}")
        await platform.ready()
        yield Branch(platform, files)
    corner.drop()


@pytest_asyncio.fixture(loop_scope="session")
async def api(branch: Branch) -> AsyncIterator[Client]:
    async with log_in(branch.platform.url, branch.platform.credentials) as client:
        yield client


async def placed(api: Client, kind: str, root: Path, pool: str) -> str:
    """A connector on a directory, once it is known which pool reaches it."""
    root.mkdir(parents=True, exist_ok=True)
    urn_id = await api.resource(await api.inventory(f"{kind} {root.name}"), f"urn:{kind}:{root}")
    made = (await api.connector(kind, urn_id, {"root": str(root), "passphrase": "a passphrase"}, name=root.name))["id"]

    async def reached() -> bool:
        return bool((await api.post(f"/connectors/{made}/test"))["ok"])

    await eventually_async(reached, 30)
    return str(made)


async def backed_up(api: Client, source: str, store: str) -> str:
    """The restore point of a backup."""
    body = {"type": "backup", "origin_id": source, "target_id": store}
    job = await api.finished((await api.post("/scheduling/scheduler/run", body))["id"])
    assert job["status"] == "succeeded", job
    return str(job["backup"]["snapshot_id"])


async def test_a_store_of_another_pool_is_made_filled_and_read(api: Client, branch: Branch) -> None:
    source = await placed(api, "source", branch.files / "data", "branch")
    store = await placed(api, "store", branch.files / "shelf", "branch")
    (branch.files / "data" / "note.txt").write_bytes(CONTENT)
    await api.post(f"/connectors/{store}/stores/create")
    assert (branch.files / "shelf" / "config").is_file()
    point = await backed_up(api, source, store)
    read = await api.call("GET", f"/snapshots/{point}/content", params={"path": "/note.txt"})
    assert (read.status_code, read.content) == (200, CONTENT)
    archive = await api.call("POST", f"/snapshots/{point}/archive", json={"paths": ["/"], "format": "zip"})
    assert archive.status_code == 200, archive.text
    assert (await api.get(f"/connectors/{store}/stores/locks"))["items"] == []
    assert (await api.post(f"/connectors/{store}/stores/refresh"))["added"] == 0


async def test_the_default_pool_goes_on_with_what_it_reaches(api: Client, branch: Branch) -> None:
    files = branch.platform.files
    source = await placed(api, "source", files / "own-data", "default")
    store = await placed(api, "store", files / "own-shelf", "default")
    (files / "own-data" / "note.txt").write_bytes(b"ours")
    await api.post(f"/connectors/{store}/stores/create")
    assert await backed_up(api, source, store)


async def test_what_no_pool_reaches_together_is_refused_in_words(api: Client, branch: Branch) -> None:
    source = await placed(api, "source", branch.files / "far", "branch")
    store = await placed(api, "store", branch.platform.files / "near", "default")
    body = {"type": "backup", "origin_id": source, "target_id": store}
    problem = await api.problem("POST", "/scheduling/scheduler/run", json=body)
    assert (problem["status"], problem["code"]) == (409, "no_common_pool")
    assert "'far': branch" in problem["detail"]
    assert "'near': default" in problem["detail"]
