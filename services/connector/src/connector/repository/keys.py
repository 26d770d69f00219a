"""From a password to the keys of a repository."""

import msgspec

from connector.repository.crypto import Box, Keys, NotAuthentic, derive_keys
from connector.repository.documents import UNDECODABLE, read_checked
from connector.repository.errors import Damaged, WrongPassword
from connector.repository.storage import FileKind, RepositoryFiles
from connector.repository.structs import KeyFile, MasterKeys

KEYS_TRIED_MOST = 20
_key_file = msgspec.json.Decoder(KeyFile)
_master_keys = msgspec.json.Decoder(MasterKeys)


def unlock(files: RepositoryFiles, password: str) -> Box:
    """What opens everything in the repository; as many key files are tried as restic tries.

    Raises `WrongPassword` when none of them opens, or `Damaged` when none opens and one of them cannot be read.
    """
    secret = password.encode("utf-8", "surrogateescape")
    names = sorted(found.name for found in files.list(FileKind.KEY))[:KEYS_TRIED_MOST]
    damaged: Damaged | None = None
    for name in names:
        try:
            return Box(_master(files, name, secret))
        except NotAuthentic:
            continue
        except Damaged as error:
            damaged = error
    raise damaged or WrongPassword(len(names))


def _master(files: RepositoryFiles, name: str, password: bytes) -> Keys:
    try:
        key = _key_file.decode(read_checked(files, FileKind.KEY, name))
        derived = derive_keys(password, salt=key.salt, n=key.N, r=key.r, p=key.p)
        master = _master_keys.decode(Box(derived).open(key.data))
    except (*UNDECODABLE, ValueError) as error:
        raise Damaged(FileKind.KEY.word, name, why="it does not hold a key as it should") from error
    keys = Keys(master.encrypt, master.mac.k, master.mac.r)
    if [len(part) for part in keys] != [32, 16, 16]:
        raise Damaged(FileKind.KEY.word, name, why="its keys do not have the length they should")
    return keys
