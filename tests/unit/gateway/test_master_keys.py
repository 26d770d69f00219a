"""What the gateway does about master keys, over services that answer by a function."""

import argparse
import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from chassis.errors import Unavailable
from chassis.http.client import ServiceClient
from chassis.http.tokens import Tokens
from chassis.kept_secrets import Holder, sealed_owners
from chassis.messaging.command_client import StillRunning
from chassis.security.keyring import KeyringFile, key_id
from chassis.security.sealing import Place, Sealer
from contracts.errors import Conflict, NotFound, TemporaryError
from contracts.field_values import FieldValue, SealedValue
from contracts.messages.base import Command
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.resealing import ResealApp, ResealBundle, ResealInventory
from contracts.queries.sealing import KeyHolder, SealedQuestion
from contracts.values import OrganizationId
from gateway.access.accounts import DataKey, Organization
from gateway.access.store import Accounts
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.master_keys import command
from gateway.areas.master_keys.resealing import Resealing, note_resealing
from gateway.areas.master_keys.service import MasterKeys, Until
from gateway.areas.master_keys.status import Census, KeyStatus, key_ids_in
from gateway.audit_log.log import AuditLog
from gateway.clients.bundles import BundleClient
from gateway.clients.sealing import SealingClient

from tests.support import builders as make
from tests.support.builders import wrap
from tests.unit.gateway.in_memory import AuditInMemory, accounts_in_memory
from tests.unit.gateway.services import AnsweringHttp, a_problem

ORG, BELOW = OrganizationId("org"), OrganizationId("below")
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)


