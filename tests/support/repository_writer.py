"""Writes restic repositories of any size in bounded memory, from nodes that somebody makes up."""

import base64
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

PACK_BYTES = 16 << 20
INDEX_BLOBS = 50_000
_PIECE_BYTES = 1 << 20
_COMPRESSED = {"data": 2, "tree": 3}


@dataclass
class _Pack:
    """A pack that is being written."""

    file: IO[bytes]
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    blobs: list[dict[str, Any]] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)


class RepositoryWriter:
    """A new repository of format version 2 in a directory; whole once the block is left."""

    def __init__(self, root: Path, password: str, *, scrypt_n: int = 1 << 15) -> None:
        """A small `scrypt_n` makes a repository that opens at once."""
        self._root = root
        self._scrypt_n = scrypt_n
        self._encrypt, self._mac_k, self._mac_r = os.urandom(32), os.urandom(16), os.urandom(16)
        self._packs: dict[str, _Pack] = {}
        self._indexed: list[dict[str, Any]] = []
        for name in ("data", "index", "keys", "locks", "snapshots"):
            (root / name).mkdir(parents=True)
        self._write_key(password)
        config = {"version": 2, "id": os.urandom(32).hex(), "chunker_polynomial": "25b468838dcb75"}
        (root / "config").write_bytes(self._seal(json.dumps(config).encode()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if kind is None:
            for pack in list(self._packs):
                self.finish_pack(pack)
            self._write_index()

    def data(self, content: bytes, *, called: str = "") -> str:
        """A blob of a file's content; its id. With `called` it gets that one, though it is another's."""
        return self.blob("data", [content], called=called)

    def tree(self, nodes: Iterable[str]) -> str:
        """A directory of these nodes, each the JSON of one, in the order of their names; its id."""
        return self.blob("tree", _directory(nodes))

    def snapshot(self, tree: str, **facts: object) -> str:
        """A snapshot of a directory; its id."""
        snapshot = {"time": "2026-11-24T10:00:00Z", "tree": tree, "paths": ["/data"], "hostname": "writer", **facts}
        return self._write_file("snapshots", self._seal(b"\x02" + zstandard.compress(json.dumps(snapshot).encode())))

    def blob(self, kind: str, pieces: Iterable[bytes], *, called: str = "") -> str:
        """A blob of any content, "data" or "tree"; its id. `called` as in `data`."""
        pack = self._packs.get(kind)
        if pack is None:
            pack = self._packs[kind] = _Pack(tempfile.NamedTemporaryFile(dir=self._root, delete=False))  # noqa: SIM115
        offset, plain, digest = pack.size, 0, hashlib.sha256()
        compressor = zstandard.ZstdCompressor(level=1).compressobj()

        def compressed() -> Iterator[bytes]:
            nonlocal plain
            for piece in pieces:
                digest.update(piece)
                plain += len(piece)
                yield compressor.compress(piece)
            yield compressor.flush()

        for sealed in self._sealed(compressed()):
            pack.write(sealed)
        name = called or digest.hexdigest()
        blob = {"id": name, "type": kind, "offset": offset, "length": pack.size - offset}
        pack.blobs.append({**blob, "uncompressed_length": plain})
        if pack.size >= PACK_BYTES:
            self.finish_pack(kind)
        return name

    def finish_pack(self, kind: str) -> Path:
        """Write what was added of a kind since, as one pack; its file."""
        pack = self._packs.pop(kind)
        header = b"".join(
            struct.pack("<BII", _COMPRESSED[kind], blob["length"], blob["uncompressed_length"])
            + bytes.fromhex(blob["id"])
            for blob in pack.blobs
        )
        sealed = self._seal(header)
        pack.write(sealed)
        pack.write(struct.pack("<I", len(sealed)))
        pack.file.close()
        name = pack.digest.hexdigest()
        (self._root / "data" / name[:2]).mkdir(exist_ok=True)
        written = Path(pack.file.name).rename(self._root / "data" / name[:2] / name)
        self._indexed.append({"id": name, "blobs": pack.blobs})
        if sum(len(each["blobs"]) for each in self._indexed) >= INDEX_BLOBS:
            self._write_index()
        return written

    def _write_index(self) -> None:
        index = {"packs": self._indexed}
        self._write_file("index", self._seal(b"\x02" + zstandard.compress(json.dumps(index).encode())))
        self._indexed = []

    def _write_key(self, password: str) -> None:
        salt = os.urandom(64)
        derived = hashlib.scrypt(password.encode(), salt=salt, maxmem=1 << 27, dklen=64, n=self._scrypt_n, r=8, p=1)
        mac = {"k": _base64(self._mac_k), "r": _base64(self._mac_r)}
        master = json.dumps({"mac": mac, "encrypt": _base64(self._encrypt)}).encode()
        data = b"".join(_sealed([master], derived[:32], derived[32:48], derived[48:]))
        key = {"kdf": "scrypt", "N": self._scrypt_n, "r": 8, "p": 1, "salt": _base64(salt), "data": _base64(data)}
        facts = {"created": "2026-11-24T10:00:00Z", "username": "writer", "hostname": "writer"}
        self._write_file("keys", json.dumps({**facts, **key}).encode())

    def _write_file(self, kind: str, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (self._root / kind / name).write_bytes(data)
        return name

    def _seal(self, plaintext: bytes) -> bytes:
        return b"".join(self._sealed([plaintext]))

    def _sealed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        return _sealed(pieces, self._encrypt, self._mac_k, self._mac_r)


def _sealed(pieces: Iterable[bytes], encrypt: bytes, mac_k: bytes, mac_r: bytes) -> Iterator[bytes]:
    nonce = os.urandom(16)
    encryptor = Cipher(AES(encrypt), CTR(nonce)).encryptor()
    authenticator = Poly1305(mac_r + Cipher(AES(mac_k), ECB()).encryptor().update(nonce))
    yield nonce
    for piece in pieces:
        ciphertext = encryptor.update(piece)
        authenticator.update(ciphertext)
        yield ciphertext
    yield authenticator.finalize()


def _directory(nodes: Iterable[str]) -> Iterator[bytes]:
    text, size, mark = ['{"nodes":['], 0, ""
    for node in nodes:
        text += mark, node
        size, mark = size + len(node), ","
        if size >= _PIECE_BYTES:
            yield "".join(text).encode()
            text, size = [], 0
    yield ("".join(text) + "]}\n").encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
