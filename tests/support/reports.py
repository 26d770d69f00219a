"""Reading the report of a connection test."""

from contracts.messages.connector.connection_tests import TestReport


def outcome(report: TestReport) -> dict[str, bool]:
    """Each check and whether it passed, in order."""
    return {check.name: check.ok for check in report.checks}


def failure(report: TestReport) -> tuple[str, str]:
    """The check that failed, and its words. There is exactly one."""
    ((name, detail),) = [(check.name, check.detail) for check in report.checks if not check.ok]
    return name, detail
