"""restic's sealed boxes: AES-256 in counter mode, authenticated with Poly1305-AES over the ciphertext."""

import os
import threading
from typing import Any, NamedTuple

from Crypto.Protocol.KDF import scrypt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

from restic_reader.limits import DEFAULT_LIMITS

NONCE_SIZE = 16
MAC_SIZE = 16
OVERHEAD = NONCE_SIZE + MAC_SIZE

_MAX_SCRYPT_BYTES = 1 << 29
_MAX_SCRYPT_LANES = 256
_SCRYPT_THREADS = min(4, os.cpu_count() or 1)
"""The lanes of scrypt do not wait for one another; each thread takes the memory of a lane, 32 MiB for restic's keys."""


class NotAuthentic(Exception):
    """The box was not sealed with this key, or was changed since."""


class Keys(NamedTuple):
    """The three secrets that seal a box: AES-256 key, Poly1305's AES-128 key `k` and its 16 bytes `r`."""

    encryption: bytes
    mac_k: bytes
    mac_r: bytes

    def __repr__(self) -> str:
        return "Keys(...)"


class Box:
    """Opens what was sealed with `keys`; one instance serves all threads.

    A cipher context is set up once per thread and rewound for each box: that costs a fifth of a new one.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._local = threading.local()

    def open(self, sealed: bytes | memoryview) -> bytes:
        """The plaintext of `nonce || ciphertext || mac`. Raises `NotAuthentic` before a byte is decrypted."""
        view = memoryview(sealed)
        if len(view) < OVERHEAD:
            raise NotAuthentic
        nonce, ciphertext = bytes(view[:NONCE_SIZE]), view[NONCE_SIZE:-MAC_SIZE]
        block, stream = self._contexts()
        one_time_key = self.keys.mac_r + block.update(nonce)
        try:
            Poly1305.verify_tag(one_time_key, ciphertext, bytes(view[-MAC_SIZE:]))
        except InvalidSignature:
            raise NotAuthentic from None
        stream.reset_nonce(nonce)
        plaintext: bytes = stream.update(ciphertext)
        return plaintext

    def authenticator(self, nonce: bytes) -> Poly1305:
        """Takes a ciphertext piece by piece; its `verify` raises `InvalidSignature` for a tag that does not fit."""
        block, _ = self._contexts()
        return Poly1305(self.keys.mac_r + block.update(nonce))

    def decryptor(self, nonce: bytes) -> CipherContext:
        """Decrypts a ciphertext piece by piece; for what was authenticated before, and for nothing else."""
        return Cipher(AES(self.keys.encryption), CTR(nonce)).decryptor()

    def _contexts(self) -> tuple[Any, Any]:
        try:
            contexts: tuple[Any, Any] = self._local.contexts
        except AttributeError:
            contexts = self._new_contexts()
            self._local.contexts = contexts
        return contexts

    def _new_contexts(self) -> tuple[Any, Any]:
        # ECB here is the bare block cipher that Poly1305-AES applies to one nonce at a time.
        block = Cipher(AES(self.keys.mac_k), ECB()).encryptor()  # noqa: S305
        return block, Cipher(AES(self.keys.encryption), CTR(bytes(NONCE_SIZE))).encryptor()


def derive_keys(
    password: bytes, *, salt: bytes, n: int, r: int, p: int, most_work: int = DEFAULT_LIMITS.key_work
) -> Keys:
    """The keys that open a key file, by scrypt. Raises `ValueError` for parameters that no sane writer chooses.

    `most_work` is the most that n * r * p may be.
    """
    # The key file is not authenticated yet: whoever can write it must not choose how much memory is taken.
    is_sane = n > 1 and r > 0 and 0 < p <= _MAX_SCRYPT_LANES and 128 * n * r <= _MAX_SCRYPT_BYTES
    if not is_sane or n * r * p > most_work:
        raise ValueError("unreasonable scrypt parameters")
    threads = max(1, min(_SCRYPT_THREADS, _MAX_SCRYPT_BYTES // (128 * n * r)))
    derived = scrypt(password, salt, 64, n, r, p, threads=threads)
    return Keys(derived[:32], derived[32:48], derived[48:])
