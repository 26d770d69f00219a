"""The client's side of SCRAM-SHA-512 (RFC 5802, RFC 7677), in the standard library alone."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

_HASH = "sha512"
_MOST_ITERATIONS = 100_000


def log_in(ask: Callable[[bytes], bytes], *, username: str, password: str) -> bool:
    """Whether both sides know the password. `ask` sends one message and returns the answer.

    Raises ValueError or KeyError when the answers are not those of the protocol. The password itself is never sent.
    """
    nonce = secrets.token_urlsafe(24)
    opening = f"n={username},r={nonce}"
    challenge = ask(f"n,,{opening}".encode()).decode()
    answered = _fields(challenge)
    if not answered["r"].startswith(nonce) or int(answered["i"]) > _MOST_ITERATIONS:
        raise ValueError("not an answer to this client")
    salted = hashlib.pbkdf2_hmac(_HASH, password.encode(), base64.b64decode(answered["s"]), int(answered["i"]))
    closing = f"c=biws,r={answered['r']}"
    signed = ",".join((opening, challenge, closing)).encode()
    proof = base64.b64encode(_proof(salted, signed)).decode()
    final = _fields(ask(f"{closing},p={proof}".encode()).decode())
    expected = _sign(_sign(salted, b"Server Key"), signed)
    return hmac.compare_digest(base64.b64decode(final.get("v", "")), expected)


def _proof(salted: bytes, signed: bytes) -> bytes:
    key = _sign(salted, b"Client Key")
    signature = _sign(hashlib.new(_HASH, key).digest(), signed)
    return bytes(a ^ b for a, b in zip(key, signature, strict=True))


def _sign(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, _HASH)


def _fields(message: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in message.split(",")}
