"""Which settings each type of inventory has. One table for the HTTP API, its document and the catalog's checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

InventoryType = Literal["self-managed", "aws", "ovh", "scaleway", "gcp", "vmware", "k8s"]
SELF_MANAGED: InventoryType = "self-managed"


@dataclass(frozen=True)
class Setting:
    """A setting in the block of its type, e.g. `region` in `aws_configuration`."""

    name: str
    about: str
    example: str
    required: bool = False
    secret: bool = False
    """Sealed on its way, and masked for who may not see secrets."""
    is_text: bool = False
    """Sent as plain text; others are fields: a value, or a reference into a secret provider."""
    choices: tuple[str, ...] = ()
    required_with: tuple[str, str] | None = None
    """Another setting, and the value of it with which this one is required."""


_WITH_KEYS = ("credentials_type", "access_key")

SETTINGS: Mapping[InventoryType, tuple[Setting, ...]] = {
    "self-managed": (),
    "aws": (
        Setting(
            "credentials_type",
            "`access_key`: with the keys below; `iam`: with the role of whoever asks",
            "access_key",
            required=True,
            is_text=True,
            choices=("iam", "access_key"),
        ),
        Setting("region", "Region whose resources are listed", "eu-west-1", required=True, is_text=True),
        Setting("access_key", "Id of the access key", "AKIAIOSFODNN7EXAMPLE", secret=True, required_with=_WITH_KEYS),
        Setting(
            "secret_access_key",
            "Its secret",
            "the secret of the key",
            secret=True,
            required_with=_WITH_KEYS,
        ),
    ),
    "ovh": (
        Setting("application_key", "Key of the application", "0123456789abcdef", required=True, secret=True),
        Setting(
            "application_secret", "Secret of the application", "an application's secret", required=True, secret=True
        ),
        Setting("consumer_key", "Key of the consumer", "a consumer's key", required=True, secret=True),
        Setting("endpoint", "Which API", "ovh-eu", required=True, is_text=True),
    ),
    "scaleway": (
        Setting("scw_project_id", "Id of the project", "0198b1c2-0000-4000-8000-0000000000aa", required=True),
        Setting("scw_access_key", "Id of the API key", "SCW00000000000000000", required=True, secret=True),
        Setting("scw_secret_key", "Its secret", "the secret of the key", required=True, secret=True),
    ),
    "gcp": (
        Setting("gcp_project_id", "Id of the project", "backups-1234", required=True),
        Setting(
            "gcp_service_account_json",
            "Key file of a service account; without it: with the credentials of whoever asks",
            '{"type": "service_account"}',
            secret=True,
        ),
    ),
    "vmware": (
        Setting("vsphere_server", "Host name or address of the vCenter", "vcenter.example.com", required=True),
        Setting("vsphere_username", "Who logs in", "backup@vsphere.local", required=True),
        Setting("vsphere_password", "Password", "a password", required=True, secret=True),
        Setting(
            "vsphere_tls_skip_verify",
            "`true`: the certificate of the server is not checked",
            "false",
            is_text=True,
            choices=("true", "false"),
        ),
        Setting(
            "vsphere_tls_ca_bundle", "PEM: who signed the certificate of the server", "-----BEGIN CERTIFICATE-----"
        ),
    ),
    "k8s": (
        Setting(
            "k8s_kubeconf",
            "A kubeconfig; without it: with the credentials of the cluster's own",
            "apiVersion: v1\nkind: Config\n",
            secret=True,
        ),
    ),
}
"""The settings of each type, in the order in which they are shown."""

MANAGED: tuple[InventoryType, ...] = tuple(kind for kind in get_args(InventoryType) if kind != SELF_MANAGED)
"""Types whose resources a provider finds."""


def block_of(kind: InventoryType) -> str:
    """Name of the block in which the HTTP API has the settings of a type."""
    return f"{kind}_configuration"


def required_settings(kind: InventoryType, texts: Mapping[str, str | None]) -> Iterator[Setting]:
    """The settings that an inventory of a type must have; `texts`: those of its settings that can be read."""
    for setting in SETTINGS[kind]:
        if setting.required or (setting.required_with and _is_so(setting.required_with, texts)):
            yield setting


def _is_so(condition: tuple[str, str], texts: Mapping[str, str | None]) -> bool:
    name, value = condition
    return texts.get(name) == value
