"""Inventories, asked without servers."""

import dataclasses
from typing import Any, cast

import httpx
import pytest
from chassis.errors import Unavailable
from chassis.messaging.command_client import Commands
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.security.sealing import Sealer
from contracts.values import OrganizationId
from gateway.access.accounts import DataKey
from gateway.access.principal import Principal
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.secret_reads import SecretReads
from gateway.areas.inventories.service import Inventories, InventoryRequest
from gateway.audit_log.log import AuditLog
from gateway.idempotency.intents import Intent

from tests.unit.gateway.in_memory import AuditInMemory
from tests.unit.gateway.services import Answer, a_problem, clients_of

ORG = OrganizationId("org")
KEY = GivenField("canary: a kubeconfig")


class Room:
    """Inventories over a catalog that answers by a function."""

    def __init__(self, answer: Answer) -> None:
        clients = clients_of(answer)
        self.encryption = FieldEncryption(Sealer(bytes(32)), MemoryAggregates(DataKey))
        self.audit = AuditInMemory([])
        reads = SecretReads(AuditLog(self.audit, kept_days=1))
        self.inventories = Inventories(
            clients.catalog, clients.assignment, cast("Commands", None), self.encryption, reads
        )


def someone(*roles: str) -> Principal:
    return Principal(account_id="someone", organization_id=ORG, roles=roles)


def an_inventory(kind: str, **more: Any) -> httpx.Response:
    facts: dict[str, Any] = {"id": "inv-1", "organization_id": ORG, "name": "cellar", "type": kind, "revision": 1}
    return httpx.Response(200, json=facts | more)


async def with_kubeconf() -> Room:
    """A room in which the only inventory has a secret."""
    sealed: dict[str, Any] = {}
    room = Room(lambda _: an_inventory("k8s", configuration=sealed))
    fields = await room.encryption.seal(ORG, "inv-1", {"k8s_kubeconf": KEY}, clear=frozenset())
    sealed |= {name: field.model_dump(mode="json") for name, field in fields.items()}
    return room


@pytest.mark.parametrize(
    ("answer", "roles", "told"),
    [
        (an_inventory("self-managed"), ("operator",), ""),
        (an_inventory("aws"), ("owner",), "No provider for inventories of type aws is installed"),
        (a_problem(404, "inventory_not_found"), ("owner",), "No."),
        (a_problem(503, "service_unavailable"), ("owner",), "No."),
        (an_inventory("self-managed"), ("auditor",), "None of your roles"),
        (an_inventory("self-managed"), (), "None of your roles"),
    ],
)
async def test_sync_always_has_an_answer(answer: httpx.Response, roles: tuple[str, ...], told: str) -> None:
    error = await Room(lambda _: answer).inventories.sync(someone(*roles), "inv-1")
    assert told in error
    assert bool(told) == bool(error)


async def test_secrets_are_read_by_those_who_may_and_that_is_written_down() -> None:
    room = await with_kubeconf()
    for _ in range(2):
        read = await room.inventories.read(someone("owner"), "inv-1")
        assert read.settings == {"k8s_kubeconf": KEY}
    assert len(room.audit.written) == 2
    for row in room.audit.written:
        assert (row.entry.action, row.entry.subject.kind, row.entry.subject.id) == ("secret.read", "inventory", "inv-1")
        assert row.entry.details == {"inventories": ["inv-1"]}


class Sent:
    """Takes commands."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    async def carry_out(self, command: Any, **_: Any) -> dict[str, Any]:
        self.commands.append(command)
        return {}


async def test_a_secret_that_is_sent_back_is_no_other_one() -> None:
    room, sent = await with_kubeconf(), Sent()
    inventories = dataclasses.replace(room.inventories, commands=cast("Commands", sent))
    intent = Intent("0198b1c2-0000-7000-8000-0000000000c1")
    for settings in ({"k8s_kubeconf": KEY}, {"k8s_kubeconf": GivenField("canary: another")}):
        await inventories.change(someone("owner"), "inv-1", InventoryRequest("cellar", "k8s", settings), intent)
    kept = (await room.inventories.catalog.inventory(someone("owner"), "inv-1")).configuration
    first, second = (command.configuration["k8s_kubeconf"] for command in sent.commands)
    assert (first == kept["k8s_kubeconf"], second == kept["k8s_kubeconf"]) == (True, False)


@pytest.mark.parametrize("role", ["auditor", "operator"])
async def test_others_read_that_a_secret_is_kept(role: str) -> None:
    room = await with_kubeconf()
    read = await room.inventories.read(someone(role), "inv-1")
    assert read.settings == {"k8s_kubeconf": GivenField("", masked=True)}
    assert room.audit.written == []


async def test_what_cannot_be_written_down_is_not_handed_out() -> None:
    room = await with_kubeconf()
    room.audit.broken = True
    with pytest.raises(Unavailable, match="audit_unavailable"):
        await room.inventories.read(someone("owner"), "inv-1")


async def test_an_inventory_without_secrets_is_read_without_an_entry() -> None:
    room = Room(lambda _: an_inventory("gcp", configuration={"gcp_project_id": {"value": "p"}}))
    read = await room.inventories.read(someone("owner"), "inv-1")
    assert (read.settings, room.audit.written) == ({"gcp_project_id": GivenField("p")}, [])
