"""Repositories whose index is large and whose packs are not there, but for one with one blob."""

import random
from dataclasses import dataclass
from pathlib import Path

import zstandard
from restic_reader import FileKind
from restic_reader.crypto import Keys

from tests.unit.restic_reader.builder import Builder, seal, sha256

BLOBS_PER_FILE = 50_000
_BLOBS_PER_PACK = 500
_BLOB_BYTES = 5000
CONTENT = b"the only content that is there\n" * 40


@dataclass(frozen=True)
class ManyBlobs:
    """What was written: the blob that can be read, and some of the others."""

    root: Path
    real: str
    some: list[str]


def write_many_blobs(root: Path, blobs: int, *, seed: int = 1, per_file: int = BLOBS_PER_FILE) -> ManyBlobs:
    """A repository for `builder.PASSWORD` with index files as restic writes them; little memory, about 80 bytes a
    blob on disk."""
    chance = random.Random(seed)
    builder = Builder()
    _, (real,) = builder.pack(CONTENT)
    for (kind, name), data in builder.files.files.items():
        _save(root, kind, name, data)
    some: list[str] = []
    for first in range(0, blobs, per_file):
        document, ids = _index_file(chance, min(per_file, blobs - first))
        some += chance.sample(ids, min(50, len(ids)))
        sealed = _sealed(builder.keys, document)
        _save(root, FileKind.INDEX, sha256(sealed), sealed)
    return ManyBlobs(root, real, some)


def _index_file(chance: random.Random, blobs: int) -> tuple[bytes, list[str]]:
    names = chance.randbytes(32 * blobs).hex()
    ids = [names[at : at + 64] for at in range(0, len(names), 64)]
    packs = [
        f'{{"id":"{chance.randbytes(32).hex()}","blobs":[{_entries(ids[first : first + _BLOBS_PER_PACK])}]}}'
        for first in range(0, blobs, _BLOBS_PER_PACK)
    ]
    return f'{{"packs":[{",".join(packs)}]}}'.encode(), ids


def _entries(ids: list[str]) -> str:
    return ",".join(
        f'{{"id":"{blob}","type":"data","offset":{number * _BLOB_BYTES},"length":{_BLOB_BYTES},'
        f'"uncompressed_length":{2 * _BLOB_BYTES}}}'
        for number, blob in enumerate(ids)
    )


def _sealed(keys: Keys, document: bytes) -> bytes:
    return seal(keys, b"\x02" + zstandard.ZstdCompressor(level=1).compress(document))


def _save(root: Path, kind: FileKind, name: str, data: bytes) -> None:
    place = root / kind.value / name if name else root / kind.value
    if kind is FileKind.PACK:
        place = root / kind.value / name[:2] / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
