"""Inventories with a configuration: complete, of their type, with secrets sealed."""

from typing import Any

import pytest
from catalog.inventories.domain import inventories
from contracts.errors import Conflict, Invalid, NotFound
from contracts.field_values import FieldValue, SealedValue
from contracts.inventory_types import MANAGED, SETTINGS, InventoryType, block_of, required_settings
from contracts.messages.catalog import Inventory
from contracts.messages.resealing import Resealed, ResealInventory

from tests.support import builders as make

AWS = {
    "credentials_type": make.clear("access_key"),
    "region": make.clear("eu-west-1"),
    "access_key": make.sealed(),
    "secret_access_key": make.sealed(),
}


def created(kind: InventoryType, configuration: dict[str, FieldValue]) -> Inventory:
    command = make.create_inventory("inv-1", kind=kind, configuration=configuration)
    return inventories.create_inventory(command, known=False)


def complete(kind: InventoryType) -> dict[str, FieldValue]:
    """All settings of a type."""
    values = {s.name: make.clear(s.choices[-1] if s.choices else "anything") for s in SETTINGS[kind]}
    return values | {s.name: make.sealed() for s in SETTINGS[kind] if s.secret}


def refused(kind: InventoryType, configuration: dict[str, FieldValue]) -> dict[str, str]:
    with pytest.raises(Invalid) as error:
        created(kind, configuration)
    assert error.value.code == "inventory_invalid"
    return error.value.fields


@pytest.mark.parametrize("kind", MANAGED)
def test_each_type_is_kept_as_it_was_described(kind: InventoryType) -> None:
    given = complete(kind)
    made = created(kind, given)
    assert (made.type, made.configuration, made.revision) == (kind, given, 1)
    assert list(made.configuration) == list(given)


@pytest.mark.parametrize("kind", MANAGED)
def test_what_a_type_requires_is_named_all_at_once(kind: InventoryType) -> None:
    given = complete(kind)
    texts = {name: field.value for name, field in given.items()}
    required = [setting.name for setting in required_settings(kind, texts)]
    for missing in (None, make.clear(""), make.clear(None)):
        without = {name: field for name, field in given.items() if name not in required}
        without |= dict.fromkeys(required, missing) if missing else {}
        decisive = {"credentials_type": given["credentials_type"]} if kind == "aws" else {}
        lacking = {f"{block_of(kind)}.{name}": "is missing" for name in required if name not in decisive}
        if lacking:
            assert refused(kind, without | decisive) == lacking
        else:
            assert created(kind, without).configuration == without


def test_without_a_block_everything_required_is_named_beside_the_name() -> None:
    with pytest.raises(Invalid) as error:
        inventories.create_inventory(make.create_inventory(kind="gcp", name=" "), known=False)
    assert error.value.fields == {"name": "must not be empty", "gcp_configuration.gcp_project_id": "is missing"}


def test_roles_need_no_keys_and_keep_those_that_are_sent() -> None:
    role = AWS | {"credentials_type": make.clear("iam")}
    assert created("aws", role).configuration == role
    bare = {name: role[name] for name in ("credentials_type", "region")}
    assert created("aws", bare).configuration == bare


def test_a_reference_is_taken_for_a_value() -> None:
    referring = AWS | {"secret_access_key": make.provided()}
    assert created("aws", referring).configuration == referring


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"credentials_type": make.clear("password")}, "must be one of iam, access_key"),
        ({"region": make.clear("  ")}, "must not be empty"),
        ({"region": make.clear("x" * 256)}, "is longer than 255 characters"),
        ({"region": make.clear("a\nb")}, "contains control characters"),
        ({"secret_access_key": make.clear("canary")}, "is secret and must be sealed on its way"),
        ({"zone": make.clear("canary")}, "is not among the settings of this type"),
        ({"zone\n": make.clear("canary")}, "is not among the settings of this type"),
    ],
)
def test_what_does_not_fit_is_said_without_the_value(changes: dict[str, FieldValue], fault: str) -> None:
    [(place, words)] = refused("aws", AWS | changes).items()
    assert place.startswith("aws_configuration.")
    assert place.isprintable()
    assert fault in words
    assert "canary" not in words


