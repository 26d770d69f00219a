"""A small writer of the repository format, so that unit tests can shape any repository in memory."""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305
from restic_reader import FileKind, MemoryFiles, StoredFile
from restic_reader.crypto import Keys, derive_keys

PASSWORD = "correct horse battery staple"


def seal(keys: Keys, plaintext: bytes) -> bytes:
    nonce = os.urandom(16)
    ciphertext = Cipher(AES(keys.encryption), CTR(nonce)).encryptor().update(plaintext)
    one_time = keys.mac_r + Cipher(AES(keys.mac_k), ECB()).encryptor().update(nonce)
    return nonce + ciphertext + Poly1305.generate_tag(one_time, ciphertext)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Builder:
    """A repository that grows in memory; `files` is what a reader opens."""

    version: int = 2
    files: MemoryFiles = field(default_factory=MemoryFiles)
    keys: Keys = field(default_factory=lambda: Keys(os.urandom(32), os.urandom(16), os.urandom(16)))

    def __post_init__(self) -> None:
        config = {"version": self.version, "id": os.urandom(32).hex(), "chunker_polynomial": "25b468838dcb75"}
        self.files.files[FileKind.CONFIG, ""] = seal(self.keys, json.dumps(config).encode())
        self.key(PASSWORD)

    def key(self, password: str, *, n: int = 16) -> str:
        salt = os.urandom(64)
        derived = derive_keys(password.encode(), salt=salt, n=n, r=8, p=1)
        mac = {"k": _base64(self.keys.mac_k), "r": _base64(self.keys.mac_r)}
        master = json.dumps({"mac": mac, "encrypt": _base64(self.keys.encryption)}).encode()
        data = _base64(seal(derived, master))
        document = {"kdf": "scrypt", "N": n, "r": 8, "p": 1, "salt": _base64(salt), "data": data, "new": [1]}
        return self.put(FileKind.KEY, json.dumps(document).encode())

    def document(self, kind: FileKind, document: object) -> str:
        plaintext = json.dumps(document).encode()
        if self.version == 2:
            plaintext = b"\x02" + zstandard.compress(plaintext)
        return self.put(kind, seal(self.keys, plaintext))

    def pack(self, *blobs: bytes, kind: str = "data", indexed: bool = True) -> tuple[str, list[str]]:
        """One pack with these blobs, and an index file for it; the pack's name and the blobs' ids."""
        body, entries = b"", []
        for blob in blobs:
            compressed = zstandard.compress(blob) if self.version == 2 else blob
            shorter = len(compressed) < len(blob)
            sealed = seal(self.keys, compressed if shorter else blob)
            entry = {"id": sha256(blob), "type": kind, "offset": len(body), "length": len(sealed)}
            entries.append({**entry, "uncompressed_length": len(blob)} if shorter else entry)
            body += sealed
        name = self.put(FileKind.PACK, body + b"header is not read")
        if indexed:
            self.document(FileKind.INDEX, {"packs": [{"id": name, "blobs": entries}]})
        return name, [str(entry["id"]) for entry in entries]

    def tree(self, *nodes: dict[str, object]) -> str:
        return self.trees([nodes])[0]

    def trees(self, directories: Iterable[Iterable[dict[str, object]]]) -> list[str]:
        """Several directories in one pack; their ids."""
        blobs = [json.dumps({"nodes": list(nodes)}).encode() for nodes in directories]
        return self.pack(*blobs, kind="tree")[1]

    def snapshot(self, tree: str, **fields: object) -> str:
        document = {"time": "2026-01-02T03:04:05.123456789+01:00", "tree": tree, "paths": ["/data"], **fields}
        return self.document(FileKind.SNAPSHOT, document)

    def remove(self, kind: FileKind, name: str) -> bytes:
        return self.files.files.pop((kind, name))

    def change(self, kind: FileKind, name: str, offset: int) -> None:
        """Flips one bit of a file."""
        data = bytearray(self.files.files[kind, name])
        data[offset] ^= 1
        self.files.files[kind, name] = bytes(data)

    def put(self, kind: FileKind, data: bytes) -> str:
        """A file under the name it must have; the name."""
        self.files.files[kind, sha256(data)] = data
        return sha256(data)


class CountingFiles(MemoryFiles):
    """Counts what is asked of it."""

    def __init__(self, inner: MemoryFiles) -> None:
        super().__init__(inner.files)
        self.reads: list[tuple[FileKind, str, int, int]] = []
        self.listings: list[FileKind] = []

    def list(self, kind: FileKind) -> Iterator[StoredFile]:
        self.listings.append(kind)
        return super().list(kind)

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        self.reads.append((kind, name, offset, length))
        return super().read_range(kind, name, offset=offset, length=length)


def file_node(name: str, content: list[str], size: int) -> dict[str, object]:
    mtime = "2026-01-02T03:04:05.5Z"
    return {"name": name, "type": "file", "mode": 0o644, "mtime": mtime, "size": size, "content": content}


def dir_node(name: str, subtree: str) -> dict[str, object]:
    return {"name": name, "type": "dir", "mode": 1 << 31 | 0o755, "subtree": subtree, "content": None}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
