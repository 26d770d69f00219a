"""Which integrations an organization has installed. Workers bring them along; an organization may do without one."""

from typing import ClassVar

from pydantic import Field

from contracts import topics
from contracts.messages.base import Command, Event
from contracts.values import AppId, IntegrationId


class InstallationCommand(Command):
    """Keyed by integration, for all organizations."""

    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "integration_id"

    integration_id: IntegrationId = Field(description="The integration")


class InstallIntegration(InstallationCommand):
    """Have an integration at hand that was uninstalled; one that is installed stays so. Result: `{"id"}`.

    Refused: `integration_not_found`.
    """

    TYPE: ClassVar[str] = "cairn.assignment.integration.install.v1"


class UninstallIntegration(InstallationCommand):
    """Do without an integration: it is no longer offered. Result: `{"id"}`.

    Refused: `integration_not_found`, `integration_in_use` (with the connectors that use it).
    """

    TYPE: ClassVar[str] = "cairn.assignment.integration.uninstall.v1"


class UpgradeIntegration(InstallationCommand):
    """Have all connectors of an integration use the version that is on offer. Result: `Upgrade` of the queries.

    Refused: `integration_not_found`, `integration_version_not_found`.
    """

    TYPE: ClassVar[str] = "cairn.assignment.integration.upgrade.v1"

    version: str = Field(default="", description="Must be the one on offer; empty: whichever that is")


# On the topic of commands, because it is handled between the installations and uninstallations of the integration.
class IntegrationUsed(Event):
    """An app was assigned with an integration. The assignment service tells itself, to keep that one installed."""

    TYPE: ClassVar[str] = "cairn.assignment.integration.used.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "integration_id"

    integration_id: IntegrationId = Field(description="The integration")
    app_id: AppId = Field(description="The app that uses it")


# On the topic of commands, because the order within one app matters: it is handled between the commands for that app.
class AppUpgradeDue(Event):
    """An app is to use its integration in the version on offer. The assignment service tells itself."""

    TYPE: ClassVar[str] = "cairn.assignment.app.upgrade-due.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="The app")


class IntegrationInstalled(Event):
    """An integration that was uninstalled is at hand again."""

    TYPE: ClassVar[str] = "cairn.assignment.integration.installed.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_EVENTS
    KEY: ClassVar[str] = "integration_id"

    integration_id: IntegrationId = Field(description="The integration")
    app_id: AppId | None = Field(
        default=None, description="Set when nobody asked for it: this app was assigned while it was being uninstalled"
    )


class IntegrationUninstalled(Event):
    """An organization does without an integration."""

    TYPE: ClassVar[str] = "cairn.assignment.integration.uninstalled.v1"
    TOPIC: ClassVar[str] = topics.ASSIGNMENT_EVENTS
    KEY: ClassVar[str] = "integration_id"

    integration_id: IntegrationId = Field(description="The integration")