@pytest.mark.parametrize(("text", "fits"), [("true", True), ("false", True), ("", True), ("yes", False)])
def test_a_switch_is_one_of_two_texts(text: str, *, fits: bool) -> None:
    given = complete("vmware") | {"vsphere_tls_skip_verify": make.clear(text)}
    if fits:
        assert created("vmware", given).configuration == given
    else:
        assert refused("vmware", given) == {
            "vmware_configuration.vsphere_tls_skip_verify": "must be one of true, false"
        }


def test_values_are_bounded_and_storable() -> None:
    for value in ("x" * 65_537, "a\x00"):
        given = complete("vmware") | {"vsphere_tls_ca_bundle": make.clear(value)}
        [place] = refused("vmware", given)
        assert place == "vmware_configuration.vsphere_tls_ca_bundle"


def test_a_self_managed_inventory_has_no_settings() -> None:
    assert list(refused("self-managed", {"region": make.clear("here")}).values()) == [
        "is not among the settings of this type"
    ]


def changed(current: Inventory, configuration: dict[str, FieldValue], **about: Any) -> Inventory:
    command = make.change_inventory(current.id, kind=current.type, configuration=configuration, **about)
    return inventories.change_inventory(current, command)


def test_a_secret_that_is_sent_back_masked_stays() -> None:
    current = created("aws", AWS)
    kept = AWS | {"access_key": make.sealed(), "secret_access_key": FieldValue(keep=True)}
    after = changed(current, kept, name="renamed")
    assert after.configuration["secret_access_key"] == AWS["secret_access_key"]
    assert (after.name, after.revision) == ("renamed", 2)


def test_a_change_replaces_all_settings() -> None:
    current = created("k8s", {"k8s_kubeconf": make.sealed()})
    assert changed(current, {}).configuration == {}


@pytest.mark.parametrize("name", ["gcp_service_account_json", "gcp_project_id"])
def test_what_was_no_secret_cannot_stay_masked(name: str) -> None:
    current = created("gcp", {"gcp_project_id": make.clear("p")})
    with pytest.raises(Conflict) as error:
        changed(current, {"gcp_project_id": make.clear("p"), name: FieldValue(keep=True)})
    assert error.value.code == "nothing_masked"
    assert list(error.value.fields) == [f"gcp_configuration.{name}.masked"]


def test_nothing_is_kept_of_a_new_inventory() -> None:
    with pytest.raises(Conflict, match="nothing_masked"):
        created("aws", AWS | {"access_key": FieldValue(keep=True)})


def test_a_change_is_checked_like_a_creation() -> None:
    with pytest.raises(Invalid) as error:
        changed(created("scaleway", complete("scaleway")), {})
    assert set(error.value.fields) == {
        f"scaleway_configuration.{name}" for name in ("scw_project_id", "scw_access_key", "scw_secret_key")
    }


def test_a_secret_takes_another_key_where_it_is_still_the_one() -> None:
    current = created("aws", AWS)
    under_new_key = SealedValue(key_id="new", data_key="ZGF0YQ==", nonce="bmV3", ciphertext="bmV3")
    sealed = AWS["access_key"].sealed
    assert sealed is not None
    replacements = (
        Resealed(field="access_key", nonce=sealed.nonce, sealed=under_new_key),
        Resealed(field="secret_access_key", nonce="changed since", sealed=under_new_key),
        Resealed(field="region", nonce="", sealed=under_new_key),
        Resealed(field="gone", nonce="", sealed=under_new_key),
    )
    command = ResealInventory(organization_id=make.ORG, inventory_id=current.id, resealed=replacements)
    after = inventories.reseal_inventory(current, command)
    assert after.configuration == AWS | {"access_key": FieldValue(sealed=under_new_key)}
    assert (after.name, after.revision) == (current.name, 2)
    assert inventories.reseal_inventory(after, command) is after
    with pytest.raises(NotFound):
        inventories.reseal_inventory(None, command)
