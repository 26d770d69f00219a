"""Which integrations an organization has, in which versions, and what an upgrade leads to. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from contracts.errors import Conflict, NotFound
from contracts.messages.assignment import App, AppKind
from contracts.messages.connector.offers import Integration
from contracts.queries.installations import IntegrationUse, KnownIntegration, Misfit, Upgrade, VersionInUse
from contracts.values import IntegrationId, OrganizationId, Value
from contracts.versions import version_key

State = Literal["installed", "leaving", "uninstalled"]
Absence = Literal["leaving", "uninstalled"]
MOST_NAMED = 5
MOST_MISFITS = 100


class Installation(Value):
    """Whether an organization has an integration. Where there is none of these, it has what workers offer."""

    integration_id: IntegrationId
    state: State
    """`leaving` while it is looked for connectors that use it: none is assigned with it meanwhile."""


def installation_id(org: OrganizationId, integration_id: IntegrationId) -> str:
    """Id of an installation's document: there is one for each pair."""
    return f"{org}:{integration_id}"


def absences(installations: Iterable[Installation]) -> Mapping[IntegrationId, Absence]:
    """The integrations that an organization does not have, or is about to give up."""
    return {each.integration_id: each.state for each in installations if each.state != "installed"}


def require_known(known: Sequence[KnownIntegration], integration_id: IntegrationId) -> KnownIntegration:
    """An integration that workers offer or offered. Raises `NotFound`."""
    found = next((each for each in known if each.integration.id == integration_id), None)
    if found is None:
        raise NotFound("integration_not_found", "No worker offers an integration with this id.")
    return found


def require_offered(known: KnownIntegration, version: str = "") -> Integration:
    """The manifest to go over to. Raises `NotFound` for an integration that is gone, and for any other version."""
    integration = known.integration
    if not known.offered:
        raise NotFound("integration_not_found", f"No worker offers integration {integration.name} any more.")
    if version not in ("", integration.version):
        detail = f"Integration {integration.name} is on offer in version {integration.version}, not in this one."
        raise NotFound("integration_version_not_found", detail)
    return integration


def in_use(integration: Integration, apps: Sequence[App]) -> Conflict:
    """The refusal to uninstall an integration that connectors use."""
    names = sorted({f"{app.name} ({app.kind})" for app in apps})
    # Some of them: there may be thousands, and this is a sentence for a person.
    shown = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    detail = f"Integration {integration.name} is still used by connectors: {shown}. Remove them first."
    return Conflict("integration_in_use", detail)


def use_of(apps: Iterable[App]) -> tuple[IntegrationUse, ...]:
    """What these apps use, by integration."""
    kinds: dict[IntegrationId, Counter[AppKind]] = {}
    versions: dict[IntegrationId, Counter[str]] = {}
    for app in apps:
        kinds.setdefault(app.integration.id, Counter())[app.kind] += 1
        versions.setdefault(app.integration.id, Counter())[app.integration.version] += 1
    return tuple(
        IntegrationUse(
            integration_id=each,
            connectors=dict(kinds[each]),
            versions=tuple(
                VersionInUse(version=version, connectors=count)
                for version, count in sorted(versions[each].items(), key=lambda item: version_key(item[0]))
            ),
        )
        for each in kinds
    )


def outdated(apps: Iterable[App], integration: Integration) -> list[App]:
    """The apps that use an integration in an older version than this."""
    return [
        app
        for app in apps
        if app.integration.id == integration.id
        and version_key(app.integration.version) < version_key(integration.version)
    ]


def upgrade(integration: Integration, after: Sequence[App]) -> Upgrade:
    """What an upgrade leads to; `after`: the apps that go over to it, as they are then."""
    misfits = [Misfit(id=app.id, name=app.name, kind=app.kind, faults=app.lacking) for app in after if app.lacking]
    return Upgrade(
        id=integration.id,
        version=integration.version,
        connectors=len(after),
        misfits=tuple(misfits[:MOST_MISFITS]),
        misfits_total=len(misfits),
    )
