"""The file of master keys: the one that seals first, then what only opens. It alone says how far a replacement is."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cairn_local.errors import LocalError
from cairn_local.paths import write_private

KEY_BYTES = 32
Role = Literal["current", "next", "former"]


@dataclass(frozen=True)
class Key:
    """A master key as the file has it, and what it is called where it may be shown."""

    text: str = field(repr=False)
    role: Role

    @property
    def id(self) -> str:
        """The name that all of Cairn has for it."""
        # As `chassis.security.keyring` names it, which is not imported here.
        return hashlib.sha256(b"cairn key id" + base64.b64decode(self.text)).hexdigest()[:16]

    def as_current(self) -> "Key":
        """The key as the one that seals."""
        return replace(self, role="current")


@dataclass(frozen=True)
class Keys:
    """All keys of the file."""

    keys: tuple[Key, ...]

    @property
    def current(self) -> Key:
        """The key that seals."""
        return self.keys[0]

    def of(self, role: Role) -> Sequence[Key]:
        """The keys that have a role."""
        return [key for key in self.keys if key.role == role]

    def with_next(self, key: Key) -> "Keys":
        """With a key that follows the current one."""
        return Keys((*self.keys, replace(key, role="next")))

    def switched(self) -> "Keys":
        """With the next key as the current one, and that as a former one."""
        [following] = self.of("next")
        former = [replace(key, role="former") for key in (self.current, *self.of("former"))]
        return Keys((following.as_current(), *former))

    def without_former(self) -> "Keys":
        """Without those that were current."""
        return Keys(tuple(key for key in self.keys if key.role != "former"))


def new_key() -> Key:
    """A key that nobody has yet."""
    # As text: a file that somebody copies by hand, or pastes into a secret store, stays what it was.
    return Key(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(), "next")


def read_keys(path: Path) -> Keys:
    """The keys of a file. LocalError, which quotes nothing of it, when there is anything else."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
        keys = tuple(_key(words, first=not number) for number, words in enumerate(lines))
    except ValueError:
        raise LocalError(f"{path} is no list of master keys.") from None
    if not keys or len([key for key in keys if key.role == "next"]) > 1:
        raise LocalError(f"{path} is no list of master keys.")
    return Keys(keys)


def write_keys(path: Path, keys: Keys) -> None:
    """Replace the file in one step that survives a loss of power."""
    lines = (key.text if key.role == "current" else f"{key.text} {key.role}" for key in keys.keys)
    write_private(path, "".join(f"{line}\n" for line in lines), durable=True)


def _key(words: Sequence[str], *, first: bool) -> Key:
    text, role = words if len(words) > 1 else (words[0], "current")
    if len(base64.b64decode(text, validate=True)) != KEY_BYTES or first != (role == "current"):
        raise ValueError
    for known in ("current", "next", "former"):
        if role == known:
            return Key(text, known)
    raise ValueError
