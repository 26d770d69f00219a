"""Secrets are sealed for one place and open nowhere else."""

import base64
import os
from typing import Any

import pytest
from chassis.security.sealing import Place, Sealer
from contracts.errors import PermanentError
from contracts.field_values import SealedValue
from contracts.values import OrganizationId

ORG = OrganizationId("org")
PLACE = Place(organization_id=ORG, owner="app", field="passphrase")
SECRET = "canary: ünïcode ☃\n"


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(os.urandom(32))


@pytest.fixture
def sealed(sealer: Sealer) -> SealedValue:
    return sealer.seal(SECRET, data_key=sealer.new_data_key(ORG), place=PLACE)


@pytest.mark.parametrize("secret", [SECRET, "", "x" * 10_000])
def test_what_was_sealed_opens_again(sealer: Sealer, secret: str) -> None:
    sealed = sealer.seal(secret, data_key=sealer.new_data_key(ORG), place=PLACE)
    assert sealer.open(sealed, place=PLACE) == secret


def test_what_earlier_versions_sealed_opens() -> None:
    """The associated data is part of each sealed value: other bytes, and nothing opens any more."""
    assert PLACE.associated() == b'["org", "app", "passphrase"]'


def test_nothing_of_a_secret_shows(sealed: SealedValue) -> None:
    assert "canary" not in sealed.model_dump_json()
    assert b"canary" not in base64.b64decode(sealed.ciphertext)


def test_equal_secrets_do_not_look_alike(sealer: Sealer) -> None:
    data_key = sealer.new_data_key(ORG)
    first, second = (sealer.seal(SECRET, data_key=data_key, place=PLACE) for _ in range(2))
    assert first.ciphertext != second.ciphertext
    assert first.nonce != second.nonce


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"organization_id": "other"},
        {"owner": "other"},
        {"field": "other"},
        {"owner": 'app", "pass', "field": "phrase"},
    ],
)
def test_a_secret_that_was_moved_does_not_open(sealer: Sealer, sealed: SealedValue, elsewhere: dict[str, Any]) -> None:
    with pytest.raises(PermanentError) as error:
        sealer.open(sealed, place=PLACE.model_copy(update=elsewhere))
    assert error.value.code == "secret_unreadable"


def test_another_master_key_opens_nothing(sealed: SealedValue) -> None:
    with pytest.raises(PermanentError, match="secret_unreadable"):
        Sealer(os.urandom(32)).open(sealed, place=PLACE)


@pytest.mark.parametrize("part", ["data_key", "nonce", "ciphertext"])
@pytest.mark.parametrize("spoil", [lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), lambda raw: raw[:5], lambda _: b""])
def test_a_value_that_was_tampered_with_does_not_open(
    sealer: Sealer, sealed: SealedValue, part: str, spoil: Any
) -> None:
    raw = base64.b64decode(getattr(sealed, part))
    spoilt = sealed.model_copy(update={part: base64.b64encode(spoil(raw)).decode()})
    with pytest.raises(PermanentError, match="secret_unreadable"):
        sealer.open(spoilt, place=PLACE)


@pytest.mark.parametrize("part", ["data_key", "nonce", "ciphertext"])
def test_a_value_that_is_no_base64_does_not_open(sealer: Sealer, sealed: SealedValue, part: str) -> None:
    with pytest.raises(PermanentError, match="secret_unreadable"):
        sealer.open(sealed.model_copy(update={part: "not base64!"}), place=PLACE)
