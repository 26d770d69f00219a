"""Passwords are kept as scrypt hashes; checking one is slow on purpose, and a wrong one makes the next slower."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chassis.errors import TemporaryError

_N, _R, _P = 2**15, 8, 1
_MAX_MEMORY = 64 * 1024 * 1024
_FREE_FAILURES = 3
_LONGEST_PAUSE_SECONDS = 2.0
_QUEUE = 8
_REMEMBERED = 10_000


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """`scrypt$n$r$p$salt$hash`, salt and hash in base64."""
    salt = salt or os.urandom(16)
    digest = _scrypt(password, salt, n=_N, r=_R, p=_P)
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify_password(password: str, kept: str | None) -> bool:
    """Whether a password matches a kept hash. Takes as long when there is none to match."""
    _, n, r, p, salt, digest = (kept or _nobody()).split("$")
    found = _scrypt(password, base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(found, base64.b64decode(digest)) and kept is not None


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)


def _nobody() -> str:
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(32)).decode()}"


@dataclass
class _Attempts:
    failures: int = 0
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LoginBrake:
    """Attempts for one name go one after the other, and each failure past the third makes the next wait longer."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._attempts: OrderedDict[str, _Attempts] = OrderedDict()
        self._hashing = asyncio.Semaphore(2)

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[_Attempts]:
        """Wait for one's turn. Raises `TemporaryError` `too_many_attempts` when too many wait already."""
        attempts = self._attempts.setdefault(name, _Attempts())
        self._attempts.move_to_end(name)
        if attempts.waiting >= _QUEUE:
            raise TemporaryError("too_many_attempts", "Too many logins are being tried for this account at once.")
        attempts.waiting += 1
        try:
            async with attempts.lock:
                await self._sleep(self._pause(attempts.failures))
                yield attempts
        finally:
            attempts.waiting -= 1
            self._forget_oldest()

    async def verify(self, password: str, kept: str | None) -> bool:
        """Check a password off the event loop, two at a time: each takes 32 MiB while it lasts."""
        async with self._hashing:
            return await asyncio.to_thread(verify_password, password, kept)

    def _pause(self, failures: int) -> float:
        over = failures - _FREE_FAILURES
        return min(0.1 * 2.0**over, _LONGEST_PAUSE_SECONDS) if over >= 0 else 0

    def _forget_oldest(self) -> None:
        while len(self._attempts) > _REMEMBERED:
            self._attempts.popitem(last=False)
