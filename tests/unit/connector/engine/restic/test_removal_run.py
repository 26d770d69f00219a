"""What restic says while it deletes, as restic 0.19.1 says it."""

import pytest
from connector.engine.port import CleanUpOutcome, Progress
from connector.engine.restic.commands import forget
from connector.engine.restic.removal_run import RemovalObserver
from integrations.sdk.locations import StoreLocation

PRUNE = """loading all snapshots...
finding data that is still in use for 1 snapshots
[0:00] 100.00%  1 / 1 snapshots
searching used packs...
collecting packs for deletion and repacking
[0:00] 50.00%  3 / 6 packs processed

to delete:            10 blobs / 5.724 MiB
total prune:          10 blobs / 5.724 MiB
remaining:             6 blobs / 512 B
rebuilding index
[0:00]          0 files deleted
removing 4 old packs
[0:00] 25.00%  1 / 4 files deleted
done
"""
PACK = "2c" * 32
REFUSED = (
    f"Remove(<data/{PACK[:10]}>) failed: remove s/data/2c/{PACK}: operation not permitted",
    f"unable to remove data/{PACK} from the repository",
    f"Remove(<data/{PACK[:10]}>) failed: remove s/data/2c/{PACK}: operation not permitted",
    "Remove(<lock/ccb4d4b312>) failed: client.RemoveObject: Access Denied",
    "error while unlocking: client.RemoveObject: Access Denied",
)


class Ear:
    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.progress: list[Progress] = []
        self.observer = RemovalObserver(
            on_log=lambda level, text: self.log.append((level, text)), on_progress=self.progress.append
        )


def test_figures_and_progress_are_read_and_lines_for_the_terminal_left_out() -> None:
    ear = Ear()

    for line in PRUNE.splitlines():
        ear.observer.listener.on_output(line.encode())

    assert ear.observer.outcome() == CleanUpOutcome(unused_bytes=round(5.724 * 1024**2), remaining_bytes=512)
    assert [round(each.fraction, 3) for each in ear.progress] == [0.3, 0.35, 0.925]
    assert ("info", "total prune: 10 blobs / 5.724 MiB") in ear.log
    assert not any("files deleted" in text or text == "done" for _, text in ear.log)


def test_a_file_that_the_store_does_not_delete_is_counted_once_and_a_lock_is_told_apart() -> None:
    ear = Ear()

    for line in (*REFUSED, "something else"):
        ear.observer.listener.on_log("warning", line)

    outcome = ear.observer.outcome()
    assert (outcome.kept_files, outcome.why) == (1, "operation not permitted")
    assert ear.observer.kept == {"data": {PACK}, "lock": {"ccb4d4b312"}}
    assert ear.log == [("warning", "something else")]


def test_a_repair_tells_whether_the_index_was_wrong() -> None:
    for line, was_wrong in (
        ("rebuilding index", False),
        (f"adding pack file to index {PACK}", True),
        (f"removing not found pack file {PACK}", True),
        (f"reindexing pack file {PACK} with unexpected size 1 instead of 2", True),
    ):
        ear = Ear()
        ear.observer.listener.on_log("warning", line)
        assert ear.observer.outcome() == CleanUpOutcome(index_was_wrong=was_wrong)


def test_a_snapshot_that_restic_passed_over_is_told_with_the_reason() -> None:
    ear = Ear()

    words = f"failed to load snapshot {PACK[:8]}: LoadRaw(<snapshot/{PACK[:10]}>): invalid data returned"
    ear.observer.listener.on_log("warning", f'Ignoring "{PACK}": {words}')

    assert ear.observer.unreadable == {PACK: "it cannot be read: invalid data returned"}
    assert ear.observer.outcome() == CleanUpOutcome()


def test_an_outage_is_no_refusal() -> None:
    ear = Ear()

    ear.observer.listener.on_log("warning", f"Remove(<data/{PACK[:10]}>) failed: dial tcp: connection refused")

    assert ear.observer.outcome().kept_files == 0
    assert "connection refused" in ear.observer.outage


@pytest.mark.parametrize(
    ("address", "backend"), [("/srv/store", "local"), ("s3:https://host/bucket", "s3"), ("sftp:host:/x", "sftp")]
)
def test_snapshots_are_deleted_one_at_a_time_wherever_they_are(address: str, backend: str) -> None:
    assert f"{backend}.connections=1" in forget(StoreLocation(address=address), ["f" * 64])
