"""What may be deleted: holds, the floor, and claims of jobs."""

from datetime import timedelta

import pytest
from chassis.ids import utc_now
from contracts.errors import Conflict, NotFound
from contracts.messages.protection import MOST_CLAIMED, LegalHold, LegalHoldLifted, LegalHoldSet
from contracts.messages.restore_index import Damage, RestorePointDamaged
from contracts.messages.scheduler import JobStatus
from contracts.prune_rules import PruneRule
from contracts.task_types.removal import MOST_LISTED
from contracts.values import AppId, JobId, SnapshotId
from restore_index.domain import protection as decisions
from restore_index.domain.protection import MOST_AFTER_END, MOST_OF_HOLDS, REMEMBERED, StoreProtection
from restore_index.domain.restore_points import Point
from restore_index.domain.retention import Protected
from restore_index.usecases import protection

from tests.support.builders import wrap
from tests.unit.restore_index.protecting import (
    JOB,
    OTHER_STORE,
    STORE,
    TODAY,
    ProtectingIndex,
    a_point_of,
    claim,
    digits,
    job_changed,
    lift_hold,
    release,
    set_floor,
    set_hold,
)
from tests.unit.restore_index.trees import ORG

OTHER_JOB = JobId("job-2")
HOUR, MINUTES = timedelta(hours=1), timedelta(minutes=5)


@pytest.fixture
async def index() -> ProtectingIndex:
    """Four restore points: c is the newest, a the oldest of the source's; z is of another source."""
    made = ProtectingIndex()
    await made.have(*(a_point_of(digit, hours=hours) for digit, hours in (("a", 3), ("b", 2), ("c", 1))))
    await made.have(a_point_of("d", hours=4, source_id="another"))
    return made


async def test_a_rule_is_previewed(index: ProtectingIndex) -> None:
    assert await index.previewed() == {"would_keep": "c", "would_delete": "bad"}
    by_source = PruneRule.model_validate({"day": 1, "per_day": 1, "locate": {"group_by": "dataset"}})
    assert await index.previewed(by_source) == {"would_keep": "cd", "would_delete": "ba"}


@pytest.mark.parametrize(
    ("code", "is_told", "found"),
    [
        ("repository_damaged", True, {"would_keep": "cb", "would_delete": "ad"}),
        ("blob_missing", False, {"would_keep": "cb", "would_delete": "ad"}),
        ("thaw_required", True, {"would_keep": "c", "would_delete": "bad"}),
        ("thaw_required", False, {"would_keep": "cb", "would_delete": "ad"}),
    ],
)
async def test_a_damaged_restore_point_takes_the_place_of_no_sound_one(
    code: str, is_told: bool, found: dict[str, str]
) -> None:
    index = ProtectingIndex()
    await index.have(*(a_point_of(digit, hours=hours) for digit, hours in (("a", 3), ("b", 2), ("d", 4))))
    newest = a_point_of("c", hours=1) if is_told else None
    damage = Damage(code=code, detail="The pack 12 is damaged.")
    event = RestorePointDamaged(
        organization_id=ORG, store_id=STORE, snapshot_id=SnapshotId("c" * 64), restore_point=newest, damage=damage
    )
    await index.hear(event)

    assert {name: "".join(sorted(ids)) for name, ids in (await index.previewed()).items()} == {
        name: "".join(sorted(ids)) for name, ids in found.items()
    }

    await index.do(claim("c"))
    assert digits((await index.deletion()).deletable) == "c"


async def test_what_is_held_is_not_deleted_until_the_hold_is_lifted(index: ProtectingIndex) -> None:
    assert (await index.do(set_hold("b", reason=" Case 4711 ", by="me"))).accepted
    assert await index.previewed() == {"would_keep": "c", "would_delete": "ad", "held": "b"}
    assert (await index.do(claim("b", "a"))).result == {
        "deletable": 1,
        "held": 1,
        "floored": 0,
        "being_deleted": 0,
        "missing": 0,
    }

    assert (await index.do(lift_hold("b", "a"))).result == {"snapshot_ids": ["b" * 64]}

    assert await index.previewed() == {"would_keep": "c", "would_delete": "bd", "being_deleted": "a"}
    [said] = index.events(LegalHoldSet)
    assert (said.hold.reason, said.hold.by, said.hold.until) == ("Case 4711", "me", None)
    [lifted] = index.events(LegalHoldLifted)
    assert lifted.snapshot_ids == ("b" * 64,)
    source = a_point_of("b").source_id
    assert said.source_ids == lifted.source_ids == (source,) != (None,)


