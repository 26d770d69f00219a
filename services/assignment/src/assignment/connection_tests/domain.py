"""What is kept of the connection tests of an app. Pure."""

from datetime import timedelta

from contracts.messages.connector.connection_tests import TestReport
from contracts.queries.connection_tests import KeptTest
from contracts.values import AppId, Moment, Value

MOST_KEPT = 50


class KnownTests(Value):
    """The tests of an app, newest first, and whether a store has its storage."""

    id: AppId
    tests: tuple[KeptTest, ...] = ()
    initialized: bool | None = None
    initialized_revision: int = 0
    initialized_at: Moment | None = None
    """When it was last said that there is storage."""

    @property
    def last(self) -> KeptTest | None:
        """The last test of the newest revision that was tested; None where there was none."""
        # A test takes its time: one of an older revision may end after that of a newer one.
        newest = max((test.revision for test in self.tests), default=0)
        # What a worker of the version before tested has no revision; it was the newest then.
        return next((test for test in self.tests if test.revision in (0, newest)), None)

    def initialized_in(self, revision: int, *, same_since: int | None = None) -> bool | None:
        """Whether a store of this revision has its storage; None where that is not known.

        An older revision may have had another place, unless it is the same since then but for keys.
        """
        is_known = not self.initialized_revision or (same_since or revision) <= self.initialized_revision <= revision
        return self.initialized if is_known else None


def note_test(known: KnownTests | None, app_id: AppId, test: KeptTest) -> KnownTests:
    """What is known after a test. Told again, it changes nothing."""
    known = known or KnownTests(id=app_id)
    if any(test.command_id == each.command_id for each in known.tests):
        return known
    former = [each.model_copy(update={"report": _without_ids(each.report)}) for each in known.tests]
    # Sorted, not put first: tests of one app are made by several workers, and are told in the order in which they end.
    tests = sorted((test, *former), key=lambda each: each.at, reverse=True)
    known = known.model_copy(update={"tests": tuple(tests[:MOST_KEPT])})
    found = test.report.initialized
    if found is None or test.revision < known.initialized_revision or (not found and _looked_before(known, test)):
        return known
    return _with_storage(known, is_there=found, revision=test.revision, at=test.at)


def note_storage(known: KnownTests | None, app_id: AppId, *, revision: int, at: Moment) -> KnownTests:
    """What is known after a store was initialized."""
    known = known or KnownTests(id=app_id)
    return _with_storage(known, is_there=True, revision=max(revision, known.initialized_revision), at=at)


def _with_storage(known: KnownTests, *, is_there: bool, revision: int, at: Moment) -> KnownTests:
    facts = {"initialized": is_there, "initialized_revision": revision}
    return known.model_copy(update=facts | ({"initialized_at": at} if is_there else {}))


def _looked_before(known: KnownTests, test: KeptTest) -> bool:
    """Whether a test that found no storage may have looked before there was some."""
    if known.initialized_at is None or test.revision > known.initialized_revision:
        return False
    took = timedelta(milliseconds=sum(check.duration_ms for check in test.report.checks))
    return test.at - took <= known.initialized_at


def _without_ids(report: TestReport) -> TestReport:
    """A report without the restore points that its warnings name, of which there may be many: how many it says."""
    if not any(warning.snapshot_ids for warning in report.warnings):
        return report
    warnings = tuple(warning.model_copy(update={"snapshot_ids": ()}) for warning in report.warnings)
    return report.model_copy(update={"warnings": warnings})
