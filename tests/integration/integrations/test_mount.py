"""Reading a bucket through a mount, on machines that can; on others, the reason why not."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from contracts.values import AppId, OrganizationId
from integrations.object_storage.clean_up import sweep
from integrations.rclone.mount import why_not_mount
from integrations.s3.integration import S3Integration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import SourceUnreachable

from tests.integration.integrations.conftest import Configure, Log
from tests.support.s3 import S3Server, rclone_s3
from tests.support.waiting import eventually

OBJECTS = {"a": b"1", "deep/er/b": b"22", "deep/ü x": b"333"}


@pytest.fixture(scope="module")
def server(rclone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(rclone, tmp_path_factory.mktemp("s3")) as running:
        running.fill(OBJECTS)
        yield running


async def read(reading: WorkerEnvironment, configure: Configure, server: S3Server, log: Log) -> dict[str, bytes]:
    source = configure("source", "s3", endpoint=server.endpoint, **server.fields())
    async with S3Integration(reading).open_source(source, on_log=log.add, cancel=asyncio.Event()) as tree:
        return {name: (tree.directory / name).read_bytes() for name in OBJECTS}


async def test_what_is_possible_is_chosen(
    environment: WorkerEnvironment, configure: Configure, server: S3Server, log: Log
) -> None:
    found = await read(replace(environment, reading="auto"), configure, server, log)

    assert found == OBJECTS
    assert ("copying" if why_not_mount() else "through a mount") in log.text


async def test_a_mount_that_is_asked_for_is_made_or_its_lack_is_told(
    environment: WorkerEnvironment, configure: Configure, server: S3Server, log: Log
) -> None:
    reading = replace(environment, reading="mount")

    if lack := why_not_mount():
        with pytest.raises(SourceUnreachable, match=lack):
            await read(reading, configure, server, log)
    else:
        assert await read(reading, configure, server, log) == OBJECTS
        assert not mounts_below(environment.work_dir)


async def test_without_its_helper_nothing_can_be_mounted(
    environment: WorkerEnvironment,
    configure: Configure,
    server: S3Server,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(environment.work_dir))

    assert why_not_mount()
    with pytest.raises(SourceUnreachable, match=r"fuse"):
        await read(replace(environment, reading="mount"), configure, server, log)


_MOUNT_AND_WAIT = """
import asyncio, json, sys
from pathlib import Path
from integrations.sdk.configuration import AppConfiguration
from integrations.s3.integration import S3Integration
from integrations.sdk.environment import WorkerEnvironment
from connector.programs import open_program

rclone, work, endpoint, fields = sys.argv[1:]
source = AppConfiguration(
    app_id="0190a0f0-0000-7000-8000-000000000001", organization_id="o", kind="source", protocol="s3",
    endpoints=(endpoint,), fields=json.loads(fields),
)

async def main():
    reading = S3Integration(WorkerEnvironment(open_program=open_program, rclone=rclone, work_dir=Path(work)))
    async with reading.open_source(source, on_log=lambda *_: None, cancel=asyncio.Event()):
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_killed_worker_leaves_is_cleared_away(
    environment: WorkerEnvironment, configure: Configure, server: S3Server, log: Log
) -> None:
    command = [sys.executable, "-c", _MOUNT_AND_WAIT, environment.rclone, str(environment.work_dir)]
    worker = subprocess.Popen([*command, server.endpoint, json.dumps(server.fields())], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"open\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    eventually(lambda: not rclones_of(environment.work_dir))

    await sweep(environment.work_dir, is_wanted)

    assert not mounts_below(environment.work_dir)
    assert await read(replace(environment, reading="auto"), configure, server, log) == OBJECTS
    assert not mounts_below(environment.work_dir)


async def is_wanted(_: OrganizationId, app_id: AppId) -> bool:
    return app_id == "0190a0f0-0000-7000-8000-000000000001"


def mounts_below(directory: Path) -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if f" {directory}" in line]


def rclones_of(directory: Path) -> list[bytes]:
    """Command lines of the rclone processes that use a work directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes()
        except OSError:
            continue
        if b"rclone" in command and os.fsencode(directory) in command and b"--config" in command:
            found.append(command)
    return found
