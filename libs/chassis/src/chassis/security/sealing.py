"""Seals secrets: AES-256-GCM with a data key per organization, itself sealed by the master key."""

import base64
import hashlib
import json
import os

from contracts.errors import PermanentError
from contracts.field_values import SealedValue
from contracts.values import OrganizationId, Value
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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

    def __init__(self, master_key: bytes) -> None:
        self._master = AESGCM(master_key)
        # Tells which key sealed a value, and nothing about the key. The text in front keeps other hashes of it apart.
        self._key_id = hashlib.sha256(b"cairn key id" + master_key).hexdigest()[:16]

    def new_data_key(self, organization_id: OrganizationId) -> str:
        """A fresh data key for an organization, sealed by the master key; base64, safe to store."""
        nonce = os.urandom(_NONCE_BYTES)
        # Bound to its organization: put in the place of another's data key, it does not open.
        sealed = self._master.encrypt(nonce, AESGCM.generate_key(256), organization_id.encode())
        return _text(nonce + sealed)

    def seal(self, secret: str, *, data_key: str, place: Place) -> SealedValue:
        """Seal a secret for its place with the organization's (sealed) data key."""
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._open_key(data_key, place).encrypt(nonce, secret.encode(), place.associated())
        return SealedValue(key_id=self._key_id, data_key=data_key, nonce=_text(nonce), ciphertext=_text(ciphertext))

    def open(self, sealed: SealedValue, *, place: Place) -> str:
        """The secret in clear. Raises `PermanentError` `secret_unreadable` when sealed otherwise or elsewhere."""
        try:
            key = self._open_key(sealed.data_key, place)
            return key.decrypt(_bytes(sealed.nonce), _bytes(sealed.ciphertext), place.associated()).decode()
        except (InvalidTag, ValueError) as error:
            raise PermanentError(
                "secret_unreadable",
                f"The secret of field {place.field} was sealed with another key or for something else.",
            ) from error

    def _open_key(self, data_key: str, place: Place) -> AESGCM:
        raw = _bytes(data_key)
        associated = place.organization_id.encode()
        return AESGCM(self._master.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], associated))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
