"""Passwords are kept as scrypt hashes; checking one is slow on purpose."""

import base64
import hashlib
import hmac
import os

WORK = 2**15
"""scrypt's n: 32 MiB and some 50 ms for each try."""
_R, _P = 8, 1
# OpenSSL takes no more than 32 MiB unless told otherwise, and one try with this `WORK` needs a little over that.
_MAX_MEMORY = 64 * 1024 * 1024


def hash_password(password: str, *, salt: bytes | None = None, work: int = WORK) -> str:
    """`scrypt$n$r$p$salt$hash`, salt and hash in base64; `work` is n, a power of two."""
    salt = salt or os.urandom(16)
    digest = _scrypt(password, salt, n=work, r=_R, p=_P)
    # With the parameters, so that `WORK` can be raised without making the passwords that are kept invalid.
    return f"scrypt${work}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify_password(password: str, kept: str | None) -> bool:
    """Whether a password matches a kept hash. Takes as long when there is none to match."""
    _, n, r, p, salt, digest = (kept or _nobody()).split("$")
    found = _scrypt(password, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    # The hash is always computed and compared: the time of an answer must not tell which addresses have accounts.
    return hmac.compare_digest(found, base64.b64decode(digest)) and kept is not None


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)


def _nobody() -> str:
    return f"scrypt${WORK}${_R}${_P}${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(32)).decode()}"
