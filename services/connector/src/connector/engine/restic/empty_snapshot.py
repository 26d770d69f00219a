"""A restore point with nothing in it: restic makes one of a single file first, then another without it."""

import asyncio
from collections.abc import Sequence

from contracts.task_types.backup import BackupResult
from integrations.sdk.locations import SourceTree, StoreLocation

from connector.engine.errors import EngineFailed
from connector.engine.port import BackupOptions, BackupOutcome
from connector.engine.restic import commands
from connector.engine.restic.json_lines import read_message
from connector.engine.restic.runner import Runner
from connector.engine.restic.snapshots import read_snapshots


async def make(
    runner: Runner, store: StoreLocation, source: SourceTree, *, options: BackupOptions, cancel: asyncio.Event
) -> BackupOutcome:
    """Record that a source is empty. What is left when this is cut off has the tags of its job. Raises `Cancelled`."""
    placeholder = await _save_placeholder(runner, store, commands.placeholder(source, options), cancel=cancel)
    await runner.run(store, commands.rewrite_without(placeholder, "/*"), cancel=cancel)
    found = read_snapshots(await runner.collect(store, commands.snapshots(options.tags), cancel=cancel))
    made = next((each for each in found if each.original == placeholder), None)
    if made is None:
        raise EngineFailed("restic rewrite", "it left no snapshot")
    return BackupOutcome(snapshot_id=made.snapshot_id, summary=BackupResult(snapshot_id=made.snapshot_id))


async def _save_placeholder(
    runner: Runner, store: StoreLocation, arguments: Sequence[str], *, cancel: asyncio.Event
) -> str:
    said = await runner.collect(store, arguments, cancel=cancel)
    messages = (read_message(line) for line in said.splitlines())
    ended = next((each for each in messages if each and each["message_type"] == "summary"), None)
    if ended is None:
        raise EngineFailed("restic backup", "it named no snapshot")
    return str(ended["snapshot_id"])
