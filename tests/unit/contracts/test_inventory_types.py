"""The table of the settings of inventories."""

from typing import get_args

import pytest
from contracts.inventory_types import MANAGED, SETTINGS, InventoryType, block_of, required_settings


def test_every_type_has_its_settings() -> None:
    assert set(SETTINGS) == set(get_args(InventoryType))
    assert [kind for kind, settings in SETTINGS.items() if not settings] == ["self-managed"]
    assert [block_of(kind) for kind in MANAGED] == [
        "aws_configuration",
        "ovh_configuration",
        "scaleway_configuration",
        "gcp_configuration",
        "vmware_configuration",
        "k8s_configuration",
    ]


@pytest.mark.parametrize(
    ("kind", "required"),
    [
        ("aws", {"credentials_type", "region"}),
        ("ovh", {"application_key", "application_secret", "consumer_key", "endpoint"}),
        ("scaleway", {"scw_project_id", "scw_access_key", "scw_secret_key"}),
        ("gcp", {"gcp_project_id"}),
        ("vmware", {"vsphere_server", "vsphere_username", "vsphere_password"}),
        ("k8s", set()),
        ("self-managed", set()),
    ],
)
def test_what_each_type_requires(kind: InventoryType, required: set[str]) -> None:
    assert {setting.name for setting in required_settings(kind, {})} == required


@pytest.mark.parametrize(("credentials", "needs_keys"), [("iam", False), ("access_key", True), (None, False)])
def test_keys_are_required_where_they_are_used(credentials: str | None, *, needs_keys: bool) -> None:
    found = {setting.name for setting in required_settings("aws", {"credentials_type": credentials})}
    assert ({"access_key", "secret_access_key"} <= found) == needs_keys


def test_what_is_sent_as_text_is_no_secret() -> None:
    """Only fields can be sealed and masked, and conditions and choices can be checked of what can be read alone."""
    for settings in SETTINGS.values():
        by_name = {setting.name: setting for setting in settings}
        for setting in settings:
            assert not (setting.is_text and setting.secret)
            assert setting.is_text or not setting.choices
            assert setting.required_with is None or by_name[setting.required_with[0]].is_text
