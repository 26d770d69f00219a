"""Values of connectors that came from bundles, as clients read them and send them back."""

import pytest
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.security.sealing import Sealer
from contracts.errors import PermanentError
from contracts.field_values import FieldValue
from contracts.queries.assignment import ReachableApp
from contracts.values import BundleId, OrganizationId
from gateway.access.accounts import DataKey
from gateway.access.principal import Principal
from gateway.areas.connectors.bundle_values import with_following, with_origins
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.schemas.answers import field_view

from tests.unit.gateway.test_domain import an_app

ORG = OrganizationId("org")
SECRET = GivenField("canary: a key of a bundle")
MASKED = GivenField("", masked=True)


def someone(role: str) -> Principal:
    return Principal(account_id="someone", organization_id=ORG, roles=(role,))


class Filled:
    """A connector with a secret and a clear value of a bundle, and a secret of its own."""

    def __init__(self) -> None:
        self.encryption = FieldEncryption(Sealer(bytes(32)), MemoryAggregates(DataKey))

    async def app(self, **names: str) -> ReachableApp:
        bundles = await self.encryption.seal(ORG, "b1", {"key": SECRET}, clear=frozenset())
        own = await self.encryption.seal(ORG, "app-1", {"own": SECRET}, clear=frozenset())
        from_bundle = {"key": bundles["key"], "region": FieldValue(value="fr-par")}
        fields = {name: v.model_copy(update={"bundle_id": BundleId("b1")}) for name, v in from_bundle.items()}
        return ReachableApp(
            **dict(an_app(fields={**fields, **own})), bundle_names={BundleId(k): v for k, v in names.items()}
        )


async def test_a_secret_of_a_bundle_is_opened_for_the_bundle_and_shown_with_its_name() -> None:
    filled = Filled()
    app = await filled.app(b1="keys of production")
    shown = with_origins(app, filled.encryption.open(ORG, app))
    views = {name: field_view(given).model_dump(exclude_none=True) for name, given in shown.items()}
    bundle = {"id": "b1", "name": "keys of production"}
    assert views["key"] == {"value": SECRET.value, "bundle": bundle}
    assert views["region"] == {"value": "fr-par", "bundle": bundle}
    assert views["own"] == {"value": SECRET.value}
    masked = with_origins(app, filled.encryption.open(ORG, app, masked=True))
    assert (masked["key"].value, masked["key"].masked) == ("", True)


async def test_a_value_of_a_bundle_that_is_gone_has_no_origin() -> None:
    filled = Filled()
    app = await filled.app()
    assert "bundle" not in field_view(with_origins(app, filled.encryption.open(ORG, app))["key"]).model_dump()


async def test_a_secret_of_a_bundle_does_not_open_as_that_of_the_connector() -> None:
    filled = Filled()
    app = await filled.app()
    moved = {"key": app.fields["key"].model_copy(update={"bundle_id": None})}
    with pytest.raises(PermanentError, match="secret_unreadable"):
        filled.encryption.open_of(ORG, app.id, moved)


async def test_what_is_sent_back_as_it_was_read_goes_on_following() -> None:
    filled = Filled()
    app = await filled.app()
    back = {"key": SECRET, "region": GivenField("fr-par"), "own": SECRET}
    assert with_following(someone("owner"), app, back, filled.encryption) == {
        "key": MASKED,
        "region": MASKED,
        "own": SECRET,
    }
    other = {"key": GivenField("another"), "region": GivenField("nl-ams"), "own": MASKED}
    assert with_following(someone("owner"), app, other, filled.encryption) == other


async def test_nobody_guesses_a_secret_by_sending_values() -> None:
    filled = Filled()
    app = await filled.app()
    guess = {"key": SECRET, "region": GivenField("fr-par")}
    found = with_following(someone("operator"), app, guess, filled.encryption)
    assert found == {"key": SECRET, "region": MASKED}