async def test_a_hold_is_lifted_through_any_store_of_the_repository(index: ProtectingIndex) -> None:
    await index.have(*(a_point_of(digit, store_id=OTHER_STORE) for digit in "ab"))
    await index.do(set_hold("a", "b", store_id=OTHER_STORE))
    await index.do(set_hold("b", "c"))
    assert await index.previewed() == {"would_keep": "c", "would_delete": "d", "held": "ba"}

    command = wrap(lift_hold("a", "b", "d"))
    first = await index.do(command)

    assert first.result == {"snapshot_ids": ["b" * 64, "a" * 64]}
    assert await index.do(command) == first
    assert await index.previewed() == {"would_keep": "c", "would_delete": "bad"}
    said = index.events(LegalHoldLifted)
    assert [(each.store_id, digits(each.snapshot_ids)) for each in said] == [(OTHER_STORE, "ab"), (STORE, "b")]
    kept = await index.store.protections.get(ORG, STORE)
    assert kept is not None
    assert digits(tuple(kept.holds)) == "c"


async def test_a_hold_keeps_what_a_new_one_does_not_name(index: ProtectingIndex) -> None:
    until = utc_now().replace(microsecond=0) + HOUR
    await index.do(set_hold("b", reason="first", until=until))
    await index.do(set_hold("b", "c", by="me", keeps=["reason", "until"]))

    said = index.events(LegalHoldSet)[1:]
    assert {digits(each.snapshot_ids): (each.hold.reason, each.hold.until, each.hold.by) for each in said} == {
        "b": ("first", until, "me"),
        "c": ("", None, "me"),
    }
    await index.do(set_hold("b", reason="second", keeps=["until"]))
    await index.do(set_hold("b", keeps=["reason"]))
    ended, cleared = [each.hold for each in index.events(LegalHoldSet)[-2:]]
    assert ((ended.reason, ended.until), (cleared.reason, cleared.until)) == (("second", until), ("second", None))


async def test_a_hold_keeps_what_was_said_through_another_store_of_the_repository(index: ProtectingIndex) -> None:
    await index.have(a_point_of("b", store_id=OTHER_STORE))
    await index.do(set_hold("b", reason="Case 4711", store_id=OTHER_STORE))
    await index.do(set_hold("b", keeps=["reason", "until"]))
    assert index.events(LegalHoldSet)[-1].hold.reason == "Case 4711"


