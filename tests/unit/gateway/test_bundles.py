"""Bundles, asked without servers."""

from typing import Any, cast

import httpx
import pytest
from chassis.messaging.command_client import Commands
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.security.sealing import Sealer
from contracts.errors import Invalid, NotFound, PreconditionFailed
from contracts.messages.base import Command
from contracts.messages.bundles import ChangeBundle, CreateBundle, RemoveBundle
from contracts.values import OrganizationId
from gateway.access.accounts import DataKey
from gateway.access.principal import Principal
from gateway.areas.bundles.schemas import BundleBody, bundle_view
from gateway.areas.bundles.service import BundleRequest, Bundles
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField
from gateway.areas.connectors.revisions import ExpectedRevision
from gateway.areas.connectors.secret_reads import SecretReads
from gateway.audit_log.log import AuditLog
from gateway.idempotency.intents import Intent

from tests.support import builders as make
from tests.unit.gateway.in_memory import AuditInMemory
from tests.unit.gateway.services import a_problem, clients_of

ORG = OrganizationId("org")
ANY = ExpectedRevision()
SECRET = GivenField("canary: a key of a bundle")
INTENT = Intent("0198b1c2-0000-7000-8000-0000000000c1")


class SentCommands:
    """Takes commands and has them carried out."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def carry_out(self, command: Command, **_: Any) -> dict[str, Any]:
        self.sent.append(command)
        return {}


class Room:
    """Bundles over an assignment service that has one, whatever its id."""

    def __init__(self) -> None:
        self.kept = make.a_bundle("b1", fields={"use_tls": make.clear("true")})
        self.gone = False
        self.asked: list[httpx.Request] = []
        clients = clients_of(self.answer)
        self.encryption = FieldEncryption(Sealer(bytes(32)), MemoryAggregates(DataKey))
        self.audit, self.commands = AuditInMemory([]), SentCommands()
        reads = SecretReads(AuditLog(self.audit, kept_days=1))
        self.bundles = Bundles(
            clients.catalog, clients.bundles, cast("Commands", self.commands), self.encryption, reads
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path.endswith("/clear-fields"):
            return httpx.Response(200, json={"names": ["use_tls"]})
        if request.url.path.startswith("/internal/inventories"):
            return a_problem(404, "inventory_not_found")
        if self.gone:
            return a_problem(404, "bundle_not_found")
        return httpx.Response(200, json=self.kept.model_dump(mode="json"))

    async def keep(self, **fields: GivenField) -> None:
        sealed = await self.encryption.seal(ORG, "b1", fields, clear=frozenset({"use_tls"}))
        self.kept = make.a_bundle("b1", fields=sealed)


def someone(*roles: str) -> Principal:
    return Principal(account_id="someone", organization_id=ORG, roles=roles)


OWNER = someone("owner")


async def test_secrets_are_sealed_for_the_bundle_and_opened_for_those_who_may() -> None:
    room = Room()
    asked = BundleBody.model_validate(
        {"name": "n", "fields": {"colour": {"value": SECRET.value}, "use_tls": {"value": "true"}, "root": None}}
    )
    await room.bundles.create(OWNER, asked.request(), INTENT, inventory_id=None)
    [command] = room.commands.sent
    assert isinstance(command, CreateBundle)
    assert SECRET.value not in command.model_dump_json()
    assert command.description.fields["use_tls"].value == "true"
    opened = room.encryption.open_of(ORG, command.bundle_id, command.description.fields)
    assert opened == {"colour": SECRET, "use_tls": GivenField("true")}


async def test_reads_of_secrets_are_written_down_and_others_read_them_masked() -> None:
    room = Room()
    await room.keep(colour=SECRET)
    for _ in range(2):
        read = await room.bundles.read(OWNER, "b1", inventory_id=None)
        assert bundle_view(read).fields["colour"].value == SECRET.value
    assert len(room.audit.written) == 2
    for row in room.audit.written:
        assert (row.entry.subject.kind, row.entry.details) == ("bundle", {"bundles": ["b1"]})
        assert SECRET.value not in row.model_dump_json()
    masked = await room.bundles.read(someone("auditor"), "b1", inventory_id=None)
    assert masked.fields == {"colour": GivenField("", masked=True)}
    assert len(room.audit.written) == 2


async def test_a_secret_that_is_sent_back_stays_as_it_is() -> None:
    room = Room()
    await room.keep(colour=SECRET)
    back = BundleRequest(name="b1", fields={"colour": SECRET, "shape": SECRET})
    await room.bundles.change(OWNER, "b1", back, INTENT, inventory_id=None, expected=ANY)
    [command] = room.commands.sent
    assert isinstance(command, ChangeBundle)
    assert (command.description.fields["colour"].keep, command.description.fields["shape"].keep) == (True, False)
    assert command.expected_revision is None


async def test_references_into_secret_providers_are_refused_while_there_are_none() -> None:
    room = Room()
    asked = BundleRequest(name="n", fields={"colour": GivenField("kv/x", "provider-1")})
    with pytest.raises(Invalid) as refused:
        await room.bundles.create(OWNER, asked, INTENT, inventory_id=None)
    assert list(refused.value.fields) == ["fields.colour.provider.id"]
    assert room.commands.sent == []


async def test_a_bundle_is_found_only_where_it_belongs() -> None:
    room = Room()
    with pytest.raises(NotFound):
        await room.bundles.read(OWNER, "b1", inventory_id="inv-1")
    with pytest.raises(NotFound):
        await room.bundles.remove(OWNER, "b1", INTENT, inventory_id="inv-1", expected=ANY)
    with pytest.raises(NotFound, match="inventory_not_found"):
        await room.bundles.create(OWNER, BundleRequest(name="n"), INTENT, inventory_id="inv-1")
    assert room.commands.sent == []


async def test_a_removal_names_the_revision_and_can_be_repeated() -> None:
    room = Room()
    with pytest.raises(PreconditionFailed):
        await room.bundles.remove(OWNER, "b1", INTENT, inventory_id=None, expected=ExpectedRevision(frozenset()))
    await room.bundles.remove(OWNER, "b1", INTENT, inventory_id=None, expected=ExpectedRevision(frozenset({1})))
    room.gone = True
    await room.bundles.remove(OWNER, "b1", INTENT, inventory_id=None, expected=ANY)
    first, second = room.commands.sent
    assert isinstance(first, RemoveBundle)
    assert (first.expected_revision, second.expected_revision) == (1, None)
