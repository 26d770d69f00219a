"""Checks that read a share of a store's data each, and whose workers are killed: all of it is read, each share once."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskProgressed, TaskSucceeded
from contracts.messages.scheduler import TaskRequested

from tests.integration.connector.removing import require_sound
from tests.integration.connector.test_syncs_killed import limited, passed
from tests.integration.connector.worker_fixture import PASSPHRASE, WorkerFixture, ready, write_tree

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
SEED = 20261128
SHARES = 3


async def filled(ground: WorkerFixture) -> App:
    """A store with more data in each share than a slow worker reads in a minute."""
    tree, store = write_tree(ground.files("source"), {"big": os.urandom(96 << 20)}), await ground.store_made_by_hand()
    root, environment = str(Path(store.fields["root"].value or "")), {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
    # Many packs: a share of few may be empty, and is read at once.
    command = [str(ground.restic), "-q", "-r", root, "backup", "--pack-size", "4", str(tree)]
    subprocess.run(command, env=environment, check=True)
    return store


async def reading(ground: WorkerFixture, request: TaskRequested) -> None:
    """Wait until the engine of the first attempt works."""

    def works(_: object) -> bool:
        told = ground.published(request, TaskProgressed)
        return any(each.attempt == 1 and each.phase == "checking" for each in told)

    await ground.asker.ear.until(works, 60)


async def test_each_share_is_read_once_though_the_worker_of_each_check_is_killed(fresh_ground: WorkerFixture) -> None:
    ground, chance, read = fresh_ground, random.Random(SEED), []
    store = await filled(ground)
    for number in range(SHARES + 1):
        with ground.worker(f"killed-{number}", **limited(ground, 100, also_reads=True)) as victim:
            await ready(victim)
            request = await ground.request(store, None, type_="check", read_shares=SHARES)
            await reading(ground, request)
            await passed(chance.uniform(0, 3), since=time.monotonic())
            victim.process.kill()
        with ground.worker(f"second-{number}") as second:
            await ready(second)
            ended = (await ground.ending(request, TaskSucceeded, deadline_seconds=120)).data
        read.append((ended.attempt, ended.result.read_share, ended.result.read_shares))

    assert read == [(2, share, SHARES) for share in (1, 2, 3, 1)]
    require_sound(ground, store)
