"""Servers elsewhere: the same clients over TLS, with credentials where the server has users."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from cairn_local import infrastructure, supervisor_control
from cairn_local.environment import base_environment
from cairn_local.infrastructure import kafka
from cairn_local.paths import StateDir, find_cache_dir
from cairn_local.ports import LOOPBACK, remember_ports
from cairn_local.process_plan import Check, load_plan
from cairn_local.provision.cache import Cache
from cairn_local.provision.programs import provision_kafka_tools
from cairn_local.step_reporters import SilentReporter
from chassis.messaging.command_client import open_commands
from chassis.messaging.dead_letters import dead_letter_topics
from chassis.messaging.publisher import open_publisher
from chassis.messaging.topology import ensure_topics
from chassis.persistence.mongo import open_database
from chassis.runtime.settings import CommonSettings
from contracts.topics import OUTCOMES

from tests.support.certificates import Certificate, make_certificate
from tests.support.kafka import settings_for
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.integration

CACHE = Cache(find_cache_dir(os.environ))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    made = StateDir(tmp_path / "state").create()
    yield made
    supervisor_control.stop(made)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


def with_tls(settings: Path, certificate: Certificate) -> None:
    """Put TLS below the listener of clients. Of a setting told twice, Kafka takes the last."""
    more = {
        "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:SASL_PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": certificate.certificate.read_text().replace("\n", "\\n"),
        "ssl.keystore.key": certificate.key.read_text().replace("\n", "\\n"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": certificate.authority.read_text().replace("\n", "\\n"),
    }
    with settings.open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in more.items())


async def test_every_client_of_kafka_speaks_tls(state: StateDir, certificate: Certificate) -> None:
    tools = provision_kafka_tools(CACHE, SilentReporter())
    ports, env = remember_ports(state.ports, ["kafka", "controller"]), base_environment(state)
    kafka.prepare(state, tools, port=ports["kafka"], controller_port=ports["controller"], env=env)
    with_tls(state.run / "kafka.properties", certificate)
    spec = kafka.spec(state, tools, port=ports["kafka"], env=env)
    supervisor_control.supervise(state, [spec], tied_to_caller=True)
    with_authority = {"kafka_security": "SASL_SSL", "kafka_ca_file": certificate.authority}
    settings = settings_for(spec.address, kafka.access(state), topic_partitions=1, **with_authority)

    await eventually_async(lambda: answers(settings), deadline_seconds=60)
    await ensure_topics(settings, [OUTCOMES])
    async with open_publisher(settings) as publisher, open_commands(settings, publisher, service="probe"):
        await publisher.send_raw(OUTCOMES, key=b"key", value=b"{}", headers=[])
    assert await dead_letter_topics(settings) == [OUTCOMES]

    with pytest.raises(KafkaError):
        await dead_letter_topics(settings.model_copy(update={"kafka_ca_file": None}))
    with pytest.raises(KafkaError):
        await dead_letter_topics(settings.model_copy(update={"kafka_security": "SASL_PLAINTEXT"}))


async def answers(settings: CommonSettings) -> bool:
    try:
        return await dead_letter_topics(settings) == []
    except KafkaError:
        return False


async def test_mongodb_is_reached_over_tls(state: StateDir, certificate: Certificate) -> None:
    port = remember_ports(state.ports, ["tls"])["tls"]
    with infrastructure.start(state.root, kafka=False):
        plan = load_plan(state.plan)
        listening = {
            "FERRETDB_LISTEN_UNIX": "",
            "FERRETDB_LISTEN_TLS": f"{LOOPBACK}:{port}",
            "FERRETDB_LISTEN_TLS_CERT_FILE": str(certificate.certificate),
            "FERRETDB_LISTEN_TLS_KEY_FILE": str(certificate.key),
        }
        check = Check("tcp", f"{LOOPBACK}:{port}")
        remote = replace(plan[-1], name="remote", env=plan[-1].env | listening, check=check, stale=())
        supervisor_control.supervise(state, [*plan, remote])
        supervisor_control.wait_until_healthy(state, [remote])
        uri = f"mongodb://{LOOPBACK}:{port}/?tls=true&tlsCAFile={certificate.authority}"
        async with open_database(CommonSettings(mongodb_uri=uri, service_key_file=Path("none")), "probe") as database:
            await database.things.insert_one({"_id": 1})
            assert await database.things.count_documents({}) == 1