class Owners:
    """Services that keep sealed values, workers with copies of them, and Kafka, which they handle after a while."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "master.key"
        write(self.path, (OLD, ""))
        self.sealer = Sealer(KeyringFile(self.path))
        self.fields: dict[str, dict[str, dict[str, FieldValue]]] = {"bundle": {}, "connector": {}, "inventory": {}}
        self.copies: dict[str, dict[str, FieldValue]] = {}
        self.processes = [a_holder("gateway one", OLD), a_holder("connector one", OLD)]
        self.sent: list[Command] = []
        self.on_their_way: list[int] = []
        self.slept = 0.0
        self.refuses: BaseException | None = None
        sealing, bundles = self._clients()
        self.accounts: Accounts = accounts_in_memory()
        self.audit = AuditInMemory([])
        encryption = FieldEncryption(self.sealer, self.accounts.data_keys)
        own = cast("Any", self)
        self.keys = MasterKeys(
            Census(self.accounts, sealing, own, self.sealer),
            Resealing(sealing, bundles, own, encryption, partial(note_resealing, AuditLog(self.audit, kept_days=1))),
            own,
            own,
            clock=lambda: NOW + timedelta(seconds=self.slept),
            sleep=self.sleep,
        )

    def _clients(self) -> tuple[SealingClient, BundleClient]:
        http, tokens = AnsweringHttp(self._answer), Tokens(bytes(32), audience="cairn-internal")
        services = {
            name: ServiceClient(f"http://{name}", http=http, tokens=tokens)
            for name in ("assignment", "catalog", "connector")
        }
        workers = services.pop("connector")
        return SealingClient(services, workers), BundleClient(services["assignment"])

    async def found(self) -> None:
        """Make the organizations."""
        for org, parent in ((ORG, None), (BELOW, ORG)):
            organizations, data_keys = self.accounts.organizations, self.accounts.data_keys
            value = Organization(id=org, name=org, parent_id=parent)
            await organizations.save(await organizations.load(EVERYBODY, org), value)
            kept = DataKey(organization_id=org, sealed=self.sealer.new_data_key(org))
            await data_keys.save(await data_keys.load(org, org), kept)

    def keep(self, kind: str, owner: str, *, of: str = "", spoilt: bool = False) -> SealedValue:
        """Have an owner keep a secret, which may be a bundle's."""
        place = Place(organization_id=ORG, owner="elsewhere" if spoilt else of or owner, field="key")
        data_key = self.sealer.new_data_key(ORG)
        sealed = self.fields["bundle"][of]["key"].sealed if of else None
        sealed = sealed or self.sealer.seal(f"canary {of or owner}", data_key=data_key, place=place)
        self.fields[kind][owner] = {"key": FieldValue.model_validate({"sealed": sealed, "bundle_id": of or None})}
        return sealed

    def switch(self) -> None:
        """The second step: all seal under the new key."""
        write(self.path, (NEW, ""), (OLD, "former"))
        self.processes = [a_holder(each.name, NEW, OLD) for each in self.processes]

    async def sleep(self, seconds: float) -> None:
        """Let time pass, in which workers hear of what is new."""
        self.slept += seconds
        self.copies = dict(self.fields["connector"])

    async def unsent(self) -> list[Any]:
        """No command waits for Kafka."""
        return []

    async def present(self) -> list[KeyHolder]:
        """The gateways."""
        return [each for each in self.processes if each.name.startswith("gateway")]

    async def ends(self, topics: list[str]) -> dict[str, int]:
        """The topics as they are now."""
        return dict.fromkeys(topics, 1)

    async def left(self, _: str, __: object) -> int:
        """What is handled by and by."""
        return self.on_their_way.pop() if self.on_their_way else 0

    async def carry_out(self, sent: ResealApp | ResealBundle | ResealInventory) -> dict[str, Any]:
        """What owners do with a command."""
        self.sent.append(sent)
        if self.refuses is not None:
            refusal, self.refuses = self.refuses, None
            raise refusal
        kind, owner = {
            ResealApp: ("connector", getattr(sent, "app_id", "")),
            ResealBundle: ("bundle", getattr(sent, "bundle_id", "")),
            ResealInventory: ("inventory", getattr(sent, "inventory_id", "")),
        }[type(sent)]
        for each in sent.resealed:
            value = self.fields[kind][owner][each.field]
            assert value.sealed is not None
            assert value.sealed.nonce == each.nonce
            self.fields[kind][owner][each.field] = value.model_copy(update={"sealed": each.sealed})
        return {"id": owner, "replaced": len(sent.resealed)}

    def secrets(self) -> dict[str, str]:
        """All secrets as they open under the keys of now."""
        return {
            owner: self.sealer.open(
                value.sealed, place=Place(organization_id=ORG, owner=value.owner(owner), field="key")
            )
            for kept in self.fields.values()
            for owner, fields in kept.items()
            for value in fields.values()
            if value.sealed is not None
        }

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/internal/key-holders":
            workers = [each for each in self.processes if each.name.startswith("connector")]
            if not workers:
                return a_problem(503, "service_unavailable")
            return httpx.Response(200, json={"items": [each.model_dump(mode="json") for each in workers]})
        if request.url.path.startswith("/internal/bundles/"):
            return self._bundle(request.url.path.rpartition("/")[2])
        # All three ask at one address: what a service keeps is told by both, and that of workers by who is asked last.
        return httpx.Response(200, json=self._sealed(request))

    def _bundle(self, bundle_id: str) -> httpx.Response:
        if bundle_id not in self.fields["bundle"]:
            return a_problem(404, "bundle_not_found")
        bundle = make.a_bundle(bundle_id, fields=self.fields["bundle"][bundle_id])
        return httpx.Response(200, json=bundle.model_dump(mode="json"))

    def _sealed(self, request: httpx.Request) -> dict[str, Any]:

        kept: dict[str, dict[str, dict[str, FieldValue]]] = {
            "assignment": {kind: self.fields[kind] for kind in ("bundle", "connector")},
            "catalog": {"inventory": self.fields["inventory"]},
            "connector": {"connector": self.copies},
        }[request.url.host]
        holders = [Holder(cast("Any", kind), *each) for kind, found in kept.items() for each in found.items()]
        asked = SealedQuestion.model_validate_json(request.content)
        return sealed_owners(holders if ORG in _org(request) else [], asked).model_dump(mode="json")


def _org(request: httpx.Request) -> str:
    claims = request.headers["authorization"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["org"])


def a_holder(name: str, *keys: bytes) -> KeyHolder:
    return KeyHolder(id=name, name=name, key_ids=tuple(map(key_id, keys)), sealing_since=NOW, at=NOW)


def write(path: Path, *keys: tuple[bytes, str]) -> None:
    path.with_suffix(".new").write_text("".join(f"{base64.b64encode(k).decode()} {role}\n" for k, role in keys))
    path.with_suffix(".new").replace(path)


@pytest.fixture
async def owners(tmp_path: Path) -> Owners:
    made = Owners(tmp_path)
    await made.found()
    made.keep("bundle", "b1")
    made.keep("connector", "app-1")
    made.keep("connector", "app-2", of="b1")
    made.keep("inventory", "inv-1")
    return made


def nothing(_: str) -> None:
    pass