async def test_a_hold_is_replaced(index: ProtectingIndex) -> None:
    await index.do(set_hold("b", reason="first"))
    await index.do(set_hold("b", reason="second"))

    assert index.events(LegalHoldSet)[-1].hold.reason == "second"
    assert await index.previewed() == {"would_keep": "c", "would_delete": "ad", "held": "b"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (set_hold("e"), "snapshot_not_found"),
        (set_hold("a", "e"), "snapshot_not_found"),
        (lift_hold("e"), "snapshot_not_found"),
        (set_hold("a", store_id=OTHER_STORE), "snapshot_not_found"),
        (set_hold(), "hold_invalid"),
        (set_hold("a", reason="x" * 1001), "hold_invalid"),
        (set_hold("a", reason="\x00"), "hold_invalid"),
        (set_hold("a", until=utc_now() - HOUR), "hold_over"),
        (claim(), "deletion_invalid"),
        (claim("a", rule=TODAY), "deletion_invalid"),
        (claim(rule=PruneRule()), "rule_empty"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    index: ProtectingIndex, command: object, code: str
) -> None:
    problem = await index.rejection(command)  # type: ignore[arg-type]

    assert problem.code == code
    assert await index.previewed() == {"would_keep": "c", "would_delete": "bad"}


async def test_a_hold_ends_by_time(index: ProtectingIndex) -> None:
    soon = utc_now() + HOUR
    await index.do(set_hold("b", until=soon))

    kept = await index.store.protections.get(index.events(LegalHoldSet)[0].organization_id, STORE)

    assert kept is not None
    assert decisions.holds_at([kept], soon - timedelta(milliseconds=1))
    assert not decisions.holds_at([kept], soon)


async def test_the_floor_keeps_the_newest_of_each_source(index: ProtectingIndex) -> None:
    assert (await index.do(set_floor(2))).result == {"min_versions": 2}
    assert await index.previewed() == {"would_keep": "c", "would_delete": "a", "floored": "bd"}
    await index.do(claim("a", "b", "c", "d"))
    found = await index.deletion()
    assert (digits(found.deletable), digits(found.floored)) == ("a", "cbd")

    await index.do(release())
    await index.do(set_floor(0))

    assert await index.previewed() == {"would_keep": "c", "would_delete": "bad"}


async def test_what_is_claimed_is_not_offered_again(index: ProtectingIndex) -> None:
    await index.do(claim(rule=TODAY))
    assert digits((await index.deletion()).deletable) == "bad"
    assert await index.previewed() == {"would_keep": "c", "being_deleted": "bad"}

    await index.do(claim("a", "c", "e", job_id=OTHER_JOB))

    found = await index.deletion(OTHER_JOB)
    assert (digits(found.deletable), digits(found.being_deleted), digits(found.missing)) == ("c", "a", "e")


async def test_a_rule_that_passes_over_what_another_job_deletes_names_it(index: ProtectingIndex) -> None:
    await index.do(claim("a", "b"))

    outcome = await index.do(claim(rule=TODAY, job_id=OTHER_JOB))

    found = await index.deletion(OTHER_JOB)
    assert (digits(found.deletable), digits(found.being_deleted), outcome.result["being_deleted"]) == ("d", "ba", 2)


async def test_a_hold_comes_too_late_for_what_is_claimed(index: ProtectingIndex) -> None:
    await index.do(claim("a"))

    assert (await index.rejection(set_hold("b", "a"))).code == "restore_point_being_deleted"

    await index.do(release())
    assert (await index.do(set_hold("a"))).accepted
    await index.do(claim("a", job_id=OTHER_JOB))
    assert digits((await index.deletion(OTHER_JOB)).held) == "a"


async def test_stores_that_share_a_repository_share_its_holds_and_claims(index: ProtectingIndex) -> None:
    await index.have(a_point_of("a", store_id=OTHER_STORE), a_point_of("b", store_id=OTHER_STORE))
    await index.do(set_hold("a", store_id=OTHER_STORE))
    await index.do(claim("b", store_id=OTHER_STORE, job_id=OTHER_JOB))

    await index.do(claim("a", "b", "c"))

    found = await index.deletion()
    assert (digits(found.deletable), digits(found.held), digits(found.being_deleted)) == ("c", "a", "b")
    assert (await index.rejection(set_hold("b"))).code == "restore_point_being_deleted"


async def test_a_job_is_told_the_same_again(index: ProtectingIndex) -> None:
    command = wrap(claim("a", "b"))
    first = await index.do(command)
    decided = await index.deletion()
    await index.have(a_point_of("e", hours=9))

    again, anew = await index.do(command), await index.do(claim("e"))

    assert again == first
    assert anew.result["deletable"] == 2
    assert await index.deletion() == decided
    assert index.published.count(index.published[-1]) == 1


async def test_what_is_gone_is_told_so(index: ProtectingIndex) -> None:
    await index.do(claim("a", "b"))

    await index.lose(a_point_of("a"))

    found = await index.deletion()
    assert (digits(found.deletable), digits(found.gone)) == ("ba", "a")


@pytest.mark.parametrize("origin_id", [STORE, None])
@pytest.mark.parametrize(
    ("status", "lasts"),
    [("running", None), ("succeeded", HOUR), ("failed", MINUTES), ("canceled", MINUTES)],
)
async def test_a_claim_ends_soon_after_its_job(
    index: ProtectingIndex, status: JobStatus, lasts: timedelta | None, origin_id: AppId | None
) -> None:
    await index.do(claim("a", "b"))

    await index.hear(job_changed(status, job_id=OTHER_JOB, origin_id=origin_id))
    before = utc_now()
    await index.hear(job_changed(status, origin_id=origin_id))
    await index.hear(job_changed("failed", task_type="backup", origin_id=origin_id))

    # That a part of them is gone may not have been heard yet.
    assert (await index.previewed())["would_delete"] == "d"
    kept = await index.store.protections.get(ORG, STORE)
    assert kept is not None
    assert decisions.claimed_at([kept], before + (lasts or 9 * HOUR) - timedelta(seconds=1))
    assert bool(decisions.claimed_at([kept], utc_now() + (lasts or HOUR) + timedelta(seconds=1))) is (lasts is None)


@pytest.mark.parametrize(("status", "is_doubtful"), [("succeeded", False), ("failed", True), ("canceled", True)])
async def test_what_a_job_without_success_had_claimed_may_be_gone_and_what_it_gave_back_is_not(
    index: ProtectingIndex, status: JobStatus, *, is_doubtful: bool
) -> None:
    await index.do(claim("a", "b"))
    assert (await protection.marks(index.store, ORG)).maybe_deleted == frozenset()

    await index.do(release(only="b"))
    await index.hear(job_changed(status))

    found = await index.store.protections_of(ORG)
    assert decisions.maybe_deleted(found, utc_now()) == ({"a" * 64} if is_doubtful else frozenset())


async def test_what_a_job_without_success_had_claimed_is_missed_again_after_a_day(index: ProtectingIndex) -> None:
    await index.do(claim("a"))
    before = utc_now()
    await index.hear(job_changed("failed"))

    # Nothing else is ever deleted there, so that its claim is kept.
    found = await index.store.protections_of(ORG)
    assert decisions.maybe_deleted(found, before + REMEMBERED) == {"a" * 64}
    assert decisions.maybe_deleted(found, utc_now() + REMEMBERED + HOUR) == frozenset()
    assert (await protection.marks(index.store, ORG)).maybe_deleted == {"a" * 64}


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
@pytest.mark.parametrize("claimed_before", [True, False])
async def test_a_job_that_is_over_claims_nothing(
    index: ProtectingIndex, status: JobStatus, *, claimed_before: bool
) -> None:
    if claimed_before:
        await index.do(claim("a"))
    await index.hear(job_changed(status))
    await index.hear(job_changed(status))

    assert (await index.rejection(claim("a"))).code == "deletion_over"
    assert (await index.rejection(claim("b", lasts_seconds=60))).code == "deletion_over"

    kept = await index.store.protections.get(ORG, STORE)
    assert kept is not None
    assert not decisions.claimed_at([kept], utc_now() + 2 * HOUR)
    assert (await index.do(set_hold("b"))).accepted


async def test_a_sync_that_is_over_claims_nothing_in_the_store_that_it_went_to(index: ProtectingIndex) -> None:
    over = job_changed("failed", task_type="sync", origin_id=AppId("origin"))
    await index.hear(over.model_copy(update={"target_id": STORE}))

    assert (await index.rejection(claim("a"))).code == "deletion_over"


async def test_what_a_job_that_is_over_releases_is_free_and_claimed_by_it_no_more(index: ProtectingIndex) -> None:
    await index.do(claim("a"))
    await index.hear(job_changed("succeeded"))

    await index.do(release())

    assert (await index.do(set_hold("a"))).accepted
    assert (await index.rejection(claim("b"))).code == "deletion_over"


@pytest.mark.parametrize("is_over_before", [True, False])
async def test_what_a_job_did_not_touch_is_free_and_the_rest_stays_claimed(
    index: ProtectingIndex, *, is_over_before: bool
) -> None:
    await index.do(claim("a", "b"))
    steps = [index.hear(job_changed("canceled")), index.do(release(only="b"))]
    for step in steps if is_over_before else reversed(steps):
        await step

    assert (await index.rejection(set_hold("a"))).code == "restore_point_being_deleted"
    assert (await index.do(set_hold("b"))).accepted


@pytest.mark.parametrize("status", ["canceled", "failed", "running"])
async def test_a_retry_takes_over_what_the_job_claimed_that_it_retries(
    index: ProtectingIndex, status: JobStatus
) -> None:
    await index.do(claim("a", "b"))
    # That the job is over may be heard after its retry claims.
    await index.hear(job_changed(status))

    await index.do(claim("a", "b", job_id=OTHER_JOB, retry_of=JOB))
    await index.hear(job_changed("failed"))

    found = await index.deletion(OTHER_JOB)
    assert (digits(found.deletable), digits(found.being_deleted)) == ("ba", "")
    assert (await index.rejection(set_hold("a"))).code == "restore_point_being_deleted"
    assert (await index.rejection(claim("a"))).code == "deletion_over"


async def test_a_retry_leaves_what_a_third_job_deletes(index: ProtectingIndex) -> None:
    await index.do(claim("a"))
    await index.hear(job_changed("canceled"))
    await index.do(claim("b", job_id=JobId("third")))

    await index.do(claim("a", "b", job_id=OTHER_JOB, retry_of=JOB))

    found = await index.deletion(OTHER_JOB)
    assert (digits(found.deletable), digits(found.being_deleted)) == ("a", "b")


async def test_a_job_without_a_claim_has_no_deletion(index: ProtectingIndex) -> None:
    with pytest.raises(NotFound, match="deletion_not_found"):
        await index.deletion()
    assert (await index.do(release())).accepted


async def test_a_job_does_not_take_a_reservation_for_its_claim(index: ProtectingIndex) -> None:
    await index.do(claim("a", lasts_seconds=60))

    with pytest.raises(NotFound, match="deletion_not_found"):
        await index.deletion()
    assert digits((await index.deletion(reserved=True)).deletable) == "a"

    await index.do(claim("a"))
    assert digits((await index.deletion()).deletable) == "a"


def test_a_reservation_ends_by_time_unless_its_job_begins() -> None:
    now, points = utc_now(), [Point(restore_point=a_point_of("a"))]
    nothing = StoreProtection(store_id=STORE)
    reserved, _ = decisions.claim(nothing, claim("a", lasts_seconds=60), points, Protected(), now)
    begun, _ = decisions.claim(reserved, claim("a"), points, Protected(claimed=frozenset({"a" * 64})), now)
    again, _ = decisions.claim(begun, claim("a", lasts_seconds=60), points, Protected(), now)
    later = now + HOUR

    assert decisions.claimed_at([reserved], now) == {"a" * 64}
    assert not decisions.claimed_at([reserved], later)
    assert decisions.claimed_at([begun], later) == decisions.claimed_at([again], later) == {"a" * 64}


@pytest.mark.parametrize("job_claimed", [True, False])
async def test_what_was_reserved_is_given_back_unless_its_job_claimed_it_by_now(
    index: ProtectingIndex, *, job_claimed: bool
) -> None:
    await index.do(claim("a", lasts_seconds=3600))
    if job_claimed:
        await index.do(claim("a"))

    await index.do(release(reserved=True))

    outcome = await index.do(set_hold("a"))
    assert outcome.accepted is not job_claimed


async def test_a_late_return_of_what_was_reserved_does_not_end_the_claim_of_a_job_that_is_over(
    index: ProtectingIndex,
) -> None:
    await index.do(claim("a", lasts_seconds=3600))
    await index.hear(job_changed("succeeded"))

    await index.do(release(reserved=True))

    assert (await index.rejection(set_hold("a"))).code == "restore_point_being_deleted"


def test_a_reservation_that_lapsed_is_decided_anew() -> None:
    now, points = utc_now(), [Point(restore_point=a_point_of("a"))]
    lapsed, _ = decisions.claim(StoreProtection(store_id=STORE), claim("a", lasts_seconds=60), points, Protected(), now)

    _, anew = decisions.claim(lapsed, claim("a"), points, Protected(holds=frozenset({"a" * 64})), now + HOUR)

    assert (anew.deletable, anew.held) == ((), ("a" * 64,))


async def test_a_hold_outlives_its_store_as_others_may_share_the_repository(index: ProtectingIndex) -> None:
    await index.have(a_point_of("a", store_id=OTHER_STORE))
    await index.do(set_hold("a", store_id=OTHER_STORE))
    await index.do(claim("a", store_id=OTHER_STORE, job_id=OTHER_JOB))

    await protection.forget_store(index.store, ORG, OTHER_STORE)

    assert await index.previewed() == {"would_keep": "c", "would_delete": "bd", "held": "a"}
    kept = await index.store.protections.get(ORG, OTHER_STORE)
    assert kept is not None
    assert (list(kept.holds), kept.claims) == (["a" * 64], ())


async def test_nothing_is_left_of_a_store_without_holds(index: ProtectingIndex) -> None:
    await index.do(claim("a"))
    await protection.forget_store(index.store, ORG, STORE)
    await protection.forget_store(index.store, ORG, OTHER_STORE)

    assert await index.store.protections_of(ORG) == []
    past = StoreProtection(store_id=STORE, holds={SnapshotId("a" * 64): LegalHold(at=utc_now(), until=utc_now())})
    assert decisions.without_store(past, utc_now() + MINUTES) is None


def test_claims_that_nobody_asks_for_are_forgotten() -> None:
    now, points = utc_now(), [Point(restore_point=a_point_of("a"))]
    firmly, _ = decisions.claim(StoreProtection(store_id=STORE), claim("a"), points, Protected(), now)
    ended = decisions.end_with_job(firmly, JOB, "succeeded", now)
    other = claim("b", job_id=OTHER_JOB)

    kept, _ = decisions.claim(ended, other, [], Protected(), now + HOUR)
    left, _ = decisions.claim(ended, other, [], Protected(), now + timedelta(days=2))
    firm, _ = decisions.claim(firmly, other, points, Protected(), now + timedelta(days=99))
    gone, _ = decisions.claim(firmly, other, [], Protected(), now + timedelta(days=9))
    long_gone, _ = decisions.claim(firmly, other, [], Protected(), now + timedelta(days=99))
    next_end = decisions.end_with_job(ended, OTHER_JOB, "failed", now + timedelta(days=2))

    assert [len(each.claims) for each in (kept, left, firm, gone, long_gone, next_end)] == [2, 1, 2, 2, 1, 1]


def a_store_of(count: int) -> list[Point]:
    """Restore points, the newest first."""
    newest = a_point_of("a")
    ids = [SnapshotId(f"{number:064x}") for number in range(count)]
    times = [newest.time - timedelta(minutes=number) for number in range(count)]
    return [
        Point(restore_point=newest.model_copy(update={"snapshot_id": each, "time": time}))
        for each, time in zip(ids, times, strict=True)
    ]


def test_of_what_a_rule_leaves_alone_a_claim_lists_the_newest_and_counts_all() -> None:
    points, rule = a_store_of(3 * MOST_LISTED), PruneRule(per_year=1, year=1)
    ids = [each.restore_point.snapshot_id for each in points]
    held = frozenset(ids[1 : MOST_LISTED + 8])
    floor = 2 * MOST_LISTED + 10
    kept, made = decisions.claim(
        StoreProtection(store_id=STORE), claim(rule=rule), points, Protected(held, floor=floor), utc_now()
    )

    assert made.held == tuple(ids[1 : MOST_LISTED + 1])
    assert (made.held_more, len(made.floored), made.floored_more) == (7, MOST_LISTED, 2)
    assert (made.counts().held, made.counts().floored) == (MOST_LISTED + 7, MOST_LISTED + 2)
    told = decisions.deletion_of(kept, JOB, points)
    assert (told.held_more, told.floored_more) == (7, 2)


def test_of_a_large_claim_that_ended_only_its_end_is_kept() -> None:
    now, large, small = utc_now(), a_store_of(MOST_AFTER_END + 1), a_store_of(MOST_AFTER_END)
    other = claim("b", job_id=OTHER_JOB)
    sizes = []
    for points in (large, small):
        named = tuple(each.restore_point.snapshot_id for each in points)
        asked = claim().model_copy(update={"snapshot_ids": named})
        made, _ = decisions.claim(StoreProtection(store_id=STORE), asked, points, Protected(), now)
        ended = decisions.end_with_job(made, JOB, "failed", now)
        for later in (timedelta(minutes=1), HOUR):
            for store in (
                decisions.claim(ended, other, points, Protected(), now + later)[0],
                decisions.end_with_job(ended, OTHER_JOB, "failed", now + later),
            ):
                known = store.claim_of(JOB)
                assert known is not None
                assert known.ended
                sizes.append(len(known.deletable))

    assert sizes == [len(large)] * 2 + [0] * 2 + [len(small)] * 4


def test_holds_that_no_document_could_keep_are_refused() -> None:
    points = a_store_of(MOST_OF_HOLDS // 1250 + 1)
    ids = [each.restore_point.snapshot_id for each in points]
    long = LegalHold(at=utc_now(), reason="x" * 1000)
    full = StoreProtection(store_id=STORE, holds=dict.fromkeys(ids[:-1], long))

    def hold(reason: str, *named: SnapshotId) -> StoreProtection:
        asked = set_hold(reason=reason).model_copy(update={"snapshot_ids": named})
        return decisions.set_hold(full, asked, points, frozenset(), utc_now())[0]

    with pytest.raises(Conflict, match="holds_too_many"):
        hold("x" * 1000, ids[-1])
    assert len(hold("x" * 1000, *ids[:9]).holds) == len(ids) - 1
    assert len(hold("short", *ids[-9:]).holds) == len(ids)


def test_a_claim_by_a_rule_takes_the_oldest_first() -> None:
    newest = a_point_of("a")
    points = [
        Point(
            restore_point=newest.model_copy(
                update={"snapshot_id": f"{number:064x}", "time": newest.time - timedelta(hours=number)}
            )
        )
        for number in range(MOST_CLAIMED + 5)
    ]

    _, made = decisions.claim(
        StoreProtection(store_id=STORE), claim(rule=PruneRule(per_year=1, year=1)), points, Protected(), utc_now()
    )

    assert (len(made.deletable), made.more) == (MOST_CLAIMED, 4)
    assert made.deletable[-1] == f"{MOST_CLAIMED + 4:064x}"
