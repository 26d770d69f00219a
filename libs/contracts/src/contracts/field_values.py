"""Values of configuration fields, secret ones sealed: what connectors and inventories are set up with."""

from typing import Literal

from pydantic import Field

from contracts.values import BundleId, Value


class SealedValue(Value):
    """A secret as it travels and rests: AES-256-GCM, bound to organization, owner and field.

    The owner is what the field belongs to: an app, an inventory or a bundle. The data key is sealed by the master key,
    which only the gateway and the workers hold.
    """

    algorithm: Literal["A256GCM"] = Field(default="A256GCM", description="How the value is encrypted")
    key_id: str = Field(description="Which master key sealed the data key")
    data_key: str = Field(description="The organization's data key, sealed by the master key; base64")
    nonce: str = Field(description="96 random bits; base64")
    ciphertext: str = Field(description="Ciphertext and tag; base64")


class FieldValue(Value):
    """Value of one configuration field: clear, sealed, a reference into a secret provider, or what is there already."""

    value: str | None = Field(default=None, description="Clear text, for fields that are not secret")
    sealed: SealedValue | None = Field(default=None, description="Set instead of `value` for secret fields")
    provider_id: str | None = Field(default=None, description="Secret provider in which `value` names the secret")
    keep: bool = Field(
        default=False,
        description="In place of a value, when its owner is changed: the secret that it has stays, or what came from a "
        "bundle",
    )
    bundle_id: BundleId | None = Field(
        default=None,
        description="Of an app's field: the bundle that the value came from. A secret stays sealed for the bundle",
    )

    def owner(self, holder: str) -> str:
        """Whom the value was sealed for: the bundle that it came from, else what holds it."""
        return self.bundle_id or holder
