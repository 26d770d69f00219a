"""What a check of a store comes to, over memory."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from connector.domain.named_points import NamedPointsNotFound
from connector.engine.errors import StoreUnreachable
from connector.engine.port import CheckOutcome
from connector.jobs.definition import Job, JobOutcome
from connector.stores.open_stores import OpenStores
from connector.stores.point_choice import NoRestorePoint, conditions_in_words
from connector.tasks.check import ChecksFailed, check
from contracts.errors import TemporaryError
from contracts.task_types.check import CheckResult
from contracts.tasks import Task, TaskOptions
from contracts.values import JobId
from restic_reader import Found, LocalFiles, Repository
from restic_reader.errors import Damaged, SnapshotNotFound, StoreUnavailable

from tests.support.repository_writer import RepositoryWriter
from tests.unit.connector.parts import ORG, TARGET, an_app
from tests.unit.connector.restore.restore_case import FILES, directory
from tests.unit.connector.workshop import Workshop

CHECK = Task(type="check", origin=TARGET)


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def test_a_store_that_goes_away_is_checked_again_later(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> CheckOutcome:
        raise StoreUnreachable("connection refused")

    monkeypatch.setattr(workshop.engine, "check", away)

    with pytest.raises(TemporaryError, match="connection refused"):
        await check(await workshop.job(task=CHECK))


async def test_an_outage_that_goes_on_is_awaited_and_one_from_the_start_is_reported_at_once(
    workshop: Workshop,
) -> None:
    workshop.silent = StoreUnavailable("gone")

    with pytest.raises(StoreUnreachable):
        await check(await workshop.job(task=CHECK))

    await workshop.lost_attempt()
    with pytest.raises(TemporaryError):
        await check(await workshop.job(task=CHECK))


async def test_all_findings_are_counted_and_the_first_ones_listed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(*_: Any, **__: Any) -> CheckOutcome:
        return CheckOutcome(findings=("a pack is missing",), finding_count=2000)

    monkeypatch.setattr(workshop.engine, "check", damaged)

    outcome = await check(await workshop.job(task=CHECK))

    assert isinstance(outcome.result, CheckResult)
    assert (outcome.result.findings, outcome.result.finding_count) == (("a pack is missing",), 2000)


def reading(job: Job, of: int, job_id: str) -> Job:
    """The same as another job, that reads the next of so many shares."""
    task = Task(type="check", origin=TARGET, options=TaskOptions(read_shares=of))
    return replace(job, request=job.request.model_copy(update={"job_id": JobId(job_id), "task": task}))


async def checked_shares(job: Job, *numbers: int) -> list[CheckResult]:
    results = []
    for n, of in enumerate(numbers):
        outcome = await check(reading(job, of, f"job-{n}"))
        assert isinstance(outcome.result, CheckResult)
        results.append(outcome.result)
    return results


async def test_as_many_checks_as_there_are_shares_read_each_once_and_another_number_begins_anew(
    workshop: Workshop,
) -> None:
    results = await checked_shares(await workshop.job(task=CHECK), 3, 3, 3, 3, 2, 3)

    assert workshop.engine.shares_read == [(1, 3), (2, 3), (3, 3), (1, 3), (1, 2), (1, 3)]
    assert [(each.read_share, each.read_shares) for each in results] == workshop.engine.shares_read
    assert "share 2 of 3 of its data read" in results[1].in_words()


async def test_a_share_counts_only_once_its_check_has_ended(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> CheckOutcome:
        raise StoreUnreachable("connection refused")

    job = await workshop.job(task=CHECK)
    with monkeypatch.context() as patch:
        patch.setattr(workshop.engine, "check", away)
        with pytest.raises(TemporaryError):
            await checked_shares(job, 2)
    await checked_shares(job, 2, 2)

    assert workshop.engine.shares_read == [(1, 2), (2, 2)]


async def test_a_job_whose_result_was_lost_reads_its_share_again(workshop: Workshop) -> None:
    job = reading(await workshop.job(task=CHECK), 3, "job")

    await check(job)
    await check(job)

    assert workshop.engine.shares_read == [(1, 3), (1, 3)]


async def test_what_was_found_is_said_to_be_damage(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def damaged(*_: Any, **__: Any) -> CheckOutcome:
        return CheckOutcome(findings=("a pack is missing",), finding_count=1)

    monkeypatch.setattr(workshop.engine, "check", damaged)

    outcome = await check(await workshop.job(task=CHECK))

    assert outcome.problem is not None
    assert outcome.problem.detail == "Damage found: a pack is missing."
    assert outcome.result.in_words().startswith("damage found, 1 problem in the store")


async def test_a_filter_that_chooses_nothing_is_no_success(workshop: Workshop) -> None:
    task = Task(type="check", origin=TARGET, options=TaskOptions(labels=("monthly", "paid"), before=60))

    with pytest.raises(NoRestorePoint, match=r"none fulfils all conditions \(labels monthly, paid; older than 60 s\)"):
        await check(await workshop.job(task=task))


async def test_named_restore_points_that_are_not_there_fail_a_check_before_anything_is_read(workshop: Workshop) -> None:
    there = await workshop.left_behind()
    options = TaskOptions(snapshot_ids=(there, "f" * 64, "e" * 64))

    with pytest.raises(NamedPointsNotFound) as raised:
        await check(await workshop.job(task=Task(type="check", origin=TARGET, options=options)))

    assert raised.value.code == "snapshot_not_found"
    assert all(each in raised.value.detail for each in ("f" * 64, "e" * 64))


async def test_a_restore_point_is_checked_by_its_first_digits_whatever_others_are_damaged(workshop: Workshop) -> None:
    meant, other = await workshop.left_behind(), await workshop.left_behind()
    workshop.damaged[other] = Damaged("snapshot", other, why="of a test")
    digits = next(meant[:n] for n in range(1, 64) if not other.startswith(meant[:n]))
    job = await workshop.job(task=Task(type="check", origin=TARGET, options=TaskOptions(snapshot_ids=(digits,))))

    outcome = await check(job)

    assert outcome.problem is None
    assert isinstance(outcome.result, CheckResult)
    assert outcome.result.snapshot_ids == (meant,)


async def test_a_restore_point_that_was_deleted_since_it_was_read_is_not_found(workshop: Workshop) -> None:
    gone, _ = await workshop.left_behind(), await workshop.left_behind()
    task = Task(type="check", origin=TARGET, options=TaskOptions(snapshot_id=gone))
    async with workshop.context.stores.borrow(ORG, an_app()) as opened:
        opened.snapshot(gone)
    del workshop.repository.snapshots[gone]

    with pytest.raises(SnapshotNotFound):
        await check(await workshop.job(task=task))


async def test_a_check_of_the_newest_restore_point_takes_no_snapshot_that_is_none(workshop: Workshop) -> None:
    announced = await workshop.left_behind("earlier")
    await workshop.left_behind("earlier")
    await workshop.lost_attempt(job_id="earlier", made=announced, state="settled")

    outcome = await check(await workshop.job(task=CHECK.model_copy(update={"options": TaskOptions(latest=True)})))

    assert isinstance(outcome.result, CheckResult)
    assert outcome.result.snapshot_ids == (announced,)


@dataclass
class Written:
    """A workshop whose store is a repository written by hand, and what it has."""

    workshop: Workshop
    root: Path

    def __post_init__(self) -> None:
        with RepositoryWriter(self.root, "word", scrypt_n=2) as writer:
            tree = directory(writer, FILES)
            self.data, self.trees = writer.finish_pack("data"), writer.finish_pack("tree")
            self.snapshot_id = writer.snapshot(tree)
        self.stores = OpenStores(lambda *_: Repository.open(LocalFiles(self.root), "word"), limit=2)
        self.workshop.context = replace(self.workshop.context, stores=self.stores)

    async def browse(self) -> None:
        """Read all directories by the repository that is kept open."""
        async with self.stores.borrow(ORG, an_app()) as opened:
            top = Found(b"", opened.repository.resolve(opened.snapshot(self.snapshot_id).tree, b"/"))
            for _ in opened.repository.descend(top):
                pass

    async def check(self, read_percent: float = 0) -> JobOutcome:
        options = TaskOptions(snapshot_id=self.snapshot_id, read_percent=read_percent)
        try:
            return await check(await self.workshop.job(task=CHECK.model_copy(update={"options": options})))
        finally:
            await self.stores.close()


@pytest.fixture
def written(workshop: Workshop, tmp_path: Path) -> Written:
    return Written(workshop, tmp_path / "written")


async def test_a_sound_restore_point_is_found_sound_unread(written: Written) -> None:
    outcome = await written.check()

    assert outcome.problem is None
    assert isinstance(outcome.result, CheckResult)
    assert (outcome.result.files, outcome.result.bytes_read) == (len(FILES), 0)


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_pack_that_is_gone_or_too_short_is_damage_of_the_files_in_it_though_nothing_is_read(
    written: Written, is_gone: bool
) -> None:
    await written.browse()
    if is_gone:
        written.data.unlink()
    else:
        os.truncate(written.data, 1)

    outcome = await written.check()

    why = "the file is missing" if is_gone else "it is shorter than the index says"
    assert isinstance(outcome.problem, ChecksFailed)
    assert isinstance(outcome.result, CheckResult)
    assert outcome.result.finding_count == len([each for each in FILES.values() if each])
    assert outcome.result.findings[0].startswith("/a")
    assert all(why in each for each in outcome.result.findings)


@pytest.mark.parametrize("read_percent", [0, 100])
async def test_directories_that_others_keep_in_memory_are_read_again(written: Written, read_percent: float) -> None:
    await written.browse()
    content = bytearray(written.trees.read_bytes())
    content[20] ^= 1  # Of the directory that was written first, the deepest.
    written.trees.write_bytes(content)

    outcome = await written.check(read_percent)

    assert isinstance(outcome.problem, ChecksFailed)
    assert isinstance(outcome.result, CheckResult)
    assert [each.partition(" ")[0] for each in outcome.result.findings] == ["/deep/er"]


def test_a_long_age_is_told_without_an_exponent() -> None:
    assert conditions_in_words(TaskOptions(before=1e10)) == "older than 10000000000 s"