async def test_everything_is_taken_under_the_current_key(owners: Owners) -> None:
    before = owners.secrets()
    owners.switch()
    status = await owners.keys.reseal(nothing)
    assert owners.secrets() == before
    assert [(key.role, key.id) for key in status.keys if key.total] == [("current", key_id(NEW))]
    write(owners.path, (NEW, ""))
    assert owners.secrets() == before
    # Nobody who had the old data keys opens anything with them.
    assert (await owners.accounts.data_keys.get(BELOW, BELOW)).key_id == key_id(NEW)  # type: ignore[union-attr]


async def test_each_organization_finds_it_in_its_audit_log_once(owners: Owners) -> None:
    owners.switch()
    for _ in range(2):
        await owners.keys.reseal(nothing)
    [row] = owners.audit.written
    assert (row.entry.organization_id, row.entry.action, row.entry.actor.via) == (ORG, "secret.reseal", "command")
    assert row.entry.details == {"key_id": key_id(NEW)}


async def test_what_cannot_be_written_down_is_not_opened(owners: Owners) -> None:
    owners.switch()
    owners.audit.broken = True
    with pytest.raises(Unavailable, match="audit_unavailable"):
        await owners.keys.reseal(nothing)
    assert owners.sent == []


async def test_a_connector_gets_the_very_value_of_its_bundle(owners: Owners) -> None:
    owners.switch()
    await owners.keys.reseal(nothing)
    assert isinstance(owners.sent[0], ResealBundle)
    assert owners.fields["connector"]["app-2"]["key"].sealed == owners.fields["bundle"]["b1"]["key"].sealed
    assert owners.fields["connector"]["app-2"]["key"].bundle_id == "b1"


async def test_a_value_of_a_bundle_that_is_another_by_now_or_gone_is_sealed_for_it(owners: Owners) -> None:
    before = owners.secrets()
    place = Place(organization_id=ORG, owner="b1", field="key")
    other = owners.sealer.seal("another", data_key=owners.sealer.new_data_key(ORG), place=place)
    owners.fields["bundle"]["b1"]["key"] = FieldValue(sealed=other)
    owners.switch()
    await owners.keys.reseal(nothing)
    assert owners.secrets() == before | {"b1": "another"}

    owners.fields["bundle"].clear()
    write(owners.path, (OLD, ""), (NEW, "former"))
    owners.processes = [a_holder(each.name, OLD, NEW) for each in owners.processes]
    await owners.keys.reseal(nothing)
    assert owners.secrets()["app-2"] == before["app-2"]


async def test_twice_changes_nothing_the_second_time(owners: Owners) -> None:
    owners.switch()
    await owners.keys.reseal(nothing)
    sent, kept = len(owners.sent), repr(owners.fields)
    await owners.keys.reseal(nothing)
    assert (len(owners.sent), repr(owners.fields)) == (sent, kept)


LATE = StillRunning(wrap(make.remove_app("app-1")), taken=True)


@pytest.mark.parametrize("refusal", [NotFound("app_not_found", "x"), LATE])
async def test_what_was_removed_or_is_late_is_looked_at_again(owners: Owners, refusal: BaseException) -> None:
    before = owners.secrets()
    owners.switch()
    owners.refuses = refusal
    await owners.keys.reseal(nothing)
    assert owners.secrets() == before
    assert (await owners.keys.status()).keys[1].total == 0


async def test_an_error_is_raised_and_the_next_attempt_goes_on(owners: Owners) -> None:
    owners.switch()
    owners.refuses = Unavailable("kafka_unavailable", "Kafka is away.")
    with pytest.raises(Unavailable):
        await owners.keys.reseal(nothing)
    await owners.keys.reseal(nothing)
    assert (await owners.keys.status()).keys[1].total == 0


async def test_nothing_is_resealed_while_somebody_seals_under_the_old_key(owners: Owners) -> None:
    owners.switch()
    owners.processes[0] = a_holder("gateway slow", OLD, NEW)
    with pytest.raises(Conflict, match="gateway slow"):
        await owners.keys.reseal(nothing)
    assert owners.sent == []


async def test_what_is_on_its_way_is_waited_for(owners: Owners) -> None:
    owners.switch()
    owners.on_their_way = [0, 0, 3, 2]
    said: list[str] = []
    await owners.keys.reseal(said.append, grace=timedelta(seconds=30))
    assert owners.slept >= 30
    assert owners.on_their_way == []
    assert any("30 s" in words for words in said)
    assert any("commands that are on their way" in words for words in said)
    owners.on_their_way = [1] * 1000
    with pytest.raises(TemporaryError, match="commands_left"):
        await owners.keys.reseal(nothing, patience_seconds=3)


