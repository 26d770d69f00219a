"""Loads what `record_state.py` has recorded into a new platform: files and keys, then documents and messages."""

import base64
import fcntl
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from bson.json_util import loads
from cairn_local.infrastructure import start
from chassis.messaging.kafka import client_arguments
from chassis.messaging.topology import ensure_topics
from chassis.runtime.settings import CommonSettings
from contracts.topics import dead_letters
from pymongo import MongoClient

from tests.e2e.upgrade.record_state import PLACE
from tests.support.kafka import settings_for


@dataclass(frozen=True)
class Recorded:
    """Ids of connectors and jobs by the names that `record_state.py` gives them; what the API answered, by path."""

    ids: dict[str, str]
    jobs: dict[str, str]
    answers: dict[str, Any]


@contextmanager
def unpacked(archive: Path, home: Path) -> Iterator[Path]:
    """The folder with the dump. Keys and credentials are in `home`, sources and repositories where they were."""
    # Their place is part of the recorded configuration; two runs on one machine must not share it.
    with PLACE.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(PLACE, ignore_errors=True)
        with tarfile.open(archive) as packed:
            packed.extractall(home, filter="data")
        shutil.move(home / "place", PLACE)
        try:
            yield home / "dump"
        finally:
            shutil.rmtree(PLACE, ignore_errors=True)


async def load(dump: Path, home: Path) -> Recorded:
    """Fill new servers in `home` with the dump, and stop them again."""
    with start(home) as servers:
        load_documents(servers.mongodb_uri, dump)
        await load_messages(settings_for(servers.kafka, servers.kafka_access), dump)
    return Recorded(**json.loads((dump / "names.json").read_text()))


def load_documents(uri: str, dump: Path) -> None:
    """Every collection with its documents, and with the indexes of that version: new ones have to go beside them."""
    with MongoClient[dict[str, Any]](uri) as client:
        for path in dump.glob("cairn_*.jsonl"):
            database, _, name = path.stem.partition(".")
            indexes, *documents = map(loads, path.read_text().splitlines())
            collection = client[database][name]
            if documents:
                collection.insert_many(documents)
            for index, about in indexes.items():
                options = {option: value for option, value in about.items() if option not in ("key", "v", "ns")}
                if index != "_id_":
                    collection.create_index([tuple(part) for part in about["key"]], name=index, **options)


async def load_messages(settings: CommonSettings, dump: Path) -> None:
    """Every message at the place where it was, read by each group as far as it had come."""
    head, *lines = map(json.loads, (dump / "messages.jsonl").read_text().splitlines())
    await ensure_topics(settings, [topic for topic in head["partitions"] if not topic.endswith(dead_letters(""))])
    producer = AIOKafkaProducer(**client_arguments(settings))
    await producer.start()
    for topic, partition, offset, key, value, headers in lines:
        sent = await producer.send_and_wait(
            topic, decoded(value), key=decoded(key), partition=partition, headers=[(n, decoded(v)) for n, v in headers]
        )
        assert sent.offset == offset
    await producer.stop()
    for group, reached in head["offsets"].items():
        member = AIOKafkaConsumer(**client_arguments(settings), group_id=group, enable_auto_commit=False)
        await member.start()
        places = {TopicPartition(topic, partition): offset for topic, partition, offset in reached}
        member.assign(list(places))
        await member.commit(places)
        await member.stop()


def decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
