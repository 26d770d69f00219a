"""Finds the keys of a repository that a password opens."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import msgspec

from restic_reader.crypto import Box, Keys, NotAuthentic, derive_keys
from restic_reader.errors import Damaged, PartMissing, WrongPassword
from restic_reader.limits import Limits
from restic_reader.sealed_documents import UNDECODABLE, read_checked
from restic_reader.storage import FileKind, RepositoryFiles
from restic_reader.structs import KeyFile, MasterKeys

KEYS_TRIED_MOST = 20
KEYS_KEPT = 256
_key_file = msgspec.json.Decoder(KeyFile)
_master_keys = msgspec.json.Decoder(MasterKeys)


class KeyRing:
    """Master keys that a password opened, since opening one takes half a second of computing and 64 MiB.

    A key is found again by the name of its file, which is the hash of what is in it, and by the password, of which
    only a keyed hash is kept. So a key that was removed from its repository opens nothing any more.
    """

    def __init__(self, *, limit: int = KEYS_KEPT) -> None:
        self._hash_key = secrets.token_bytes(32)
        self._limit = limit
        self._kept: OrderedDict[tuple[str, bytes], Keys] = OrderedDict()
        self._turns: dict[tuple[str, bytes], tuple[Lock, int]] = {}
        self._lock = Lock()

    def find(self, name: str, password: bytes) -> Keys | None:
        """What a key file was found to hold with this password."""
        mark = self._mark(name, password)
        with self._lock:
            if mark in self._kept:
                self._kept.move_to_end(mark)
            return self._kept.get(mark)

    def keep(self, name: str, password: bytes, keys: Keys) -> None:
        """Remember what a key file holds; the one that was not needed for longest goes."""
        with self._lock:
            self._kept[self._mark(name, password)] = keys
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)

    @contextmanager
    def alone_with(self, name: str, password: bytes) -> Iterator[None]:
        """Keep others who need the same key waiting: when they are let in, it is there."""
        mark = self._mark(name, password)
        with self._lock:
            turn, waiting = self._turns.get(mark, (Lock(), 0))
            self._turns[mark] = (turn, waiting + 1)
        try:
            with turn:
                yield
        finally:
            with self._lock:
                turn, waiting = self._turns.pop(mark)
                # The last one takes the entry away, or one would stay for every password that was ever tried.
                if waiting > 1:
                    self._turns[mark] = (turn, waiting - 1)

    def _mark(self, name: str, password: bytes) -> tuple[str, bytes]:
        return name, hmac.digest(self._hash_key, password, hashlib.sha256)


def unlock(files: RepositoryFiles, password: str, *, limits: Limits, ring: KeyRing | None = None) -> Box:
    """What opens everything in the repository; as many key files are tried as restic tries, those of `ring` first.

    Raises `WrongPassword` when none of them opens, `PartMissing` when there are none, or `Damaged` when none opens and
    one of them cannot be read.
    """
    secret = password.encode("utf-8", "surrogateescape")
    names = sorted(found.name for found in files.list(FileKind.KEY))[:KEYS_TRIED_MOST]
    if ring is None or not names:
        return Box(_first_that_opens(files, names, secret, limits.key_work)[1])
    # The first name stands for all: callers with the same repository and password wait for each other.
    with ring.alone_with(names[0], secret):
        if kept := next(filter(None, (ring.find(name, secret) for name in names)), None):
            return Box(kept)
        name, keys = _first_that_opens(files, names, secret, limits.key_work)
        ring.keep(name, secret, keys)
    return Box(keys)


def _first_that_opens(files: RepositoryFiles, names: list[str], password: bytes, work: int) -> tuple[str, Keys]:
    damaged: Damaged | None = None if names else PartMissing(FileKind.KEY)
    for name in names:
        try:
            return name, _master(files, name, password, work)
        # Each key file has a password of its own: that this one stays shut says nothing about the others.
        except NotAuthentic:
            continue
        # Another key file may open. Only when none does is the damage what the caller has to know.
        except Damaged as error:
            damaged = error
    raise damaged or WrongPassword(len(names))


def _master(files: RepositoryFiles, name: str, password: bytes, work: int) -> Keys:
    try:
        key = _key_file.decode(read_checked(files, FileKind.KEY, name))
        derived = derive_keys(password, salt=key.salt, n=key.N, r=key.r, p=key.p, most_work=work)
        master = _master_keys.decode(Box(derived).open(key.data))
    except (*UNDECODABLE, ValueError) as error:
        raise Damaged(FileKind.KEY.word, name, why="it does not hold a key as it should") from error
    keys = Keys(master.encrypt, master.mac.k, master.mac.r)
    if [len(part) for part in keys] != [32, 16, 16]:
        raise Damaged(FileKind.KEY.word, name, why="its keys do not have the length they should")
    return keys