async def test_what_nobody_can_open_is_named_and_its_key_kept(owners: Owners) -> None:
    owners.keep("connector", "app-3", spoilt=True)
    owners.switch()
    with pytest.raises(Conflict, match="connector app-3 field key") as error:
        await owners.keys.reseal(nothing)
    assert error.value.code == "secrets_unreadable"
    status = await owners.keys.status()
    assert [(key.role, key.values.get("connectors")) for key in status.keys] == [("current", 2), ("former", 1)]
    del owners.fields["connector"]["app-3"]
    await owners.keys.reseal(nothing)


async def test_a_key_that_nobody_has_is_counted_and_keeps_nothing_back(owners: Owners) -> None:
    lost = Sealer(bytes(32))
    place = Place(organization_id=ORG, owner="app-4", field="key")
    sealed = lost.seal("gone", data_key=lost.new_data_key(ORG), place=place)
    owners.fields["connector"]["app-4"] = {"key": FieldValue(sealed=sealed)}
    owners.switch()
    status = await owners.keys.reseal(nothing)
    assert [(key.role, key.values.get("connectors", 0)) for key in status.keys] == [
        ("current", 2),
        ("former", 0),
        ("unknown", 1),
    ]


@pytest.mark.parametrize(
    ("until", "keys", "late"),
    [
        ("known", [(OLD, NEW), (OLD, NEW)], False),
        ("known", [(OLD, NEW), (OLD,)], True),
        ("current", [(NEW, OLD), (NEW, OLD)], False),
        ("current", [(NEW, OLD), (OLD, NEW)], True),
        ("gone", [(OLD,), (OLD,)], False),
        ("gone", [(OLD,), (OLD, NEW)], True),
    ],
)
async def test_processes_are_waited_for(
    owners: Owners, until: Until, keys: list[tuple[bytes, ...]], late: bool
) -> None:
    owners.processes = [a_holder("gateway one", *keys[0]), a_holder("connector two", *keys[1])]
    if not late:
        await owners.keys.taken_up(key_id(NEW), until, nothing)
        return
    with pytest.raises(TemporaryError, match="Not taken up yet by connector two"):
        await owners.keys.taken_up(key_id(NEW), until, nothing, patience_seconds=2)
    assert owners.slept > 2


async def test_workers_that_do_not_answer_are_waited_for(owners: Owners) -> None:
    owners.processes = [a_holder("gateway one", OLD, NEW)]
    with pytest.raises(TemporaryError, match="a worker that answers"):
        await owners.keys.taken_up(key_id(NEW), "known", nothing, patience_seconds=1)


def test_the_keys_in_a_command_are_found() -> None:
    sealed = make.sealed().sealed
    assert sealed is not None
    named = sealed.model_copy(update={"key_id": key_id(OLD)})
    assert key_ids_in(wrap(make.assign_app(fields={"key": FieldValue(sealed=named)}))) == {key_id(OLD)}
    assert key_ids_in(wrap(make.remove_app("app-1"))) == set()


async def test_the_command_tells_steps_and_problems_and_no_key(owners: Owners) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    written: list[str] = []

    async def do(*arguments: str) -> dict[str, Any]:
        written.clear()
        # What is told is looked at; that it is raised too makes the exit code.
        with suppress(TemporaryError):
            await command.run(owners.keys, parser.parse_args(arguments), write=written.append)
        assert all(base64.b64encode(key).decode() not in line for key in (OLD, NEW) for line in written)
        assert all("canary" not in line for line in written)
        return dict(json.loads(written[-1])["secrets"])

    assert (await do("status"))["status"]["keys"][0]["values"] == {
        "bundles": 1,
        "connectors": 2,
        "data keys": 2,
        "inventories": 1,
    }
    assert (await do("await", key_id(OLD), "--until", "current"))["done"]
    owners.processes[1] = a_holder("connector slow", OLD)
    assert "connector slow" in (await do("await", key_id(NEW), "--patience", "1"))["problem"]["detail"]
    owners.switch()
    assert (await do("reseal", "--grace", "0"))["done"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "nothing"),
        ({"bundles": 5, "connectors": 8, "data keys": 1}, "1 data key, 5 secrets of bundles, 8 of connectors"),
        ({"inventories": 1}, "1 secret of inventories"),
        ({"copies of workers": 8}, "8 secrets in what workers know of connectors"),
        ({"connectors": 1, "kept commands": 1}, "1 secret of connectors, 1 command that waits to be sent"),
    ],
)
def test_what_hangs_on_a_key_is_said_in_words(values: dict[str, int], words: str) -> None:
    key = KeyStatus(id="aa", role="current", values=values)
    assert key.words == key.model_dump()["words"] == words
