"""Carries a restore out, or looks what it would do, with the result that there is also where it ends early. Blocks."""

from collections.abc import Callable
from functools import partial

from contracts.errors import CairnError
from contracts.task_types.restore import RestoreResult
from contracts.values import SnapshotId
from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.job_log import OnLog

from connector.restore.preview import Preview
from connector.restore.transfer import Transfer

Carried = tuple[RestoreResult, CairnError | None]
"""What a restore did, and what ended it before it was through."""
Enter = Callable[[str], None]


def preview(transfer: Transfer, snapshot_id: SnapshotId, *, enter: Enter, on_log: OnLog) -> Carried:
    """What a planned restore would change."""
    enter("checking")
    found = Preview(partial(on_log, "info"))
    found.look(transfer)
    result = RestoreResult(
        snapshot_id=snapshot_id,
        dry_run=True,
        files=transfer.figures.files,
        files_unchanged=found.unchanged,
        files_kept=found.kept_files,
        created=found.created,
        replaced=found.replaced,
        kept=found.kept,
        changes=found.changes,
        problem_count=transfer.problems.count,
    )
    return result, None


def write_and_verify(transfer: Transfer, snapshot_id: SnapshotId, *, enter: Enter, on_log: OnLog) -> Carried:
    """What a planned restore did. What ends it but for the destination is raised, with the figures in the log."""
    try:
        enter("transferring")
        transfer.write()
        enter("verifying")
        transfer.verify()
    except (DestinationFull, DestinationRefused) as error:
        return _result(transfer, snapshot_id), error
    except BaseException:
        on_log("info", f"Ended early: {_result(transfer, snapshot_id).in_words()}")
        raise
    return _result(transfer, snapshot_id), None


def _result(transfer: Transfer, snapshot_id: SnapshotId) -> RestoreResult:
    figures = transfer.figures
    return RestoreResult(
        snapshot_id=snapshot_id,
        files=figures.files,
        files_written=figures.written,
        files_unchanged=figures.unchanged,
        files_kept=figures.kept,
        files_verified=figures.verified,
        bytes_written=figures.written_bytes,
        created=figures.created,
        replaced=figures.replaced,
        kept=figures.unchanged + figures.kept + figures.kept_directories,
        problem_count=transfer.problems.count,
    )
