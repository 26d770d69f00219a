"""The index of jobs that are over, against what a list of all of them says."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from scheduler.jobs.domain.history import History, JobFilter, Posting, Row, count, page_of

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPES, STATUSES, APPS = ("backup", "check", "sync"), ("succeeded", "failed", "canceled"), tuple("abcdef")


def job_id(at: datetime, chance: random.Random) -> str:
    noise = chance.choice((0, chance.getrandbits(12)))  # Ids of one process and one millisecond differ in the end only.
    digits = f"{int(at.timestamp() * 1000):012x}7{noise:03x}8000{chance.getrandbits(48):012x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def some_rows(chance: random.Random, many: int) -> list[Row]:
    """In the order in which they ended."""
    rows = []
    for number in range(many):
        made = START + timedelta(milliseconds=7 * number // 5 - chance.choice((0, 0, 0, 500)))
        target = chance.choice(("", *APPS))
        rows.append(
            Row(job_id(made, chance), chance.choice(TYPES), chance.choice(STATUSES), chance.choice(APPS), target)
        )
    return rows


def filters(chance: random.Random) -> JobFilter:
    since = chance.choice((None, START + timedelta(milliseconds=chance.randrange(600))))
    return JobFilter(
        task_type=chance.choice((None, *TYPES)),
        status=chance.choice((None, *STATUSES)),
        app_id=chance.choice((None, *APPS, "nobody")),
        role=chance.choice((None, "origin", "target")),
        since=since,
        until=chance.choice((None, START + timedelta(milliseconds=chance.randrange(1000)))),
    )


def built(rows: list[Row]) -> History:
    history = History()
    for number, row in enumerate(rows):
        history.add(row, number // 50)
    return history


def loaded(history: History, *more: History) -> History:
    """As one that reads what others have written."""
    read = History()
    for each in (history, *more):
        for posting, keys, segments in each.dump():
            read.add_all(Posting(*posting), keys, segments)
    read.sort()
    return read


@pytest.mark.parametrize("seed", range(6))
def test_pages_and_totals_are_those_of_a_list_of_all_jobs(seed: int) -> None:
    chance = random.Random(seed)
    rows = some_rows(chance, 700)
    half = built(rows[:300])
    rest = History()
    for number, row in enumerate(rows[300:], 300):
        rest.add(row, number // 50)
    for history in (built(rows), loaded(half, rest)):
        for _ in range(60):
            asked = filters(chance)
            slow = [row.id for row in sorted(rows, reverse=True) if row.matches(asked)]
            lists, offset, limit = history.matching(asked), chance.randrange(200), chance.randrange(1, 60)
            assert count(lists, *asked.keys()) == len(slow)
            keys, above = page_of(lists, *asked.keys(), offset=offset, limit=limit)
            found = sorted((row.id for row in rows if row.key in keys and row.matches(asked)), reverse=True)
            assert found[offset - above :][:limit] == slow[offset : offset + limit]


@pytest.mark.parametrize("seed", range(4))
def test_what_ended_before_a_day_is_as_if_it_had_never_been(seed: int) -> None:
    chance = random.Random(seed)
    # Each key once: of two jobs with one, which is chance, lists of an app keep both while one stays.
    rows = list({row.key: row for row in some_rows(chance, 700)}.values())
    ends = {number: f"2026-01-{chance.randrange(1, 9):02}" for number in range(len(rows) // 50 + 1)}

    def noted(history: History) -> History:
        for number, day in ends.items():
            history.note_end(number, day)
        return history

    for history in (noted(built(rows)), noted(loaded(built(rows)))):
        for day in ("2026-01-03", "2026-01-03", "2026-01-06"):
            history.drop_ended_before(day)
            stays = [row for number, row in enumerate(rows) if ends[number // 50] >= day]
            for _ in range(40):
                asked = filters(chance)
                slow = sorted(row.key for row in stays if row.matches(asked))
                assert count(history.matching(asked), *asked.keys()) == len(slow)
            numbers = {number for row in rows for number in history.segments_of(row.key)}
            assert numbers == set(history.ends) == {number for number, end in ends.items() if end >= day}


def test_a_segment_of_long_ago_that_comes_late_is_dropped_too() -> None:
    history, late = History(), some_rows(random.Random(1), 1)[0]
    history.drop_ended_before("2026-01-06")
    history.add(late, 0)
    history.note_end(0, "2026-01-05")
    history.drop_ended_before("2026-01-06")
    assert count(history.matching(JobFilter()), *JobFilter().keys()) == 0


def test_each_job_is_found_in_its_segment() -> None:
    rows = some_rows(random.Random(1), 300)
    history = loaded(built(rows))
    assert all(number // 50 in history.segments_of(row.key) for number, row in enumerate(rows))
    assert history.segments_of(1) == set()


def test_an_id_that_is_no_uuid_is_the_oldest() -> None:
    assert Row("job", "backup", "failed", "a", "").key == 0
