"""A restore point to check and to restore from."""

import os
from collections.abc import Mapping
from pathlib import Path

from contracts.messages.assignment import App
from contracts.messages.connector.task_events import TaskSucceeded

from tests.integration.connector.worker_fixture import WorkerFixture, write_tree

TREE = {"readme.txt": b"hello", "deep/er/data.bin": os.urandom(2 << 20), "deep/empty": b""}


async def backed_up(ground: WorkerFixture, name: str, tree: Mapping[str, bytes] = TREE) -> tuple[App, App, str]:
    """A source, a store, and a restore point of the one in the other."""
    source = await ground.assign("source", write_tree(ground.files("sources", name), dict(tree)))
    store = await ground.store_made_by_hand(name)
    ended = await ground.ending(await ground.request(source, store), TaskSucceeded)
    return source, store, ended.data.result.snapshot_id


def spoil(store: App) -> None:
    """Damage the largest pack of a store."""
    packs = Path(store.fields["root"].value or "").glob("data/*/*")
    pack = max(packs, key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(content)
