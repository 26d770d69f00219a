"""What an app is after the bundles that fill its fields, its resource or its labels changed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.bundles import Bundle
from contracts.messages.connector.offers import Integration
from contracts.messages.outcomes import FieldProblem

from assignment.apps.domain.apps import KnownResource, refresh
from assignment.apps.domain.choice import Choice
from assignment.apps.domain.configuration import MOST_FAULTS, all_faults, normalize
from assignment.apps.domain.draft import own_fields
from assignment.bundles.domain.filling import Filling, fill, is_given


@dataclass(frozen=True)
class _Configuration:
    """The fields of an app, and what they lack."""

    fields: Mapping[str, FieldValue]
    lacking: tuple[FieldProblem, ...]


def follow_bundles(
    app: App | None, known: KnownResource | None, integrations: Sequence[Integration], bundles: Iterable[Bundle]
) -> App | None:
    """The app in a new revision, when bundles give it other values than it has from them; None when they do not.

    `known`: its resource. Fields of its own stay as they are. What no bundle gives any more is gone; where that, a tie
    or a value that does not fit leaves something missing, the app says so.
    """
    choice = _choice_of(app, integrations)
    if app is None or choice is None:
        # Without its protocol nobody can say which fields it has: it stays as it is until the protocol is back.
        return None
    shown = refresh(app, known)
    own = own_fields(app.fields, app)
    filling = fill(
        bundles,
        resource=shown.resource,
        environment=app.environment,
        integration=choice.integration,
        protocol=choice.protocol,
        kind=app.kind,
        given={name for name, value in own.items() if is_given(value)},
    )
    fields = normalize(choice, _in_order(app.fields, {**own, **filling.values}))
    if fields == app.fields and not filling.ties and not app.lacking:
        return None
    now = _configured(choice, fields, filling)
    # The schema may have changed since the app was described: that alone is no reason to find other faults now.
    same_schema = app.integration.version == choice.integration.version
    if now.fields == app.fields and (now.lacking == app.lacking or not same_schema):
        return None
    changed = {"fields": now.fields, "lacking": now.lacking, "revision": app.revision + 1}
    return shown.model_copy(update=changed)


def _choice_of(app: App | None, integrations: Iterable[Integration]) -> Choice | None:
    for integration in integrations:
        for protocol in integration.protocols:
            if app and (integration.id, protocol.name) == (app.integration.id, app.protocol):
                return Choice(integration, protocol, app.kind)
    return None


def _in_order(before: Mapping[str, FieldValue], now: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """The fields of now, those that were there before in their places."""
    names = [*(name for name in before if name in now), *(name for name in now if name not in before)]
    return {name: now[name] for name in names}


def _configured(choice: Choice, fields: Mapping[str, FieldValue], filling: Filling) -> _Configuration:
    """The fields without what does not fit of bundles, and what is missing then."""
    wrong, _ = all_faults(choice, fields)
    unfit = {
        name: f"is not what bundle {filled.bundle_name!r} has: that {fault}"
        for name, filled in filling.fields.items()
        for path, fault in wrong
        if path == f"fields.{name}"
    }
    kept = {name: value for name, value in fields.items() if name not in unfit}
    _, missing = all_faults(choice, kept)
    told = {f"fields.{name}": why for name, why in {**filling.ties, **unfit}.items()}
    faults = {**dict(missing), **told}
    lacking = (FieldProblem(field=path, detail=fault) for path, fault in islice(faults.items(), MOST_FAULTS))
    return _Configuration(kept, tuple(lacking))
