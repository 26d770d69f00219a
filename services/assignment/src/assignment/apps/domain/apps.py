"""What an app is, and what becomes of it when it or its resource changes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from chassis.kept_secrets import with_kept
from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, NotFound, PreconditionFailed
from contracts.field_values import FieldValue
from contracts.messages.assignment import App, AppDescription, AssignApp, IntegrationName, ReconfigureApp
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration
from contracts.values import AppId, Value

from assignment.apps.domain.choice import choose
from assignment.apps.domain.configuration import check_configuration, normalize

DEFAULT_TEMPERATURE = "hot"
LONGEST_TEXT = 255
MOST_LABELS = 200
MOST_FAULTS = 20


class KnownResource(Value):
    """What became of a resource after apps were made of it."""

    resource: Resource | None
    revision: int
    removed: bool = False


def assign(command: AssignApp, integrations: Sequence[Integration], *, known: bool) -> App:
    """A new app. `known`: its id was used before."""
    if known:
        raise Conflict("app_exists", "There is, or was, a connector with this id.")
    description = _with_kept(command.description, {})
    return _app(command.app_id, description, command.resource, integrations=integrations, revision=1)


def reconfigure(current: App | None, command: ReconfigureApp, integrations: Sequence[Integration]) -> App:
    """The app as it is described now. Its id and kind stay."""
    current = require_app(current, expected_revision=command.expected_revision)
    if command.description.kind != current.kind:
        detail = f"The type of a connector never changes; this one is a {current.kind}."
        raise Conflict("app_kind_fixed", detail, fields={"type": f"must be {current.kind}"})
    description, revision = _with_kept(command.description, current.fields), current.revision + 1
    return _app(current.id, description, command.resource, integrations=integrations, revision=revision)


def _with_kept(description: AppDescription, present: Mapping[str, FieldValue]) -> AppDescription:
    return description.model_copy(update={"fields": with_kept(description.fields, present)})


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
    """The app in a new revision, when workers reach it elsewhere since its resource changed; None when they do not."""
    # Only the endpoints count: workers need nothing else of the resource, and they read each revision of an app.
    moved = refresh(app, known) if app else None
    if app is None or moved is None or moved.endpoints == app.endpoints:
        return None
    return moved.model_copy(update={"revision": app.revision + 1})


def _app(
    app_id: AppId,
    description: AppDescription,
    resource: Resource,
    *,
    integrations: Sequence[Integration],
    revision: int,
) -> App:
    _check_labels(description)
    choice = choose(
        integrations,
        resource,
        kind=description.kind,
        integration_id=description.integration_id,
        protocol=description.protocol,
    )
    lacking = check_configuration(choice, description.fields)
    integration = choice.integration
    return App(
        id=app_id,
        kind=description.kind,
        name=description.name,
        integration=IntegrationName(id=integration.id, name=integration.name, version=integration.version),
        protocol=choice.protocol.name,
        resource=resource,
        fields=normalize(choice, description.fields),
        lacking=lacking,
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


def _check_labels(description: AppDescription) -> None:
    # Some of very many faults: the outcome is a message, and messages have a limit.
    found = dict(islice(_label_faults(description), MOST_FAULTS))
    if found:
        words = "; ".join(f"{name} {fault}" for name, fault in found.items())
        raise Invalid("app_invalid", f"The connector cannot be described like this: {words}.", fields=found)


def _label_faults(description: AppDescription) -> Iterator[tuple[str, str]]:
    if fault := fault_of(description.name, longest=LONGEST_TEXT, empty=False):
        yield "name", fault
    if fault := fault_of(description.environment, longest=LONGEST_TEXT):
        yield "environment", fault
    yield from _hook_faults(description)
    for name, labels in (("endpoints", description.endpoints), ("data_classes", description.data_classes)):
        if len(labels) > MOST_LABELS:
            yield name, f"are more than {MOST_LABELS}"
        for place, label in enumerate(labels[:MOST_LABELS]):
            if fault := fault_of(label, longest=LONGEST_TEXT, empty=False):
                yield f"{name}.{place}", fault


def _hook_faults(description: AppDescription) -> Iterator[tuple[str, str]]:
    if description.hooks is None:
        return
    if description.kind == "store":
        # A backup runs those of its source, a restore those of what it goes to: a store's would never run.
        yield "hooks", "are for sources and destinations"
    for place, fault in description.hooks.faults():
        yield f"hooks.{place}", fault
