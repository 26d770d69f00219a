"""Values of connectors that came from bundles: how they are shown, and when they go on following."""

from collections.abc import Mapping
from dataclasses import replace

from contracts.messages.assignment import App
from contracts.queries.assignment import ReachableApp

from gateway.access.principal import Principal
from gateway.access.rights import Right
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import BundleName, GivenField


def with_origins(app: ReachableApp, fields: Mapping[str, GivenField]) -> Mapping[str, GivenField]:
    """The fields of an app, those that came from a bundle with its name. A bundle that is gone has none."""
    return {name: replace(given, bundle=_origin(app, name)) for name, given in fields.items()}


def _origin(app: ReachableApp, name: str) -> BundleName | None:
    bundle_id = app.fields[name].bundle_id
    known = app.bundle_names.get(bundle_id) if bundle_id else None
    return BundleName(bundle_id, known) if bundle_id and known is not None else None


def with_following(
    who: Principal, app: App, fields: Mapping[str, GivenField], encryption: FieldEncryption
) -> Mapping[str, GivenField]:
    """What a client says about fields, with values that are sent back as a bundle gave them standing for just that.

    Only the gateway can compare secrets: the services that keep connectors see them sealed.
    """
    given_by_bundles = {name: value for name, value in app.fields.items() if value.bundle_id is not None}
    if not who.may(Right.SECRETS):
        # Whoever may not read a secret sends it back masked; comparing what else is sent would be a way to guess it.
        given_by_bundles = {name: value for name, value in given_by_bundles.items() if value.sealed is None}
    known = encryption.open_of(who.organization_id, app.id, given_by_bundles)
    return {
        name: GivenField("", masked=True) if name in known and known[name].is_same(given) else given
        for name, given in fields.items()
    }
