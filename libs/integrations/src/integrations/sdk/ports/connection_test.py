"""The port that every integration has: what it offers, and whether an app can be reached."""

from typing import Protocol, runtime_checkable

from contracts.messages.connector.connection_tests import TestReport
from contracts.messages.connector.offers import Integration as Manifest

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.connection_test import OnCheck, heard_by_nobody


@runtime_checkable
class ConnectionTest(Protocol):
    """Says what is on offer, and connects for real."""

    @property
    def manifest(self) -> Manifest:
        """What the integration offers; always the same."""
        ...

    async def test(self, configuration: AppConfiguration, *, on_check: OnCheck = heard_by_nobody) -> TestReport:
        """Connect for real and report each step, within 20 seconds. Never raises: what fails is in the report.

        `on_check` hears of each step of the report as soon as it is done.
        """
        ...
