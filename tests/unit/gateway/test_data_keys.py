"""Data keys of organizations follow the master key."""

import base64
from pathlib import Path

import pytest
from chassis.persistence.memory_aggregates import MemoryAggregates
from chassis.security.keyring import KeyringFile, key_id
from chassis.security.sealing import Sealer
from contracts.errors import PermanentError
from contracts.field_values import FieldValue
from contracts.values import OrganizationId
from gateway.access.accounts import DataKey
from gateway.areas.connectors.field_encryption import FieldEncryption
from gateway.areas.connectors.preconditions import GivenField

ORG = OrganizationId("org")
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PREPARED, SWITCHED = ((OLD, ""), (NEW, "next")), ((NEW, ""), (OLD, "former"))


class Gateways:
    """Two gateways with files of their own over one database."""

    def __init__(self, folder: Path) -> None:
        self.paths = [folder / name for name in ("one", "other")]
        for path in self.paths:
            write(path, ((OLD, ""),))
        self.data_keys = MemoryAggregates(DataKey)
        self.one, self.other = (FieldEncryption(Sealer(KeyringFile(p)), self.data_keys) for p in self.paths)

    async def kept(self) -> DataKey:
        found = await self.data_keys.get(ORG, ORG)
        assert found is not None
        return found


def write(path: Path, keys: tuple[tuple[bytes, str], ...]) -> None:
    path.with_suffix(".new").write_text("".join(f"{base64.b64encode(k).decode()} {role}\n" for k, role in keys))
    path.with_suffix(".new").replace(path)


async def sealed_by(encryption: FieldEncryption) -> str:
    fields = await encryption.seal(ORG, "app", {"key": GivenField("canary")}, clear=frozenset())
    assert fields["key"].sealed is not None
    return fields["key"].sealed.key_id


async def sealed_again(encryption: FieldEncryption, secret: str, known: dict[str, FieldValue]) -> FieldValue:
    fields = await encryption.seal(ORG, "app", {"key": GivenField(secret)}, clear=frozenset(), known=known)
    return fields["key"]


@pytest.fixture
def gateways(tmp_path: Path) -> Gateways:
    return Gateways(tmp_path)


async def test_a_secret_that_is_sent_back_travels_as_it_is_kept(gateways: Gateways) -> None:
    known = await gateways.one.seal(ORG, "app", {"key": GivenField("canary")}, clear=frozenset())
    assert await sealed_again(gateways.other, "canary", known) == known["key"]
    assert await sealed_again(gateways.other, "another canary", known) != known["key"]
    elsewhere = await gateways.one.seal(ORG, "app-2", {"key": GivenField("canary")}, clear=frozenset())
    assert await sealed_again(gateways.other, "canary", elsewhere) != elsewhere["key"]


async def test_a_secret_that_is_sent_back_does_not_bring_back_a_former_key(gateways: Gateways) -> None:
    known = await gateways.one.seal(ORG, "app", {"key": GivenField("canary")}, clear=frozenset())
    for keys in (PREPARED, SWITCHED):
        write(gateways.paths[0], keys)
    again = await sealed_again(gateways.one, "canary", known)
    assert again.sealed is not None
    assert again.sealed.key_id == key_id(NEW)


async def test_an_organization_gets_another_data_key_with_the_master_key(gateways: Gateways) -> None:
    assert await sealed_by(gateways.one) == key_id(OLD)
    first = await gateways.kept()
    write(gateways.paths[0], PREPARED)
    assert await sealed_by(gateways.one) == key_id(OLD)
    assert await gateways.kept() == first
    write(gateways.paths[0], SWITCHED)
    assert await sealed_by(gateways.one) == key_id(NEW)
    second = await gateways.kept()
    assert (first.key_id, second.key_id) == (key_id(OLD), key_id(NEW))
    # Another key, not the same one sealed anew: who had the old ones opens nothing with them.
    assert Sealer(NEW).key_of(second.sealed, ORG) == key_id(NEW)
    assert await sealed_by(gateways.one) == key_id(NEW)
    assert await gateways.kept() == second


async def test_a_gateway_that_is_behind_takes_nothing_back(gateways: Gateways) -> None:
    for path in gateways.paths:
        write(path, PREPARED)
    assert await sealed_by(gateways.other) == key_id(OLD)
    write(gateways.paths[0], SWITCHED)
    assert await sealed_by(gateways.one) == key_id(NEW)
    made = await gateways.kept()
    # It has the data key of before in memory, which its own master key still seals.
    assert await sealed_by(gateways.other) == key_id(OLD)
    # Started anew it finds the later one, and leaves it.
    again = FieldEncryption(Sealer(KeyringFile(gateways.paths[1])), gateways.data_keys)
    assert await sealed_by(again) == key_id(NEW)
    assert await gateways.kept() == made


async def test_a_data_key_of_an_earlier_version_is_known_by_what_opens_it(gateways: Gateways) -> None:
    kept = DataKey(organization_id=ORG, sealed=Sealer(OLD).new_data_key(ORG))
    await gateways.data_keys.save(await gateways.data_keys.load(ORG, ORG), kept)
    assert await sealed_by(gateways.one) == key_id(OLD)
    assert await gateways.kept() == kept
    write(gateways.paths[0], SWITCHED)
    assert await sealed_by(gateways.one) == key_id(NEW)


async def test_a_data_key_of_an_unknown_master_key_is_not_replaced(gateways: Gateways) -> None:
    await sealed_by(gateways.one)
    kept = await gateways.kept()
    write(gateways.paths[1], ((NEW, ""),))
    with pytest.raises(PermanentError, match="data_key_unreadable"):
        await sealed_by(gateways.other)
    assert await gateways.kept() == kept
