import os

import pytest
from restic_reader.crypto import Box, Keys, NotAuthentic, derive_keys

from tests.unit.restic_reader.builder import seal

KEYS = Keys(os.urandom(32), os.urandom(16), os.urandom(16))


def test_what_was_sealed_opens() -> None:
    box = Box(KEYS)
    texts = [b"", b"a", os.urandom(70_000)]
    assert [box.open(seal(KEYS, text)) for text in texts] == texts


def test_the_mac_is_poly1305_aes_of_the_published_vector() -> None:
    """First two vectors of appendix B of "The Poly1305-AES message-authentication code" (Bernstein, 2005)."""
    r, k = bytes.fromhex("851fc40c3467ac0be05cc20404f3f700"), bytes.fromhex("ec074c835580741701425b623235add6")
    nonce, tag = bytes.fromhex("fb447350c4e868c52ac3275cf9d4327e"), bytes.fromhex("f4c633c3044fc145f84f335cb81953de")
    assert len(Box(Keys(bytes(32), k, r)).open(nonce + bytes.fromhex("f3f6") + tag)) == 2


@pytest.mark.parametrize("offset", [0, 15, 16, 40, -16, -1])
def test_one_changed_bit_is_noticed(offset: int) -> None:
    sealed = bytearray(seal(KEYS, b"x" * 50))
    sealed[offset] ^= 0x80
    with pytest.raises(NotAuthentic):
        Box(KEYS).open(bytes(sealed))


@pytest.mark.parametrize("length", [0, 16, 31, 60])
def test_a_shortened_box_is_noticed(length: int) -> None:
    with pytest.raises(NotAuthentic):
        Box(KEYS).open(seal(KEYS, b"x" * 50)[:length])


def test_another_key_opens_nothing() -> None:
    with pytest.raises(NotAuthentic):
        Box(Keys(KEYS.encryption, KEYS.mac_k, bytes(16))).open(seal(KEYS, b"text"))


def test_scrypt_agrees_with_the_published_vector() -> None:
    """RFC 7914, section 12, second vector."""
    keys = derive_keys(b"password", salt=b"NaCl", n=1024, r=8, p=16)
    assert b"".join(keys).hex().startswith("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")


@pytest.mark.parametrize(
    ("n", "r", "p"), [(1 << 40, 8, 1), (0, 8, 1), (16, 0, 1), (16, 8, 1 << 30), (-2, 8, 1), (3, 8, 1), (1 << 18, 8, 64)]
)
def test_unreasonable_scrypt_parameters_are_refused(n: int, r: int, p: int) -> None:
    with pytest.raises(ValueError, match=r"scrypt|n must be|power"):
        derive_keys(b"password", salt=b"salt", n=n, r=r, p=p)


def test_keys_do_not_show_themselves() -> None:
    assert KEYS.encryption.hex() not in repr(KEYS)
    assert repr(KEYS) == "Keys(...)"
