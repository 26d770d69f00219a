"""Seals secrets: AES-256-GCM with a data key per organization, itself sealed by the master key."""

import base64
import json
import os

from contracts.errors import PermanentError
from contracts.field_values import SealedValue
from contracts.values import OrganizationId, Value
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.security.keyring import Keyring, KeyringFile, MasterKey

# 96 bits, as NIST SP 800-38D has them for GCM: nonces of other lengths are hashed first.
_NONCE_BYTES = 12


class Place(Value):
    """Where a secret belongs; a sealed value that was moved elsewhere does not open."""

    organization_id: OrganizationId
    owner: str
    """Id of what the field belongs to: an app, an inventory."""
    field: str

    def associated(self) -> bytes:
        """The associated data of the encryption."""
        return json.dumps([self.organization_id, self.owner, self.field]).encode()


class Sealer:
    """Seals and opens values. Only the gateway and the workers hold one."""

    def __init__(self, keys: bytes | KeyringFile) -> None:
        """`keys`: the one master key that there is, or a file of them, which may change."""
        self._file = keys if isinstance(keys, KeyringFile) else None
        self._alone = Keyring((MasterKey.of(keys),)) if isinstance(keys, bytes) else None

    @property
    def keyring(self) -> Keyring:
        """The master keys of this moment."""
        if self._file is not None:
            return self._file.now()
        if self._alone is None:
            raise TypeError("a sealer has a key or a file of keys")
        return self._alone

    def new_data_key(self, organization_id: OrganizationId) -> str:
        """A fresh data key for an organization, sealed by the current master key; base64, safe to store."""
        nonce = os.urandom(_NONCE_BYTES)
        # Bound to its organization: put in the place of another's data key, it does not open.
        raw = AESGCM.generate_key(256)
        return _text(nonce + self.keyring.current.cipher.encrypt(nonce, raw, organization_id.encode()))

    def key_of(self, data_key: str, organization_id: OrganizationId) -> str | None:
        """The id of the master key that a data key is sealed by; None where it is none of ours."""
        try:
            return self._unwrapped(data_key, organization_id)[0]
        except (InvalidTag, ValueError):
            return None

    def seal(self, secret: str, *, data_key: str, place: Place) -> SealedValue:
        """Seal a secret for its place with the organization's (sealed) data key.

        Raises `PermanentError` `data_key_unreadable` when none of our master keys opens the data key.
        """
        nonce = os.urandom(_NONCE_BYTES)
        try:
            master, key = self._unwrapped(data_key, place.organization_id)
        except (InvalidTag, ValueError) as error:
            detail = "The organization's data key was sealed by a master key that is not known here."
            raise PermanentError("data_key_unreadable", detail) from error
        ciphertext = key.encrypt(nonce, secret.encode(), place.associated())
        return SealedValue(key_id=master, data_key=data_key, nonce=_text(nonce), ciphertext=_text(ciphertext))

    def open(self, sealed: SealedValue, *, place: Place) -> str:
        """The secret in clear. Raises `PermanentError` `secret_unreadable` when sealed otherwise or elsewhere."""
        try:
            _, key = self._unwrapped(sealed.data_key, place.organization_id, likely=sealed.key_id)
            return key.decrypt(_bytes(sealed.nonce), _bytes(sealed.ciphertext), place.associated()).decode()
        except (InvalidTag, ValueError) as error:
            raise PermanentError(
                "secret_unreadable",
                f"The secret of field {place.field} was sealed with another key or for something else.",
            ) from error

    def _unwrapped(self, data_key: str, org: OrganizationId, *, likely: str = "") -> tuple[str, AESGCM]:
        """A data key, and the id of the master key that opens it. Raises `InvalidTag` or `ValueError`."""
        raw = _bytes(data_key)
        for master in self.keyring.likeliest(likely):
            try:
                return master.id, AESGCM(master.cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], org.encode()))
            except InvalidTag:
                continue
        raise InvalidTag


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
