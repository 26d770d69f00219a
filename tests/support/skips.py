"""A test that is skipped shows nothing: where `CI` is set, it fails."""

import os
from collections.abc import Generator

import pytest

ALLOWED: frozenset[str] = frozenset()
"""Ids of tests, or of files, that may be skipped all the same."""


def _is_refused(report: pytest.TestReport | pytest.CollectReport) -> bool:
    expected_to_fail = hasattr(report, "wasxfail")
    allowed = {report.nodeid, report.nodeid.partition("::")[0]} & ALLOWED
    return (
        os.environ.get("CI", "") not in ("", "0", "false") and report.skipped and not expected_to_fail and not allowed
    )


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"A skipped test fails where CI is set. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skipped test into one of a failed test."""
    report = yield
    if _is_refused(report):
        _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that is skipped as a whole."""
    report = yield
    if _is_refused(report):
        _refuse(report)
    return report
