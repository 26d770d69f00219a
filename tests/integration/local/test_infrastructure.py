"""Kafka and MongoDB alone, as other tests use them."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cairn_local import infrastructure
from cairn_local.infrastructure.socket_folders import socket_folder
from cairn_local.paths import StateDir
from cairn_local.supervisor.process_record import find_process, load_record
from chassis.messaging.kafka import client_arguments
from chassis.persistence.mongo import DuplicateKeyError, insert_new, open_database
from pymongo import MongoClient

from tests.support.kafka import settings_for
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

HOLD = (
    "import sys\n"
    "from pathlib import Path\n"
    "from cairn_local import infrastructure\n"
    "with infrastructure.start(Path(sys.argv[1])) as addresses:\n"
    "    print(addresses.kafka, flush=True)\n"
    "    sys.stdin.read()\n"
)
PROVISION = (
    "import os\n"
    "from cairn_local.paths import find_cache_dir\n"
    "from cairn_local.reporter_choice import open_reporter\n"
    "from cairn_local.provision.cache import Cache\n"
    "from cairn_local.provision.programs import provision_kafka_tools\n"
    "print(provision_kafka_tools(Cache(find_cache_dir(os.environ)), open_reporter()).jars)\n"
)


def living(state: StateDir) -> list[psutil.Process]:
    record = load_record(state.processes)
    found = (find_process(running) for running in (record.supervisor, *record.processes.values()))
    return [process for process in found if process]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> StateDir:
    return StateDir(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def addresses(running: StateDir) -> Iterator[infrastructure.Addresses]:
    with infrastructure.start(running.root) as started:
        yield started


def client(servers: infrastructure.Addresses) -> dict[str, Any]:
    """Arguments of a client that knows the password."""
    return client_arguments(settings_for(servers.kafka, servers.kafka_access))


async def send(servers: infrastructure.Addresses, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(**client(servers)) as producer:
        await producer.send_and_wait(topic, value)


async def receive(servers: infrastructure.Addresses, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(topic, **client(servers), auto_offset_reset="earliest", group_id="readers")
    async with consumer:
        return bytes((await consumer.getone()).value)


async def create_topic(servers: infrastructure.Addresses, topic: str) -> None:
    admin = AIOKafkaAdminClient(**client(servers))
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()


async def test_messages_and_documents_are_still_there_after_a_restart(state: StateDir) -> None:
    with infrastructure.start(state.root) as servers:
        await create_topic(servers, "kept")
        await send(servers, "kept", b"message")
        with MongoClient(servers.mongodb_uri) as client:
            client.test.things.insert_one({"_id": "kept"})
    with infrastructure.start(state.root) as servers:
        assert await receive(servers, "kept") == b"message"
        with MongoClient(servers.mongodb_uri) as client:
            assert client.test.things.find_one({"_id": "kept"})


async def test_messages_and_documents_survive_a_kill_of_everything(state: StateDir) -> None:
    with infrastructure.start(state.root) as servers:
        await create_topic(servers, "kept")
        await send(servers, "kept", b"message")
        with MongoClient(servers.mongodb_uri) as client:
            client.test.things.insert_one({"_id": "kept"})
        for process in living(state):
            process.kill()
    with infrastructure.start(state.root) as servers:
        assert await receive(servers, "kept") == b"message"
        with MongoClient(servers.mongodb_uri) as client:
            assert client.test.things.find_one({"_id": "kept"})


async def test_node_that_does_not_know_our_password_is_told_it(state: StateDir) -> None:
    """As after an upgrade: former nodes asked nobody for a password."""
    with infrastructure.start(state.root, mongodb=False) as servers:
        await create_topic(servers, "kept")
        await send(servers, "kept", b"message")
    former = state.password("kafka").read_text()
    state.password("kafka").unlink()
    with infrastructure.start(state.root, mongodb=False) as servers:
        assert state.password("kafka").read_text() != former
        assert await receive(servers, "kept") == b"message"
    assert not list(state.run.glob("kafka.setup*"))


def test_one_of_the_two_may_be_left_out(state: StateDir) -> None:
    with infrastructure.start(state.root, kafka=False) as servers:
        assert servers.kafka == ""
        assert set(load_record(state.processes).processes) == {"postgres", "mongodb"}
        with MongoClient(servers.mongodb_uri) as client:
            assert client.admin.command("ping")["ok"] == 1


def test_folder_with_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ("long" * 40))
    with infrastructure.start(state.root, kafka=False) as servers, MongoClient(servers.mongodb_uri) as client:
        assert client.admin.command("ping")["ok"] == 1
        folder = socket_folder(state, "postgres").parent
        assert folder.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(folder)


def test_servers_end_with_the_process_that_started_them(state: StateDir) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, state.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as own:
        assert own.stdout
        assert own.stdout.readline()
        processes = living(state)
        own.send_signal(signal.SIGKILL)
    assert len(processes) == 4
    eventually(lambda: not any(process.is_running() for process in processes), deadline_seconds=30)


def test_each_field_of_an_index_is_looked_up_without_a_scan(addresses: infrastructure.Addresses) -> None:
    with MongoClient(addresses.mongodb_uri) as client:
        things = client.lookups.things
        things.create_index([("organization_id", 1), ("the 'name'", 1)])
        things.insert_many({"_id": str(n), "organization_id": "o", "the 'name'": f"n{n}"} for n in range(20_000))
        for query in ({"_id": "7"}, {"organization_id": "o", "the 'name'": "n7"}):
            plan = str(things.find(query).explain()["queryPlanner"])
            assert "cairn_containment" in plan
            assert "Seq Scan" not in plan


async def test_claims_that_lose_are_no_errors_in_the_logs(
    addresses: infrastructure.Addresses, running: StateDir
) -> None:
    settings = settings_for(addresses.kafka, addresses.kafka_access, mongodb_uri=addresses.mongodb_uri)
    logs = [running.log(name) for name in ("mongodb", "postgres")]
    async with open_database(settings, "probe") as database:
        assert await insert_new(database.claims, {"_id": "canary", "owner": "first"})
        before = [log.read_text() for log in logs]
        assert not any([await insert_new(database.claims, {"_id": "canary", "owner": "late"}) for _ in range(20)])
        assert [log.read_text() for log in logs] == before
        at_once = await asyncio.gather(*(insert_new(database.claims, {"_id": "2", "owner": n}) for n in range(16)))
        assert sum(at_once) == 1
        # However they lose: no values out of documents.
        with contextlib.suppress(DuplicateKeyError):
            await database.claims.insert_one({"_id": "canary"})
    assert not any("canary" in log.read_text() for log in logs)
    assert running.log("mongodb").read_text() == before[0]


def test_field_is_indexed_once(addresses: infrastructure.Addresses) -> None:
    with MongoClient(addresses.mongodb_uri) as client:
        things = client.lookups.others
        names = [things.create_index(keys) for keys in ([("a", 1)], [("a", 1), ("b", 1)], [("b", -1)], [("c.d", 1)])]
        assert names == ["a_1", "a_1_b_1", "b_-1", "c.d_1"]
        things.insert_one({"a": 1, "b": 2, "c": {"d": 3}})
        assert things.find_one({"c.d": 3})
        client.lookups.drop_collection("others")


def test_two_processes_may_provision_at_once(tmp_path: Path) -> None:
    environ = {**os.environ, "CAIRN_CACHE": str(tmp_path)}
    argv = [sys.executable, "-c", PROVISION]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(argv, env=environ, text=True, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    outputs = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0][0] == outputs[1][0]
    assert "".join(stderr for _stdout, stderr in outputs).count("Fetching Kafka 4.3.0 ...") == 1
