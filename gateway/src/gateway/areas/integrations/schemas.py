"""Integrations."""

from typing import Literal

from contracts.file_properties import FileProperty
from contracts.messages.assignment import AppKind
from contracts.messages.connector.offers import Integration
from contracts.queries.installations import IntegrationUse, KnownIntegration
from contracts.versions import is_prerelease, version_key
from pydantic import Field, JsonValue

from gateway.http.answers import View
from gateway.http.body_fields import Body, Id, Text
from gateway.http.examples import INTEGRATION, example

Stage = Literal["stable", "testing"]
Status = Literal["installed", "not-installed", "upgradable"]
_EXAMPLE = {
    "id": INTEGRATION,
    "name": "fs",
    "version": "1.0.0",
    "title": "Directory",
    "matches": [{"class": "file-storage", "subclass": "posix"}],
    "protocols": [{"name": "fs", "title": "Directory", "kinds": ["source", "store"], "schemas": {"source": {}}}],
    "help": "A directory that the workers can reach.",
    "keeps": ["links", "owner", "mode", "times"],
    "stage": "stable",
    "kinds": ["source", "store"],
    "installation": {"status": "installed", "version": "1.0.0", "available": True},
}


class Installation(Body):
    """An integration to install."""

    model_config = example(name="fs", version="1.0.0")

    name: Id
    version: Text = Field(default="", description="Empty: whichever is offered")


class UpgradeBody(Body):
    """A version to go over to."""

    model_config = example(version="1.1.0")

    version: Text = Field(default="", description="Must be the one on offer; empty: whichever that is")


class MatchView(View):
    """A kind of resource that an integration works with."""

    class_: str = Field(alias="class")
    subclass: str


class ProtocolView(View):
    """One way an integration reaches a system."""

    name: str
    title: str
    kinds: list[str]
    schemas: dict[str, JsonValue] = Field(description="JSON Schema of the fields, by type of connector")


class InstallationView(View):
    """Whether the organization has an integration."""

    status: Status = Field(description="`upgradable`: installed, and some connectors use an older version")
    version: str = Field(description="The oldest version that connectors use; without any the one on offer")
    available: bool = Field(description="False: no worker has offered it for days, and no connector is made with it")


class IntegrationView(View):
    """A plug-in for a kind of system."""

    model_config = example(**_EXAMPLE)

    id: str
    name: str
    version: str = Field(description="The newest version that workers offer; connectors get this one")
    title: str
    matches: list[MatchView]
    protocols: list[ProtocolView]
    help: str
    keeps: list[FileProperty] = Field(
        description="What a destination gives back of files beside their names and contents"
    )
    stage: Stage = Field(description="`testing`: the version comes before a release, as `1.1.0-beta.4` does")
    kinds: list[AppKind] = Field(description="What a connector of it can be")
    installation: InstallationView


class CountedIntegrationView(IntegrationView):
    """An integration, and the connectors that use it."""

    model_config = example(**_EXAMPLE, connectors={"source": 2, "store": 1}, connectors_total=3)

    connectors: dict[AppKind, int] = Field(description="How many use it, by type")
    connectors_total: int


def stage_of(version: str) -> Stage:
    """Whether a version is for trying out."""
    return "testing" if is_prerelease(version) else "stable"


def installation_of(known: KnownIntegration, use: IntegrationUse | None) -> InstallationView:
    """Whether an organization has an integration, and in which version."""
    newest = known.integration.version
    oldest = use.versions[0].version if use and use.versions else newest
    status: Status = "installed" if known.installed else "not-installed"
    if known.installed and known.offered and version_key(oldest) < version_key(newest):
        status = "upgradable"
    return InstallationView(status=status, version=oldest, available=known.offered)


def integration_view(known: KnownIntegration, use: IntegrationUse | None) -> IntegrationView:
    """An integration."""
    return IntegrationView.model_validate(_facts(known, use))


def counted_view(known: KnownIntegration, use: IntegrationUse | None) -> CountedIntegrationView:
    """An integration, and the connectors that use it."""
    counts = use.connectors if use else {}
    return CountedIntegrationView.model_validate(
        {**_facts(known, use), "connectors": counts, "connectors_total": sum(counts.values())}
    )


def _facts(known: KnownIntegration, use: IntegrationUse | None) -> dict[str, object]:
    integration = known.integration
    return {
        **integration.model_dump(by_alias=True),
        "stage": stage_of(integration.version),
        "kinds": kinds_of(integration),
        "installation": installation_of(known, use),
    }


def kinds_of(integration: Integration) -> list[AppKind]:
    """What a connector of an integration can be, in the order in which its protocols say so."""
    return list(dict.fromkeys(kind for protocol in integration.protocols for kind in protocol.kinds))
