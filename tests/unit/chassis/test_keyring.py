"""Which master keys there are, and how a process takes them up."""

import base64
import logging
import os
from pathlib import Path

import pytest
from chassis.security.keyring import Keyring, KeyringFile, key_id, parse
from chassis.security.sealing import Place, Sealer
from contracts.errors import Invalid, PermanentError
from contracts.values import OrganizationId

ORG = OrganizationId("org")
PLACE = Place(organization_id=ORG, owner="app", field="passphrase")
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def line(raw: bytes, role: str = "") -> str:
    return f"{base64.b64encode(raw).decode()} {role}".strip()


def replace(path: Path, *lines: str) -> None:
    """Write a file as it should be: whole, in one step."""
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n")
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    replace(tmp_path / "master.key", line(OLD))
    return tmp_path / "master.key"


def ids(keyring: Keyring) -> list[tuple[str, str]]:
    return [(key.id, key.role) for key in keyring.keys]


@pytest.mark.parametrize(
    ("lines", "roles"),
    [
        ([line(OLD)], ["current"]),
        ([line(OLD, "current")], ["current"]),
        ([line(OLD), line(NEW, "next")], ["current", "next"]),
        (["", line(NEW), "", line(OLD, "former")], ["current", "former"]),
    ],
)
def test_the_first_key_is_the_current_one(lines: list[str], roles: list[str]) -> None:
    assert [key.role for key in parse("\n".join(lines), named="keys").keys] == roles


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        base64.b64encode(bytes(31)).decode(),
        line(OLD, "next"),
        line(OLD, "former"),
        f"{line(OLD)}\n{line(NEW)}",
        f"{line(OLD)}\n{line(NEW, 'current')}",
        f"{line(OLD)}\n{line(NEW, 'next please')}",
        f"{line(OLD)}\n{line(OLD, 'next')}",
    ],
)
def test_what_is_no_list_of_keys_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse(text, named="keys")
    assert error.value.code == "key_unreadable"
    assert all(word not in error.value.detail for word in text.split() if len(word) > 20)
    assert error.value.__cause__ is None


def test_nothing_shows_a_key(path: Path) -> None:
    shown = repr(KeyringFile(path).now())
    assert key_id(OLD) in shown
    assert line(OLD) not in shown
    assert str(OLD) not in shown


def test_keys_are_taken_up_while_the_process_runs(path: Path) -> None:
    keys = KeyringFile(path)
    assert ids(keys.now()) == [(key_id(OLD), "current")]
    replace(path, line(OLD), line(NEW, "next"))
    assert ids(keys.now()) == [(key_id(OLD), "current"), (key_id(NEW), "next")]
    replace(path, line(NEW), line(OLD, "former"))
    assert ids(keys.now()) == [(key_id(NEW), "current"), (key_id(OLD), "former")]


def test_a_file_that_cannot_be_read_changes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = KeyringFile(path)
    path.write_text("half a li")
    with caplog.at_level(logging.ERROR):
        assert {keys.now().ids, keys.now().ids} == {(key_id(OLD),)}
    assert len(caplog.records) == 1
    path.unlink()
    assert keys.now().ids == (key_id(OLD),)
    replace(path, line(NEW), line(OLD, "former"))
    assert keys.now().ids == (key_id(NEW), key_id(OLD))


def test_a_process_without_keys_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="missing"):
        KeyringFile(tmp_path / "missing")


def test_what_is_sealed_opens_in_every_step(path: Path) -> None:
    """One process is always a step ahead of the other."""
    ahead, behind = two_sealers(path)
    steps = [
        (line(OLD), line(NEW, "next")),
        (line(NEW), line(OLD, "former")),
    ]
    for step in steps:
        replace(path, *step)
        for one, other in ((ahead, behind), (behind, ahead)):
            sealed = one.seal("canary", data_key=one.new_data_key(ORG), place=PLACE)
            assert other.open(sealed, place=PLACE) == "canary"
        replace(path.with_name("behind.key"), *step)


def two_sealers(path: Path) -> tuple[Sealer, Sealer]:
    """Two processes with files of their own, as on two machines."""
    replace(path.with_name("behind.key"), line(OLD))
    return Sealer(KeyringFile(path)), Sealer(KeyringFile(path.with_name("behind.key")))


def test_the_first_step_seals_nothing_under_a_key_that_others_lack(path: Path) -> None:
    replace(path, line(OLD), line(NEW, "next"))
    sealer = Sealer(KeyringFile(path))
    sealed = sealer.seal("canary", data_key=sealer.new_data_key(ORG), place=PLACE)
    assert sealed.key_id == key_id(OLD)
    assert Sealer(OLD).open(sealed, place=PLACE) == "canary"


def test_a_key_that_was_given_up_opens_nothing(path: Path) -> None:
    sealed = Sealer(OLD).seal("canary", data_key=Sealer(OLD).new_data_key(ORG), place=PLACE)
    sealer = Sealer(KeyringFile(path))
    assert sealer.open(sealed, place=PLACE) == "canary"
    replace(path, line(NEW))
    with pytest.raises(PermanentError, match="secret_unreadable"):
        sealer.open(sealed, place=PLACE)


def test_a_value_says_which_key_its_data_key_is_sealed_by(path: Path) -> None:
    replace(path, line(NEW), line(OLD, "former"))
    sealer, old = Sealer(KeyringFile(path)), Sealer(OLD).new_data_key(ORG)
    assert sealer.key_of(old, ORG) == key_id(OLD)
    assert sealer.key_of(old, OrganizationId("other")) is None
    assert sealer.seal("canary", data_key=old, place=PLACE).key_id == key_id(OLD)
    assert sealer.seal("canary", data_key=sealer.new_data_key(ORG), place=PLACE).key_id == key_id(NEW)
    with pytest.raises(PermanentError, match="data_key_unreadable"):
        sealer.seal("canary", data_key=Sealer(os.urandom(32)).new_data_key(ORG), place=PLACE)


def test_what_may_stay_sealed_is_not_under_a_former_key(path: Path) -> None:
    replace(path, line(OLD), line(NEW, "next"))
    keyring = KeyringFile(path).now()
    assert keyring.may_seal(key_id(OLD))
    assert keyring.may_seal(key_id(NEW))
    replace(path, line(NEW), line(OLD, "former"))
    assert not KeyringFile(path).now().may_seal(key_id(OLD))
    assert not keyring.may_seal("unknown")
