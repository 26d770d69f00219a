"""What the platform keeps: its documents as they are read, and files in which something is found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from cairn_local.platform import load_addresses
from pymongo import MongoClient

from tests.e2e.conftest import Platform

ZSTD = b"\x28\xb5\x2f\xfd"


def files_with(needle: bytes, root: Path) -> list[str]:
    """The files in a folder that hold some bytes."""
    return [str(p) for p in root.rglob("*") if p.is_file() and needle in p.read_bytes()]


def topics_with(needle: bytes, platform: Platform) -> set[str]:
    """The topics of Kafka whose messages hold some bytes."""
    # A partition is a folder `<topic>-<number>`.
    return {Path(found).parent.name.rpartition("-")[0] for found in files_with(needle, platform.home / "data/kafka")}


def documents(platform: Platform) -> bytes:
    """All documents of all databases, unpacked: in its files PostgreSQL compresses the long ones."""
    with _database(platform) as client:
        found = [
            d
            for name in client.list_database_names()
            for collection in client[name].list_collection_names()
            for d in client[name][collection].find()
        ]
    return b"\n".join(part for document in found for part in _parts(document))


def document_ids(platform: Platform) -> set[str]:
    """Which documents there are, of all collections of all databases."""
    with _database(platform) as client:
        return {
            f"{name}.{collection}: {document['_id']}"
            for name in client.list_database_names()
            for collection in client[name].list_collection_names()
            for document in client[name][collection].find({}, {"_id": True})
        }


def _database(platform: Platform) -> "MongoClient[dict[str, Any]]":
    return MongoClient(load_addresses(platform.state).mongodb_uri)


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _parts(item)
    elif isinstance(value, bytes):
        yield zstandard.decompress(value, max_output_size=1 << 28) if value.startswith(ZSTD) else value
    else:
        yield str(value).encode()
