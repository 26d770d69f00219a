"""The master keys of a process: one that seals, and others that only open, while one is replaced by another.

They are read from a file with a key on each line: 32 bytes as base64, and what the key is there for. The first is the
current one; `next` follows it soon, `former` was current before. The file is looked at whenever a key is needed, so
that a process takes up what is written there without being told.
"""

import base64
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from contracts.errors import Invalid
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger(__name__)
KEY_BYTES = 32
Role = Literal["current", "next", "former"]


@dataclass(frozen=True)
class MasterKey:
    """A key that seals the data keys of organizations."""

    id: str
    """Tells which key it is, and nothing about the key itself."""
    role: Role
    cipher: AESGCM = field(repr=False, compare=False)

    @classmethod
    def of(cls, raw: bytes, role: Role = "current") -> "MasterKey":
        """The key made of 32 bytes."""
        return cls(key_id(raw), role, AESGCM(raw))


@dataclass(frozen=True)
class Keyring:
    """The keys of a moment, the current one first."""

    keys: tuple[MasterKey, ...]

    @property
    def current(self) -> MasterKey:
        """The key that seals."""
        return self.keys[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, that of the current one first."""
        return tuple(key.id for key in self.keys)

    def likeliest(self, wanted: str) -> Iterator[MasterKey]:
        """All keys, the one with this id first."""
        return iter(sorted(self.keys, key=lambda key: key.id != wanted))

    def may_seal(self, wanted: str) -> bool:
        """Whether what is sealed under this key may stay so: the current one, or the one that follows it."""
        # Another process may have taken up the next key before this one: what it sealed must not be sealed back.
        return any(key.id == wanted and key.role != "former" for key in self.keys)


def key_id(raw: bytes) -> str:
    """What a key is called."""
    # The text in front keeps other hashes of the key apart.
    return hashlib.sha256(b"cairn key id" + raw).hexdigest()[:16]


def parse(text: str, *, named: object) -> Keyring:
    """The keys in the text of a file. Raises `Invalid`, which quotes nothing of the text but the number of a line."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise Invalid("key_unreadable", f"no readable key in {named}")
    keys = tuple(_key(words, number, named) for number, words in enumerate(lines, 1))
    if len({key.id for key in keys}) < len(keys):
        raise Invalid("key_unreadable", f"{named} has the same key twice")
    return Keyring(keys)


def _key(words: Sequence[str], number: int, named: object) -> MasterKey:
    text, *roles = words
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        # Without the cause, whose traceback may show the text.
        raise Invalid("key_unreadable", f"no readable key in {named}, line {number}") from None
    if len(raw) != KEY_BYTES:
        raise Invalid("key_unreadable", f"the key in {named}, line {number}, is not {KEY_BYTES} bytes long")
    return MasterKey.of(raw, _role(roles, number, named))


def _role(roles: Sequence[str], number: int, named: object) -> Role:
    if roles in ([], ["current"]) and number == 1:
        return "current"
    for role in get_args(Role)[1:]:
        if list(roles) == [role] and number > 1:
            return role  # type: ignore[no-any-return]
    raise Invalid("key_unreadable", f"{named}, line {number}: only the first key is current, others are next or former")


class KeyringFile:
    """The keys as a file has them now."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises `Invalid` naming it when it holds anything but keys."""
        self._path = path
        self._stamp = _stamp(path)
        self._keyring = parse(_read(path), named=path)

    def now(self) -> Keyring:
        """The keys that the file holds. What it held before, where it cannot be read: that is logged once."""
        # Asked for at each use: a process that would look now and then could seal under a key that was given up.
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keyring = parse(_read(self._path), named=self._path)
                log.info("master keys taken up", extra={"keys": list(self._keyring.ids)})
            except Invalid as error:
                log.error("master keys stay as they were", extra={"reason": error.detail})
        return self._keyring


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        raise Invalid("key_unreadable", f"no readable key in {path}") from None
