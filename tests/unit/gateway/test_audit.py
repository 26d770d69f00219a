"""What is written down of secrets that are read, and of changes."""

import contextlib
from typing import Any

import pytest
from chassis.errors import Unavailable
from chassis.messaging.envelopes import envelope
from chassis.persistence.mongo import PyMongoError
from chassis.runtime.deadlines import Deadline, under
from contracts.errors import Conflict
from contracts.messages.assignment import App
from gateway.access.principal import Principal
from gateway.areas.connectors.secret_reads import SecretReads
from gateway.audit_log.entries import AuditRow
from gateway.audit_log.log import AuditLog

from tests.support import builders as make
from tests.unit.gateway.in_memory import ROOT_ORG, AuditInMemory
from tests.unit.gateway.test_domain import an_app

OWNER = Principal(account_id="owner", organization_id=ROOT_ORG, roles=("owner",))


class Room:
    """The audit log in memory."""

    def __init__(self) -> None:
        self.entries = AuditInMemory([])
        self.audit = AuditLog(self.entries, kept_days=1)
        self.reads = SecretReads(self.audit)

    def taken(self) -> list[AuditRow]:
        taken, self.entries.written[:] = list(self.entries.written), []
        return taken


def with_secret(app_id: str = "app-1", **changes: Any) -> App:
    return an_app(id=app_id, fields={"passphrase": make.sealed()}, **changes)


async def test_each_read_is_written_and_what_holds_no_secret_is_not() -> None:
    room = Room()
    for who, app in (
        (OWNER, with_secret()),
        (OWNER, with_secret()),
        (OWNER, with_secret("app-2")),
        (OWNER.model_copy(update={"account_id": "another"}), with_secret()),
    ):
        await room.reads.note(who, [app], of="connector")
        told = [(e.entry.action, e.entry.actor.account_id, e.entry.subject.id) for e in room.taken()]
        assert told == [("secret.read", who.account_id, app.id)]
    await room.reads.note(OWNER, [an_app(id="app-3")], of="connector")
    assert room.taken() == []


async def test_a_listing_names_every_connector_whose_secrets_it_holds() -> None:
    room = Room()
    apps = [with_secret(f"app-{n}") for n in range(250)]
    await room.reads.note(OWNER, [*apps, an_app(id="bare")], of="organization")
    entries = room.taken()
    named = [name for e in entries for name in e.entry.details["connectors"]]  # type: ignore[union-attr]
    assert named == [app.id for app in apps]
    assert len(entries) == 3
    assert {e.entry.subject.id for e in entries} == {ROOT_ORG}


async def test_what_cannot_be_written_is_not_read() -> None:
    room = Room()
    room.entries.broken = True
    with pytest.raises(Unavailable, match="audit_unavailable"):
        await room.reads.note(OWNER, [with_secret()], of="connector")
    room.entries.broken = False
    await room.reads.note(OWNER, [with_secret()], of="connector")
    assert len(room.taken()) == 1


async def test_a_change_is_written_before_it_is_made_and_told_how_it_ended() -> None:
    room = Room()

    async def change(error: BaseException | None) -> AuditRow:
        with contextlib.suppress(Conflict, KeyboardInterrupt):
            async with room.audit.change(OWNER, "connector.change", "connector", "app-1", name="nas"):
                assert room.entries.written[0].ending.outcome == "started"
                if error:
                    raise error
        [entry] = room.taken()
        return entry

    ends = [await change(e) for e in (None, Conflict("resource_locked", "No."), KeyboardInterrupt())]
    assert [(e.ending.outcome, e.ending.code) for e in ends] == [
        ("completed", None),
        ("failed", "resource_locked"),
        ("cancelled", None),
    ]
    assert (ends[0].entry.subject.id, ends[0].entry.details) == ("app-1", {"name": "nas"})


async def test_a_change_that_was_made_and_cannot_be_read_back_goes_on() -> None:
    room, deadline = Room(), Deadline(60)
    with under(deadline), contextlib.suppress(Unavailable):
        async with room.audit.change(OWNER, "connector.change", "connector", "app-1"):
            deadline.accepted = envelope(make.remove_app("app-1"), service="gateway")
            raise Unavailable("service_unavailable", "The service does not answer.")
    [entry] = room.taken()
    assert (entry.ending.outcome, entry.ending.code) == ("continued", None)


async def test_what_nobody_foresaw_is_a_failure_and_no_cancellation() -> None:
    room = Room()
    for error, code in ((PyMongoError("away"), "database_unavailable"), (KeyError("a bug"), "internal_error")):
        with contextlib.suppress(PyMongoError, KeyError):
            async with room.audit.change(OWNER, "connector.change", "connector", "app-1"):
                raise error
        [entry] = room.taken()
        assert (entry.ending.outcome, entry.ending.code) == ("failed", code)


async def test_what_cannot_be_written_is_not_changed() -> None:
    room = Room()
    room.entries.broken = True
    with pytest.raises(Unavailable, match="audit_unavailable"):
        async with room.audit.change(OWNER, "connector.change", "connector", "app-1"):
            pytest.fail("changed")
