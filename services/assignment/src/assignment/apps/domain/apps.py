"""What an app is, and what becomes of it when it or its resource changes. Pure."""

from collections.abc import Collection, Iterable, Sequence

from chassis.kept_secrets import with_resealed
from contracts.errors import Conflict, NotFound, PreconditionFailed
from contracts.messages.assignment import App, AssignApp, IntegrationName, ReconfigureApp
from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration
from contracts.messages.outcomes import FieldProblem
from contracts.messages.resealing import Resealed
from contracts.values import AppId, IntegrationId, Value
from contracts.versions import version_key

from assignment.apps.domain.choice import Choice
from assignment.apps.domain.configuration import faults_of, normalize
from assignment.apps.domain.draft import Examination, examine

DEFAULT_TEMPERATURE = "hot"


class KnownResource(Value):
    """What became of a resource after apps were made of it."""

    resource: Resource | None
    revision: int
    removed: bool = False


def assign(
    command: AssignApp,
    integrations: Sequence[Integration],
    *,
    known: bool,
    uninstalled: Collection[IntegrationId] = (),
    gone: Collection[IntegrationId] = (),
    bundles: Iterable[Bundle] = (),
) -> App:
    """A new app. `known`: its id was used before. Raises all that is wrong with the description at once."""
    if known:
        raise Conflict("app_exists", "There is, or was, a connector with this id.")
    found = examine(
        command.description, command.resource, integrations, uninstalled=uninstalled, gone=gone, bundles=bundles
    )
    return as_app(command.app_id, found, command.resource, revision=1)


def reconfigure(
    current: App | None,
    command: ReconfigureApp,
    integrations: Sequence[Integration],
    *,
    uninstalled: Collection[IntegrationId] = (),
    gone: Collection[IntegrationId] = (),
    bundles: Iterable[Bundle] = (),
) -> App:
    """The app as it is described now. Its id and kind stay."""
    current = require_app(current, expected_revision=command.expected_revision)
    found = examine(
        command.description,
        command.resource,
        integrations,
        current=current,
        uninstalled=uninstalled,
        gone=gone,
        bundles=bundles,
    )
    return as_app(current.id, found, command.resource, revision=current.revision + 1)


def says_the_same(app: App, current: App) -> bool:
    """Whether a description made of an app what it is already.

    Of its resource count the same things as in `follow`: all else of it is shown as it is now, in whichever revision.
    """
    if (app.resource.id, app.resource.locked) != (current.resource.id, current.resource.locked):
        return False
    passed_over = ("revision", "resealed_in", "same_since", "label_revision", "resource")
    return app.model_copy(update={name: getattr(current, name) for name in passed_over}) == current


def require_app(current: App | None, *, expected_revision: int | None = None) -> App:
    """The app. Raises `NotFound` when there is none, `PreconditionFailed` when it is in another revision."""
    if current is None:
        raise NotFound("app_not_found", "There is no such connector.")
    if expected_revision not in (None, current.revision):
        raise PreconditionFailed(
            "revision_changed",
            f"The {current.kind} {current.name!r} was changed meanwhile: it is in revision {current.revision}, not in "
            f"{expected_revision}. Read it again, then repeat the change.",
        )
    return current


def note_change(known: KnownResource | None, resource: Resource) -> KnownResource | None:
    """What is known of a resource after a change; None when the change was known."""
    # Events of one resource come in order, but again after a kill: an older one must not undo a newer one.
    if known is not None and known.revision >= resource.revision:
        return None
    return KnownResource(resource=resource, revision=resource.revision)


def note_removal(known: KnownResource | None, revision: int) -> KnownResource | None:
    """What is known of a resource after its removal: what it was last; None when the removal was known."""
    if known is not None and known.revision >= revision:
        return None
    return KnownResource(resource=known.resource if known else None, revision=revision, removed=True)


def refresh(app: App, known: KnownResource | None) -> App:
    """The app with its resource as it was last heard of."""
    resource = known.resource if known else None
    if resource is None or resource.revision <= app.resource.revision:
        return app
    # Endpoints that were given for the app itself stay: somebody chose another way to the resource.
    endpoints = _addresses(resource) if app.endpoints_from_resource else app.endpoints
    return app.model_copy(update={"resource": resource, "endpoints": endpoints})


def follow(app: App | None, known: KnownResource | None) -> App | None:
    """The app in a new revision, when its resource was locked or unlocked or is reached elsewhere; None otherwise."""
    # Only these count: workers need nothing else of the resource, and they read each revision of an app.
    moved = refresh(app, known) if app else None
    if app is None or moved is None:
        return None
    if (moved.endpoints, moved.resource.locked) == (app.endpoints, app.resource.locked):
        return None
    return moved.model_copy(update={"revision": app.revision + 1})


def reseal(current: App | None, resealed: Iterable[Resealed]) -> App:
    """The app in a new revision with secrets under other keys; the same one where none took its place."""
    app = require_app(current)
    fields = with_resealed(app.fields, resealed)
    if fields == app.fields:
        return app
    # A new revision, as workers take what has a later one; what was found out about the one before stays true.
    revision = app.revision + 1
    told = {"revision": revision, "resealed_in": revision, "same_since": app.changed_in}
    return app.model_copy(update={"fields": fields, **told})


def upgraded(app: App, integration: Integration) -> App:
    """The app in a new revision that uses its integration in another version.

    What does not fit that version is `lacking`: until it is there, nothing can be done with the app.
    """
    name = IntegrationName(id=integration.id, name=integration.name, version=integration.version)
    protocol = next((p for p in integration.protocols if p.name == app.protocol and app.kind in p.kinds), None)
    if protocol is None:
        fault = f"is no longer there for a {app.kind} in version {integration.version}: {app.protocol}"
        lacking: tuple[FieldProblem, ...] = (FieldProblem(field="protocol", detail=fault),)
    else:
        lacking = faults_of(Choice(integration, protocol, app.kind), app.fields)
    return app.model_copy(update={"integration": name, "lacking": lacking, "revision": app.revision + 1})


def upgrade(app: App | None, integrations: Sequence[Integration]) -> App | None:
    """The app with its integration in the version on offer; None where it has that, or a newer one."""
    integration = next((i for i in integrations if app is not None and i.id == app.integration.id), None)
    if app is None or integration is None:
        return None
    if version_key(app.integration.version) >= version_key(integration.version):
        return None
    return upgraded(app, integration)


def as_app(app_id: AppId, found: Examination, resource: Resource, *, revision: int) -> App:
    """The app that a description makes. Raises what it is refused with."""
    choice, description = found.require(), found.description
    integration = choice.integration
    return App(
        id=app_id,
        kind=description.kind,
        name=description.name,
        integration=IntegrationName(id=integration.id, name=integration.name, version=integration.version),
        protocol=choice.protocol.name,
        resource=resource,
        fields=normalize(choice, description.fields),
        lacking=found.lacking,
        endpoints=description.endpoints or _addresses(resource),
        endpoints_from_resource=not description.endpoints,
        data_classes=description.data_classes,
        environment=description.environment,
        temperature=description.temperature or DEFAULT_TEMPERATURE,
        hooks=description.hooks,
        revision=revision,
    )


def _addresses(resource: Resource) -> tuple[str, ...]:
    return tuple(endpoint.endpoint for endpoint in resource.endpoints)
